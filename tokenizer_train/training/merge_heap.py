"""The heap of pairs: largest count first, then the smaller pair, then the older entry, as `tokenizers` orders them."""
# Tested in tests/tokenizer_train/training/test_merging.py.

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import kernel, part
from eyas.tokenizer_train.training.merge_state import HEAP, Pairs


@part
def is_before(pairs: Pairs, count: np.uint64, entry: int, other: int) -> bool:
    """Whether `entry`, with this count, comes before the entry at place `other` of the heap."""
    if count != pairs.heap_count[other]:
        return bool(count > pairs.heap_count[other])
    rival = pairs.heap_entry[other]
    if pairs.pair[entry] != pairs.pair[rival]:
        return bool(pairs.pair[entry] < pairs.pair[rival])
    return bool(entry < rival)


@part
def push(pairs: Pairs, sizes: npt.NDArray[np.int64], count: np.uint64, entry: int) -> None:
    """Adds an entry."""
    at = sizes[HEAP]
    sizes[HEAP] = at + 1
    while at > 0:
        parent = (at - 1) >> 2
        if not is_before(pairs, count, entry, parent):
            break
        pairs.heap_count[at], pairs.heap_entry[at] = pairs.heap_count[parent], pairs.heap_entry[parent]
        at = parent
    pairs.heap_count[at], pairs.heap_entry[at] = count, entry


@part
def pop(pairs: Pairs, sizes: npt.NDArray[np.int64]) -> None:
    """Takes the top off."""
    last = sizes[HEAP] - 1
    sizes[HEAP] = last
    if last:
        pairs.heap_count[0], pairs.heap_entry[0] = pairs.heap_count[last], pairs.heap_entry[last]
        sift_down(pairs, last)


@kernel
def sift_down(pairs: Pairs, size: int) -> None:
    """Moves the top down to where it belongs. Nodes have four children: half as deep as with two."""
    count, entry = pairs.heap_count[0], pairs.heap_entry[0]
    at = 0
    while 4 * at + 1 < size:
        child = 4 * at + 1
        for other in range(child + 1, min(child + 4, size)):
            if is_before(pairs, pairs.heap_count[other], pairs.heap_entry[other], child):
                child = other
        if is_before(pairs, count, entry, child):
            break
        pairs.heap_count[at], pairs.heap_entry[at] = pairs.heap_count[child], pairs.heap_entry[child]
        at = child
    pairs.heap_count[at], pairs.heap_entry[at] = count, entry
