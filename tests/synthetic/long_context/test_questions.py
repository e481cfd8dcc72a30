"""Questions about several documents: one right answer each, and none where no sentence is suitable."""

from __future__ import annotations

from eyas.synthetic.long_context.questions import Context, Question, sentences, terms

FIRST = "The falcon left its nest at dawn.\nIt flew to Keystone before noon.\nThen it came back to eat."
SECOND = "Many birds nest in the north.\nThe ranger of Keystone counted nine of them."


def test_sentences_and_terms() -> None:
    assert sentences("One. Two!  Three\n\n四。五") == ["One.", "Two!", "Three", "四。", "五"]
    assert terms("The 1st bird of New-York saw Al and x86.") == {"The", "1st", "New-York", "x86"}


def test_the_next_sentence_is_the_answer() -> None:
    context = Context([FIRST, "Short.\nShort."])
    assert context.askable == [(0, 0), (0, 1)]
    question = "In document 1, which sentence follows this one: The falcon left its nest at dawn."
    assert context.next_sentence(2) == Question("next_sentence", question, "It flew to Keystone before noon.")


def test_two_hops_lead_over_a_shared_name_to_the_other_document() -> None:
    question = Context([FIRST, SECOND]).two_hops(0)
    assert question is not None and question.kind == "two_hops"
    assert "In document 1, a sentence follows this one: The falcon left its nest at dawn." in question.question
    assert question.answer == "Keystone in document 2: The ranger of Keystone counted nine of them."


def test_repeated_sentences_and_unshared_names_give_no_question() -> None:
    assert Context([FIRST, FIRST]).next_sentence(0) is None
    assert Context([FIRST, "No common name occurs in this document."]).two_hops(0) is None
    assert Context([FIRST, SECOND, "Keystone is a third document."]).two_hops(0) is None
