"""Pseudo-random numbers computed from ids: the same on any machine and in any order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
GOLDEN = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: SplitMix64's increment (Steele et al. 2014)."""
MASK = 0xFFFFFFFFFFFFFFFF


def mix(x: U64) -> U64:
    """SplitMix64's finaliser, a bijection of 64-bit numbers whose outputs look unrelated."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def hash_rank(ids: U64, seed: int) -> U64:
    """A pseudo-random rank per id. The lowest ranks are a sample that depends only on ids and seed."""
    with np.errstate(over="ignore"):
        return mix(ids + np.uint64(seed * GOLDEN & MASK))
