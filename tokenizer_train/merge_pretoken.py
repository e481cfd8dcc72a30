"""Encoding one pretoken: merge the pair of lowest rank, leftmost first, until no pair has a rank.

Two ways to the same ids. Up to 64 symbols the lowest rank is looked for again after each merge, which costs a square of
few symbols; above, a heap of (rank, place) finds it, so that 50 MB without a space take n log n and not n squared.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from text_kernels.jit import kernel, part
from tokenizer_train.byte_level import Model

SHORT: Final = 64
_NONE: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW: Final = np.uint64(0xFFFFFFFF)
_32: Final = np.uint64(32)
_1: Final = np.uint64(1)
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


@part
def _rank(pairs: npt.NDArray[np.uint64], left: int, right: int) -> np.uint64:
    """rank << 32 | id of the token that the pair makes; _NONE if it makes none."""
    mask = len(pairs) // 2 - 1
    pair = (np.uint64(left) << _32) | np.uint64(right)
    at = int(np.int64((pair * _SPREAD) >> _32)) & mask
    while pairs[2 * at] != 0:
        if pairs[2 * at] == pair + _1:
            return np.uint64(pairs[2 * at + 1])
        at = (at + 1) & mask
    return _NONE


@kernel
def merge_short(
    model: Model,
    data: npt.NDArray[np.uint8],
    start: int,
    length: int,
    ids: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.uint64],
) -> int:
    """Writes the ids of at most SHORT bytes to `ids`; how many there are. `ranks` is scratch, as long as `ids`."""
    for i in range(length):
        ids[i] = model.byte_ids[data[start + i]]
    for i in range(length - 1):
        ranks[i] = _rank(model.pairs, ids[i], ids[i + 1])
    count = length
    while count > 1:
        best = 0
        for i in range(1, count - 1):
            if ranks[i] < ranks[best]:
                best = i
        if ranks[best] == _NONE:
            break
        ids[best] = np.int32(ranks[best] & _LOW)
        count -= 1
        for i in range(best + 1, count):
            ids[i] = ids[i + 1]
            ranks[i - 1] = ranks[i]
        if best > 0:
            ranks[best - 1] = _rank(model.pairs, ids[best - 1], ids[best])
        if best + 1 < count:
            ranks[best] = _rank(model.pairs, ids[best], ids[best + 1])
    return count


@kernel
def merge_long(model: Model, data: npt.NDArray[np.uint8], start: int, length: int) -> npt.NDArray[np.int32]:
    """The ids of any number of bytes."""
    ids = np.empty(length, np.int32)
    before = np.arange(-1, length - 1)
    after = np.arange(1, length + 1)
    # An entry is (rank, place); the token is looked up again, and what no longer stands there is passed over.
    heap = np.empty(length + 16, np.uint64)
    size = 0
    for i in range(length):
        ids[i] = model.byte_ids[data[start + i]]
    for i in range(length - 1):
        found = _rank(model.pairs, ids[i], ids[i + 1])
        if found != _NONE:
            size = _push(heap, size, (found & ~_LOW) | np.uint64(i))
    while size:
        top = heap[0]
        size = _pop(heap, size)
        i = int(np.int64(top & _LOW))
        if ids[i] < 0 or after[i] >= length:
            continue
        found = _rank(model.pairs, ids[i], ids[after[i]])
        if found == _NONE or (found & ~_LOW) != (top & ~_LOW):
            continue
        right = after[i]
        ids[i], ids[right] = np.int32(found & _LOW), -1
        after[i] = after[right]
        if after[i] < length:
            before[after[i]] = i
        if size + 2 > len(heap):
            larger = np.empty(2 * len(heap), np.uint64)
            larger[:size] = heap[:size]
            heap = larger
        for left in (before[i], i):
            if left >= 0 and after[left] < length:
                found = _rank(model.pairs, ids[left], ids[after[left]])
                if found != _NONE:
                    size = _push(heap, size, (found & ~_LOW) | np.uint64(left))
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
