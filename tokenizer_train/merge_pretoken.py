"""Encoding one pretoken: merge the pair of lowest rank, leftmost first, until no pair has a rank.

Two ways to the same ids. Up to 64 bytes the lowest rank is looked for again after each merge, which costs a square of
few bytes, eight at a time; above, a heap of (rank, place) finds it, so that 50 MB without a space take n log n steps.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from text_kernels.jit import kernel, part
from tokenizer_train.byte_level import NO_RANK, Model, rank_of

SHORT: Final = 64
_LOW: Final = np.uint64(0xFFFFFFFF)
_NO_KEY: Final = 2**31 - 1
_32: Final = np.uint64(32)


class Scratch(NamedTuple):
    """For `merge_short`: the symbols of a pretoken, linked, each at the byte where it starts."""

    ids: npt.NDArray[np.int32]
    keys: npt.NDArray[np.int32]
    """rank << 6 | place of the pair that starts here; _NO_KEY if there is none."""
    before: npt.NDArray[np.int32]
    after: npt.NDArray[np.int32]


@part
def new_scratch() -> Scratch:
    """Room for SHORT bytes."""
    return Scratch(
        np.empty(SHORT, np.int32), np.empty(SHORT, np.int32), np.empty(SHORT + 1, np.int32), np.empty(SHORT, np.int32)
    )


@part
def _key(model: Model, scratch: Scratch, left: int, right: int) -> int:
    rank = rank_of(model.pairs, scratch.ids[left], scratch.ids[right])
    return _NO_KEY if rank == NO_RANK else rank << 6 | left


@part
def merge_short(model: Model, data: npt.NDArray[np.uint8], start: int, length: int, scratch: Scratch) -> int:
    """Writes the ids of at most SHORT bytes to `scratch.ids`; how many there are.

    A key holds rank and place, so the smallest is found without a branch, several at a time.
    """
    ids, pair_keys, before, after = scratch.ids, scratch.keys, scratch.before, scratch.after
    for i in range(length):
        ids[i] = model.byte_ids[data[start + i]]
        before[i], after[i] = i - 1, i + 1
        pair_keys[i] = _NO_KEY
    for i in range(length - 1):
        rank = model.byte_pairs[int(data[start + i]) << 8 | int(data[start + i + 1])]
        pair_keys[i] = _NO_KEY if rank == NO_RANK else rank << 6 | i
    while True:
        best = np.int32(_NO_KEY)
        for i in range(length):
            best = min(best, pair_keys[i])
        if best == _NO_KEY:
            break
        left = int(best & (SHORT - 1))
        right = int(after[left])
        ids[left] = model.made[best >> 6]
        pair_keys[right] = _NO_KEY
        after[left] = after[right]
        before[after[left]] = left
        pair_keys[left] = _key(model, scratch, left, int(after[left])) if after[left] < length else _NO_KEY
        if before[left] >= 0:
            pair_keys[before[left]] = _key(model, scratch, int(before[left]), left)
    count, i = 0, 0
    while i < length:
        ids[count] = ids[i]
        count += 1
        i = after[i]
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
