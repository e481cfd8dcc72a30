"""The pretokenizer: one regular expression, built from options, that cuts text into the pieces BPE works within.

Alternatives, in order: a LaTeX command (only in the finished tokenizer, see `for_training`) | contractions | an
optional space or symbol and letters | digits | punctuation | white space. With punctuation split,
the only thing that may stand before letters is one space.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from tokenizers import Regex, pre_tokenizers

from tokenizer_train.options import TokenizerOptions

_LATEX = r"\\[A-Za-z]+"
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_DIGITS = {"each": r"\p{N}", "groups_of_3": r"\p{N}{1,3}", "none": r"\p{N}+"}
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"


class Pretokenizer(BaseModel):
    """How text is cut before BPE; `pattern` is its definition."""

    model_config = ConfigDict(frozen=True)

    split_digits: str = "each"
    split_punctuation: bool = True
    latex: bool = False
    """Whether `\\[A-Za-z]+` is one piece."""

    @classmethod
    def of(cls, options: TokenizerOptions) -> Pretokenizer:
        """The pretokenizer of a finished tokenizer with these options."""
        return cls(
            split_digits=options.split_digits,
            split_punctuation=options.split_punctuation,
            latex=options.latex is not None,
        )

    def for_training(self) -> Pretokenizer:
        """The same without LaTeX commands: as pieces they would make BPE learn stubs such as `\\alp` and `\\inft`."""
        return self.model_copy(update={"latex": False})

    @property
    def pattern(self) -> str:
        """The regular expression; every match is one pretoken and nothing is left over."""
        # Marks belong to the letters they follow: without \p{M} every Devanagari vowel sign would be cut off.
        letters = r"[\p{L}\p{M}]+"
        symbol = r"[^\s\p{L}\p{M}\p{N}]"
        if self.latex:
            # Or the backslash of ` \frac` would go to the space before it, and that of `{\frac` to the brace.
            symbol = rf"(?:(?!{_LATEX}){symbol})"
        if self.split_punctuation:
            parts = [" ?" + letters, _DIGITS[self.split_digits], " ?" + symbol]
        else:
            parts = [
                _CONTRACTIONS,
                r"[^\r\n\p{L}\p{M}\p{N}]?" + letters,
                _DIGITS[self.split_digits],
                rf" ?{symbol}+[\r\n]*",
            ]
        return "|".join([*([_LATEX] if self.latex else []), *parts, _SPACES])

    def to_tokenizers(self) -> Any:
        """The same as a `tokenizers` pre-tokenizer: the split, then bytes as visible characters."""
        return pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(self.pattern), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
            ]
        )
