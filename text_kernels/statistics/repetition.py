"""How much of a document is repeated: lines, paragraphs and word n-grams, by their hashes.

One open-addressing table serves all counts of all documents of a batch. Each count clears, and uses, as much of it as it
needs, so the 900 words of a usual document stay in the processor's first cache.

Most n-grams occur once, and most are counted without the table: an n-gram can be no more frequent than its
first n - 1 words, and a string cannot be repeated if its first `HEAD` code points are not.
"""

# Tested in tests/text_kernels/statistics/test_text.py.

from __future__ import annotations

from typing import Final

import numpy as np

from eyas.text_kernels.hashing import SEED, mix
from eyas.text_kernels.jit import helper, kernel
from eyas.text_kernels.statistics.modular import power_of, span
from eyas.text_kernels.types import I64, U64, Bools, Bytes

HEAD: Final = 16
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_32: Final = np.uint64(32)
_1: Final = np.uint64(1)


@kernel
def mask_for(items: int) -> int:
    """The mask of a table that `items` fill to a half at most."""
    size = 16
    while size < 2 * items:
        size *= 2
    return size - 1


@helper
def _cleared(keys: U64, items: int) -> int:
    """Empties as much of the table as `items` need; its mask."""
    mask = mask_for(items)
    keys[: mask + 1] = 0
    return mask


@helper
def _slot_of(key: np.uint64, mask: int, keys: U64) -> int:
    """The slot that holds the key, which is not 0, or the empty one where it belongs."""
    slot = int((key * _SPREAD) >> _32) & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def duplicates(hashes: U64, count: int, keys: U64, repeated: Bools) -> None:
    """Fills `repeated`: which of the first `count` hashes occurred before. Tables: at least `mask_for(count) + 1`."""
    mask = _cleared(keys, count)
    for i in range(count):
        key = hashes[i] | _1
        slot = _slot_of(key, mask, keys)
        repeated[i] = keys[slot] == key
        keys[slot] = key


@kernel
def maybe_repeated(hashes: U64, count: int, sketch: Bytes, marks: Bools) -> None:
    """Fills `marks`: false for those of the first `count` hashes that surely occur only once.

    The sketch counts up to 2, with one counter for many hashes, so it needs neither keys nor branches. It has
    4 * (mask + 1) bytes.
    """
    mask = 4 * mask_for(count) + 3
    sketch[: mask + 1] = 0
    for i in range(count):
        slot = int((hashes[i] * _SPREAD) >> _32) & mask
        sketch[slot] = min(sketch[slot] + 1, 2)
    for i in range(count):
        marks[i] = sketch[int((hashes[i] * _SPREAD) >> _32) & mask] > 1


@kernel
def _compact(candidates: I64, grams: U64, count: int, sketch: Bytes, marks: Bools) -> int:
    """Moves those of the first `count` n-grams that may occur more than once to the front; how many they are."""
    maybe_repeated(grams, count, sketch, marks)
    left = 0
    for c in range(count):
        candidates[left], grams[left] = candidates[c], grams[c]
        left += marks[c]
    return left


@helper
def _gram(word_hashes: U64, first: int, n: int) -> np.uint64:
    """The hash of n words; not 0, which is an empty slot."""
    key = SEED
    for i in range(first, first + n):
        key = mix(key, word_hashes[i])
    return key | _1


@kernel
def top_n_gram(
    word_hashes: U64,
    lengths: I64,
    words: int,
    n: int,
    candidates: I64,
    count: int,
    grams: U64,
    marks: Bools,
    sketch: Bytes,
    keys: U64,
    tally: I64,
) -> tuple[int, int]:
    """Code points of the most frequent n-gram, words joined by one space, times its count; 0 without n-grams.

    Of several that are as frequent, the one that occurs first. `lengths`: prefix sums over the words' lengths.
    `candidates`: the first `count` of them are, ascending, the words at which n-grams begin that may occur more than once.
    The call leaves only those that still may, for a longer n-gram can be no more frequent; the second result is their number.
    """
    if words < n:
        return 0, 0
    # The last n - 1 words begin no n-gram.
    while count > 0 and candidates[count - 1] > words - n:
        count -= 1
    for c in range(count):
        grams[c] = _gram(word_hashes, candidates[c], n)
    left = _compact(candidates, grams, count, sketch, marks)
    mask = _cleared(keys, left)
    best, best_first = 1, 0
    for c in range(left):
        slot = _slot_of(grams[c], mask, keys)
        # Upper half: the word at which the n-gram occurs first; lower half: how often it does.
        tally[slot] = (tally[slot] if keys[slot] == grams[c] else candidates[c] << 32) + 1
        keys[slot] = grams[c]
        occurrences, first = tally[slot] & 0xFFFFFFFF, tally[slot] >> 32
        if occurrences > best or (occurrences == best and first < best_first):
            best, best_first = occurrences, first
    return best * int(lengths[best_first + n] - lengths[best_first] + n - 1), left


@kernel
def repeated_n_grams(
    prefixes: U64,
    lengths: I64,
    words: int,
    n: int,
    heads_repeated: Bools,
    powers: U64,
    candidates: I64,
    grams: U64,
    marks: Bools,
    sketch: Bytes,
    keys: U64,
) -> int:
    """Code points in n-grams that occurred before, words joined by nothing; none is counted twice.

    After Gopher's released pseudo-code: a repeated n-gram is stepped over, a new one is remembered, one word further.
    `prefixes`: hashes (`modular`) of the first 0, 1 … words. `heads_repeated`: whether the `HEAD` code points from a
    word on may occur more than once, or there are not as many.
    """
    count = 0
    for i in range(words - n + 1):
        candidates[count] = i
        count += heads_repeated[i] | (lengths[i + n] - lengths[i] < HEAD)
    for c in range(count):
        first, last = candidates[c], candidates[c] + n
        power = power_of(lengths[last] - lengths[first], powers)
        # 61 bits of hash, and one that tells them from an empty slot.
        grams[c] = (span(prefixes[first], prefixes[last], power) << _1) | _1
    left = _compact(candidates, grams, count, sketch, marks)
    mask = _cleared(keys, left)
    total, after = 0, 0
    for c in range(left):
        first = candidates[c]
        if first >= after:
            slot = _slot_of(grams[c], mask, keys)
            if keys[slot] == grams[c]:
                total += lengths[first + n] - lengths[first]
                after = first + n
            keys[slot] = grams[c]
    return total
