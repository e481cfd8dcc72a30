"""The base of stages that cut repeated spans out of texts instead of dropping whole documents.

Spans are stored as byte ranges in the mask beside the documents: texts are cut when they are read, and never rewritten. For
every document that was cut, the ledger holds the number of spans and bytes, and the document that the first is a copy from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from eyas.corpus.ledger import Books
from eyas.corpus.verdict import Verdict
from eyas.filters.dedup.base import I64, U64, DedupStage
from eyas.text_kernels.splice import splice
from eyas.text_kernels.words.words import words


class SpanStage(DedupStage):
    """Options of stages that cut spans."""

    adds: ClassVar[dict[str, pa.DataType]] = {"repeated_share": pa.float64()}

    least_words: int = Field(default=5, ge=0)
    """Drop a document that was cut if fewer words than this are left, unless others lost a copy of what it keeps."""

    def lost(self, books: Books) -> tuple[float, str]:
        share = 1.0 - books.bytes_kept / max(books.bytes_in, 1)
        return share, f"{books.bytes_in - books.bytes_kept:,} of {books.bytes_in:,} bytes of text ({share:.1%})"


class Spans:
    """The spans to cut out of the documents of one part, gathered table by table."""

    def __init__(self, least_words: int, filler: str = "", cut: bool = True) -> None:
        """`least_words`: fewest words of a document that stays. `cut`: whether spans are cut out, or only counted."""
        self._least_words, self._filler, self._cut = least_words, filler, cut
        self._verdicts: list[Verdict] = []

    def add(self, docs: pa.Table, document: I64, start: I64, end: I64, other: U64, owns: npt.NDArray[np.bool_]) -> None:
        """Adds spans of the documents `docs` (id, text): bytes `start[k]` to `end[k]` of the `document[k]`-th are a copy of
        something in the document `other[k]`. Spans are sorted and apart.

        `owns`: for each document, whether others lose what it keeps. Such a document stays, however short, or that text
        would be lost altogether.
        """
        counts = np.bincount(document, minlength=docs.num_rows)
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        flat = np.stack([start, end], axis=1).ravel() if len(start) else np.zeros(0, np.int64)
        cuts = pa.ListArray.from_arrays(pa.array(2 * bounds, pa.int32()), pa.array(flat, pa.int64()))
        removed = np.bincount(document, end - start, minlength=docs.num_rows).astype(np.int64)
        size = np.maximum(pc.binary_length(docs.column("text")).to_numpy(), 1)
        touched = counts > 0
        left = _words_left(docs.column("text").combine_chunks(), cuts, touched)
        kept = ~touched | (left >= self._least_words) | owns if self._cut else np.ones(docs.num_rows, np.bool_)
        self._verdicts.append(
            Verdict.of(
                kept,
                reason="short_after_cutting",
                score=pa.array(left.astype(np.float64), mask=~touched),
                threshold=pa.array(np.full(len(left), float(self._least_words)), mask=~touched),
                detail=_details(counts, bounds, removed, other, "cut" if self._cut else "repeated"),
                columns={"repeated_share": pa.array(removed / size)},
                cuts=cuts,
            )
        )

    def verdict(self) -> Verdict:
        """The verdict on all documents that were added."""
        if not self._verdicts:
            return Verdict.of([], columns={"repeated_share": pa.array([], pa.float64())})
        share = pa.concat_arrays([verdict.columns["repeated_share"] for verdict in self._verdicts])
        cuts = pa.concat_arrays([verdict.cuts for verdict in self._verdicts]) if self._cut else None
        whole = Verdict.joined(self._verdicts)
        return replace(whole, columns={"repeated_share": share}, cuts=cuts, filler=self._filler)


def _words_left(text: pa.LargeStringArray, cuts: pa.ListArray, touched: npt.NDArray[np.bool_]) -> I64:
    """Words that are left of each text in `touched` after the cut; 0 for the others, where it does not matter."""
    left = np.zeros(len(text), np.int64)
    which = pa.array(touched)
    if touched.any():
        left[touched] = np.diff(words(splice(text.filter(which), cuts.filter(which)))[2])
    return left


def _details(counts: I64, bounds: I64, removed: I64, other: U64, verb: str) -> list[str | None]:
    details: list[str | None] = [None] * len(counts)
    for i in np.flatnonzero(counts):
        places = "1 place," if counts[i] == 1 else f"{counts[i]:,} places, the first"
        details[i] = f"{verb} {removed[i]:,} bytes in {places} a copy from {other[bounds[i]]}"
    return details


def merged(document: I64, start: I64, end: I64, other: U64) -> tuple[I64, I64, I64, U64]:
    """The sorted spans, those that overlap or touch joined; a joined span has the lowest `other` at its beginning."""
    if not len(start):
        return document, start, end, other
    at = np.lexsort((other, start, document))
    document, start, end, other = document[at], start[at], end[at], other[at]
    # The furthest end so far within a document: ends are lifted by document, so that one running maximum serves all.
    lift = document * (int(end.max()) + 1)
    reach = np.maximum.accumulate(end + lift)
    new = np.ones(len(start), np.bool_)
    new[1:] = start[1:] + lift[1:] > reach[:-1]
    new[1:] |= document[1:] != document[:-1]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(start)) - 1
    return document[first], start[first], reach[last] - lift[last], other[first]
