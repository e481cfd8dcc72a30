"""Bands and rows of a MinHash signature: the S-curve, and the choice of both by the price of missing a copy.

Two documents of Jaccard similarity s share a band with probability `1 - (1 - s^rows)^bands` (Leskovec, Rajaraman and
Ullman, Mining of Massive Datasets, 3.4). Every candidate is verified here: one too many costs microseconds, and one too
few is a copy that stays for ever. The price of missing weighs the second against the first.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pydantic import Field

from eyas.corpus.options import Options

F64 = npt.NDArray[np.float64]
_STEPS = 1000


class BandingTarget(Options):
    """The target by which bands and rows are chosen."""

    jaccard: float = Field(default=0.75, gt=0.0, lt=1.0)
    """Pairs at least this similar should be found."""
    price_of_missing: float = Field(default=9.0, gt=0.0)
    """How many pairs verified in vain one missed pair costs. datasketch weighs both alike: 1."""
    lanes: int = Field(default=128, ge=1, le=4096)
    """Most hash values for a document: bands x rows."""


def probability(jaccard: float | F64, bands: int, rows: int) -> F64:
    """The S-curve: the probability that two documents of this Jaccard similarity share a band."""
    curve: F64 = 1.0 - (1.0 - np.asarray(jaccard, np.float64) ** rows) ** bands
    return curve


@lru_cache(maxsize=64)
def choose(jaccard: float, price_of_missing: float, lanes: int) -> tuple[int, int]:
    """`(bands, rows)` of at most `lanes` lanes that cost least.

    The cost is the area under the curve below `jaccard` (pairs verified in vain), plus `price_of_missing` times the area
    above the curve beyond it (pairs missed), where all similarities are equally frequent: the objective of datasketch's
    `MinHashLSH` (Zhu et al. 2016). Among equal costs, the fewest lanes win.
    """
    below, above = np.linspace(0, jaccard, _STEPS + 1), np.linspace(jaccard, 1, _STEPS + 1)
    best = (np.inf, 0, 1, 1)
    for bands in range(1, lanes + 1):
        for rows in range(1, lanes // bands + 1):
            vain = np.trapezoid(probability(below, bands, rows), below)
            missed = np.trapezoid(1.0 - probability(above, bands, rows), above)
            best = min(best, (float(vain + price_of_missing * missed), bands * rows, bands, rows))
    return best[2], best[3]


def curve_lines(bands: int, rows: int, verify: float) -> list[str]:
    """The S-curve as text, for `eyas plan`."""
    lines = [f"{bands} bands x {rows} rows: a pair of this Jaccard similarity becomes a candidate with probability"]
    for twentieth in range(8, 21):
        chance = float(probability(twentieth / 20, bands, rows))
        mark = "  ← verify_jaccard" if int(20 * verify + 1e-9) == twentieth else ""
        lines.append(f"  {twentieth / 20:.2f}  {'█' * round(30 * chance):<30}  {chance:.3f}{mark}")
    return lines
