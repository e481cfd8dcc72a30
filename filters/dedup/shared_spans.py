"""Packs spans of symbols (bytes, or 64-bit hashes of words) for a shuffle, as bytes or as 128-bit hashes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.filters.dedup.base import I64, U64
from eyas.text_kernels.hashing import SEED, SEED_2, finish, mix, mix_2
from eyas.text_kernels.jit import kernel


def hashed(symbols: npt.NDArray[Any], start: I64, count: I64, least: int) -> tuple[U64, U64, I64]:
    """128-bit hashes (as two halves) of `count[i]` windows of `least` symbols each, the first at `start[i]`, each one symbol
    further than the last; and `count`."""
    hashes = np.empty((2, int(count.sum())), np.uint64)
    _hash_windows(symbols, start, count, least, hashes)
    return hashes[0], hashes[1], count


@kernel
def _hash_windows(symbols: npt.NDArray[Any], start: I64, count: I64, least: int, hashes: U64) -> None:
    at = 0
    for i in range(len(start)):
        for begin in range(start[i], start[i] + count[i]):
            high, low = SEED, SEED_2
            for p in range(begin, begin + least):
                item = np.uint64(symbols[p])
                high, low = mix(high, item), mix_2(low, item)
            hashes[0, at], hashes[1, at] = finish(high), finish(low)
            at += 1


def slices(symbols: npt.NDArray[Any], start: I64, length: I64) -> pa.LargeBinaryArray:
    """The runs `symbols[start[i]:start[i] + length[i]]`, as bytes."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)])
    joined = np.empty(int(offsets[-1]), symbols.dtype)
    _gather(symbols, start, offsets, joined)
    in_bytes = offsets * symbols.dtype.itemsize
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(start), [None, pa.py_buffer(in_bytes), pa.py_buffer(joined)]
    )


@kernel
def _gather(symbols: npt.NDArray[Any], start: I64, offsets: I64, flat: npt.NDArray[Any]) -> None:
    for i in range(len(start)):
        size = offsets[i + 1] - offsets[i]
        flat[offsets[i] : offsets[i + 1]] = symbols[start[i] : start[i] + size]


def flat(pieces: pa.LargeBinaryArray, width: int) -> tuple[npt.NDArray[Any], I64]:
    """The symbols that `slices` packed (uint8, or int32 numbers in place of 64-bit hashes), and their offsets."""
    _, offsets, data = pieces.buffers()
    if len(pieces) == 0 or data is None:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    bounds = np.frombuffer(offsets, np.int64)[pieces.offset : pieces.offset + len(pieces) + 1]
    raw = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    bounds = (bounds - bounds[0]) // width
    if width == 1:
        return raw, bounds
    return np.unique(raw.view(np.uint64), return_inverse=True)[1].astype(np.int32), bounds
