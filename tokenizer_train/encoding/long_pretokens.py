"""Encodes one long pretoken with a heap of (rank, place): 50 MB without a space take n log n steps.

The pair of lowest rank, leftmost first, is merged until no pair has a rank. `short_pretokens` does the same by looking at
all places each time, which is faster up to 64 bytes.
"""
# Tested in tests/tokenizer_train/encoding/test_encoder.py.

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import kernel, part
from eyas.tokenizer_train.encoding.byte_level import Model
from eyas.tokenizer_train.encoding.pair_table import NO_RANK, rank_of

_LOW: Final = np.uint64(0xFFFFFFFF)
_32: Final = np.uint64(32)


@kernel
def encode_long(model: Model, data: npt.NDArray[np.uint8], start: int, length: int) -> npt.NDArray[np.int32]:
    """The ids of the pretoken at bytes `start` to `start + length`."""
    ids = np.empty(length, np.int32)
    before = np.arange(-1, length - 1)
    after = np.arange(1, length + 1)
    # An entry is rank << 32 | place. An entry whose pair no longer stands at its place is passed over.
    heap = np.empty(length + 16, np.uint64)
    size = 0
    for i in range(length):
        ids[i] = model.byte_ids[data[start + i]]
    for i in range(length - 1):
        rank = model.byte_pairs[int(data[start + i]) << 8 | int(data[start + i + 1])]
        if rank != NO_RANK:
            size = _push(heap, size, np.uint64(rank) << _32 | np.uint64(i))
    while size:
        top = heap[0]
        size = _pop(heap, size)
        i = int(np.int64(top & _LOW))
        rank = int(np.int64(top >> _32))
        right = after[i]
        if ids[i] < 0 or right >= length or rank_of(model.pairs, model.moves, ids[i], ids[right]) != rank:
            continue
        ids[i], ids[right] = model.merged_ids[rank], -1
        after[i] = after[right]
        if after[i] < length:
            before[after[i]] = i
        if size + 2 > len(heap):
            larger = np.empty(2 * len(heap), np.uint64)
            larger[:size] = heap[:size]
            heap = larger
        for left in (before[i], i):
            if left >= 0 and after[left] < length:
                rank = rank_of(model.pairs, model.moves, ids[left], ids[after[left]])
                if rank != NO_RANK:
                    size = _push(heap, size, np.uint64(rank) << _32 | np.uint64(left))
    return ids[ids >= 0]


@part
def _push(heap: npt.NDArray[np.uint64], size: int, item: np.uint64) -> int:
    at = size
    while at > 0 and item < heap[(at - 1) >> 1]:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = item
    return size + 1


@part
def _pop(heap: npt.NDArray[np.uint64], size: int) -> int:
    size -= 1
    item = heap[size]
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if item <= heap[child]:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item
    return size
