"""Text to ids in three walks: number the pretokens, encode those that are new, write the ids of all.

Nearly all pretokens have been met before, so encoding is finding them. Pretokens are numbered in the order of first
meeting, so frequent ones have low numbers, and the last walk reads a few cache lines again and again. The table's slots are
prefetched a batch ahead, because each is elsewhere in memory. New pretokens are encoded together, four at a time, while the
merge table is in the cache. The trade: working memory of 24 bytes for each byte of a chunk, of which a fifth is ever
touched.
"""
# Tested in tests/tokenizer_train/encoding/test_encoder.py.

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import kernel, part
from eyas.text_kernels.pretokens.pretokens import MOST_ENDS, SCRATCH, next_ends
from eyas.text_kernels.pretokens.rules import Rules
from eyas.text_kernels.pretokens.table import LENGTH, VALUE, WIDTH, fill, find, keys, place, rehash
from eyas.text_kernels.wide_loads import prefetch
from eyas.tokenizer_train.encoding.byte_level import Model
from eyas.tokenizer_train.encoding.long_pretokens import encode_long
from eyas.tokenizer_train.encoding.short_pretokens import (
    LANES,
    NO_KEY,
    STRIDE,
    WIDEST,
    advance_lane,
    fill_lane,
    lowest_key,
    read_lane,
)

BATCH: Final = 64
MOST_IN_VALUE: Final = 3
"""Ids that fit into a value: 20 bits each, with their number above them."""
_NUMBER: Final = np.uint64(60)
_ID: Final = np.uint64(20)
_MANY: Final = np.uint64(15) << _NUMBER
"""A value with these bits is the place in `Known.ids` where the number of ids stands, then the ids."""
_LOW: Final = np.uint64((1 << 20) - 1)
_PLACE: Final = np.uint64((1 << 60) - 1)

# Places in `used`.
PRETOKENS: Final = 0
ARENA: Final = 1
IDS: Final = 2
# Places in `reached`.
DOCUMENT: Final = 0
POSITION: Final = 1
COUNT: Final = 2


class Known(NamedTuple):
    """The pretokens that one thread has met: a number for each, and by number its ids."""

    slots: npt.NDArray[np.uint64]
    """A hash table of pretokens (`eyas.text_kernels.pretokens.table`); the value is the pretoken's number."""
    arena: npt.NDArray[np.uint8]
    """The table's arena."""
    values: npt.NDArray[np.uint64]
    """By number: the ids, up to three, or where in `ids` they are."""
    ids: npt.NDArray[np.int32]
    used: npt.NDArray[np.int64]
    """How much of these arrays is in use, by PRETOKENS, ARENA and IDS."""


class Chunk(NamedTuple):
    """Working memory for a chunk of text."""

    order: npt.NDArray[np.int32]
    """The number of each pretoken."""
    new_start: npt.NDArray[np.int64]
    new_length: npt.NDArray[np.int64]
    """Where the new pretokens are, in the order of their numbers."""
    ids: npt.NDArray[np.uint32]


@kernel
def number_pretokens(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint8],
    rules: Rules,
    known: Known,
    chunk: Chunk,
    before: int,
    reached: npt.NDArray[np.int64],
    pretokens: npt.NDArray[np.int64],
) -> bool:
    """Fills `chunk.order`, and `pretokens` with how many each document has; False if the table must grow first.

    `before`: pretokens known before this chunk. `reached`: where to go on. The arena must have room for the chunk.
    """
    ends, starts, lengths, at = np.empty((4, BATCH + MOST_ENDS), np.int64)
    scratch = np.empty(SCRATCH, np.uint8)
    firsts, seconds = np.empty((2, BATCH + MOST_ENDS), np.uint64)
    # Arrays are taken out of their tuples once, because numba counts references each time, in every turn of a loop.
    slots, arena, used = known.slots, known.arena, known.used
    order, new_start, new_length = chunk.order, chunk.new_start, chunk.new_length
    most = len(slots) // WIDTH * 5 // 8
    document, position, count = reached[DOCUMENT], reached[POSITION], reached[COUNT]
    while document < len(offsets) - 1:
        if used[PRETOKENS] + len(ends) > most:
            reached[DOCUMENT], reached[POSITION], reached[COUNT] = document, position, count
            return False
        waiting = 0
        while waiting < BATCH and document < len(offsets) - 1:
            stop = offsets[document + 1]
            begun = waiting
            while waiting < BATCH and position < stop:
                more = next_ends(data, position, stop, table, rules, scratch, ends, waiting)
                for i in range(waiting, more):
                    length = ends[i] - position
                    firsts[i], seconds[i], hashed = keys(data, position, length)
                    starts[i], lengths[i], at[i] = position, length, place(slots, hashed)
                    prefetch(slots, at[i])
                    position = ends[i]
                waiting = more
            pretokens[document] += waiting - begun
            document += 1 if position >= stop else 0
        for i in range(waiting):
            start, length, first, second = starts[i], lengths[i], firsts[i], seconds[i]
            slot = find(slots, arena, data, start, length, first, second, at[i])
            if slots[slot + LENGTH] == 0:
                number = used[PRETOKENS]
                used[ARENA] = fill(slots, slot, arena, used[ARENA], data, start, length, first, second)
                slots[slot + VALUE] = np.uint64(number)
                new_start[number - before], new_length[number - before] = start, length
                used[PRETOKENS] = number + 1
            order[count + i] = np.int32(slots[slot + VALUE])
        count += waiting
    reached[COUNT] = count
    return True


@kernel
def encode_new(data: npt.NDArray[np.uint8], model: Model, known: Known, chunk: Chunk, before: int) -> None:
    """Encodes the pretokens that are numbered `before` and above. `known.ids` must have room for the chunk."""
    slots, vocabulary, looks_up = model.slots, model.data, len(model.data) > 0
    values, ids, used = known.values, known.ids, known.used
    new_start, new_length = chunk.new_start, chunk.new_length
    queues, waiting = np.empty((3, used[PRETOKENS] - before), np.int32), np.zeros(3, np.int64)
    for number in range(before, used[PRETOKENS]):
        start, length = new_start[number - before], new_length[number - before]
        if looks_up:
            ahead = min(number + 8, used[PRETOKENS] - 1) - before
            prefetch(slots, place(slots, keys(data, new_start[ahead], new_length[ahead])[2]))
            first, second, hashed = keys(data, start, length)
            at = find(slots, vocabulary, data, start, length, first, second, place(slots, hashed))
            if slots[at + LENGTH] != 0:
                values[number] = (np.uint64(1) << _NUMBER) | slots[at + VALUE]
                continue
        if length > WIDEST:
            encoded = encode_long(model, data, start, length)
            values[number] = _value_of(encoded, len(encoded), ids, used)
        else:
            which = 0 if length <= 16 else 1 if length <= 32 else 2
            queues[which, waiting[which]] = number
            waiting[which] += 1
    for which in range(3):
        _encode_queue(data, model, known, chunk, before, queues[which, : waiting[which]], 16 << which)


@part
def _encode_queue(
    data: npt.NDArray[np.uint8],
    model: Model,
    known: Known,
    chunk: Chunk,
    before: int,
    queue: npt.NDArray[np.int32],
    width: int,
) -> None:
    """Encodes the pretokens of these numbers, which have at most `width` bytes: 16, 32 or 64."""
    byte_ids, byte_pairs, merged_ids = model.byte_ids, model.byte_pairs, model.merged_ids
    pairs, moves = model.pairs, model.moves
    values, ids, used = known.values, known.ids, known.used
    new_start, new_length = chunk.new_start, chunk.new_length
    symbols, lasts, firsts, keys = np.empty((4, LANES * STRIDE), np.int32)
    keys[:] = NO_KEY
    encoded = np.empty(WIDEST, np.int32)
    inside, lengths = np.full(LANES, -1), np.zeros(LANES, np.int64)
    taken, done = 0, 0
    while done < len(queue):
        for lane in range(LANES):
            base = lane * STRIDE
            key = lowest_key(keys, base, width)
            if key != NO_KEY:
                advance_lane(pairs, moves, merged_ids, key, base, symbols, keys, lasts, firsts)
                continue
            if inside[lane] >= 0:
                many = read_lane(lengths[lane], base, symbols, firsts, encoded)
                values[inside[lane]] = _value_of(encoded, many, ids, used)
                inside[lane] = -1
                done += 1
            if taken < len(queue):
                number = queue[taken]
                taken += 1
                inside[lane], lengths[lane] = number, new_length[number - before]
                fill_lane(
                    byte_ids, byte_pairs, data, new_start[number - before], lengths[lane], width, base,
                    symbols, keys, lasts, firsts,
                )  # fmt: skip


@part
def _value_of(
    encoded: npt.NDArray[np.int32], many: int, ids: npt.NDArray[np.int32], used: npt.NDArray[np.int64]
) -> np.uint64:
    """The value that stands for these ids; more than three are written to `ids`."""
    if many <= MOST_IN_VALUE:
        value = np.uint64(many) << _NUMBER
        for i in range(many):
            value |= np.uint64(encoded[i]) << (_ID * np.uint64(i))
        return value
    where = used[IDS]
    ids[where] = many
    for i in range(many):
        ids[where + 1 + i] = encoded[i]
    used[IDS] = where + 1 + many
    return _MANY | np.uint64(where)


@kernel
def write_ids(known: Known, chunk: Chunk, pretokens: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> int:
    """Writes the chunk's ids to `chunk.ids` and each document's number of them to `lengths`; returns how many in all.

    To spare a branch, three ids are written for each value. The next pretoken's ids overwrite those that are none.
    """
    values, many_ids, order, ids = known.values, known.ids, chunk.order, chunk.ids
    count, first = 0, 0
    for document in range(len(pretokens)):
        begun = count
        for i in range(first, first + pretokens[document]):
            value = values[order[i]]
            if value < _MANY:
                ids[count] = np.uint32(value & _LOW)
                ids[count + 1] = np.uint32((value >> _ID) & _LOW)
                ids[count + 2] = np.uint32((value >> (_ID + _ID)) & _LOW)
                count += int(np.int64(value >> _NUMBER))
            else:
                where = int(np.int64(value & _PLACE))
                many = many_ids[where]
                for k in range(many):
                    ids[count + k] = np.uint32(many_ids[where + 1 + k])
                count += many
        first += pretokens[document]
        lengths[document] = count - begun
    return count


@kernel
def grow(old: npt.NDArray[np.uint64], new: npt.NDArray[np.uint64]) -> None:
    """Moves the table's entries into a larger, empty one."""
    rehash(old, new)
