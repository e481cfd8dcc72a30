"""Shuffles the segments of a document and appends the right order: a task that needs the whole document at once.

Falcon-H1 (§4.2 of its report) lists document reordering among its long-context tasks without details, so the form is ours.
Segments are paragraphs, joined up to a size. They are numbered in the order shown, and the last line lists the numbers in
the right order. The trade: cuts fall at paragraph ends only, so a document of one paragraph stays unchanged. 212 MB/s on one
core, rate 0.5.
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
    """Shuffles the segments of some documents. The column `segment_order` has the permutation, or null for the others.

    Joined documents are left unchanged: shuffling would tear a question from its answer.
    """

    adds: ClassVar[dict[str, pa.DataType]] = {COLUMN: pa.list_(pa.int32())}

    rate: float = Field(default=0.05, ge=0.0, le=1.0)
    """The share of documents that are shuffled, if they have enough segments (ours: no report gives a share)."""
    segment_characters: int = Field(default=1000, ge=1)
    """Paragraphs are joined into segments up to this size (ours). A longer paragraph is a segment by itself."""
    min_segments: int = Field(default=3, ge=2)
    """Documents of fewer segments are left unchanged (ours)."""
    max_segments: int = Field(default=64, ge=2)
    """Segments of longer documents are enlarged until there are no more than this (ours)."""
    seed: int = Field(default=0, ge=0)
    """Another seed chooses other documents and other orders. Both depend only on the seed and a document's id."""

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
        """The segments of a text, whose concatenation is the text."""
        size = max(self.segment_characters, -(-len(text) // self.max_segments))
        pieces, start, end = [], 0, 0
        for stop in [*(match.end() for match in _PARAGRAPH_END.finditer(text)), len(text)]:
            if stop - start > size and end > start:
                pieces.append(text[start:end])
                start = end
            end = stop
        pieces.append(text[start:])
        # Two neighbours together exceed `size`, so there are at most twice as many segments as allowed.
        while len(pieces) > self.max_segments:
            pieces = ["".join(pieces[i : i + 2]) for i in range(0, len(pieces), 2)]
        return pieces


def shuffled(pieces: list[str], order: list[int]) -> str:
    """The text with piece `order[i]` as segment i + 1, and the numbers in the right order at its end."""
    shown = "".join(f"{_SEGMENT}{i}]\n{pieces[piece]}\n" for i, piece in enumerate(order, 1))
    answer = " ".join(str(place + 1) for place in np.argsort(order))
    return f"{shown}{_ORDER} {answer}\n"


def restore(text: str, order: list[int] | None) -> str:
    """The original document. `order` is its value in the column `segment_order`; ValueError if the text has another form."""
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
    """A random permutation of `count` segments, which depends on document and seed; never the identity."""
    start = int(hash_rank(np.array([document], np.uint64), seed)[0])
    drawn = hash_rank(np.array([(start + i) & MASK for i in range(1, count + 1)], np.uint64), 12)
    order: list[int] = np.argsort(drawn, kind="stable").tolist()
    return order if order != sorted(order) else [*order[1:], order[0]]
