"""Packing: arranges documents in rows of fixed length, without cropping.

Best fit decreasing (Ding et al. 2024, arXiv 2404.10830): documents longer than a row are cut into full rows and a rest,
then the pieces, longest first, each go into the row with the least room that still fits them. Lengths are small integers,
so a segment tree over rooms finds the least room that fits: O(n log T). First fit and concatenation are there for
comparison, and `cropped` counts the tokens that greedy cropping would drop: 39.4 % at T = 2,048 in nanochat's log, where
these ways lose none and best fit pads a fraction of a percent. One core packs 60 M tokens/s, writing rows included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eyas.shards.options import Packing
from eyas.text_kernels.jit import kernel

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Packed:
    """n pieces of documents in rows, ordered by row and then by place in the row.

    Piece i is `length[i]` tokens of document `document[i]` from its token `offset[i]` on, in row `row[i]`.
    """

    document: I64
    offset: I64
    length: I64
    row: I64
    rows: int


def pack(lengths: I64, sequence_length: int, how: Packing) -> Packed:
    """Rows for documents of `lengths` tokens. A document without tokens has no piece."""
    if how == "concat":
        return _concat(lengths, sequence_length)
    document, offset, length = split(lengths, sequence_length)
    if how == "first_fit":
        row, rows = _first_fit(length, sequence_length)
        order = np.argsort(row, kind="stable")
    else:
        longest_first = np.argsort(-length, kind="stable")
        of_sorted, rows = _best_fit(length[longest_first], sequence_length)
        by_row = np.argsort(of_sorted, kind="stable")
        order = longest_first[by_row]
        row = np.empty(len(length), np.int64)
        row[order] = of_sorted[by_row]
    return Packed(document[order], offset[order], length[order], row[order], rows)


def split(lengths: I64, sequence_length: int) -> tuple[I64, I64, I64]:
    """`(document, offset, length)` of pieces. Documents longer than a row are cut, and the others are one piece each."""
    count = -(-lengths // sequence_length)
    document = np.repeat(np.arange(len(lengths)), count)
    number = np.arange(len(document)) - np.repeat(np.cumsum(count) - count, count)
    offset = number * sequence_length
    return document, offset, np.minimum(lengths[document] - offset, sequence_length)


def _concat(lengths: I64, sequence_length: int) -> Packed:
    """All documents laid end to end and cut at every `sequence_length` tokens."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    starts = np.unique(np.concatenate([(ends - lengths)[lengths > 0], np.arange(0, total, sequence_length)])).astype(
        np.int64
    )
    document = np.searchsorted(ends, starts, side="right")
    offset = starts - (ends - lengths)[document] if len(starts) else starts
    length = np.diff(np.append(starts, total))
    return Packed(document, offset, length, starts // sequence_length, -(-total // sequence_length))


def cropped(lengths: I64, sequence_length: int) -> tuple[int, int]:
    """`(tokens lost, rows)` if documents fill rows in order and tokens beyond the end of a row are dropped."""
    lost, rows = _crop(lengths, sequence_length)
    return int(lost), int(rows)


@kernel
def _crop(lengths: I64, capacity: int) -> tuple[int, int]:
    lost, rows, room = 0, 0, 0
    for document in range(len(lengths)):
        if lengths[document] == 0:
            continue
        if room == 0:
            rows += 1
            room = capacity
        taken = min(room, lengths[document])
        lost += lengths[document] - taken
        room -= taken
    return lost, rows


@kernel
def _best_fit(lengths: I64, capacity: int) -> tuple[I64, int]:
    """Rows for `lengths`, which descend. Rows with equal room form a linked list, and a tree finds the least room."""
    # `occupied`: a tree of flags over rooms 0 … capacity, set where some row has this room (or one below the node).
    # `head[room]` and `following[row]`: the linked list of rows with this room.
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
    """Sets or clears the flag of a room, and the flags above it as far as they change."""
    node = leaves + room
    occupied[node] = 1 if present else 0
    node //= 2
    while node >= 1:
        below = occupied[2 * node] | occupied[2 * node + 1]
        if occupied[node] == below:
            break
        occupied[node] = below
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


@kernel
def _first_fit(lengths: I64, capacity: int) -> tuple[I64, int]:
    """Rows for `lengths`, in order: each takes the first row with room, found in a tree of the most room below each node."""
    leaves = 1
    while leaves < max(len(lengths), 1):
        leaves *= 2
    most = np.full(2 * leaves, capacity, np.int64)
    row_of = np.empty(len(lengths), np.int64)
    rows = 0
    for piece in range(len(lengths)):
        node = 1
        while node < leaves:
            node = 2 * node if most[2 * node] >= lengths[piece] else 2 * node + 1
        row_of[piece] = node - leaves
        rows = max(rows, node - leaves + 1)
        most[node] -= lengths[piece]
        while node > 1:
            node //= 2
            most[node] = max(most[2 * node], most[2 * node + 1])
    return row_of, rows


@kernel
def fill_rows(
    tokens: npt.NDArray[Any], starts: I64, lengths: I64, rows: I64, first: int, out: npt.NDArray[Any]
) -> None:
    """Copies pieces into rows: piece i is `lengths[i]` tokens from `tokens[starts[i]]` on, into `out[rows[i] - first]`.

    Pieces of one row stand together, in order. `out` is [rows, T] and already holds padding.
    """
    column = 0
    for piece in range(len(starts)):
        if piece and rows[piece] != rows[piece - 1]:
            column = 0
        row, start, length = rows[piece] - first, starts[piece], lengths[piece]
        for i in range(length):
            out[row, column + i] = tokens[start + i]
        column += length
