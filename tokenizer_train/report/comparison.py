"""Compares tokenizers on the same texts, group by group: one walk per tokenizer, sums only.

Every ratio in the report is a quotient of these sums. Memory holds one batch of text and one
count per id and tokenizer, so it does not grow with the sample. Falcon-H1's authors found that no single one of these
figures should choose a tokenizer; that is why there are several. Encoding takes nearly all the time: 40 MB/s where
`Encoder` has a kernel for the tokenizer, 2 to 4 where it has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.errors import InputError
from eyas.tokenizer_train.report.cuts import content_words, cut
from eyas.tokenizer_train.report.digit_groups import DigitGroups, describe, digit_groups
from eyas.tokenizer_train.report.fertility import Ratios
from eyas.tokenizer_train.report.latex_cuts import LatexCuts, command_spans
from eyas.tokenizer_train.report.loaded import LoadedTokenizer
from eyas.tokenizer_train.report.overlap import Overlap, overlaps
from eyas.tokenizer_train.report.token_use import TokenUse, token_use

ALPHA = 2.5
"""The order of the Rényi entropy that goes best with translation quality (Zouhar et al. 2023, arXiv:2306.16842)."""
ALL = "all"


@dataclass(frozen=True)
class Group:
    """Texts that are measured together. `name` is the key in the JSON, `title` what people read."""

    name: str
    title: str
    kind: Literal["language", "code", "math"]
    rest: bool = False
    """Whether it holds what has no group of its own (other languages, unlabelled text)."""


@dataclass
class Figures(Ratios):
    """Sums over the texts of one group, and the ratios that they give."""

    documents: int = 0
    bytes: int = 0
    characters: int = 0
    words: int = 0
    tokens: int = 0
    exact_words: int = 0
    """Words of texts that come back byte by byte: only in these texts it is known where tokens cut."""
    cut_words: int = 0
    """Of these, how many are cut into two tokens or more."""
    whole_words: int = 0
    """Of these, how many are one token, which holds nothing else but white space before the word."""
    changed: int = 0
    """Texts that do not come back from encoding and decoding."""
    renyi: float = 0.0
    """Rényi entropy of the token distribution, divided by that of a uniform one over the vocabulary: 0 to 1."""
    squares: float = 0.0
    """Sum over texts of (bytes - bytes_per_token * tokens)^2, for the sampling error."""

    @property
    def cut_share(self) -> float | None:
        """Share of words that are cut; None if no text comes back byte by byte, or there are no words."""
        return self.cut_words / self.exact_words if self.exact_words else None

    @property
    def whole_share(self) -> float | None:
        """Share of words that are one token; None as in `cut_share`."""
        return self.whole_words / self.exact_words if self.exact_words else None

    @property
    def relative_error(self) -> float:
        """Relative standard error of bytes per token over documents: how far another sample would be off."""
        return math.sqrt(self.squares) / max(self.bytes, 1)

    def to_json(self) -> dict[str, Any]:
        """The sums and the ratios."""
        sums = {name: value for name, value in asdict(self).items() if name != "squares"}
        return {
            **sums,
            "bytes_per_token": self.bytes_per_token,
            "characters_per_token": self.characters / max(self.tokens, 1),
            "tokens_per_word": self.tokens_per_word,
            "cut_share": self.cut_share,
            "whole_share": self.whole_share,
            "relative_error": self.relative_error,
        }


@dataclass
class TokenizerFigures:
    """All figures of one tokenizer."""

    loaded: LoadedTokenizer
    groups: dict[str, Figures]
    """By group name, and `all`."""
    use: TokenUse
    digits: list[DigitGroups]
    latex: LatexCuts

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        return {
            "name": self.loaded.label,
            "path": self.loaded.path,
            "vocab_size": self.loaded.vocab_size,
            "groups": {name: figures.to_json() for name, figures in self.groups.items()},
            "tokens": self.use.to_json(self.loaded),
            "numbers": {"rule": describe(self.digits), "lengths": [lengths.to_json() for lengths in self.digits]},
            "latex": self.latex.to_json(self.loaded),
        }


@dataclass
class Comparison:
    """Tokenizers on the same texts."""

    groups: list[Group]
    tokenizers: list[TokenizerFigures]
    overlap: list[Overlap] = field(default_factory=list)


def compare(
    loaded: Sequence[LoadedTokenizer],
    groups: Sequence[Group],
    texts: Callable[[Group], Iterable[pa.LargeStringArray]],
    progress: Callable[[str, int], None] = lambda label, size: None,
) -> Comparison:
    """Measures each tokenizer on the `texts` of each group. `progress` gets a tokenizer's label and bytes done.

    Raises ValueError if there is no tokenizer, or no text in any group.
    """
    if not loaded:
        raise InputError("no tokenizer to measure: name at least one")
    measured = [_measure(tokenizer, groups, texts, progress) for tokenizer in loaded]
    if not measured[0].groups[ALL].tokens:
        raise InputError("no text to measure on: every group is empty")
    return Comparison(list(groups), measured, overlaps(loaded))


def _measure(
    loaded: LoadedTokenizer,
    groups: Sequence[Group],
    texts: Callable[[Group], Iterable[pa.LargeStringArray]],
    progress: Callable[[str, int], None],
) -> TokenizerFigures:
    size = max(len(loaded.tokens), loaded.vocab_size)
    total, latex = np.zeros(size, np.int64), LatexCuts()
    by_group: dict[str, Figures] = {}
    for group in groups:
        figures, counts = Figures(), np.zeros(size, np.int64)
        pairs: list[npt.NDArray[np.int64]] = []
        for text in texts(group):
            ids = loaded.encoder.encode(text)
            counts += np.bincount(ids.values.to_numpy(zero_copy_only=False), minlength=size)
            pairs.append(_add(figures, loaded, text, ids))
            if group.kind == "math":
                names, spans = command_spans(text)
                latex.add(loaded, ids, names, cut(loaded, text, ids, spans))
            progress(loaded.label, int(pairs[-1][0].sum()))
        figures.renyi = renyi_efficiency(counts, loaded.vocab_size)
        figures.squares = _squares(pairs, figures.bytes_per_token)
        by_group[group.name] = figures
        total += counts
    by_group[ALL] = together(by_group.values())
    by_group[ALL].renyi = renyi_efficiency(total, loaded.vocab_size)
    return TokenizerFigures(loaded, by_group, token_use(loaded, total), digit_groups(loaded), latex)


def _add(
    figures: Figures, loaded: LoadedTokenizer, text: pa.LargeStringArray, ids: pa.LargeListArray
) -> npt.NDArray[np.int64]:
    """Adds some texts to the sums, and returns the bytes and tokens of each: int64[2, texts]."""
    spans = content_words(text)
    cuts = cut(loaded, text, ids, spans)
    sizes = pc.binary_length(text).to_numpy(zero_copy_only=False)
    tokens = pc.list_value_length(ids).to_numpy(zero_copy_only=False)
    figures.documents += len(text)
    figures.bytes += int(sizes.sum())
    figures.characters += pc.sum(pc.utf8_length(text)).as_py() or 0
    figures.words += len(spans.start)
    figures.tokens += int(tokens.sum())
    figures.exact_words += int(np.count_nonzero(cuts.pieces))
    figures.cut_words += int(np.count_nonzero(cuts.pieces > 1))
    figures.whole_words += int(np.count_nonzero(cuts.alone))
    figures.changed += _changed(loaded, text, ids, np.flatnonzero(~cuts.exact))
    return np.array([sizes, tokens], np.int64)


def _changed(
    loaded: LoadedTokenizer, text: pa.LargeStringArray, ids: pa.LargeListArray, suspects: npt.NDArray[np.int64]
) -> int:
    """How many of the texts, none of which is its tokens' bytes, differ from their decoded tokens too."""
    if len(suspects) == 0:
        return 0
    rows = pa.array(suspects)
    decoded = loaded.tokenizer.decode_batch(ids.take(rows).to_pylist(), skip_special_tokens=False)
    return sum(a != b for a, b in zip(decoded, text.take(rows).to_pylist(), strict=True))


def _squares(pairs: Sequence[npt.NDArray[np.int64]], ratio: float) -> float:
    return float(sum(((sizes - ratio * tokens) ** 2).sum() for sizes, tokens in pairs))


def together(parts: Iterable[Figures]) -> Figures:
    """The sums of several groups; not their Rényi efficiency, which needs the counts of tokens."""
    total = Figures()
    for part in parts:
        for name in asdict(total):
            if name != "renyi":
                setattr(total, name, getattr(total, name) + getattr(part, name))
    return total


def renyi_efficiency(counts: npt.NDArray[np.int64], vocab_size: int, alpha: float = ALPHA) -> float:
    """H_alpha(p) / log V, with p the share of each token in the text: 1 if all V tokens are equally frequent.

    A few tokens that are everywhere lower it, and so do tokens that are nowhere. No text gives 0.
    """
    total = counts.sum()
    if total == 0 or vocab_size < 2:
        return 0.0
    shares = counts[counts > 0] / total
    return float(np.log((shares**alpha).sum()) / (1 - alpha) / math.log(vocab_size))


def mean_ratio(figures: Mapping[str, Figures], names: Sequence[str]) -> float | None:
    """Bytes per token averaged over groups with equal weights; None if no group has text."""
    ratios = [figures[name].bytes_per_token for name in names if figures[name].tokens]
    return sum(ratios) / len(ratios) if ratios else None
