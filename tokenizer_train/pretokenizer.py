r"""The pretokenizer: one Split pattern, built from options, that runs as a regular expression and as a kernel.

Alternatives, in order: a LaTeX command | a contraction | something before letters, letters | digits | symbols | white
space. The expression goes into tokenizer.json, where every library runs it; `cut` gives the same pieces from Arrow's
bytes, 60 times as fast. Both are written from the same fields, and a test compares them on every code point.
Patterns of published models are members of the same family: `PRESETS`.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Regex, pre_tokenizers

from eyas.corpus.options import Options
from eyas.text_kernels.pretokens.pretokens import pretokens
from eyas.text_kernels.pretokens.rules import ANY, NOTHING, ONE_SPACE, Rules
from eyas.tokenizer_train.options import LatexOptions, TokenizerOptions

_LATEX = r"\\[A-Za-z]+"
_CONTRACTIONS = {
    "none": "",
    "lower_case": "'s|'t|'re|'ve|'m|'ll|'d|",
    "any_case": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|",
}
_DIGITS = {"each": r"\p{N}", "groups_of_3": r"\p{N}{1,3}", "none": r"\p{N}+"}
_LONGEST_NUMBER = {"each": 1, "groups_of_3": 3, "none": 0}
# Letters that belong to no ideograph, and ideographs that are letters: without `&&`, which not every engine knows.
_SCRIPTS = r"\p{Han}\p{Hiragana}\p{Katakana}ー〆〼ｰ"
_OTHER_LETTERS = rf"[^\P{{L}}{_SCRIPTS}]"
_IDEOGRAPHS = rf"(?:(?!{_OTHER_LETTERS})\p{{L}})"


class Pretokenizer(Options):
    """How text is cut before BPE. `pattern` is the definition; the defaults are Falcon-H1's, without LaTeX."""

    split_digits: Literal["each", "groups_of_3", "none"] = "each"
    """At most one number in a piece, at most three, or any."""
    split_punctuation: bool = True
    """Each symbol is a piece; else runs of symbols are."""
    latex: bool = False
    r"""Whether `\\[A-Za-z]+` is a piece."""
    contractions: Literal["none", "lower_case", "any_case"] = "none"
    """Whether 's 't 're 've 'm 'll 'd are pieces."""
    before_letters: Literal["nothing", "space", "any"] = "space"
    """What a piece of letters may start with: one space, or anything that is no newline, letter or number."""
    space_before_digits: bool = False
    """Whether a piece of digits may start with a space."""
    newlines_after_symbols: bool = False
    """Whether symbols take the newlines that follow them."""
    newline_runs: bool = True
    """Whether white space is cut after its last newline."""
    final_space: bool = False
    """Whether white space at the end of a text is one piece, newlines or not."""
    join_marks: bool = True
    """Marks belong to the letters they follow: without, every Devanagari vowel sign is cut off."""
    split_cjk: bool = False
    """Han and kana are pieces apart from other letters."""

    @classmethod
    def of(cls, options: TokenizerOptions) -> Pretokenizer:
        """The pretokenizer of a finished tokenizer with these options."""
        if options.pretokenizer is not None:
            preset = PRESETS[options.pretokenizer]
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

    @property
    def pattern(self) -> str:
        """The regular expression; every match is one piece and nothing is left over."""
        marks = r"\p{M}" if self.join_marks else ""
        symbol = rf"[^\s\p{{L}}{marks}\p{{N}}]"
        if self.latex:
            # Or the backslash of ` \frac` would go to the space before it, and that of `{\frac` to the brace.
            symbol = rf"(?:(?!{_LATEX}){symbol})"
        before = {"nothing": "", "space": " ?", "any": rf"[^\r\n\p{{L}}{marks}\p{{N}}]?"}[self.before_letters]
        return "".join(
            [
                f"{_LATEX}|" if self.latex else "",
                _CONTRACTIONS[self.contractions],
                f"{before}{self._letters(marks)}|",
                (" ?" if self.space_before_digits else "") + f"{_DIGITS[self.split_digits]}|",
                f" ?{symbol}" + ("" if self.split_punctuation else "+"),
                r"[\r\n]*|" if self.newlines_after_symbols else "|",
                r"\s+\z|" if self.final_space else "",
                r"\s*[\r\n]+|" if self.newline_runs else "",
                r"\s+(?!\S)|\s+",
            ]
        )

    def _letters(self, marks: str) -> str:
        if not self.split_cjk:
            return rf"[\p{{L}}{marks}]+" if marks else r"\p{L}+"
        mark = rf"|{marks}" if marks else ""
        ideographs = rf"{_IDEOGRAPHS}(?:{_IDEOGRAPHS}{mark})*"
        return rf"(?:{ideographs}|(?:{_OTHER_LETTERS}{mark})+)"

    @property
    def rules(self) -> Rules:
        """The same for the kernels."""
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
        """The same as a `tokenizers` pre-tokenizer: the split, then bytes as visible characters."""
        return pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(self.pattern), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
            ]
        )

    @classmethod
    def of_pattern(cls, pattern: str) -> Pretokenizer | None:
        """The pretokenizer whose expression is `pattern`, if options or a preset make it; None if they do not."""
        return _by_pattern().get(_normal(pattern))


_LLAMA_3 = Pretokenizer(
    split_digits="groups_of_3",
    split_punctuation=False,
    contractions="any_case",
    before_letters="any",
    newlines_after_symbols=True,
    join_marks=False,
)
PRESETS: dict[str, Pretokenizer] = {
    "falcon-h1": Pretokenizer(latex=True),
    "llama-3": _LLAMA_3,
    "qwen": _LLAMA_3.model_copy(update={"split_digits": "each"}),
    "cl100k": _LLAMA_3.model_copy(update={"final_space": True}),
    "gpt-2": Pretokenizer(
        split_digits="none",
        split_punctuation=False,
        contractions="lower_case",
        space_before_digits=True,
        newline_runs=False,
        join_marks=False,
    ),
}
"""Published patterns. Falcon-H1's own expression is in no public source: `falcon-h1` is what its report states, digits
and punctuation each for itself and LaTeX commands whole. The others are what their tokenizer.json holds."""


def _normal(pattern: str) -> str:
    """Spellings of one expression that mean the same to every engine."""
    for spelling, plain in (
        (r"'(?i:[sdmt]|ll|ve|re)", _CONTRACTIONS["any_case"][:-1]),
        (r"'(?:[sdmt]|ll|ve|re)", _CONTRACTIONS["lower_case"][:-1]),
        (r"\p{N}{1}|", r"\p{N}|"),
        (r"|\s*[\r\n]|\s+(?!\S)|\s", r"|\s*[\r\n]+|\s+(?!\S)|\s+"),
    ):
        pattern = pattern.replace(spelling, plain)
    return pattern


@lru_cache(maxsize=1)
def _by_pattern() -> dict[str, Pretokenizer]:
    """Every pattern that options can make."""
    found = {}
    either = (False, True)
    for latex in (None, LatexOptions()):
        for digits, split, cjk, contractions in product(_DIGITS, either, either, either):
            cuts = {"split_digits": digits, "split_punctuation": split, "split_cjk": cjk, "contractions": contractions}
            one = Pretokenizer.of(TokenizerOptions.model_validate({**cuts, "latex": latex}))
            found[one.pattern] = one
        for preset in PRESETS:
            one = Pretokenizer.of(TokenizerOptions.model_validate({"pretokenizer": preset, "latex": latex}))
            found[one.pattern] = one
    return found
