"""Pairs during merging: how a pair is packed into a number, where it stands, and its residual count."""
# Tested in tests/tokenizer_train/training/test_merging.py.

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
"""How many places ahead memory is prefetched."""
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
def prefetch_ahead(
    cells: npt.NDArray[np.int32], counts: npt.NDArray[np.uint64], places: npt.NDArray[np.int32], i: int, last: int
) -> None:
    """Prefetches what the places after place i need: cells twice as far ahead, for the counts are found through them."""
    prefetch(cells, 2 * places[min(i + 2 * AHEAD, last)])
    prefetch(counts, cells[2 * places[min(i + AHEAD, last)] + 1])


@kernel
def count_everywhere(words: Words, pairs: Pairs, tokens: Tokens, merges: Merges, left: int, right: int) -> np.uint64:
    """How often the pair stands in the words, whichever of its entries has the place.

    Walks the places at which one of its two tokens was made: the right one if merges made it, else the left one.
    """
    from_right = tokens.latest_merge[right] >= 0
    maker = tokens.latest_merge[right] if from_right else tokens.latest_merge[left]
    total = np.uint64(0)
    while maker >= 0:
        for i in range(merges.begin[maker], merges.begin[maker] + merges.length[maker]):
            place = pairs.places[i]
            if from_right:
                stands = words.cells[2 * place] == right and words.cells[2 * (place - 1)] == left
            else:
                stands = words.cells[2 * place] == left and words.cells[2 * (place + tokens.length[left])] == right
            if stands:
                total += words.counts[words.cells[2 * place + 1]]
        maker = merges.previous[maker]
    return total


@kernel
def places_to_merge(
    words: Words, pairs: Pairs, tokens: Tokens, entry: int, sizes: npt.NDArray[np.int64], write: bool
) -> int:
    """How many places the entry is merged at: those of its list, or with siblings all of the pair in the list's words.

    `write` makes the places of an entry with siblings a new list at the end of `Pairs.places`, which the entry then has.
    """
    if not pairs.has_siblings[entry]:
        return int(pairs.length[entry])
    left, right = left_of(pairs.pair[entry]), right_of(pairs.pair[entry])
    begin, length, start = pairs.begin[entry], pairs.extent[entry], sizes[PLACES]
    count, last_word = 0, -1
    for i in range(begin, begin + length):
        word = words.cells[2 * pairs.places[i] + 1]
        # Places of one word follow each other in a list, so each word is searched once.
        if word == last_word:
            continue
        last_word = word
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
    """The slot of the pair in the table of merged pairs, or the free slot where it belongs."""
    mask = len(merges.merged) - 1
    at = int(np.int64((pair * _SPREAD) >> _32)) & mask
    while merges.merged[at] != 0 and merges.merged[at] != pair + _1:
        at = (at + 1) & mask
    return at


@kernel
def residual_of(merges: Merges, pair: np.uint64) -> np.uint64:
    """The count that `tokenizers` still attributes to a merged pair; 0 for a pair that was not merged."""
    return np.uint64(merges.residual[_slot(merges, pair)])


@kernel
def set_residual(merges: Merges, pair: np.uint64, count: np.uint64) -> None:
    at = _slot(merges, pair)
    merges.merged[at] = pair + _1
    merges.residual[at] = count
