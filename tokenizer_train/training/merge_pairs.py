"""Pairs while they are merged: how they are packed, where they stand, and what is still counted of those that are done."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import helper, kernel, part
from eyas.text_kernels.wide_loads import prefetch
from eyas.tokenizer_train.training.merge_state import BORDER, PLACES, Merges, Pairs, Tokens, Words

_LOW: Final = np.uint64(0xFFFFFFFF)
_32: Final = np.uint64(32)
_1: Final = np.uint64(1)
AHEAD: Final = 12
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


@helper
def left_of(pair: np.uint64) -> int:
    return int(np.int64(pair >> _32))


@helper
def right_of(pair: np.uint64) -> int:
    return int(np.int64(pair & _LOW))


@helper
def pair_of(left: int, right: int) -> np.uint64:
    return (np.uint64(left) << _32) | np.uint64(right)


@helper
def look_ahead(
    cells: npt.NDArray[np.int32], counts: npt.NDArray[np.uint64], places: npt.NDArray[np.int32], i: int, last: int
) -> None:
    """Asks for what the places after place i need: each is elsewhere in memory, and which it is, is known."""
    prefetch(cells, 2 * places[min(i + 2 * AHEAD, last)])
    prefetch(counts, cells[2 * places[min(i + AHEAD, last)] + 1])


@kernel
def windows(words: Words, pairs: Pairs, tokens: Tokens, merges: Merges, left: int, right: int) -> np.uint64:
    """How often the pair stands somewhere: found from where one of its tokens was made."""
    from_right = tokens.latest[right] >= 0
    made = tokens.latest[right] if from_right else tokens.latest[left]
    total = np.uint64(0)
    while made >= 0:
        for i in range(merges.begin[made], merges.begin[made] + merges.length[made]):
            place = pairs.places[i]
            if from_right:
                there = words.cells[2 * place] == right and words.cells[2 * (place - 1)] == left
            else:
                there = words.cells[2 * place] == left and words.cells[2 * (place + tokens.length[left])] == right
            if there:
                total += words.counts[words.cells[2 * place + 1]]
        made = merges.before[made]
    return total


@kernel
def places_of(words: Words, pairs: Pairs, tokens: Tokens, entry: int, sizes: npt.NDArray[np.int64], write: bool) -> int:
    """How many places the entry is merged at: those of its list; if shared, all of the pair in the list's words.

    With `write` a shared entry's places become a new list at the end of `places`, and that is the entry's.
    """
    if not pairs.shared[entry]:
        return int(pairs.length[entry])
    left, right = left_of(pairs.pair[entry]), right_of(pairs.pair[entry])
    begin, length, start = pairs.begin[entry], pairs.extent[entry], sizes[PLACES]
    count, latest = 0, -1
    for i in range(begin, begin + length):
        word = words.cells[2 * pairs.places[i] + 1]
        if word == latest:
            continue
        latest = word
        place = words.starts[word]
        while words.cells[2 * place] != BORDER:
            after = place + tokens.length[words.cells[2 * place]]
            if words.cells[2 * place] == left and words.cells[2 * after] == right:
                if write:
                    pairs.places[start + count] = place
                count += 1
            place = after
    if write:
        pairs.begin[entry], pairs.length[entry] = start, count
        sizes[PLACES] = start + count
    return count


@part
def _slot(merges: Merges, pair: np.uint64) -> int:
    mask = len(merges.merged) - 1
    at = int(np.int64((pair * _SPREAD) >> _32)) & mask
    while merges.merged[at] != 0 and merges.merged[at] != pair + _1:
        at = (at + 1) & mask
    return at


@kernel
def left_over(merges: Merges, pair: np.uint64) -> np.uint64:
    """What is still counted of the pair from merges of it that are done."""
    return np.uint64(merges.left_over[_slot(merges, pair)])


@kernel
def set_left_over(merges: Merges, pair: np.uint64, count: np.uint64) -> None:
    at = _slot(merges, pair)
    merges.merged[at] = pair + _1
    merges.left_over[at] = count
