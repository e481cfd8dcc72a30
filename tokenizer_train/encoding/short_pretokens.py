"""Encodes short pretokens, four in turns, so that the processor works on one while it waits for another.

A merge costs waiting: for the lowest rank, for the pair's place in the cache, for a store that the next load reads. Four
independent pretokens, each in a *lane*, take these steps in turns, and the processor overlaps them. A step has no branch
but the one that ends a pretoken, because both its ends have a symbol that merges with nothing. The lowest rank is looked
for among all places, 16 at a time, so lanes of one round should have one width. A pretoken of up to 16 bytes takes 0.2 µs;
one after the other they take 0.5 each.
"""
# Tested in tests/tokenizer_train/encoding/test_encoder.py.

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import part
from eyas.text_kernels.wide_loads import least_of_16
from eyas.tokenizer_train.encoding.pair_table import NO_RANK, SYMBOL_BITS, rank_of

LANES: Final = 4
WIDEST: Final = 64
STRIDE: Final = 80
"""Places of a lane. Symbols stand from FIRST on, with NO_SYMBOL before and behind them."""
FIRST: Final = 8
PLACE_BITS: Final = 7
NO_KEY: Final = 2**31 - 1
NO_SYMBOL: Final = 2**SYMBOL_BITS - 1
"""Above every id (`byte_level.MOST_TOKENS`)."""


@part
def fill_lane(
    byte_ids: npt.NDArray[np.int32],
    byte_pairs: npt.NDArray[np.int32],
    data: npt.NDArray[np.uint8],
    start: int,
    length: int,
    width: int,
    base: int,
    symbols: npt.NDArray[np.int32],
    keys: npt.NDArray[np.int32],
    before: npt.NDArray[np.int32],
    after: npt.NDArray[np.int32],
) -> None:
    """Puts a pretoken of at most `width` bytes into the lane that begins at `base`."""
    for place in range(width):
        keys[base + FIRST + place] = NO_KEY
    for i in range(length):
        place = base + FIRST + i
        symbols[place] = byte_ids[data[start + i]]
        before[place], after[place] = place - 1, place + 1
    for i in range(length - 1):
        rank = byte_pairs[int(data[start + i]) << 8 | int(data[start + i + 1])]
        keys[base + FIRST + i] = NO_KEY if rank == NO_RANK else rank << PLACE_BITS | (FIRST + i)
    symbols[base + FIRST - 1] = symbols[base + FIRST + length] = NO_SYMBOL


@part
def lowest_key(keys: npt.NDArray[np.int32], base: int, width: int) -> int:
    """rank << PLACE_BITS | place of the pair to merge next; NO_KEY if there is none. `width` is a multiple of 16."""
    least = least_of_16(keys, base + FIRST)
    for place in range(16, width, 16):
        least = min(least, least_of_16(keys, base + FIRST + place))
    return int(least)


@part
def advance_lane(
    pairs: npt.NDArray[np.uint64],
    moves: npt.NDArray[np.uint16],
    merged_ids: npt.NDArray[np.int32],
    key: int,
    base: int,
    symbols: npt.NDArray[np.int32],
    keys: npt.NDArray[np.int32],
    before: npt.NDArray[np.int32],
    after: npt.NDArray[np.int32],
) -> None:
    """Merges the pair of the lane at `base` that `lowest_key` found."""
    left = base + (key & ((1 << PLACE_BITS) - 1))
    gone = int(after[left])
    right, other = int(after[gone]), int(before[left])
    symbol = int(merged_ids[key >> PLACE_BITS])
    symbols[left] = symbol
    keys[gone] = NO_KEY
    after[left], before[right] = right, left
    rank = rank_of(pairs, moves, symbol, int(symbols[right]))
    keys[left] = NO_KEY if rank == NO_RANK else rank << PLACE_BITS | (left - base)
    rank = rank_of(pairs, moves, int(symbols[other]), symbol)
    keys[other] = NO_KEY if rank == NO_RANK else rank << PLACE_BITS | (other - base)


@part
def read_lane(
    length: int,
    base: int,
    symbols: npt.NDArray[np.int32],
    after: npt.NDArray[np.int32],
    ids: npt.NDArray[np.int32],
) -> int:
    """Writes the symbols of the lane at `base` to `ids`, and returns how many there are."""
    place, count = base + FIRST, 0
    while place < base + FIRST + length:
        ids[count] = symbols[place]
        count += 1
        place = int(after[place])
    return count
