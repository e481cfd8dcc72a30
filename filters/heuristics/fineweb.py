"""The stage `fineweb_quality`: drops lists, menus and pages whose lines do not end like sentences, as datatrove does.

Penedo et al. 2024, "The FineWeb Datasets" (arXiv:2406.17557), section 3.5. Lines are the pieces between line feeds that
are not white space alone. Two things differ from datatrove: the words; and a document with line feeds but without words
fails the last rule, where datatrove raises ZeroDivisionError.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from eyas.corpus import Rule
from eyas.errors import InputError
from eyas.filters.heuristics.base import Heuristic
from eyas.filters.heuristics.statistics import Statistics, TextMeasure, divide
from eyas.filters.heuristics.symbols import TERMINALS


class FineWebQuality(Heuristic):
    """Keeps documents whose lines read like text. Rules are checked in the order of the options; null turns a rule off."""

    name: ClassVar[str] = "fineweb_quality"
    version: ClassVar[int] = 1

    line_punct_thr: float | None = 0.12
    """Least share of lines that end in one of `stop_chars` (FineWeb: 0.12)."""
    line_punct_exclude_zero: bool = False
    """Whether a document without any such line passes `line_punct_thr`: its language may not punctuate (FineWeb-2)."""
    stop_chars: str | tuple[str, ...] = TERMINALS
    """Characters that end a sentence (datatrove: 159 of many scripts)."""
    short_line_thr: float | None = 0.67
    """Greatest share of short lines (FineWeb: 0.67)."""
    short_line_length: int = Field(default=30, ge=1)
    """Most code points of a short line (FineWeb: 30)."""
    char_duplicates_ratio: float | None = 0.01
    """Greatest share of characters in lines that occurred before, without line feeds (FineWeb: 0.01)."""
    new_line_ratio: float | None = 0.3
    """Most line feeds per word (FineWeb: 0.3)."""

    @field_validator("stop_chars")
    @classmethod
    def _single(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        long = [item for item in value if len(item) != 1]
        if long:
            raise InputError(f"stop_chars are single characters, found {long[0]!r}")
        return value

    def wanted(self) -> TextMeasure:
        return TextMeasure(terminals="".join(sorted(self.stop_chars)), short_line=self.short_line_length)

    def rules_of(self, counts: Statistics) -> Iterator[Rule | None]:
        """The rules that are on, in datatrove's order."""
        yield Rule.bound("empty", counts["text_lines"], least=1)
        ends = counts.ratio("terminal_lines", "text_lines")
        if self.line_punct_exclude_zero:
            ends = np.where(ends == 0, np.nan, ends)
        yield Rule.bound("line_punct_ratio", ends, least=self.line_punct_thr, option="line_punct_thr")
        short = counts.ratio("short_lines", "text_lines")
        yield Rule.bound("short_line_ratio", short, most=self.short_line_thr, option="short_line_thr")
        repeated = divide(counts["repeated_line_characters"], counts["characters"] - counts["newlines"])
        yield Rule.bound("char_dup_ratio", repeated, most=self.char_duplicates_ratio, option="char_duplicates_ratio")
        feeds = counts.ratio("newlines", "words")
        yield Rule.bound("list_ratio", feeds, most=self.new_line_ratio, option="new_line_ratio")
