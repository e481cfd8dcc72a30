"""Hash functions and band keys against a twin in plain Python."""

from __future__ import annotations

import random

import numpy as np

from eyas.filters.dedup.signatures import band_keys, lanes

LANES = ["0x2a4c004b6ae97d7f", "0xfccac7c96d3a1e79", "0x93df7413971b78d9", "0x494f4724213d3138"]


def twin(sets: list[list[int]], count: int) -> np.ndarray:
    """Signatures by definition: uint32[sets, count]."""
    a, b = lanes(count, seed=1)
    constants = list(zip(a.tolist(), b.tolist(), strict=True))
    lanes_of = [[min([(x * v + y) % 2**64 >> 32 for v in s], default=2**32 - 1) for x, y in constants] for s in sets]
    return np.array(lanes_of, np.uint32)


def test_band_keys_are_those_of_the_twin() -> None:
    chance = random.Random(5)
    expected = twin([[chance.randrange(2**64) for _ in range(size)] for size in (0, 1, 2, 30)], 12)
    keys = band_keys(expected, 4, 3).reshape(-1, 4)
    for document, row in enumerate(expected.tolist()):
        for band in range(4):
            key = 0x9E3779B97F4A7C15 * (band + 1) % 2**64
            for value in row[3 * band : 3 * band + 3]:
                key = (key ^ value) * 0xD6E8FEB86659FD93 % 2**64
                key ^= key >> 32
            assert int(keys[document, band]) == key


def test_the_hash_functions_never_change() -> None:
    """Signatures are kept and compared across runs and machines."""
    a, b = lanes(2, seed=1)
    assert [hex(value) for value in [*a.tolist(), *b.tolist()]] == LANES
