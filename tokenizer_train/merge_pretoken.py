"""Encoding one pretoken: merge the pair of lowest rank, leftmost first, until no pair has a rank.

Two ways to the same ids. Up to 64 bytes the lowest rank is looked for again after each merge, which costs a square of
few bytes, eight at a time; above, a heap of (rank, place) finds it, so that 50 MB without a space take n log n steps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from text_kernels.jit import kernel, part
from tokenizer_train.byte_level import NO_RANK, Model, rank_of

SHORT: Final = 64
_LOW: Final = np.uint64(0xFFFFFFFF)
_NO_KEY: Final = 2**31 - 1
_32: Final = np.uint64(32)


@part
def _key(pairs: npt.NDArray[np.uint64], ids: npt.NDArray[np.int32], left: int, right: int) -> int:
    """rank << 6 | place of the pair of symbols at two places; _NO_KEY if it is not merged."""
    rank = rank_of(pairs, ids[left], ids[right])
    return _NO_KEY if rank == NO_RANK else rank << 6 | left


@part
def merge_short(
    byte_ids: npt.NDArray[np.int32],
    byte_pairs: npt.NDArray[np.int32],
    pairs: npt.NDArray[np.uint64],
    made: npt.NDArray[np.int32],
    data: npt.NDArray[np.uint8],
    start: int,
    length: int,
    ids: npt.NDArray[np.int32],
    links: npt.NDArray[np.int32],
) -> int:
    """Writes the ids of at most SHORT bytes to `ids`; how many there are. The first four are a `Model`'s.

    `ids` has room for SHORT, `links` for 3 * SHORT + 1: by byte, the key of the pair that starts there, and where the
    symbols before and after it start. A key holds rank and place, so the smallest is found without a branch, several at
    a time. Arrays, not tuples of them: numba counts references to each array that it takes out of a tuple.
    """
    before, after = SHORT, 2 * SHORT + 1
    for i in range(length):
        ids[i] = byte_ids[data[start + i]]
        links[before + i], links[after + i] = i - 1, i + 1
        links[i] = _NO_KEY
    for i in range(length - 1):
        rank = byte_pairs[int(data[start + i]) << 8 | int(data[start + i + 1])]
        links[i] = _NO_KEY if rank == NO_RANK else rank << 6 | i
    while True:
        best = np.int32(_NO_KEY)
        for i in range(length):
            best = min(best, links[i])
        if best == _NO_KEY:
            break
        left = int(best & (SHORT - 1))
        right = int(links[after + left])
        ids[left] = made[best >> 6]
        links[right] = _NO_KEY
        right = int(links[after + right])
        links[after + left], links[before + right] = right, left
        links[left] = _key(pairs, ids, left, right) if right < length else _NO_KEY
        other = int(links[before + left])
        if other >= 0:
            links[other] = _key(pairs, ids, other, left)
    count, i = 0, 0
    while i < length:
        ids[count] = ids[i]
        count += 1
        i = int(links[after + i])
    return count


@kernel
def merge_long(model: Model, data: npt.NDArray[np.uint8], start: int, length: int) -> npt.NDArray[np.int32]:
    """The ids of any number of bytes."""
    ids = np.empty(length, np.int32)
    before = np.arange(-1, length - 1)
    after = np.arange(1, length + 1)
    # An entry is rank << 32 | place; what no longer stands there is passed over.
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
        if ids[i] < 0 or right >= length or rank_of(model.pairs, ids[i], ids[right]) != rank:
            continue
        ids[i], ids[right] = model.made[rank], -1
        after[i] = after[right]
        if after[i] < length:
            before[after[i]] = i
        if size + 2 > len(heap):
            larger = np.empty(2 * len(heap), np.uint64)
            larger[:size] = heap[:size]
            heap = larger
        for left in (before[i], i):
            if left >= 0 and after[left] < length:
                rank = rank_of(model.pairs, ids[left], ids[after[left]])
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
