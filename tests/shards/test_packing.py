"""Packing: every token once, no row too full, short documents whole, and as few rows as the naive twins take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.shards.packing import Packed, cropped, fill_rows, pack, split

CASES = st.integers(1, 40).flatmap(lambda row: st.tuples(st.just(row), st.lists(st.integers(0, 3 * row), max_size=40)))
WAYS = ("best_fit", "first_fit", "concat")


def pieces_of(lengths: list[int], capacity: int) -> list[int]:
    return [min(capacity, length - start) for length in lengths for start in range(0, length, capacity)]


def naive_best_fit(pieces: list[int], capacity: int) -> list[int]:
    """Rooms of the rows that best-fit decreasing opens: each piece into the row with the least room that fits."""
    rooms: list[int] = []
    for length in sorted(pieces, reverse=True):
        fitting = [room for room in rooms if room >= length]
        if fitting:
            rooms.remove(min(fitting))
            rooms.append(min(fitting) - length)
        else:
            rooms.append(capacity - length)
    return sorted(rooms)


def naive_first_fit(pieces: list[int], capacity: int) -> list[int]:
    """The row of each piece."""
    rooms: list[int] = []
    row_of = []
    for length in pieces:
        row = next((i for i, room in enumerate(rooms) if room >= length), len(rooms))
        rooms += [capacity] * (row == len(rooms))
        rooms[row] -= length
        row_of.append(row)
    return row_of


def used(packed: Packed) -> list[int]:
    return np.bincount(packed.row, weights=packed.length, minlength=packed.rows).astype(int).tolist()


@settings(deadline=None, max_examples=200)
@given(CASES)
def test_splitting_loses_nothing_and_leaves_short_documents_whole(case: tuple[int, list[int]]) -> None:
    row, lengths = case
    documents, offsets, sizes = split(np.array(lengths, np.int64), row)
    for document, length in enumerate(lengths):
        of_document = documents == document
        assert sizes[of_document].sum() == length
        assert offsets[of_document].tolist() == list(range(0, length, row))
        assert (sizes[of_document][:-1] == row).all()
        assert of_document.sum() == 1 or length > row or length == 0
    assert (sizes > 0).all()
    assert (sizes <= row).all()


@pytest.mark.parametrize("how", WAYS)
@settings(deadline=None, max_examples=150)
@given(case=CASES)
def test_every_way_keeps_every_token_and_fills_no_row_too_full(how: str, case: tuple[int, list[int]]) -> None:
    capacity, lengths = case
    packed = pack(np.array(lengths, np.int64), capacity, how)
    assert (packed.length > 0).all()
    assert max(used(packed), default=0) <= capacity
    assert packed.row.tolist() == sorted(packed.row.tolist())
    assert set(packed.row.tolist()) == set(range(packed.rows))
    for document, length in enumerate(lengths):
        of_document = packed.document == document
        pieces = sorted(zip(packed.offset[of_document].tolist(), packed.length[of_document].tolist(), strict=True))
        covered = 0
        for offset, size in pieces:
            assert offset == covered
            covered += size
        assert covered == length
        assert how == "concat" or len(pieces) <= 1 or length > capacity


@settings(deadline=None, max_examples=200)
@given(CASES)
def test_rows_are_those_of_the_naive_twins(case: tuple[int, list[int]]) -> None:
    capacity, lengths = case
    array, pieces = np.array(lengths, np.int64), pieces_of(lengths, capacity)
    best = pack(array, capacity, "best_fit")
    assert sorted(capacity - size for size in used(best)) == naive_best_fit(pieces, capacity)
    # By row, and within a row in the order they were put in: longest first.
    keys = list(zip(best.row.tolist(), (-best.length).tolist(), strict=True))
    assert keys == sorted(keys)
    first, rows = pack(array, capacity, "first_fit"), naive_first_fit(pieces, capacity)
    assert first.length.tolist() == [pieces[i] for i in sorted(range(len(pieces)), key=lambda i: rows[i])]
    assert first.row.tolist() == sorted(rows)
    joined = pack(array, capacity, "concat")
    assert used(joined)[:-1] == [capacity] * max(joined.rows - 1, 0)
    assert joined.rows == -(-sum(lengths) // capacity)


@settings(deadline=None, max_examples=100)
@given(CASES)
def test_cropping_is_that_of_the_naive_twin(case: tuple[int, list[int]]) -> None:
    capacity, lengths = case
    rooms: list[int] = []
    lost = 0
    for length in lengths:
        if length:
            if not rooms or rooms[-1] == 0:
                rooms.append(capacity)
            lost += max(length - rooms[-1], 0)
            rooms[-1] -= min(length, rooms[-1])
    assert cropped(np.array(lengths, np.int64), capacity) == (lost, len(rooms))


@settings(deadline=None, max_examples=60)
@given(CASES, st.sampled_from(WAYS))
def test_rows_are_filled_with_the_tokens_of_their_pieces(case: tuple[int, list[int]], how: str) -> None:
    capacity, lengths = case
    array = np.array(lengths, np.int64)
    packed = pack(array, capacity, how)
    tokens = np.arange(1, sum(lengths) + 1).astype(np.uint32)
    starts = (np.cumsum(array) - array)[packed.document] + packed.offset if lengths else np.zeros(0, np.int64)
    out = np.zeros((packed.rows, capacity), np.uint32)
    fill_rows(tokens, starts, packed.length, packed.row, 0, out)
    wanted: list[list[int]] = [[] for _ in range(packed.rows)]
    for start, length, row in zip(starts, packed.length, packed.row, strict=True):
        wanted[row] += tokens[start : start + length].tolist()
    assert out.tolist() == [row + [0] * (capacity - len(row)) for row in wanted]


@pytest.mark.parametrize("capacity", [1, 2, 3, 4, 5, 255, 256, 257])
def test_pieces_as_long_as_a_row_and_of_one_token(capacity: int) -> None:
    assert pack(np.full(5, capacity, np.int64), capacity, "best_fit").rows == 5
    assert pack(np.ones(3 * capacity, np.int64), capacity, "best_fit").rows == 3
