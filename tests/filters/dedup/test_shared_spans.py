"""Spans of symbols on their way through a shuffle: what is packed comes out again, equal windows have equal hashes."""

from __future__ import annotations

import numpy as np
import pytest

from eyas.filters.dedup.shared_spans import flat, hashed, slices

START, LENGTH = np.array([0, 2, 5]), np.array([3, 0, 2])


def test_bytes_come_out_as_they_went_in() -> None:
    symbols, offsets = flat(slices(np.arange(10, dtype=np.uint8), START, LENGTH), 1)
    assert symbols.tolist() == [0, 1, 2, 5, 6] and offsets.tolist() == [0, 3, 3, 5]
    assert flat(slices(symbols, START[:0], LENGTH[:0]), 1)[1].tolist() == [0]


def test_hashes_of_words_come_out_as_numbers_in_their_order() -> None:
    words = np.array([7, 2**63, 7, 0, 0, 9, 7], np.uint64)
    symbols, offsets = flat(slices(words, START, LENGTH), 8)
    assert symbols.tolist() == [0, 2, 0, 1, 0] and offsets.tolist() == [0, 3, 3, 5]


@pytest.mark.parametrize("kind", [np.uint8, np.uint64])
def test_windows_have_equal_hashes_if_and_only_if_they_are_equal(kind: type) -> None:
    symbols = np.array([1, 2, 3, 1, 2, 3, 2], kind)
    high, low, count = hashed(symbols, np.array([0, 4]), np.array([4, 1]), 3)
    assert count.tolist() == [4, 1]
    windows = [tuple(symbols[at : at + 3].tolist()) for at in (0, 1, 2, 3, 4)]
    keys = list(zip(high.tolist(), low.tolist(), strict=True))
    assert len(set(keys)) == len(set(windows)) == 4 and keys[0] == keys[3]
