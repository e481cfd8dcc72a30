"""The stage `c4_quality`: ignores lines that are no sentences, and keeps documents with enough sentences on other lines.

Raffel et al. 2020 (arXiv:1910.10683), section 2.2, as datatrove implements it. Decisions and reasons are datatrove's, if its
hook gives it our sentences (`eyas.text_kernels.words.sentences`). Its filter also deletes the lines; this stage only judges,
and `line_cleanup: {c4: {}}` deletes them. The rule against `{` drops LaTeX and code: turn it off for those.
"""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from eyas.corpus import Filter, Rule, Verdict
from eyas.corpus.options import Options
from eyas.filters.heuristics.symbols import TERMINALS
from eyas.text_kernels.statistics import lines as kernel
from eyas.text_kernels.statistics.lines import LineStatistics, line_statistics

END_PUNCTUATION: Final = (".", "?", "!", '"', "'")
LOREM_IPSUM: Final = "lorem ipsum"
JAVASCRIPT: Final = "javascript"
POLICY: Final = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
PHRASES: Final = (LOREM_IPSUM, JAVASCRIPT, *POLICY)
_LOREM_IPSUM, _JAVASCRIPT = np.uint64(1), np.uint64(2)
_POLICY = np.uint64((1 << len(PHRASES)) - 1) ^ _LOREM_IPSUM ^ _JAVASCRIPT


class C4Options(Options):
    """The rules that decide which lines count; each can be turned off."""

    split_paragraph: bool = True
    """Judge line by line (C4); false: sentence by sentence."""
    remove_citations: bool = True
    """Ignore marks of citations: `[12]`, `[edit]`, `[citation needed]` (C4)."""
    filter_no_terminal_punct: bool = True
    """Leave out lines that do not end in `.`, `?`, `!` or a quotation mark, or end in `...` (C4)."""
    min_words_per_line: int | None = 3
    """Leave out lines of fewer words between white space (C4: 3; its paper says 5, its code 3)."""
    max_word_length: int | None = 1000
    """Leave out lines with a longer word between white space, in code points (C4's code: 1000)."""
    filter_javascript: bool = True
    """Leave out lines that mention JavaScript (C4)."""
    filter_policy: bool = True
    """Leave out lines about cookies, privacy policies and terms of use (C4's code)."""
    filter_lorem_ipsum: bool = True
    """Drop documents with a line that has `lorem ipsum` (C4)."""
    filter_curly_bracket: bool = True
    """Drop documents with a line that has `{` (C4). This drops LaTeX and code."""


class C4Lines(NamedTuple):
    """Lines and C4's judgement on them; the arrays have an entry for each line."""

    lines: LineStatistics
    kept: npt.NDArray[np.bool_]
    lorem_ipsum: npt.NDArray[np.bool_]
    """Lines for which the document is dropped, unless an earlier line decides."""
    curly_bracket: npt.NDArray[np.bool_]
    """Likewise."""


def c4_lines(text: pa.LargeStringArray | pa.ChunkedArray, options: C4Options) -> C4Lines:
    """Judges every line of every document."""
    lines = line_statistics(
        text,
        PHRASES,
        TERMINALS,
        by_sentence=not options.split_paragraph,
        citations=not options.remove_citations,
    )
    counts = lines.counts
    out = np.zeros(len(lines), np.bool_)
    if options.max_word_length is not None:
        out |= counts[kernel.LONGEST_WORD] > options.max_word_length
    if options.filter_no_terminal_punct:
        out |= ~np.isin(counts[kernel.LAST], [ord(mark) for mark in END_PUNCTUATION])
        out |= counts[kernel.DOTS] >= len("...")
    if options.min_words_per_line is not None:
        out |= counts[kernel.WORDS] < options.min_words_per_line
    lorem_ipsum = ~out & ((lines.anywhere & _LOREM_IPSUM) > 0) & options.filter_lorem_ipsum
    if options.filter_javascript:
        out |= (lines.anywhere & _JAVASCRIPT) > 0
    curly_bracket = ~out & (counts[kernel.BRACES] > 0) & options.filter_curly_bracket
    if options.filter_policy:
        out |= (lines.anywhere & _POLICY) > 0
    return C4Lines(lines, ~out, lorem_ipsum, curly_bracket)


class C4Quality(Filter, C4Options):
    """Keeps documents with enough sentences on lines that read like sentences."""

    version: ClassVar[int] = 1
    scores_all: ClassVar[bool] = True

    min_num_sentences: int | None = Field(default=5, ge=1)
    """Fewest sentences on lines that count (C4: 5); null turns the rule off."""

    def rules(self, docs: pa.Table) -> list[Rule]:
        """The rules that are on, with their scores for each document."""
        lines = c4_lines(docs.column("text"), self)
        offsets = lines.lines.doc_offsets
        lorem, curly = _first(lines.lorem_ipsum, offsets), _first(lines.curly_bracket, offsets)
        rules = []
        # Lines are read in turn: the first of these lines gives the reason.
        for reason, here, other in (("lorem_ipsum", lorem, curly), ("curly_bracket", curly, lorem)):
            score = ((here < len(lines.kept)) & (here <= other)).astype(np.int64)
            rules.append(Rule.bound(reason, score, most=0))
        each = lines.lines.counts[kernel.SENTENCES] if self.split_paragraph else 1
        sentences = sums(lines.kept * each, offsets)
        least, option = self.min_num_sentences, "min_num_sentences"
        rules.append(Rule.bound("too_few_sentences", sentences, least=least, option=option))
        return [rule for rule in rules if rule is not None]

    def judge(self, docs: pa.Table) -> Verdict:
        """The first rule that a document fails gives reason, score and threshold."""
        return Verdict.first_failure(self.rules(docs), docs.num_rows)


def _first(lines: npt.NDArray[np.bool_], doc_offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each document its first line that is true; the number of all lines if it has none."""
    places = np.append(np.flatnonzero(lines), len(lines))
    first = places[np.searchsorted(places, doc_offsets[:-1])]
    return np.asarray(np.where(first < doc_offsets[1:], first, len(lines)), np.int64)


def sums(values: npt.NDArray[np.int64], doc_offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each document the sum over its lines."""
    totals = np.concatenate([np.zeros_like(values[:1], shape=(1, *values.shape[1:])), np.cumsum(values, axis=0)])
    return np.asarray(totals[doc_offsets[1:]] - totals[doc_offsets[:-1]], np.int64)
