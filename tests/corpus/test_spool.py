"""An array that outgrows memory: the same numbers whether they lie in memory or in a file."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.corpus.spool import Spool

PIECES = st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=20), max_size=12)


@settings(deadline=None)
@given(PIECES, st.integers(0, 600))
def test_the_pieces_joined_whatever_the_budget(pieces: list[list[int]], budget: int) -> None:
    spool = Spool(np.uint64, budget)
    expected: list[int] = []
    for piece in pieces:
        spool.append(np.array(piece, np.uint64))
        expected += piece
        assert spool.size == len(expected)
        assert spool.array().tolist() == expected  # read between two appends, too
    assert spool.array().dtype == np.uint64


def test_what_is_appended_may_be_overwritten_afterwards() -> None:
    for budget in (0, 1 << 20):
        spool, piece = Spool(np.int32, budget), np.arange(5, dtype=np.int32)
        spool.append(piece)
        piece[:] = -1
        spool.append(piece[::2])  # not contiguous
        assert spool.array().tolist() == [0, 1, 2, 3, 4, -1, -1, -1]


def test_beyond_the_budget_nothing_is_kept_in_memory() -> None:
    spool = Spool(np.uint8, 1000)
    for _ in range(50):
        spool.append(np.full(100, 7, np.uint8))
    assert spool._pieces == [] and isinstance(spool.array().base, np.memmap)
    assert (spool.array() == 7).all() and spool.size == 5000
