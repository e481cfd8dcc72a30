"""Measures tokenizers on a sample of a corpus: everything that the page and the JSON file show."""
# Tested in tests/tokenizer_train/report/test_report.py.

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eyas.errors import InputError
from eyas.tokenizer_train.report.comparison import ALL, Comparison, Group, TokenizerFigures, compare, mean_ratio
from eyas.tokenizer_train.report.loaded import LoadedTokenizer, labels
from eyas.tokenizer_train.report.price import Price, prices
from eyas.tokenizer_train.report.sample import Limits, Sample, sample_corpus

MOST = 8
"""Tokenizers that a page has colours and columns for."""
WIDTHS = (1024, 2048, 3072, 5120)
"""Widths of Falcon-H1 0.5B, 1.5B, 7B and 34B."""
VERSION = 1
"""Version of the JSON; it is raised when a key changes its meaning."""


@dataclass(frozen=True)
class Measured:
    """Everything that the page and the JSON show."""

    comparison: Comparison
    sample: Sample
    prices: list[Price]
    corpora: list[str]
    limits: Limits

    def summary(self) -> list[dict[str, Any]]:
        """A row for each tokenizer: vocabulary size, bytes per token by kind of text, relative price at the middle width."""
        width = middle(self.widths)
        price = {one.label: one.relative for one in self.prices if one.width == width}
        return [
            {
                "name": one.loaded.label,
                "vocab_size": one.loaded.vocab_size,
                **_by_kind(one, self.comparison.groups),
                "all": one.groups[ALL].bytes_per_token,
                "changed": one.groups[ALL].changed,
                "relative_price": price[one.loaded.label],
            }
            for one in self.comparison.tokenizers
        ]

    @property
    def widths(self) -> list[int]:
        """The widths of the prices, in the caller's order."""
        return list(dict.fromkeys(one.width for one in self.prices))

    def to_json(self) -> dict[str, Any]:
        """Everything, with keys that stay."""
        sample, comparison = self.sample, self.comparison
        return {
            "version": VERSION,
            "corpus": {
                "paths": self.corpora,
                **asdict(self.limits),
                "unreadable": sample.unreadable,
                "groups": [
                    {
                        **asdict(group),
                        "documents": sample.documents[group.name],
                        "bytes": sample.bytes[group.name],
                        "of_bytes": sample.of_bytes[group.name],
                    }
                    for group in comparison.groups
                ],
            },
            "summary": self.summary(),
            "tokenizers": [one.to_json() for one in comparison.tokenizers],
            "overlap": [asdict(one) for one in comparison.overlap],
            "price": [asdict(one) for one in self.prices],
        }


def middle(widths: Sequence[int]) -> int:
    """The width whose price the summary shows."""
    return widths[(len(widths) - 1) // 2]


def is_english(group: Group) -> bool:
    """Whether a group is English: its label is en, eng, en-GB, eng_Latn or the like."""
    label = group.name.removeprefix("language: ").lower().replace("-", "_").split("_")[0]
    return group.kind == "language" and label in ("en", "eng")


def _by_kind(one: TokenizerFigures, groups: Sequence[Group]) -> dict[str, float | None]:
    labelled = [group for group in groups if not group.rest]
    kinds = {
        "english": [group.name for group in labelled if is_english(group)],
        "other_languages": [group.name for group in labelled if group.kind == "language" and not is_english(group)],
        "code": [group.name for group in labelled if group.kind == "code"],
        "mathematics": [group.name for group in labelled if group.kind == "math"],
    }
    return {kind: mean_ratio(one.groups, names) for kind, names in kinds.items()}


def measure(
    tokenizers: Sequence[str],
    corpora: Sequence[str],
    *,
    widths: Sequence[int] = WIDTHS,
    parameters: Sequence[float] | None = None,
    limits: Limits | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Measured:
    """Measures `tokenizers` (paths) on `corpora` (paths). The caller must close the sample.

    `progress` gets the current step, how much of it is done, and its total. Raises InputError for what cannot be read.
    """
    if not 1 <= len(tokenizers) <= MOST:
        raise InputError(f"{len(tokenizers)} tokenizers to compare; name 1 to {MOST}")
    if not corpora:
        raise InputError("no corpus to measure on: name one by --corpus PATH")
    if not widths:
        raise InputError("no width to compute prices for: name one by --width, or leave the option out")
    limits = limits or Limits()
    prices([("", 1, 1.0)], widths, parameters)  # raises for wrong widths before the long work
    loaded = []
    for number, (path, label) in enumerate(zip(tokenizers, labels(tokenizers), strict=True)):
        progress("reading tokenizers", number, len(tokenizers))
        loaded.append(LoadedTokenizer.read(path, label))
    sample = sample_corpus(corpora, limits, lambda done, total: progress("reading the corpus", done, total))
    try:
        total, done = sum(sample.bytes.values()) * len(loaded), 0

        def encoded(label: str, size: int) -> None:
            nonlocal done
            done += size
            progress(f"measuring {label}", done, total)

        comparison = compare(loaded, sample.groups, sample.texts, encoded)
    except BaseException:
        sample.close()
        raise
    ratios = [(t.loaded.label, t.loaded.vocab_size, t.groups[ALL].bytes_per_token) for t in comparison.tokenizers]
    return Measured(comparison, sample, prices(ratios, widths, parameters), list(corpora), limits)
