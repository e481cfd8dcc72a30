"""The stage `line_cleanup`: cleans documents line by line, by RefinedWeb's corrections, C4's line rules, or both.

Penedo et al. 2023, "The RefinedWeb Dataset for Falcon LLM" (arXiv:2306.01116), appendix G.2, takes out what extraction
leaves of menus, counters and buttons, and keeps the text around it. The paper names the kinds of lines and an example of
each; the lists of phrases are ours. It also drops documents that lost more than 5 % of their words. That is a decision, so
this stage writes the share into `line_cleanup_removed`, and `threshold` decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from eyas.corpus import Mapper
from eyas.corpus.documents import NOTE
from eyas.corpus.options import Options
from eyas.filters.heuristics.c4 import C4Options, c4_lines, sums
from eyas.filters.heuristics.symbols import TERMINALS
from eyas.text_kernels.statistics import lines as kernel
from eyas.text_kernels.statistics.lines import LineStatistics, join_lines, keep_lines, line_statistics
from eyas.text_kernels.utf8 import buffers

AT_START: Final = ("sign in", "sign-in", "sign up", "log in", "login", "register now", "skip to", "click here")
AT_END: Final = (
    "read more",
    "read more...",
    "read more…",
    "read more »",
    "show more",
    "see more",
    "learn more",
    "load more",
)
ANYWHERE: Final = ("items in cart", "items in your cart", "add to cart", "shopping cart", "all rights reserved")
COUNTER: Final = re.compile(
    rb"[\d.,]+\s?[KMkm]?\s+(?:likes?|shares?|comments?|views?|replies|reply|followers?|following|retweets?|votes?|points?|"
    rb"reads?|downloads?|stars?|forks?|reviews?|ratings?|items?|results?)",
    re.IGNORECASE,
)
COLUMN: Final = "line_cleanup_removed"


class RefinedWebOptions(Options):
    """The rules that decide which lines are taken out; each can be turned off."""

    max_uppercase_share: float | None = Field(default=0.5, ge=0, le=1)
    """Take out lines with a greater share of upper case among their characters ("mainly composed of uppercase"; the
    half is ours)."""
    numbers: bool = True
    """Take out lines of numbers and symbols alone ("composed of numerical characters only")."""
    counters: bool = True
    """Take out counters: `3 likes`."""
    min_words: int | None = Field(default=2, ge=1)
    """Take out lines of fewer words between white space ("only contains one word"); empty lines stay."""
    max_words: int = Field(default=10, ge=1)
    """Most words of a line that is searched for phrases (RefinedWeb: 10)."""
    at_start: tuple[str, ...] = AT_START
    """Take out lines that begin with one of these phrases, in any case (RefinedWeb: "sign-in")."""
    at_end: tuple[str, ...] = AT_END
    """Take out lines that end with one of these phrases (RefinedWeb: "Read more...")."""
    anywhere: tuple[str, ...] = ANYWHERE
    """Take out lines that have one of these phrases anywhere (RefinedWeb: "items in cart")."""


class Cleaned(NamedTuple):
    """Texts, and int64[documents, 2] each: lines and words before and after."""

    text: pa.LargeStringArray
    before: npt.NDArray[np.int64]
    after: npt.NDArray[np.int64]


class LineCleanup(Mapper):
    """Takes lines out of documents; adds the column `line_cleanup_removed`, the share of words that were taken out."""

    version: ClassVar[int] = 1
    adds: ClassVar[dict[str, pa.DataType]] = {COLUMN: pa.float32()}

    refinedweb: RefinedWebOptions | None = RefinedWebOptions()
    """RefinedWeb's corrections; null turns them off."""
    c4: C4Options | None = None
    """C4's line rules, which come first. They leave exactly the text that datatrove's `C4QualityFilter` leaves of documents
    that it keeps. Use them for web pages: they join paragraphs and take the indentation out of code."""

    def map(self, docs: pa.Table) -> pa.Table:
        text = docs.column("text").combine_chunks()
        before = after = np.zeros((docs.num_rows, 2), np.int64)
        for number, clean in enumerate(self._steps()):
            text, whole, after = clean(text)
            before = whole if number == 0 else before
        lines, words = before.T
        gone = lines - after[:, 0]
        with np.errstate(invalid="ignore"):
            share = np.nan_to_num(1 - after[:, 1] / words)
        notes = [
            f"{n} of {of} lines taken out" if n else None for n, of in zip(gone.tolist(), lines.tolist(), strict=True)
        ]
        docs = docs.set_column(docs.column_names.index("text"), "text", text)
        for name, column in ((COLUMN, pa.array(share, pa.float32())), (NOTE, pa.array(notes, pa.string()))):
            at = docs.column_names.index(name) if name in docs.column_names else None
            docs = docs.append_column(name, column) if at is None else docs.set_column(at, name, column)
        return docs

    def _steps(self) -> list[Callable[[pa.LargeStringArray], Cleaned]]:
        steps: list[Callable[[pa.LargeStringArray], Cleaned]] = []
        if self.c4 is not None:
            steps.append(partial(_c4, self.c4))
        if self.refinedweb is not None:
            steps.append(partial(_refinedweb, self.refinedweb))
        return steps


def _c4(options: C4Options, text: pa.LargeStringArray) -> Cleaned:
    judged = c4_lines(text, options)
    separator = "\n" if options.split_paragraph else " "
    citations = not options.remove_citations
    cleaned = join_lines(text, judged.lines, judged.kept, separator=separator, citations=citations)
    return Cleaned(cleaned, *_before_and_after(judged.lines, judged.kept))


def _refinedweb(options: RefinedWebOptions, text: pa.LargeStringArray) -> Cleaned:
    lines = line_statistics(text, (*options.at_start, *options.at_end, *options.anywhere), TERMINALS)
    kept = ~_corrected(options, text, lines)
    return Cleaned(keep_lines(text, lines, kept), *_before_and_after(lines, kept))


def _corrected(options: RefinedWebOptions, text: pa.LargeStringArray, lines: LineStatistics) -> npt.NDArray[np.bool_]:
    """Which lines are taken out."""
    counts = lines.counts
    words, characters = counts[kernel.WORDS], counts[kernel.CHARACTERS]
    out = np.zeros(len(lines), np.bool_)
    if options.max_uppercase_share is not None:
        out |= counts[kernel.UPPERCASE] > options.max_uppercase_share * characters
    if options.numbers:
        out |= (counts[kernel.LETTERS] == 0) & (counts[kernel.NUMBERS] > 0)
    if options.min_words is not None:
        out |= (words < options.min_words) & (words > 0)
    short = words <= options.max_words
    starts, ends = len(options.at_start), len(options.at_end)
    bits = [
        ((1 << n) - 1) << before for n, before in ((starts, 0), (ends, starts), (len(options.anywhere), starts + ends))
    ]
    for phrases, mask in zip((lines.at_start, lines.at_end, lines.anywhere), bits, strict=True):
        out |= short & ((phrases & np.uint64(mask)) > 0)
    if options.counters:
        data = buffers(text)[0].tobytes()
        # Only lines with a number can be counters, and lines that are taken out already need no check.
        for line in np.flatnonzero(short & ~out & (counts[kernel.NUMBERS] > 0)).tolist():
            out[line] = COUNTER.fullmatch(data, int(lines.start[line]), int(lines.end[line])) is not None
    return out


def _before_and_after(
    lines: LineStatistics, kept: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """int64[documents, 2] each: lines that are not empty, and words."""
    words = lines.counts[kernel.WORDS]
    both = np.stack([(words > 0).astype(np.int64), words], axis=1)
    return sums(both, lines.doc_offsets), sums(both * kept[:, None], lines.doc_offsets)
