"""Packing: every token once, no row too full, short documents whole, and as few rows as the naive best fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.packing import best_fit, split

CASES = st.integers(1, 40).flatmap(lambda row: st.tuples(st.just(row), st.lists(st.integers(0, 3 * row), max_size=40)))


def naive_rows(lengths: list[int], capacity: int) -> list[int]:
    """Rooms of the rows that best-fit decreasing opens: each piece into the row with the least room that fits."""
    rooms: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [room for room in rooms if room >= length]
        if fitting:
            rooms.remove(min(fitting))
            rooms.append(min(fitting) - length)
        else:
            rooms.append(capacity - length)
    return sorted(rooms)


@settings(deadline=None, max_examples=200)
@given(CASES)
def test_splitting_loses_nothing_and_leaves_short_documents_whole(case: tuple[int, list[int]]) -> None:
    row, lengths = case
    pieces = split(np.array(lengths, np.int64), row)
    for document, length in enumerate(lengths):
        own = pieces.document == document
        assert pieces.length[own].sum() == length
        assert pieces.offset[own].tolist() == list(range(0, length, row))
        assert (pieces.length[own][:-1] == row).all()
        assert own.sum() == 1 or length > row or length == 0
    assert (pieces.length > 0).all()
    assert (pieces.length <= row).all()


@settings(deadline=None, max_examples=200)
@given(CASES)
def test_packing_is_that_of_the_naive_twin(case: tuple[int, list[int]]) -> None:
    capacity, drawn = case
    lengths = [length % capacity + 1 for length in drawn]
    packed = best_fit(np.array(lengths, np.int64), capacity)
    used = np.bincount(packed.row, weights=lengths, minlength=packed.rows) if lengths else np.zeros(0)
    assert len(packed.row) == len(lengths)
    assert sorted((capacity - used).astype(int).tolist()) == naive_rows(lengths, capacity)
    assert sorted(packed.order.tolist()) == list(range(len(lengths)))
    # By row, and within a row in the order they were put in: longest first.
    keys = [(int(packed.row[i]), -lengths[i]) for i in packed.order]
    assert keys == sorted(keys)


@pytest.mark.parametrize("capacity", [1, 2, 3, 4, 5, 255, 256, 257])
def test_pieces_as_long_as_a_row_and_of_one_token(capacity: int) -> None:
    assert best_fit(np.full(5, capacity, np.int64), capacity).rows == 5
    assert best_fit(np.ones(3 * capacity, np.int64), capacity).rows == 3


def test_padding_of_realistic_lengths_is_a_fraction_of_a_percent() -> None:
    """Log-normal lengths as of web text, mean about 900 tokens, in rows of 2,048."""
    lengths = np.random.default_rng(0).lognormal(6.3, 1.0, 20_000).astype(np.int64) + 1
    pieces = split(lengths, 2048)
    packed = best_fit(pieces.length, 2048)
    padding = 1 - lengths.sum() / (packed.rows * 2048)
    assert 0 <= padding < 0.005
