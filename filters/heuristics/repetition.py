"""The stage `gopher_repetition`: drops documents that repeat themselves, by Gopher's rules. Decisions are datatrove's.

Rae et al. 2021 (arXiv:2112.11446), appendix A.1 and table A1. n-grams are counted in hash tables, over the hashes that the
shared walk computes; most n-grams never reach a table (`eyas.text_kernels.statistics.repetition`). Words differ from
datatrove's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from pydantic import ValidationInfo, field_validator

from eyas.corpus import Rule
from eyas.errors import InputError
from eyas.filters.heuristics.base import Heuristic, above_zero
from eyas.filters.heuristics.statistics import Statistics, TextMeasure

NGrams = tuple[tuple[int, float], ...]
TOP: Final[NGrams] = ((2, 0.2), (3, 0.18), (4, 0.16))
REPEATED: Final[NGrams] = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))


class GopherRepetition(Heuristic):
    """Drops documents of which too much is repeated. Rules are checked in the order of the options; null turns a rule off."""

    name: ClassVar[str] = "gopher_repetition"
    version: ClassVar[int] = 1

    dup_para_frac: float | None = 0.3
    """Greatest share of paragraphs (between blank lines) that occurred before (Gopher: 0.30)."""
    dup_para_char_frac: float | None = 0.2
    """Greatest share of characters in paragraphs that occurred before (Gopher: 0.20)."""
    dup_line_frac: float | None = 0.3
    """Greatest share of lines that occurred before (Gopher: 0.30)."""
    dup_line_char_frac: float | None = 0.2
    """Greatest share of characters in lines that occurred before (Gopher: 0.20)."""
    top_n_grams: NGrams = TOP
    """Pairs [n, greatest share of characters in the most frequent n-gram] (Gopher: 0.20, 0.18, 0.16 for 2, 3, 4)."""
    dup_n_grams: NGrams = REPEATED
    """Pairs [n, greatest share of characters in n-grams that occurred before] (Gopher: 0.15 for 5 … 0.10 for 10)."""

    @field_validator("dup_para_frac", "dup_para_char_frac", "dup_line_frac", "dup_line_char_frac")
    @classmethod
    def _above_zero(cls, value: float | None, info: ValidationInfo) -> float | None:
        return above_zero(value, info)

    @field_validator("top_n_grams", "dup_n_grams")
    @classmethod
    def _ascending(cls, value: NGrams, info: ValidationInfo) -> NGrams:
        sizes = [n for n, _ in value]
        if any(n < 1 for n in sizes) or sizes != sorted(set(sizes)):
            raise InputError(f"{info.field_name}: the sizes must ascend from 1 or more, each once; found {sizes}")
        return value

    def wanted(self) -> TextMeasure:
        return TextMeasure(top=tuple(n for n, _ in self.top_n_grams), repeated=tuple(n for n, _ in self.dup_n_grams))

    def rules_of(self, counts: Statistics) -> Iterator[Rule | None]:
        """The rules that are on, in datatrove's order."""
        yield Rule.bound("empty", counts["characters"], least=1)
        for option, part, whole in (
            ("dup_para_frac", "repeated_paragraphs", "paragraphs"),
            ("dup_para_char_frac", "repeated_paragraph_characters", "characters"),
            ("dup_line_frac", "repeated_pieces", "line_pieces"),
            ("dup_line_char_frac", "repeated_piece_characters", "characters"),
        ):
            yield Rule.bound(option, counts.ratio(part, whole), most=getattr(self, option), option=option)
        for n, most in self.top_n_grams:
            score = counts.ratio(f"top_{n}_gram", "characters")
            yield Rule.bound(f"top_{n}_gram", score, most=most, option=f"top_n_grams[{n}]")
        for n, most in self.dup_n_grams:
            score = counts.ratio(f"repeated_{n}_grams", "characters")
            yield Rule.bound(f"duplicated_{n}_n_grams", score, most=most, option=f"dup_n_grams[{n}]")
