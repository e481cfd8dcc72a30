"""What word and line heuristics ask of a document, all counted in one walk over its bytes.

Words are those of `word_rules`; lines are those of `str.splitlines`. The trade: every count is made whether or not a
rule asks for it, which is still less than a second walk: 230 MB/s of source code on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from text_kernels import unicode_classes
from text_kernels.hashing import SEED, mix
from text_kernels.jit import helper, kernel
from text_kernels.utf8 import buffers, decode
from text_kernels.word_rules import ACTION, OUTSIDE, START, STATE, actions, step

# Traits of a code point: the upper four bits of a table whose lower four are its action.
PLAIN: Final = 16
ALPHABETIC: Final = 32
SPACE: Final = 64
BREAK: Final = 128
LINE_BREAKS: Final = "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"

# Columns of the kernel's result, in the order of `WordStatistics`.
WORDS: Final = 0
PLAIN_WORDS: Final = 1
PLAIN_CHARACTERS: Final = 2
ALPHABETIC_WORDS: Final = 3
STOP_WORDS: Final = 4
HASHES: Final = 5
ELLIPSES: Final = 6
LINES: Final = 7
BULLET_LINES: Final = 8
ELLIPSIS_LINES: Final = 9
COLUMNS: Final = 10

_LF: Final = 0x0A
_CR: Final = 0x0D
_HASH: Final = 0x23
_HYPHEN: Final = 0x2D
_DOT: Final = 0x2E
_BULLET: Final = 0x2022
_ELLIPSIS: Final = 0x2026


@dataclass(frozen=True)
class WordStatistics:
    """Counts per document; each array is int64[documents]. White space is that of `str.strip`."""

    words: npt.NDArray[np.int64]
    plain_words: npt.NDArray[np.int64]
    """Words with at least one character that is not among the symbols."""
    plain_characters: npt.NDArray[np.int64]
    """Code points in plain words."""
    alphabetic_words: npt.NDArray[np.int64]
    """Words with at least one letter."""
    stop_words: npt.NDArray[np.int64]
    """How many of the stop words occur, each counted once, in this very case."""
    hashes: npt.NDArray[np.int64]
    """`#` characters, in words or not."""
    ellipses: npt.NDArray[np.int64]
    """`…` and non-overlapping `...`, as `str.count` counts."""
    lines: npt.NDArray[np.int64]
    """Lines of `str.splitlines`."""
    bullet_lines: npt.NDArray[np.int64]
    """Lines whose first character after white space is `•` or `-`."""
    ellipsis_lines: npt.NDArray[np.int64]
    """Lines that end in `…` or `...`, white space aside."""


def word_statistics(
    text: pa.LargeStringArray | pa.ChunkedArray, symbols: str, stop_words: tuple[str, ...]
) -> WordStatistics:
    """The counts of each document; `symbols` are the characters that do not make a word plain.

    Raises ValueError for text that is not large_string, or has nulls.
    """
    data, offsets = buffers(text)
    counts = np.zeros((len(offsets) - 1, COLUMNS), np.int64)
    keys, longest = _stop_table(stop_words)
    _count(data, offsets, _traits(symbols), keys, longest, counts)
    return WordStatistics(*(np.ascontiguousarray(counts[:, column]) for column in range(COLUMNS)))


@lru_cache(maxsize=8)
def _traits(symbols: str) -> npt.NDArray[np.uint8]:
    """uint8[0x110000], read-only: action and traits of each code point."""
    classes = unicode_classes.classes()
    table = actions() | np.uint8(PLAIN)
    table[[ord(character) for character in symbols]] &= np.uint8(255 - PLAIN)
    table[classes == unicode_classes.LETTER] |= np.uint8(ALPHABETIC)
    table[classes == unicode_classes.SPACE] |= np.uint8(SPACE)
    # Python strips the four information separators, which the engine's \s does not know.
    table[0x1C:0x20] |= np.uint8(SPACE)
    table[[ord(character) for character in LINE_BREAKS]] |= np.uint8(BREAK)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=64)
def _stop_table(stop_words: tuple[str, ...]) -> tuple[npt.NDArray[np.uint64], int]:
    """An open-addressing table of the words' hashes (0: empty), mostly empty; the longest word's code points."""
    distinct = sorted(set(stop_words) - {""})
    size = 1 << (8 * len(distinct)).bit_length()
    keys = np.zeros(size, np.uint64)
    for word in distinct:
        _insert(keys, np.array([ord(character) for character in word], np.int64))
    keys.setflags(write=False)
    return keys, max(map(len, distinct), default=0)


@kernel
def _insert(keys: npt.NDArray[np.uint64], codes: npt.NDArray[np.int64]) -> None:
    value = SEED
    for i in range(len(codes)):
        value = mix(value, np.uint64(codes[i]))
    slot = np.int64(value & np.uint64(len(keys) - 1))
    while keys[slot] != 0:
        slot = (slot + 1) & (len(keys) - 1)
    keys[slot] = value


@helper
def _end_word(
    counts: npt.NDArray[np.int64],
    length: int,
    traits: int,
    value: np.uint64,
    keys: npt.NDArray[np.uint64],
    longest: int,
    seen: npt.NDArray[np.int64],
    document: int,
) -> None:
    """Adds a word of `length` code points to the counts; one of length 0 (there was none yet) adds nothing."""
    plain = (traits & PLAIN) != 0
    counts[PLAIN_WORDS] += plain
    counts[PLAIN_CHARACTERS] += length if plain else 0
    counts[ALPHABETIC_WORDS] += (traits & ALPHABETIC) != 0
    if 0 < length <= longest:
        slot = np.int64(value & np.uint64(len(keys) - 1))
        while keys[slot] != 0:
            if keys[slot] == value and seen[slot] != document:
                seen[slot] = document
                counts[STOP_WORDS] += 1
            slot = (slot + 1) & (len(keys) - 1)


@kernel
def _count(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint8],
    keys: npt.NDArray[np.uint64],
    longest: int,
    out: npt.NDArray[np.int64],
) -> None:
    seen = np.full(len(keys), -1, np.int64)  # the last document that had the stop word of this slot
    for document in range(len(offsets) - 1):
        counts = out[document]
        position, stop = offsets[document], offsets[document + 1]
        state, length, word_traits, value = OUTSIDE, 0, 0, SEED
        blank, dots, trailing, previous = True, 0, False, 0
        line_start = position
        while position < stop:
            code, width = decode(data, position)
            position += width
            traits = int(table[code])
            new = step(state, traits & ACTION, data, position, stop, table)
            state = new & STATE
            if new & START:
                _end_word(counts, length, word_traits, value, keys, longest, seen, document)
                counts[WORDS] += 1
                length, word_traits, value = 0, 0, SEED
            if state != OUTSIDE:
                length += 1
                word_traits |= traits
                value = mix(value, np.uint64(code))
            if traits & ALPHABETIC:
                blank, dots, trailing = False, 0, False
            elif traits & BREAK:
                if code != _LF or previous != _CR:  # CR LF is one break
                    counts[LINES] += 1
                    counts[ELLIPSIS_LINES] += trailing
                blank, dots, trailing = True, 0, False
                line_start = position
            elif traits & SPACE:
                dots = 0
            else:
                counts[BULLET_LINES] += blank and code in (_HYPHEN, _BULLET)
                dots = dots + 1 if code == _DOT else 0
                trailing = dots >= 3 or code == _ELLIPSIS
                blank = False
                counts[HASHES] += code == _HASH
                counts[ELLIPSES] += code == _ELLIPSIS or (dots > 0 and dots % 3 == 0)
            previous = code
        _end_word(counts, length, word_traits, value, keys, longest, seen, document)
        if line_start < stop:
            counts[LINES] += 1
            counts[ELLIPSIS_LINES] += trailing
