"""Best-fit-decreasing packing: documents into rows of fixed length, nothing cropped.

Documents longer than a row are cut into full rows and a rest; then the pieces, longest first, each go into the row
with the least room that still fits them (Ding et al. 2024, arXiv 2404.10830). Greedy cropping at T = 2,048 loses
39.4 % of tokens (nanochat's log); this loses none and pads a fraction of a percent. Lengths are small integers, so
"the least room that fits" is a walk up a segment tree over rooms: O(n log T).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from text_kernels.jit import kernel

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """n pieces of documents: piece i is `length[i]` tokens of `document[i]` from its token `offset[i]` on."""

    document: I64
    offset: I64
    length: I64


@dataclass(frozen=True)
class Packed:
    """`row[i]`: the row of piece i; `order`: pieces by row, then in the order they were put in."""

    row: I64
    order: I64
    rows: int


def split(lengths: I64, sequence_length: int) -> Pieces:
    """Cuts documents (token counts `lengths`) that are longer than a row; the others are one piece each."""
    count = -(-lengths // sequence_length)
    document = np.repeat(np.arange(len(lengths)), count)
    number = np.arange(len(document)) - np.repeat(np.cumsum(count) - count, count)
    offset = number * sequence_length
    return Pieces(document, offset, np.minimum(lengths[document] - offset, sequence_length))


def best_fit(lengths: I64, sequence_length: int) -> Packed:
    """Packs pieces of 1 … `sequence_length` tokens; ties go to the earlier piece and the newest row with that room."""
    longest_first = np.argsort(-lengths, kind="stable")
    row, rows = _best_fit(lengths[longest_first], sequence_length)
    assigned = np.empty(len(lengths), np.int64)
    assigned[longest_first] = row
    return Packed(assigned, longest_first[np.argsort(row, kind="stable")], rows)


@kernel
def _best_fit(lengths: I64, capacity: int) -> tuple[I64, int]:
    """Rows for `lengths`, which descend. Rows with equal room form a linked list; a tree finds the least room."""
    leaves = 1
    while leaves <= capacity:
        leaves *= 2
    occupied = np.zeros(2 * leaves, np.uint8)
    head = np.full(capacity + 1, -1, np.int64)
    following = np.full(len(lengths), -1, np.int64)
    row_of = np.empty(len(lengths), np.int64)
    rows = 0
    for piece in range(len(lengths)):
        length = lengths[piece]
        room = _least_room(occupied, leaves, length)
        if room < 0:
            row, room = rows, capacity
            rows += 1
        else:
            row = head[room]
            head[room] = following[row]
            if head[room] < 0:
                _mark(occupied, leaves, room, False)
        row_of[piece] = row
        left = room - length
        if left > 0:
            if head[left] < 0:
                _mark(occupied, leaves, left, True)
            following[row] = head[left]
            head[left] = row
    return row_of, rows


@kernel
def _mark(occupied: npt.NDArray[np.uint8], leaves: int, room: int, present: bool) -> None:
    node = leaves + room
    occupied[node] = 1 if present else 0
    node //= 2
    while node >= 1:
        occupied[node] = occupied[2 * node] | occupied[2 * node + 1]
        node //= 2


@kernel
def _least_room(occupied: npt.NDArray[np.uint8], leaves: int, length: int) -> int:
    """The least room of at least `length` that some row has, or -1."""
    node = leaves + length
    if occupied[node]:
        return length
    while node > 1:
        if node % 2 == 0 and occupied[node + 1]:
            node += 1
            while node < leaves:
                node = 2 * node if occupied[2 * node] else 2 * node + 1
            return node - leaves
        node //= 2
    return -1
