"""Makes the state that the merge loop starts from: words as bytes, and every pair of bytes with its places."""
# Tested in tests/tokenizer_train/training/test_merging.py.

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.errors import InputError
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.pretokens.table import VALUE, fill, find, keys, new_slots, place
from eyas.text_kernels.utf8 import buffers
from eyas.tokenizer_train.alphabet import BYTE_OF, BYTE_ORDER
from eyas.tokenizer_train.training.merge_state import (
    BORDER,
    ENTRIES,
    HEAP,
    PLACES,
    SIZES,
    TOKEN_BYTES,
    TOKENS,
    Merges,
    Pairs,
    Scratch,
    Side,
    Tokens,
    Words,
)

T = TypeVar("T", bound=np.generic)

MOST_CELLS: Final = 2**31 - 1
"""Bytes of distinct pretokens, and a border for each, are at most so many, because places are 32-bit numbers."""


def make_words(
    pretokens: pa.LargeBinaryArray, counts: npt.NDArray[np.uint64], alphabet: npt.NDArray[np.int32]
) -> Words:
    """Words of symbols; `alphabet[b]` is the id of byte b. Raises ValueError if there are more than MOST_CELLS."""
    data, offsets = buffers(pretokens.view(pa.large_string()))
    cells = int(offsets[-1] - offsets[0]) + len(counts) + 1
    if cells > MOST_CELLS:
        raise InputError(
            f"tokenizer: the distinct pretokens take {cells:,} bytes, the limit is {MOST_CELLS:,}: raise `min_count`"
        )
    words = Words(np.empty(2 * cells, np.int32), np.empty(len(counts) + 1, np.int64), np.ascontiguousarray(counts))
    _write_words(data, offsets, alphabet, words)
    return words


@kernel
def _write_words(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], alphabet: npt.NDArray[np.int32], words: Words
) -> None:
    cell = 1
    words.cells[0], words.cells[1] = BORDER, 0
    for word in range(len(offsets) - 1):
        words.starts[word] = cell
        for i in range(offsets[word], offsets[word + 1]):
            words.cells[2 * cell], words.cells[2 * cell + 1] = alphabet[data[i]], word
            cell += 1
        words.cells[2 * cell], words.cells[2 * cell + 1] = BORDER, word
        cell += 1
    words.starts[len(offsets) - 1] = cell


def make_tokens(special_tokens: Sequence[str], most_tokens: int) -> tuple[Tokens, npt.NDArray[np.int32], int]:
    """Special tokens and the 256 bytes in the order of `BYTE_ORDER`; the id of each byte; and how many tokens these are.

    A special token spelled in byte-level characters is the token of these bytes, as in `tokenizers`: a merge that makes
    the same bytes gets its id. Other special tokens, with a space for instance, stand for no bytes.
    """
    names = [_bytes_of_special(token) for token in special_tokens]
    first = list(dict.fromkeys([*names, *(bytes([byte]) for byte in BYTE_ORDER)]))
    tokens = Tokens(
        length=np.zeros(most_tokens + 2, np.int32),
        latest_merge=np.full(most_tokens + 2, -1, np.int64),
        offsets=np.zeros(most_tokens + 3, np.int64),
        data=np.zeros(32 * most_tokens + (1 << 16) + sum(map(len, first)), np.uint8),
        slots=new_slots(max(10, (2 * (most_tokens + len(first))).bit_length())),
    )
    joined = np.frombuffer(b"".join(first), np.uint8)
    ends = np.cumsum([len(token) for token in first])
    tokens.data[: len(joined)] = joined
    tokens.offsets[1 : len(first) + 1] = ends
    tokens.length[: len(first)] = np.diff(ends, prepend=0)
    _enter_into_table(tokens, len(first))
    place = {token: number for number, token in enumerate(first)}
    return tokens, np.array([place[bytes([byte])] for byte in range(256)], np.int32), len(first)


def _bytes_of_special(special: str) -> bytes:
    """The bytes that a special token stands for in the byte-level alphabet; if none, invalid UTF-8, which no pretoken is."""
    if all(character in BYTE_OF for character in special):
        return bytes(BYTE_OF[character] for character in special)
    return b"\xff" + special.encode()


@kernel
def _enter_into_table(tokens: Tokens, count: int) -> None:
    for token in range(count):
        start, length = tokens.offsets[token], tokens.offsets[token + 1] - tokens.offsets[token]
        first, second, hashed = keys(tokens.data, start, length)
        at = find(tokens.slots, tokens.data, tokens.data, start, length, first, second, place(tokens.slots, hashed))
        fill(tokens.slots, at, tokens.data, start, tokens.data, start, length, first, second)
        tokens.slots[at + VALUE] = np.uint64(token)


def make_pairs(words: Words, tokens: Tokens, sizes: npt.NDArray[np.int64], min_frequency: int) -> Pairs:
    """Every pair of neighbours in the words that occurs `min_frequency` times, and its places in ascending order."""
    known = int(sizes[TOKENS])
    counts, places = np.zeros(known * known, np.uint64), np.zeros(known * known, np.int64)
    _count_pairs(words, known, counts, places)
    wanted = np.flatnonzero((counts >= max(min_frequency, 1)) & (places > 0))
    begins = np.concatenate([[0], np.cumsum(places[wanted])])
    total, entries = int(begins[-1]), len(wanted)
    cursor = np.full(known * known, -1, np.int64)
    cursor[wanted] = begins[:-1]
    list_of_places = np.empty(total + total // 2 + 1024, np.int32)
    _write_places(words, known, cursor, list_of_places)
    pair = (wanted // known).astype(np.uint64) << np.uint64(32) | (wanted % known).astype(np.uint64)
    # Largest count first. A sorted array is a heap.
    order = np.lexsort((pair, np.uint64(0xFFFFFFFFFFFFFFFF) - counts[wanted]))
    room = entries + total // 16 + 1024
    sizes[[ENTRIES, HEAP, PLACES]] = entries, entries, total
    return Pairs(
        pair=_roomy(pair, room),
        begin=_roomy(begins[:-1].astype(np.int64), room),
        length=_roomy(places[wanted].astype(np.int32), room),
        extent=_roomy(places[wanted].astype(np.int32), room),
        has_siblings=np.zeros(room, np.uint8),
        places=list_of_places,
        heap_count=_roomy(counts[wanted][order], room),
        heap_entry=_roomy(order.astype(np.int32), room),
    )


def _roomy(array: npt.NDArray[T], room: int) -> npt.NDArray[T]:
    larger = np.empty(room, array.dtype)
    larger[: len(array)] = array
    return larger


@kernel
def _count_pairs(words: Words, known: int, counts: npt.NDArray[np.uint64], places: npt.NDArray[np.int64]) -> None:
    for cell in range(len(words.cells) // 2 - 1):
        left, right = words.cells[2 * cell], words.cells[2 * cell + 2]
        if left >= 0 and right >= 0:
            counts[left * known + right] += words.counts[words.cells[2 * cell + 1]]
            places[left * known + right] += 1


@kernel
def _write_places(words: Words, known: int, cursor: npt.NDArray[np.int64], places: npt.NDArray[np.int32]) -> None:
    for cell in range(len(words.cells) // 2 - 1):
        left, right = words.cells[2 * cell], words.cells[2 * cell + 2]
        if left >= 0 and right >= 0 and cursor[left * known + right] >= 0:
            places[cursor[left * known + right]] = cell
            cursor[left * known + right] += 1


def make_merges(most: int) -> Merges:
    """Room for `most` merges."""
    slots = 1 << max(10, (2 * most).bit_length())
    wide = [np.zeros(most + 1, np.int64) for _ in range(5)]
    return Merges(
        pair=np.zeros(most + 1, np.uint64),
        token=np.zeros(most + 1, np.int32),
        frequency=np.zeros(most + 1, np.uint64),
        previous=wide[0],
        begin=wide[1],
        length=wide[2],
        first_entry=wide[3],
        last_entry=wide[4],
        residual=np.zeros(slots, np.uint64),
        merged=np.zeros(slots, np.uint64),
    )


def make_scratch(most_tokens: int, places: int) -> Scratch:
    """Working memory for `most_tokens` tokens and lists of `places` places."""

    def side() -> Side:
        return Side(
            frequency=np.zeros(most_tokens + 2, np.uint64),
            place_count=np.zeros(most_tokens + 2, np.int64),
            cursor=np.zeros(most_tokens + 2, np.int64),
            old_frequency=np.zeros(most_tokens + 2, np.uint64),
            has_siblings=np.zeros(most_tokens + 2, np.uint8),
            distinct=np.zeros(most_tokens + 2, np.int32),
            neighbours=np.zeros(places, np.int32),
        )

    return Scratch(side(), side(), np.zeros(places, np.uint64))


def make_sizes(tokens: Tokens, known: int) -> npt.NDArray[np.int64]:
    """The counters of the loop, when there are `known` tokens."""
    sizes = np.zeros(SIZES, np.int64)
    sizes[TOKENS], sizes[TOKEN_BYTES] = known, tokens.offsets[known]
    return sizes
