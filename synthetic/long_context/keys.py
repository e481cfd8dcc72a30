"""Keys by which documents are grouped: 64-bit hashes of names, as Arrow lists. blake2b, 1 µs a name: the same anywhere."""

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
    """What a joiner's `keys` returns: any number of keys for each document."""
    counts = np.cumsum([0, *map(len, keys)], dtype=np.int32)
    flat = np.array([key for mine in keys for key in mine], np.uint64)
    return pa.ListArray.from_arrays(pa.array(counts), pa.array(flat))
