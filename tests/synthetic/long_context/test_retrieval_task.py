"""The retrieval task: documents stay intact, and every answer can be found from its question."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from long_context_checks import TOPICS, check, docs
from pydantic import ValidationError

from eyas.corpus.documents import SPANS
from eyas.synthetic.long_context import joined
from eyas.synthetic.long_context.questions import sentences, terms
from eyas.synthetic.long_context.retrieval_task import RetrievalTask


def page(number: int, topic: str) -> str:
    """A page of its own about a topic."""
    return "\n".join(
        f"The {topic} of page {number} has line {number * 37 + i} and says {topic} again." for i in range(12)
    )


def answer_of(question: str, texts: list[str]) -> str:
    """The answer that a reader of the question finds in the documents."""
    number, sentence = re.match(r"In document (\d+), (?:which|a) sentence follows this one: (.*)", question).groups()
    of_document = sentences(texts[int(number) - 1])
    assert of_document.count(sentence) == 1
    following = of_document[of_document.index(sentence) + 1]
    if "\nIt has one name or number" not in question:
        return following
    documents_of = {term: {n for n, text in enumerate(texts, 1) if term in terms(text)} for term in terms(following)}
    pairs = [(term, *(numbers - {int(number)})) for term, numbers in documents_of.items() if len(numbers) == 2]
    assert len(pairs) == 1
    term, other = pairs[0]
    return f"{term} in document {other}: " + next(s for s in sentences(texts[other - 1]) if term in terms(s))


def test_answers_occur_in_the_documents_and_a_reader_finds_them() -> None:
    texts = [
        page(i, TOPICS[i % 5]) + f"\nAt last Keystone{i // 2} was seen in room {i}.\nThe end of {i} is near."
        for i in range(60)
    ]
    table = docs(texts)
    stage = RetrievalTask(target_tokens=8000, questions=4, two_hops_share=0.5, share=1)
    joined_texts = stage.generate(table, 5)
    check(stage, table, joined_texts)
    kinds: list[str] = []
    for row in joined_texts.to_pylist():
        parents = joined.restore(row["text"], row[SPANS.name])
        tail = row["text"].encode()[row[SPANS.name][-1] :].decode()
        questions = tail.rstrip("\n").split("\n\nQuestion: ")[1:]
        assert 1 <= len(questions) <= 4
        for item in questions:
            question, _, answer = item.rpartition("\nAnswer: ")
            assert answer == answer_of(question, parents)
            assert answer.rpartition(": ")[2] in row["text"][: -len(tail)]
        kinds += row["long_context"].split(" ")[1].split(",")
    assert joined_texts.num_rows >= 2 and set(kinds) == {"next_sentence", "two_hops"}
    assert joined_texts.equals(stage.generate(table, 5)) and not joined_texts.equals(stage.generate(table, 6))
    none = RetrievalTask(target_tokens=8000, two_hops_share=0, share=1).generate(table, 5)
    assert "two_hops" not in "".join(none.column("long_context").to_pylist())


@given(
    st.lists(
        st.text(max_size=60) | st.just("A sentence of fair length, is it not?\nAnd one more of a fair length.\n"),
        min_size=2,
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_hostile_documents_are_joined_intact_or_not_at_all(texts: list[str]) -> None:
    table = docs(texts)
    stage = RetrievalTask(target_tokens=8000, min_share=0, share=1)
    check(stage, table, stage.generate(table, 0))


def test_groups_are_random_and_questions_may_not_fill_the_target() -> None:
    table = docs(["x"] * 3000)
    keys = RetrievalTask(target_tokens=8000).keys(table, 1, 10 * 8 * 24_000).flatten().to_numpy()
    counts = np.bincount(keys.astype(np.int64))
    assert len(counts) == 10 and counts.min() > 200
    with pytest.raises(ValidationError, match="more than half of the target"):
        RetrievalTask(target_tokens=1000, questions=4)
