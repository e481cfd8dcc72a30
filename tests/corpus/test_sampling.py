"""Pseudo-random ranks: SplitMix64 as published, a bijection, and the same whatever the order of ids."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.sampling import GOLDEN, MASK, hash_rank, mix

IDS = st.integers(0, MASK)


def splitmix(x: int) -> int:
    """SplitMix64's finaliser in plain Python (Steele et al. 2014)."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def undone(y: int) -> int:
    """The number of which `mix` makes `y`."""
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        x = y
        for _ in range(64 // shift + 1):
            x = y ^ x >> shift
        y = x * pow(factor, -1, 1 << 64) & MASK
    return y


def test_the_first_numbers_are_those_of_the_published_generator() -> None:
    # SplitMix64 seeded with 0: state GOLDEN, then 2 * GOLDEN.
    states = np.array([GOLDEN, 2 * GOLDEN & MASK], np.uint64)
    assert mix(states).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


@settings(deadline=None)
@given(st.lists(IDS, min_size=1))
def test_mix_is_the_plain_one_and_loses_nothing(numbers: list[int]) -> None:
    mixed = mix(np.array(numbers, np.uint64)).tolist()
    assert mixed == [splitmix(number) for number in numbers]
    assert [undone(number) for number in mixed] == numbers


@settings(deadline=None)
@given(st.lists(IDS, min_size=1, unique=True), st.integers(0, (1 << 63) - 1), st.randoms())
def test_a_rank_depends_on_id_and_seed_alone(ids: list[int], seed: int, random: np.random.RandomState) -> None:
    ranks = dict(zip(ids, hash_rank(np.array(ids, np.uint64), seed).tolist(), strict=True))
    shuffled = list(ids)
    random.shuffle(shuffled)
    assert hash_rank(np.array(shuffled, np.uint64), seed).tolist() == [ranks[document] for document in shuffled]
    assert len(set(ranks.values())) == len(ids)


def test_ranks_of_neighbours_are_even_and_another_seed_gives_another_sample() -> None:
    ids = np.arange(100_000, dtype=np.uint64)
    shares = hash_rank(ids, 7) / 2.0**64
    assert abs(shares.mean() - 0.5) < 0.005  # 5 standard errors
    chosen, others = hash_rank(ids, 7) < 2**60, hash_rank(ids, 8) < 2**60
    assert abs((chosen & others).mean() - (1 / 16) ** 2) < 0.001
