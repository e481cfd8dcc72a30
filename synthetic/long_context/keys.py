"""Grouping keys: 64-bit hashes of names, as Arrow lists. blake2b takes 1 µs a name and is the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

KEYS = pa.list_(pa.uint64())


def key_of(name: str) -> int:
    """A 64-bit hash of a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def key_lists(keys: Sequence[Sequence[int]]) -> pa.Array:
    """The Arrow list that a joiner's `keys` returns: any number of keys for each document."""
    counts = np.cumsum([0, *map(len, keys)], dtype=np.int32)
    flat = np.array([key for of_document in keys for key in of_document], np.uint64)
    return pa.ListArray.from_arrays(pa.array(counts), pa.array(flat))
