r"""The pretokenizer cuts text into the pieces within which BPE merges, as a regular expression or as a kernel.

Alternatives, in order: a LaTeX command | a contraction | something before letters, letters | digits | symbols | white
space. The expression goes into tokenizer.json, where every library runs it; `cut` gives the same pieces from Arrow's
bytes, 60 times as fast. Both are written from the same fields, and a test compares them on every code point.
Patterns of published models are members of the same family (`eyas.tokenizer_train.patterns`).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Regex, pre_tokenizers

from eyas.text_kernels.pretokens.pretokens import pretokens
from eyas.text_kernels.pretokens.rules import ANY, NOTHING, ONE_SPACE, Rules
from eyas.tokenizer_train.latex_commands import LatexOptions
from eyas.tokenizer_train.options import TokenizerOptions
from eyas.tokenizer_train.patterns import CHOICES, CONTRACTIONS, DIGITS, PUBLISHED, PatternRules

_LONGEST_NUMBER = {"each": 1, "groups_of_3": 3, "none": 0}


class Pretokenizer(PatternRules):
    """Cuts text before BPE, by an expression (`pattern`) or by the kernels (`cut`); both follow the same rules."""

    @classmethod
    def of(cls, options: TokenizerOptions) -> Pretokenizer:
        """The pretokenizer of a finished tokenizer with these options."""
        if options.pretokenizer is not None:
            preset = cls.of_published(options.pretokenizer)
            return preset.model_copy(update={"latex": preset.latex or options.latex is not None})
        plain = not options.split_punctuation
        return cls(
            split_digits=options.split_digits,
            split_punctuation=options.split_punctuation,
            latex=options.latex is not None,
            contractions="any_case" if plain and options.contractions else "none",
            before_letters="any" if plain else "space",
            newlines_after_symbols=plain,
            split_cjk=options.split_cjk,
        )

    @classmethod
    def of_published(cls, name: str) -> Pretokenizer:
        """The pretokenizer of a published pattern, one of `patterns.CHOICES`."""
        rules = PUBLISHED[name].rules
        assert rules is not None
        return cls(**rules.model_dump())

    @property
    def rules(self) -> Rules:
        """The rules as the kernels read them."""
        return Rules(
            latex=int(self.latex),
            contractions=["none", "lower_case", "any_case"].index(self.contractions),
            before_letters={"nothing": NOTHING, "space": ONE_SPACE, "any": ANY}[self.before_letters],
            digits=_LONGEST_NUMBER[self.split_digits],
            space_before_digits=int(self.space_before_digits),
            symbol_runs=int(not self.split_punctuation),
            newlines_after_symbols=int(self.newlines_after_symbols),
            newline_runs=int(self.newline_runs),
            final_space=int(self.final_space),
            marks=int(self.join_marks),
            ideographs=int(self.split_cjk),
        )

    def cut(self, text: pa.LargeStringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """`(ends, doc_offsets)`, as `eyas.text_kernels.pretokens.pretokens.pretokens` gives them."""
        return pretokens(text, self.rules)

    def to_tokenizers(self) -> Any:
        """The pre-tokenizer that `tokenizers` runs: the split, then bytes as visible characters."""
        return pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(self.pattern), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
            ]
        )

    @classmethod
    def of_pattern(cls, pattern: str) -> Pretokenizer | None:
        """The pretokenizer whose expression is `pattern`; None if neither options nor a published name make it."""
        return _by_pattern().get(_normal(pattern))


PRESETS: dict[str, Pretokenizer] = {name: Pretokenizer.of_published(name) for name in CHOICES}
"""The published patterns that the kernels run, by name."""


def _normal(pattern: str) -> str:
    """Spellings of one expression that mean the same to every engine."""
    for spelling, plain in (
        (r"'(?i:[sdmt]|ll|ve|re)", CONTRACTIONS["any_case"][:-1]),
        (r"'(?:[sdmt]|ll|ve|re)", CONTRACTIONS["lower_case"][:-1]),
        (r"\p{N}{1}|", r"\p{N}|"),
        (r"|\s*[\r\n]|\s+(?!\S)|\s", r"|\s*[\r\n]+|\s+(?!\S)|\s+"),
    ):
        pattern = pattern.replace(spelling, plain)
    return pattern


@lru_cache(maxsize=1)
def _by_pattern() -> dict[str, Pretokenizer]:
    """Every pretokenizer that options can make, by its expression, and the published ones by their own spelling."""
    by_pattern = {}
    either = (False, True)
    for latex in (None, LatexOptions()):
        settings: list[dict[str, object]] = [
            {"split_digits": digits, "split_punctuation": split, "split_cjk": cjk, "contractions": contractions}
            for digits, split, cjk, contractions in product(DIGITS, either, either, either)
        ]
        settings += [{"pretokenizer": name} for name in CHOICES]
        for setting in settings:
            pretokenizer = Pretokenizer.of(TokenizerOptions.model_validate({**setting, "latex": latex}))
            by_pattern[pretokenizer.pattern] = pretokenizer
    for name in CHOICES:
        by_pattern.setdefault(_normal(PUBLISHED[name].expression), PRESETS[name])
    return by_pattern
