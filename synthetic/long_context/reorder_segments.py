"""Segments of a document in another order, and the order at the end: a task that needs the whole document at once.

Falcon-H1 (§4.2 of its report) lists document reordering among its long-context tasks and does not say how it was done:
the form is ours. Segments are paragraphs, joined up to a size; they are numbered as they are shown, and the last line
gives the numbers in the right order. The trade: only paragraph ends are cut, so a document of one paragraph stays as it
is. 212 MB/s on one core, rate 0.5.
"""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from eyas.corpus.documents import NOTE
from eyas.corpus.sampling import MASK, hash_rank
from eyas.corpus.stage import Mapper
from eyas.errors import InputError
from eyas.synthetic.long_context.marks import control_of, joined_already, put, uniform

COLUMN = "segment_order"
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_SEGMENT = "[segment "
_ORDER = "[right order]"


class ReorderSegments(Mapper):
    """Shuffles the segments of some documents; the column `segment_order` has the permutation, null where none was made.

    What a stage has joined is left as it is: a question would be torn from its answer.
    """

    adds: ClassVar[dict[str, pa.DataType]] = {COLUMN: pa.list_(pa.int32())}

    rate: float = Field(default=0.05, ge=0.0, le=1.0)
    """The share of documents that are shuffled, if they have segments enough (ours: no report gives a share)."""
    segment_characters: int = Field(default=1000, ge=1)
    """Paragraphs are joined while they stay below this (ours); a longer paragraph is a segment."""
    min_segments: int = Field(default=3, ge=2)
    """Documents of fewer segments are left as they are (ours)."""
    max_segments: int = Field(default=64, ge=2)
    """In longer documents segments are made larger until there are no more than this (ours)."""
    seed: int = Field(default=0, ge=0)
    """Other documents and other orders; which they are depends on this and a document's id alone."""

    def map(self, docs: pa.Table) -> pa.Table:
        ids = docs.column("id").to_numpy()
        texts, control = docs.column("text").to_pylist(), control_of(docs)
        joined = joined_already(docs)
        orders: list[list[int] | None] = [None] * len(texts)
        notes: list[str | None] = [None] * len(texts)
        for row in np.flatnonzero(uniform(ids, self.seed, 11) < self.rate).tolist():
            if joined[row]:
                continue
            if control[row] or _SEGMENT in texts[row] or _ORDER in texts[row]:
                notes[row] = "left as it is: it holds marks already"
                continue
            pieces = self.segments(texts[row])
            if len(pieces) < self.min_segments:
                notes[row] = f"left as it is: {len(pieces)} segments"
                continue
            order = _permutation(int(ids[row]), self.seed, len(pieces))
            texts[row], orders[row] = shuffled(pieces, order), order
        docs = put(docs, "text", pa.array(texts, pa.large_string()))
        docs = put(docs, COLUMN, pa.array(orders, pa.list_(pa.int32())))
        return put(docs, NOTE, pa.array(notes, pa.string()))

    def segments(self, text: str) -> list[str]:
        """The segments of a text, which joined are the text."""
        size = max(self.segment_characters, -(-len(text) // self.max_segments))
        found, start, end = [], 0, 0
        for stop in [*(match.end() for match in _PARAGRAPH_END.finditer(text)), len(text)]:
            if stop - start > size and end > start:
                found.append(text[start:end])
                start = end
            end = stop
        found.append(text[start:])
        # Each joins paragraphs up to `size`, so two neighbours have more than `size`: at most twice the segments asked.
        while len(found) > self.max_segments:
            found = ["".join(found[i : i + 2]) for i in range(0, len(found), 2)]
        return found


def shuffled(pieces: list[str], order: list[int]) -> str:
    """The text that shows piece `order[i]` as segment i + 1, and ends with the numbers in the right order."""
    shown = "".join(f"{_SEGMENT}{i}]\n{pieces[piece]}\n" for i, piece in enumerate(order, 1))
    answer = " ".join(str(place + 1) for place in np.argsort(order))
    return f"{shown}{_ORDER} {answer}\n"


def restore(text: str, order: list[int] | None) -> str:
    """The document as it was; `order`: its value of the column `segment_order`. ValueError if the text has another form."""
    if order is None:
        return text
    body, mark, answer = text.rpartition(f"\n{_ORDER} ")
    pieces, rest = [], body + "\n"
    for number in range(1, len(order) + 1):
        head = f"{_SEGMENT}{number}]\n"
        following = f"\n{_SEGMENT}{number + 1}]\n"
        at = rest.find(following, len(head)) if number < len(order) else len(rest) - 1
        if not mark or not rest.startswith(head) or at < 0:
            raise InputError(f"expected the segments of a document (`{_SEGMENT}1]` …), found {text[:60]!r}")
        pieces.append(rest[len(head) : at])
        rest = rest[at + 1 :]
    return "".join(pieces[int(place) - 1] for place in answer.split())


def _permutation(document: int, seed: int, count: int) -> list[int]:
    """The order of `count` lots drawn for this document; never the identity."""
    start = int(hash_rank(np.array([document], np.uint64), seed)[0])
    drawn = hash_rank(np.array([(start + i) & MASK for i in range(1, count + 1)], np.uint64), 12)
    order: list[int] = np.argsort(drawn, kind="stable").tolist()
    return order if order != sorted(order) else [*order[1:], order[0]]
