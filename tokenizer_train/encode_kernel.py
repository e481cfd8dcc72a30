"""Text to ids: the walk of `pretokens`, with a cache that knows what each pretoken encodes to.

99 % of pretokens have been met before, so encoding is finding them: a pretoken of one token has its id in its slot,
another the place of its ids in a list. The trade: 64 MB a thread at most; a full cache is emptied and fills again.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from text_kernels.jit import kernel
from text_kernels.pretoken_table import LENGTH, VALUE, WIDTH, fill, find, keys, new_slots
from text_kernels.pretokens import Rules, pretoken_end
from tokenizer_train.byte_level import Model
from tokenizer_train.merge_pretoken import SHORT, merge_long, merge_short

POWER: Final = 21
"""2**21 slots of 32 bytes."""
LONGEST: Final = 256
"""Longer pretokens hardly come twice, and are not kept."""
_COUNT: Final = np.uint64(40)
_PLACE: Final = np.uint64((1 << 40) - 1)


class Cache(NamedTuple):
    """What one thread knows. A slot's value is count << 40 | the id itself, or the place of the ids in `ids`."""

    slots: npt.NDArray[np.uint64]
    arena: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.int32]
    used: npt.NDArray[np.int64]
    """Pretokens, bytes in the arena, ids."""
    scratch: npt.NDArray[np.int32]
    ranks: npt.NDArray[np.uint64]


def new_cache(power: int = POWER) -> Cache:
    """An empty cache; pages that are never touched cost nothing."""
    entries = 1 << power
    return Cache(
        slots=new_slots(power),
        arena=np.zeros(8 * entries, np.uint8),
        ids=np.zeros(4 * entries, np.int32),
        used=np.zeros(3, np.int64),
        scratch=np.zeros(SHORT, np.int32),
        ranks=np.zeros(SHORT, np.uint64),
    )


@kernel
def encode(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint8],
    rules: Rules,
    model: Model,
    cache: Cache,
    out: npt.NDArray[Any],
    lengths: npt.NDArray[np.int64],
) -> int:
    """Writes the ids of all documents to `out`, which has room for one a byte, and how many each has to `lengths`."""
    count = 0
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        before = count
        while position < stop:
            end = pretoken_end(data, position, stop, table, rules)
            length = end - position
            first, second, hashed = keys(data, position, length)
            at = find(cache.slots, cache.arena, data, position, length, first, second, hashed)
            if cache.slots[at + LENGTH] == 0:
                count += _meet(data, position, length, at, first, second, model, cache, out, count)
            else:
                value = cache.slots[at + VALUE]
                number = int(np.int64(value >> _COUNT))
                place = int(np.int64(value & _PLACE))
                if number == 1:
                    out[count] = np.uint32(place)
                else:
                    for i in range(number):
                        out[count + i] = np.uint32(cache.ids[place + i])
                count += number
            position = end
        lengths[document] = count - before
    return count


@kernel
def _meet(
    data: npt.NDArray[np.uint8],
    start: int,
    length: int,
    at: int,
    first: np.uint64,
    second: np.uint64,
    model: Model,
    cache: Cache,
    out: npt.NDArray[Any],
    count: int,
) -> int:
    """Encodes a pretoken that is not in the cache, and puts it there; how many ids it has."""
    number = 0
    if len(model.data):
        _, _, hashed = keys(data, start, length)
        there = find(model.slots, model.data, data, start, length, first, second, hashed)
        if model.slots[there + LENGTH] != 0:
            out[count] = np.uint32(model.slots[there + VALUE])
            number = 1
    if number == 0:
        if length <= SHORT:
            number = merge_short(model, data, start, length, cache.scratch, cache.ranks)
            for i in range(number):
                out[count + i] = np.uint32(cache.scratch[i])
        else:
            found = merge_long(model, data, start, length)
            number = len(found)
            for i in range(number):
                out[count + i] = np.uint32(found[i])
    if length <= LONGEST:
        _keep(data, start, length, at, first, second, cache, out, count, number)
    return number


@kernel
def _keep(
    data: npt.NDArray[np.uint8],
    start: int,
    length: int,
    at: int,
    first: np.uint64,
    second: np.uint64,
    cache: Cache,
    out: npt.NDArray[Any],
    count: int,
    number: int,
) -> None:
    full = cache.used[0] >= len(cache.slots) // WIDTH * 5 // 8
    if full or cache.used[1] + length > len(cache.arena) or cache.used[2] + number > len(cache.ids):
        cache.slots[:] = np.uint64(0)
        cache.used[:] = 0
        _, _, hashed = keys(data, start, length)
        at = find(cache.slots, cache.arena, data, start, length, first, second, hashed)
    cache.used[0] += 1
    cache.used[1] = fill(cache.slots, at, cache.arena, cache.used[1], data, start, length, first, second)
    if number == 1:
        cache.slots[at + VALUE] = (np.uint64(1) << _COUNT) | np.uint64(out[count])
        return
    place = cache.used[2]
    for i in range(number):
        cache.ids[place + i] = np.int32(out[count + i])
    cache.used[2] = place + number
    cache.slots[at + VALUE] = (np.uint64(number) << _COUNT) | np.uint64(place)
