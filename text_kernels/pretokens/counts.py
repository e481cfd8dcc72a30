"""Counts of all distinct pretokens of a text, within a budget of memory.

One loop walks the documents with `eyas.text_kernels.pretokens.pretokens` and counts in
`eyas.text_kernels.pretokens.table`. It stops where the table or the arena is full, so that the caller may make both larger,
or empty them into a file. Counts are 64-bit, and
a document may count more than once (`weights`): so a mixture can be counted as such. It runs at 150 MB/s on one core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa

from eyas.text_kernels.jit import kernel
from eyas.text_kernels.pretokens.pretokens import MOST_ENDS, SCRATCH, next_ends
from eyas.text_kernels.pretokens.rules import Rules, kinds
from eyas.text_kernels.pretokens.table import (
    IN_SLOT,
    LENGTH,
    VALUE,
    WIDTH,
    fill,
    find,
    keys,
    new_slots,
    place,
    rehash,
    room,
)
from eyas.text_kernels.types import I64, U64, Bytes
from eyas.text_kernels.utf8 import buffers

_FIRST_POWER: Final = 16


class PretokenCounts:
    """A table of pretokens and counts that grows up to `budget` bytes.

    When it may grow no more, it calls `spill(pretokens, counts)` with its content, in no order, and starts anew: one pretoken
    may then be spilled several times. Without `spill` it grows without limit.
    """

    def __init__(self, budget: float = np.inf, spill: Callable[[pa.LargeBinaryArray, U64], None] | None = None) -> None:
        self._budget = budget if spill is not None else np.inf
        self._spill = spill
        self._clear()

    def _clear(self) -> None:
        self._slots = new_slots(_FIRST_POWER)
        self._arena = np.zeros(1 << 16, np.uint8)
        self._used = np.zeros(2, np.int64)
        """Pretokens in the table, bytes in the arena."""

    def __len__(self) -> int:
        return int(self._used[0])

    def add(self, text: pa.LargeStringArray | pa.ChunkedArray, rules: Rules, weights: U64 | None = None) -> None:
        """Counts the pretokens of each text, `weights[i]` times those of text i (once, without)."""
        data, offsets = buffers(text)
        each = np.ones(len(text), np.uint64) if weights is None else weights
        table = kinds(rules.marks, rules.ideographs)
        reached = np.array([0, offsets[0]], np.int64)
        while not _count(data, offsets, each, table, rules, self._slots, self._arena, self._used, reached):
            self._make_room(int(reached[1]), int(offsets[-1]))

    def add_counted(self, pretokens: pa.LargeBinaryArray, counts: U64) -> None:
        """Adds counts of another table."""
        data, offsets = buffers(pretokens.view(pa.large_string()))
        reached = np.zeros(2, np.int64)
        while not _add_counted(data, offsets, counts, self._slots, self._arena, self._used, reached):
            self._make_room(int(offsets[reached[0]]), int(offsets[-1]))

    def _make_room(self, position: int, stop: int) -> None:
        """Called when the table is 5/8 full, or the arena may not hold what comes next."""
        full = self._used[0] >= room(self._slots)
        size = len(self._slots) * 8 + len(self._arena)
        growth = len(self._slots) * 16 if full else min(len(self._arena), stop - position)
        if size + growth > self._budget and self._used[0]:
            self.flush()
        elif full:
            larger = np.zeros(len(self._slots) * 2, np.uint64)
            _rehash(self._slots, larger)
            self._slots = larger
        else:
            # One pretoken may be all that is left of the text: 50 MB without a space is one.
            needed = int(self._used[1]) + stop - position
            self._arena.resize(
                min(max(len(self._arena) * 2, 1 << 20), max(needed, len(self._arena) + 1)), refcheck=False
            )

    def flush(self) -> None:
        """Spills the content, and empties the table."""
        assert self._spill is not None, "flush() of a table without spill"
        if self._used[0]:
            self._spill(*self.counts())
            self._clear()

    def counts(self) -> tuple[pa.LargeBinaryArray, U64]:
        """All pretokens of the table, in no order, and their counts."""
        lengths = self._slots[LENGTH::WIDTH]
        slots_used = np.flatnonzero(lengths)
        offsets = np.zeros(len(slots_used) + 1, np.int64)
        np.cumsum(lengths[slots_used], out=offsets[1:])
        data = np.empty(int(offsets[-1]), np.uint8)
        _write(self._slots, self._arena, slots_used, offsets, data)
        pretokens = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(slots_used), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        )
        return pretokens, self._slots[VALUE::WIDTH][slots_used]


@kernel
def _count(
    data: Bytes,
    offsets: I64,
    weights: U64,
    table: Bytes,
    rules: Rules,
    slots: U64,
    arena: Bytes,
    used: I64,
    reached: I64,
) -> bool:
    """Goes on at `reached` (document, byte); False if it stops for want of room."""
    most = len(slots) // WIDTH * 5 // 8
    count, filled = used[0], used[1]
    ends, scratch = np.empty(MOST_ENDS, np.int64), np.empty(SCRATCH, np.uint8)
    position = reached[1]
    done = True
    document = reached[0]
    while document < len(offsets) - 1:
        position, stop = max(position, offsets[document]), offsets[document + 1]
        ahead, many = 0, 0
        while position < stop:
            if ahead == many:
                ahead, many = 0, next_ends(data, position, stop, table, rules, scratch, ends, 0)
            end = ends[ahead]
            ahead += 1
            length = end - position
            first, second, hashed = keys(data, position, length)
            at = find(slots, arena, data, position, length, first, second, place(slots, hashed))
            if slots[at + LENGTH] == 0:
                if count >= most or (length > IN_SLOT and filled + length > len(arena)):
                    done = False
                    break
                filled = fill(slots, at, arena, filled, data, position, length, first, second)
                count += 1
            slots[at + VALUE] += weights[document]
            position = end
        if not done:
            break
        document += 1
    used[0], used[1] = count, filled
    reached[0], reached[1] = document, position
    return done


@kernel
def _add_counted(data: Bytes, offsets: I64, counts: U64, slots: U64, arena: Bytes, used: I64, reached: I64) -> bool:
    """Goes on at row `reached[0]`; False if it stops for want of room."""
    most = len(slots) // WIDTH * 5 // 8
    count, filled = used[0], used[1]
    row = reached[0]
    done = True
    while row < len(counts):
        length = offsets[row + 1] - offsets[row]
        first, second, hashed = keys(data, offsets[row], length)
        at = find(slots, arena, data, offsets[row], length, first, second, place(slots, hashed))
        if slots[at + LENGTH] == 0:
            if count >= most or (length > IN_SLOT and filled + length > len(arena)):
                done = False
                break
            filled = fill(slots, at, arena, filled, data, offsets[row], length, first, second)
            count += 1
        slots[at + VALUE] += counts[row]
        row += 1
    used[0], used[1] = count, filled
    reached[0] = row
    return done


@kernel
def _rehash(old: U64, new: U64) -> None:
    rehash(old, new)


@kernel
def _write(slots: U64, arena: Bytes, slots_used: I64, offsets: I64, data: Bytes) -> None:
    """The bytes of each pretoken, one after the other."""
    for row in range(len(slots_used)):
        at, position, length = slots_used[row] * WIDTH, offsets[row], offsets[row + 1] - offsets[row]
        if length > IN_SLOT:
            start = np.int64(slots[at + 1])
            for i in range(length):
                data[position + i] = arena[start + i]
        else:
            for i in range(length):
                word = slots[at] if i < 8 else slots[at + 1]
                data[position + i] = np.uint8((word >> np.uint64(8 * (i & 7))) & np.uint64(0xFF))
