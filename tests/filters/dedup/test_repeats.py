"""Owners of repeated spans against a dictionary of every window."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.dedup.repeats import NOBODY, owners


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(st.integers(0, 2), max_size=12), max_size=6), st.integers(1, 5), st.integers(1, 30), st.data())
def test_owners_are_the_same_from_one_suffix_array_or_many(
    pieces: list[list[int]], least: int, shard: int, data: st.DataObject
) -> None:
    ids = [data.draw(st.integers(0, 3)) for _ in pieces]
    flat = np.array([symbol for piece in pieces for symbol in piece], np.uint8)
    offsets = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
    id_array = np.array(ids, np.uint64)
    seen: dict[tuple[int, ...], set[int]] = {}
    for piece, document in zip(pieces, ids, strict=True):
        for at in range(len(piece) - least + 1):
            seen.setdefault(tuple(piece[at : at + least]), set()).add(document)
    expected = []
    for piece in pieces:
        windows = [seen.get(tuple(piece[at : at + least]), set()) for at in range(len(piece))]
        expected += [min(w) if len(w) > 1 and at + least <= len(piece) else int(NOBODY) for at, w in enumerate(windows)]
    for size in (shard, 10_000):
        for kind in (np.uint8, np.int32):
            found = owners(flat.astype(kind), offsets, id_array, id_array, least, size)
            assert found.tolist() == expected
