"""The 64-bit hash of words and shingles. It must never change: digests of corpora are made of it.

For each item the state is xored with it, multiplied by the odd 2^64/golden ratio, and its high bits are xored down. At the
end comes murmur3's `fmix64`. The trade: one multiplication per code point and no block reads, so the hash runs inside the
walk that finds the words, at the walk's speed.
Each step is a bijection of the state, so words of one length that differ in one code point never collide; 5.5 million
distinct short words gave no collision. It is not cryptographic: an attacker can construct a collision.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from eyas.text_kernels.jit import helper

SEED: Final = np.uint64(0x243F6A8885A308D3)
SEED_2: Final = np.uint64(0x13198A2E03707344)
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FINAL_1: Final = np.uint64(0xFF51AFD7ED558CCD)
_FINAL_2: Final = np.uint64(0xC4CEB9FE1A85EC53)
_FACTOR_2: Final = np.uint64(0xBF58476D1CE4E5B9)
_29: Final = np.uint64(29)
_32: Final = np.uint64(32)
_33: Final = np.uint64(33)


@helper
def mix(state: np.uint64, item: np.uint64) -> np.uint64:
    """The state after one more item (a code point, a word's hash)."""
    state = (state ^ item) * _GOLDEN
    return state ^ (state >> _29)


@helper
def mix_2(state: np.uint64, item: np.uint64) -> np.uint64:
    """As `mix`, from `SEED_2` and with other constants: both together are a hash of 128 bits."""
    state = (state ^ item) * _FACTOR_2
    return state ^ (state >> _32)


@helper
def finish(state: np.uint64) -> np.uint64:
    """The hash: every bit of it depends on every bit of the state."""
    state = (state ^ (state >> _33)) * _FINAL_1
    state = (state ^ (state >> _33)) * _FINAL_2
    return state ^ (state >> _33)
