"""Questions about several documents whose answers occur in them word for word. No model writes anything.

Questions and answers use only sentences that occur once in the whole text, so each question has one right answer, which a
reader of the text can find. The trade: sentences are pieces of a line up to a full stop, which are cheap to find, and the
questions need search, not reasoning. Two hops need a name or number that exactly two documents share.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

SHORTEST, LONGEST = 20, 400
"""The UTF-8 bytes of a sentence in a question."""
LONGEST_QUESTION = 3 * LONGEST + 500
"""The most UTF-8 bytes of a question with its answer."""
_SENTENCE = re.compile(r"[^\s](?:[^\n]*?[.!?](?=\s|$)|[^\n]*?[。！？]|[^\n]*)", re.MULTILINE)
_TERM = re.compile(r"\w[\w-]{2,40}")


@dataclass(frozen=True)
class Question:
    """One question with its answer and its kind."""

    kind: str
    question: str
    answer: str


class Context:
    """The documents of one joined text, whose questions number them from 1."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    @cached_property
    def sentences(self) -> list[list[str]]:
        """The sentences of each document, in order."""
        return [sentences(text) for text in self._texts]

    @cached_property
    def _count(self) -> Counter[str]:
        return Counter(sentence for document in self.sentences for sentence in document)

    @cached_property
    def askable(self) -> list[tuple[int, int]]:
        """(document, sentence) for each sentence that, like the next one, occurs once and has a fair length."""
        return [
            (number, place)
            for number, document in enumerate(self.sentences)
            for place in range(len(document) - 1)
            if self._fair(document[place]) and self._fair(document[place + 1])
        ]

    def _fair(self, sentence: str) -> bool:
        return self._count[sentence] == 1 and SHORTEST <= len(sentence.encode()) <= LONGEST

    @cached_property
    def _documents_of(self) -> dict[str, set[int]]:
        """The documents in which each term occurs."""
        documents: dict[str, set[int]] = {}
        for number, text in enumerate(self._texts):
            for term in terms(text):
                documents.setdefault(term, set()).add(number)
        return documents

    def next_sentence(self, draw: int) -> Question | None:
        """The question which sentence follows another; None if no sentence is suitable."""
        if not self.askable:
            return None
        number, place = self.askable[draw % len(self.askable)]
        first, second = self.sentences[number][place : place + 2]
        question = f"In document {number + 1}, which sentence follows this one: {first}"
        return Question("next_sentence", question, second)

    @cached_property
    def hops(self) -> list[tuple[int, int, str, int, str]]:
        """(document, sentence, term, other document, its first sentence with the term): the material of two-hop questions.

        The sentence that follows has exactly one term that exactly one other document shares, so the path is unique.
        """
        hops = []
        for number, place in self.askable:
            bridges = [term for term in terms(self.sentences[number][place + 1]) if len(self._documents_of[term]) == 2]
            if len(bridges) != 1 or not _telling(bridges[0]):
                continue
            (other,) = self._documents_of[bridges[0]] - {number}
            target = next((s for s in self.sentences[other] if bridges[0] in s and bridges[0] in terms(s)), None)
            if target is not None and self._fair(target):
                hops.append((number, place, bridges[0], other, target))
        return hops

    def two_hops(self, draw: int) -> Question | None:
        """A question in two hops, from a sentence to the next and by its name or number to another document.

        None if the documents allow none.
        """
        if not self.hops:
            return None
        number, place, term, other, target = self.hops[draw % len(self.hops)]
        question = (
            f"In document {number + 1}, a sentence follows this one: {self.sentences[number][place]}\nIt has one name or "
            f"number that occurs in exactly one other document. Which is it, and in which sentence does that document have "
            f"it first?"
        )
        return Question("two_hops", question, f"{term} in document {other + 1}: {target}")


def _telling(term: str) -> bool:
    """Whether a term relates its documents: short words such as `None` and `Test` occur in unrelated places."""
    return len(term) >= 6 or any(map(str.isdigit, term))


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order: pieces of lines, without the white space around them."""
    return [match.group().strip() for match in _SENTENCE.finditer(text)]


def terms(text: str) -> set[str]:
    """Names and numbers: words of at least three characters that begin with a capital or hold a digit."""
    return {word for word in _TERM.findall(text) if word[0].isupper() or any(map(str.isdigit, word))}
