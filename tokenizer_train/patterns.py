r"""Published patterns: how well-known models cut text before BPE, one entry each in `PUBLISHED`.

To add a pattern of the family, add an entry. The choices of the option `pretokenizer` (`PatternName`), the recognition of
rank files (`detect`) and the help of `eyas tokenizer train` (`CHOICES_IN_WORDS`) are made from the table. Expressions are
those of tiktoken 0.14 (`openai_public`), llama-models 0.3.0 and Qwen's `tokenization_qwen`. Falcon-H1's own expression is
in no public source: `falcon-h1` is what its report states, digits and punctuation each for itself and LaTeX commands
whole. This module imports nothing heavy, because every recipe loads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, WithJsonSchema

from eyas.corpus.options import Options
from eyas.errors import InputError

_LATEX = r"\\[A-Za-z]+"
CONTRACTIONS: Final = {
    "none": "",
    "lower_case": "'s|'t|'re|'ve|'m|'ll|'d|",
    "any_case": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|",
}
DIGITS: Final = {"each": r"\p{N}", "groups_of_3": r"\p{N}{1,3}", "none": r"\p{N}+"}
# Letters that belong to no ideograph, and ideographs that are letters: without `&&`, which not every engine knows.
_SCRIPTS = r"\p{Han}\p{Hiragana}\p{Katakana}ー〆〼ｰ"
_OTHER_LETTERS = rf"[^\P{{L}}{_SCRIPTS}]"
_IDEOGRAPHS = rf"(?:(?!{_OTHER_LETTERS})\p{{L}})"


class PatternRules(Options):
    """The rules by which text is cut before BPE; the defaults are Falcon-H1's, without LaTeX."""

    split_digits: Literal["each", "groups_of_3", "none"] = "each"
    """A piece holds at most one number, at most three, or any."""
    split_punctuation: bool = True
    """Each symbol is a piece; otherwise runs of symbols are."""
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
    """Marks belong to the letters that they follow. Without this, every Devanagari vowel sign is cut off."""
    split_cjk: bool = False
    """Han and kana are pieces apart from other letters."""

    @property
    def pattern(self) -> str:
        """The regular expression; every match is one piece, and matches cover the whole text."""
        marks = r"\p{M}" if self.join_marks else ""
        symbol = rf"[^\s\p{{L}}{marks}\p{{N}}]"
        if self.latex:
            # Or the backslash of ` \frac` would go to the space before it, and that of `{\frac` to the brace.
            symbol = rf"(?:(?!{_LATEX}){symbol})"
        before = {"nothing": "", "space": " ?", "any": rf"[^\r\n\p{{L}}{marks}\p{{N}}]?"}[self.before_letters]
        return "".join(
            [
                f"{_LATEX}|" if self.latex else "",
                CONTRACTIONS[self.contractions],
                f"{before}{self._letters(marks)}|",
                (" ?" if self.space_before_digits else "") + f"{DIGITS[self.split_digits]}|",
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


@dataclass(frozen=True)
class Published:
    """One published pattern: `rules` where our kernels can cut by it, `spelling` where its own expression differs."""

    rules: PatternRules | None = None
    """None: the pattern is outside our family. `tokenizers` then runs it, and no training can choose it."""
    spelling: str = ""
    """The expression as its publisher spells it; empty: as the rules spell it."""
    ranks: tuple[int, ...] = ()
    """Numbers of ranks by which a rank file with this pattern is recognised."""
    files: tuple[str, ...] = ()
    """Parts of a rank file's name by which it is recognised, in small letters without `-` and `_`."""

    @property
    def expression(self) -> str:
        """The expression that a tokenizer.json made of a rank file gets."""
        return self.spelling or (self.rules.pattern if self.rules is not None else "")


_LLAMA_3 = PatternRules(
    split_digits="groups_of_3",
    split_punctuation=False,
    contractions="any_case",
    before_letters="any",
    newlines_after_symbols=True,
    join_marks=False,
)
_GPT_2 = PatternRules(
    split_digits="none",
    split_punctuation=False,
    contractions="lower_case",
    space_before_digits=True,
    newline_runs=False,
    join_marks=False,
)


def _o200k() -> str:
    """A word is capitals, then small letters."""
    upper, lower = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    lead, contraction = r"[^\r\n\p{L}\p{N}]?", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    words = rf"{lead}{upper}*{lower}+{contraction}|{lead}{upper}+{lower}*{contraction}"
    return rf"{words}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


PUBLISHED: Final[dict[str, Published]] = {
    "falcon-h1": Published(PatternRules(latex=True)),
    "llama-3": Published(_LLAMA_3, ranks=(128_000,), files=("llama3",)),
    "qwen": Published(_LLAMA_3.model_copy(update={"split_digits": "each"}), ranks=(151_643,), files=("qwen",)),
    "cl100k": Published(
        _LLAMA_3.model_copy(update={"final_space": True}),
        # White space at the very end is one piece, line breaks and all (\z: `$` is the end of a line in Oniguruma).
        spelling=r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s+\z|\s*[\r\n]|\s+(?!\S)|\s",
        ranks=(100_256,),
        files=("cl100k",),
    ),
    "gpt-2": Published(
        _GPT_2,
        spelling=r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        ranks=(50_256, 50_280),  # r50k and p50k
        files=("r50k", "p50k", "gpt2"),
    ),
    "o200k": Published(spelling=_o200k(), ranks=(199_998, 200_000), files=("o200k", "llama4")),
}
"""By name. The order is that of the choices in help texts and in the JSON Schema."""

CHOICES: Final = tuple(name for name, entry in PUBLISHED.items() if entry.rules is not None)
"""The patterns that a vocabulary can be trained with."""
CHOICES_IN_WORDS: Final = f"{', '.join(CHOICES[:-1])} or {CHOICES[-1]}"
"""For help texts."""


def canonical(name: str) -> str | None:
    """The key of `PUBLISHED` that `name` means, with or without hyphens (`gpt2`, `llama3`); None if there is none."""
    plain = name.replace("-", "")
    return next((known for known in PUBLISHED if known.replace("-", "") == plain), None)


def expression_of(given: str) -> str:
    """The expression of a published pattern's name; any other text is an expression itself."""
    name = canonical(given)
    return given if name is None else PUBLISHED[name].expression


def detect(ranks: int, file_name: str) -> Published | None:
    """The pattern of a rank file, by its number of ranks, else by its name; None if neither is known."""
    plain = file_name.lower().replace("-", "").replace("_", "")
    by_ranks = (entry for entry in PUBLISHED.values() if ranks in entry.ranks)
    by_name = (entry for entry in PUBLISHED.values() if any(part in plain for part in entry.files))
    return next(by_ranks, None) or next(by_name, None)


def _trainable(name: str) -> str:
    known = canonical(name)
    if known not in CHOICES:
        raise InputError(f"{name!r} is no pattern that a vocabulary can be trained with: choose {CHOICES_IN_WORDS}")
    return known


PatternName = Annotated[str, AfterValidator(_trainable), WithJsonSchema({"enum": list(CHOICES), "type": "string"})]
"""The type of an option that names one of `CHOICES`."""
