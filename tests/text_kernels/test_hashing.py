"""The hash of words and shingles against Python's integers."""

from __future__ import annotations

import numpy as np
import word_twins as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.hashing import SEED, SEED_2, finish, mix, mix_2
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.types import U64


@kernel
def _hash(items: U64) -> tuple[np.uint64, np.uint64]:
    first, second = SEED, SEED_2
    for i in range(len(items)):
        first, second = mix(first, items[i]), mix_2(second, items[i])
    return finish(first), finish(second)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=8))
def test_both_hashes_are_those_of_their_definition(items: list[int]) -> None:
    first, second = 0x243F6A8885A308D3, 0x13198A2E03707344
    for item in items:
        first = twin.mix(first, item)
        second = (second ^ item) * 0xBF58476D1CE4E5B9 % 2**64
        second ^= second >> 32
    hashes = _hash(np.array(items, np.uint64))
    assert [int(value) for value in hashes] == [twin.finish(first), twin.finish(second)]
