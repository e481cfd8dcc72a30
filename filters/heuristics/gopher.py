"""The stage `gopher_quality`: Gopher's rules for prose. Decisions and reasons are datatrove's, word for word.

Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher" (arXiv:2112.11446),
appendix A.1, "Quality filtering". All counts come from the walk over the bytes that all heuristics share
(`eyas.text_kernels.statistics.text`). Three things differ from datatrove: the words (ours follow UAX #29, its are spaCy's);
a document without words passes the rules that divide by their number, where datatrove raises ZeroDivisionError; letters are
those of the `tokenizers` engine, not of the running Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from pydantic import Field, ValidationInfo, field_validator, model_validator

from eyas.corpus import Rule
from eyas.errors import InputError
from eyas.filters.heuristics.base import Heuristic, above_zero
from eyas.filters.heuristics.statistics import Statistics, TextMeasure

ENGLISH_STOP_WORDS: Final = ("the", "be", "to", "of", "and", "that", "have", "with")


class GopherQuality(Heuristic):
    """Keeps documents that look like prose. Rules are checked in the order of the options; null turns a rule off."""

    name: ClassVar[str] = "gopher_quality"
    version: ClassVar[int] = 1

    min_doc_words: int | None = Field(default=50, ge=0)
    """Fewest words, without words of symbols alone (Gopher: between 50 and 100,000 words)."""
    max_doc_words: int | None = 100_000
    """Most words, without words of symbols alone (Gopher: between 50 and 100,000 words)."""
    min_avg_word_length: float | None = Field(default=3, ge=0)
    """Least mean length in code points of words that are not symbols alone (Gopher: mean word length 3 to 10)."""
    max_avg_word_length: float | None = 10
    """Greatest mean length in code points of words that are not symbols alone (Gopher: mean word length 3 to 10)."""
    max_symbol_word_ratio: float | None = 0.1
    """Most `#` per word, and most ellipses (`...` or `…`) per word; symbols count as words (Gopher: 0.1 for either)."""
    max_bullet_lines_ratio: float | None = 0.9
    """Greatest share of lines that start with `•` or `-` (Gopher: 90 % starting with a bullet point)."""
    max_ellipsis_lines_ratio: float | None = 0.3
    """Greatest share of lines that end in an ellipsis (Gopher: 30 %)."""
    max_non_alpha_words_ratio: float | None = Field(default=0.8, ge=0)
    """Least share of words with a letter (Gopher: 80 %). The name is datatrove's; it is a minimum, of alphabetic words."""
    min_stop_words: int | None = Field(default=2, ge=0)
    """Fewest different stop words, in exactly this spelling: `The` is not `the` (Gopher: at least two)."""
    stop_words: tuple[str, ...] = ENGLISH_STOP_WORDS
    """The stop words (Gopher's English eight: the, be, to, of, and, that, have, with)."""

    @field_validator(
        "max_doc_words",
        "max_avg_word_length",
        "max_symbol_word_ratio",
        "max_bullet_lines_ratio",
        "max_ellipsis_lines_ratio",
    )
    @classmethod
    def _above_zero(cls, value: float | None, info: ValidationInfo) -> float | None:
        return above_zero(value, info)

    @model_validator(mode="after")
    def _satisfiable(self) -> GopherQuality:
        for low, high in (("min_doc_words", "max_doc_words"), ("min_avg_word_length", "max_avg_word_length")):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least > most:
                raise InputError(f"{low} ({least}) is above {high} ({most}): every document would be dropped")
        if (self.min_stop_words or 0) > len(set(self.stop_words)):
            raise InputError(
                f"min_stop_words is {self.min_stop_words}, but stop_words has {len(set(self.stop_words))} "
                "different words: every document would be dropped; lower it, or name more words"
            )
        return self

    def wanted(self) -> TextMeasure:
        return TextMeasure(stop_words=(("", self.stop_words),))

    def rules_of(self, counts: Statistics) -> Iterator[Rule | None]:
        """The rules that are on, in datatrove's order. A score of 0/0 is NaN, which fails no rule."""
        words, length = counts["plain_words"], counts.ratio("plain_characters", "plain_words")
        yield Rule.bound("gopher_short_doc", words, least=self.min_doc_words, option="min_doc_words")
        yield Rule.bound("gopher_long_doc", words, most=self.max_doc_words, option="max_doc_words")
        low, high = self.min_avg_word_length, self.max_avg_word_length
        yield Rule.bound("gopher_below_avg_threshold", length, least=low, option="min_avg_word_length")
        yield Rule.bound("gopher_above_avg_threshold", length, most=high, option="max_avg_word_length")
        for reason, score, option in (
            ("gopher_too_many_hashes", counts.ratio("hashes", "words"), "max_symbol_word_ratio"),
            ("gopher_too_many_ellipsis", counts.ratio("ellipses", "words"), "max_symbol_word_ratio"),
            ("gopher_too_many_bullets", counts.ratio("bullet_lines", "lines"), "max_bullet_lines_ratio"),
            ("gopher_too_many_end_ellipsis", counts.ratio("ellipsis_lines", "lines"), "max_ellipsis_lines_ratio"),
        ):
            yield Rule.bound(reason, score, most=getattr(self, option), option=option)
        alphabetic, option = counts.ratio("alphabetic_words", "words"), "max_non_alpha_words_ratio"
        yield Rule.bound(
            "gopher_below_alpha_threshold", alphabetic, least=self.max_non_alpha_words_ratio, option=option
        )
        distinct, option = counts["stop_words"], "min_stop_words"
        yield Rule.bound("gopher_enough_stop_words", distinct, least=self.min_stop_words, option=option)
