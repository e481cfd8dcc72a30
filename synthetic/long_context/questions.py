"""Questions about several documents, with answers that stand in them word for word. No model writes anything.

Only sentences that occur once in the whole text are asked about or given as answers, so there is one right answer, and
who has the text can find it again. The trade: sentences are pieces of a line up to a full stop, cheaply found; what is
asked is to look, not to reason. Two hops need a name or number that exactly two documents share.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

SHORTEST, LONGEST = 20, 400
"""UTF-8 bytes of a sentence that is asked about."""
LONGEST_QUESTION = 3 * LONGEST + 500
"""UTF-8 bytes that a question and its answer take at most."""
_SENTENCE = re.compile(r"[^\s](?:[^\n]*?[.!?](?=\s|$)|[^\n]*?[。！？]|[^\n]*)", re.MULTILINE)
_TERM = re.compile(r"\w[\w-]{2,40}")


@dataclass(frozen=True)
class Question:
    """One question with its answer, and which kind it is."""

    kind: str
    question: str
    answer: str


class Context:
    """The documents of one text, as they are numbered in it, from 1."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    @cached_property
    def sentences(self) -> list[list[str]]:
        """The sentences of each document, in order."""
        return [sentences(text) for text in self._texts]

    @cached_property
    def _count(self) -> Counter[str]:
        return Counter(sentence for found in self.sentences for sentence in found)

    @cached_property
    def askable(self) -> list[tuple[int, int]]:
        """(document, sentence) that can be asked about: it and the one that follows occur once, and have a fair length."""
        return [
            (number, place)
            for number, found in enumerate(self.sentences)
            for place in range(len(found) - 1)
            if self._fair(found[place]) and self._fair(found[place + 1])
        ]

    def _fair(self, sentence: str) -> bool:
        return self._count[sentence] == 1 and SHORTEST <= len(sentence.encode()) <= LONGEST

    @cached_property
    def _homes(self) -> dict[str, set[int]]:
        """The documents in which each term occurs."""
        homes: dict[str, set[int]] = {}
        for number, text in enumerate(self._texts):
            for term in terms(text):
                homes.setdefault(term, set()).add(number)
        return homes

    def next_sentence(self, draw: int) -> Question | None:
        """Which sentence follows another."""
        if not self.askable:
            return None
        number, place = self.askable[draw % len(self.askable)]
        first, second = self.sentences[number][place : place + 2]
        asked = f"In document {number + 1}, which sentence follows this one: {first}"
        return Question("next_sentence", asked, second)

    @cached_property
    def hops(self) -> list[tuple[int, int, str, int, str]]:
        """(document, sentence, term, other document, sentence there): what a question of two hops can be made of.

        The sentence that follows has one term that exactly one other document has, too; so there is one way to go.
        """
        found = []
        for number, place in self.askable:
            bridges = [term for term in terms(self.sentences[number][place + 1]) if len(self._homes[term]) == 2]
            if len(bridges) != 1 or not _telling(bridges[0]):
                continue
            (other,) = self._homes[bridges[0]] - {number}
            there = next((s for s in self.sentences[other] if bridges[0] in s and bridges[0] in terms(s)), None)
            if there is not None and self._fair(there):
                found.append((number, place, bridges[0], other, there))
        return found

    def two_hops(self, draw: int) -> Question | None:
        """A sentence that is found by the one before it, and leads by a name or number to another document."""
        if not self.hops:
            return None
        number, place, term, other, there = self.hops[draw % len(self.hops)]
        asked = (
            f"In document {number + 1}, a sentence follows this one: {self.sentences[number][place]}\nIt has one name or "
            f"number that occurs in exactly one other document. Which is it, and in which sentence does that document have "
            f"it first?"
        )
        return Question("two_hops", asked, f"{term} in document {other + 1}: {there}")


def _telling(term: str) -> bool:
    """Whether a term is worth following: `None` and `Test` are in too many places that have nothing to do with each other."""
    return len(term) >= 6 or any(map(str.isdigit, term))


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order: pieces of lines, without the white space around them."""
    return [match.group().strip() for match in _SENTENCE.finditer(text)]


def terms(text: str) -> set[str]:
    """Names and numbers: words that begin with a capital or hold a digit, of three characters at least."""
    return {word for word in _TERM.findall(text) if word[0].isupper() or any(map(str.isdigit, word))}
