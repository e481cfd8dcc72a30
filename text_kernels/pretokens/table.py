"""A hash table from pretokens to numbers, with which they are counted and encoded.

A slot is 32 bytes, half a cache line: two words of key, a length, a value. A pretoken of at most 16 bytes lies in the
slot itself, so finding it compares two numbers; a longer one has its hash there and its bytes in `arena`. Nothing is
approximate. The trade: open addressing at most 5/8 full, 51 to 102 bytes a pretoken, and no deletion. Counting walks
text at 150 MB/s on one core.
"""

# Tested in tests/text_kernels/pretokens/test_counts.py.

from __future__ import annotations

from typing import Final

import numpy as np

from eyas.text_kernels.hashing import SEED, finish, mix
from eyas.text_kernels.jit import part
from eyas.text_kernels.types import U64, Bytes
from eyas.text_kernels.wide_loads import load, load_16

WIDTH: Final = 4
"""uint64 numbers in a slot: KEY_1, KEY_2, LENGTH, VALUE. A slot of length 0 is free."""
LENGTH: Final = 2
VALUE: Final = 3
IN_SLOT: Final = 16
"""Bytes of a pretoken that fits into its slot."""
_MULTIPLIER_1: Final = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_32: Final = np.uint64(32)
_29: Final = np.uint64(29)


def new_slots(power: int) -> U64:
    """2**power free slots."""
    return np.zeros(WIDTH << power, np.uint64)


def room(slots: U64) -> int:
    """How many pretokens the table takes before it must grow."""
    return len(slots) // WIDTH * 5 // 8


@part
def keys(data: Bytes, start: int, length: int) -> tuple[np.uint64, np.uint64, np.uint64]:
    """The two words of the key, and the hash from which `place` finds where the search begins."""
    if length <= IN_SLOT:
        first, second = load_16(data, start, length)
        return first, second, _spread(first, second + np.uint64(length))
    state = SEED
    for position in range(start, start + length, 8):
        state = mix(state, load(data, position, min(8, start + length - position)))
    state = finish(state)
    return state, np.uint64(0), _spread(state, np.uint64(length))


@part
def _spread(first: np.uint64, second: np.uint64) -> np.uint64:
    """A hash of both numbers whose low bits depend on all of theirs."""
    mixed = (first ^ (first >> _29)) * _MULTIPLIER_1 + second * _MULTIPLIER_2
    mixed = (mixed ^ (mixed >> _32)) * _MULTIPLIER_1
    return mixed ^ (mixed >> _32)


@part
def place(slots: U64, hashed: np.uint64) -> int:
    """The index in `slots` of the slot where the search for a pretoken begins."""
    return (int(np.int64(hashed)) << 2) & (len(slots) - 1)


@part
def find(
    slots: U64, arena: Bytes, data: Bytes, start: int, length: int, first: np.uint64, second: np.uint64, at: int
) -> int:
    """The index in `slots` of the pretoken's slot, searched from `at` on; if it has none, of the free slot for it."""
    mask = len(slots) - 1
    while True:
        slot_length = int(np.int64(slots[at + LENGTH]))
        if slot_length == 0:
            return at
        if slot_length == length and slots[at] == first:
            if length <= IN_SLOT:
                if slots[at + 1] == second:
                    return at
            elif _same(arena, int(np.int64(slots[at + 1])), data, start, length):
                return at
        at = (at + WIDTH) & mask


@part
def _same(arena: Bytes, place: int, data: Bytes, start: int, length: int) -> bool:
    """Whether the `length` bytes at `arena[place]` are those at `data[start]`."""
    same = 0
    while same < length and arena[place + same] == data[start + same]:
        same += 1
    return same == length


@part
def fill(
    slots: U64,
    at: int,
    arena: Bytes,
    used: int,
    data: Bytes,
    start: int,
    length: int,
    first: np.uint64,
    second: np.uint64,
) -> int:
    """Puts the pretoken into the free slot `at`, value 0; returns how much of `arena` is used now.

    The caller makes sure of room: `length` bytes in the arena for a pretoken above IN_SLOT.
    """
    slots[at] = first
    slots[at + 1] = second
    slots[at + LENGTH] = np.uint64(length)
    if length > IN_SLOT:
        slots[at + 1] = np.uint64(used)
        for i in range(length):
            arena[used + i] = data[start + i]
        return used + length
    return used


@part
def rehash(old: U64, new: U64) -> None:
    """Moves all slots into a larger, empty table."""
    mask = len(new) - 1
    for before in range(0, len(old), WIDTH):
        length = old[before + LENGTH]
        if length == 0:
            continue
        second = old[before + 1] if length <= IN_SLOT else np.uint64(0)
        tag = second + length
        at = place(new, _spread(old[before], tag))
        while new[at + LENGTH] != 0:
            at = (at + WIDTH) & mask
        for i in range(WIDTH):
            new[at + i] = old[before + i]
