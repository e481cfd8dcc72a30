"""Encoded data in source code: base64, hexadecimal bytes and `\\uXXXX` escapes, as StarCoder2's patterns match them.

The patterns (Lozhkov et al. 2024, arXiv:2402.19173, section 2.1):

    [a-zA-Z0-9+/\\n=]{64,}
    (?:\\b(?:0x|\\\\x)?[0-9a-fA-F]{2}(?:,|\\b\\s*)){8,}
    (?:\\\\u[0-9a-fA-F]{4}){8,}

`code` calls these functions where such a run may begin, so no byte is read twice unless it looks like data.
"""

# Tested in tests/text_kernels/statistics/test_code.py.

from __future__ import annotations

from typing import Final

from eyas.text_kernels.jit import helper, kernel
from eyas.text_kernels.statistics.code_columns import (
    CODE_COLUMN_ENCODED,
    CODE_COLUMN_HEX_CHARACTERS,
    CODE_COLUMN_LONGEST_ENCODED,
    CODE_HEX,
    CODE_SPACE,
    CODE_WORD,
)
from eyas.text_kernels.types import I64, Bytes
from eyas.text_kernels.utf8 import decode

BACKSLASH: Final = 0x5C
_BASE64_CHARACTERS: Final = 64
_GROUPS: Final = 8
"""Bytes or escapes of a run, at least."""


@kernel
def _hex_digits(data: Bytes, position: int, stop: int, wanted: int, table: Bytes) -> bool:
    """Whether `wanted` hexadecimal digits stand at `position`."""
    if position + wanted > stop:
        return False
    all_digits = True
    for i in range(position, position + wanted):
        all_digits = all_digits and table[data[i]] & CODE_HEX != 0
    return all_digits


@kernel
def _hex_run(data: Bytes, position: int, stop: int, after_word: bool, table: Bytes) -> tuple[int, int, int]:
    """Hexadecimal bytes in a row, from a word boundary on: `(end, characters, how many)`.

    A byte is two digits, after `0x` or `\\x` or neither, then a comma, or no word character and any white space;
    each begins at a word boundary, which is why `0x1, 0x2` (comma and space) is no run.
    """
    characters, groups = 0, 0
    while position < stop:
        # A boundary lies before a digit that follows no word, and before a backslash that follows one.
        backslash = data[position] == BACKSLASH
        if backslash != after_word:
            break
        digits = position
        if position + 1 < stop and data[position + 1] == 0x78 and (backslash or data[position] == 0x30):
            digits += 2
        if not _hex_digits(data, digits, stop, 2, table):
            break
        end, after_word = digits + 2, True
        length = end - position
        # What ends the byte: a comma, or a boundary and any white space. `length` counts characters, not bytes.
        if end < stop and data[end] == 0x2C:
            end, length, after_word = end + 1, length + 1, False
        elif end < stop:
            code, width = decode(data, end)
            if table[code] & CODE_WORD:
                break
            while table[code] & CODE_SPACE:
                end, length, after_word = end + width, length + 1, False
                if end >= stop:
                    break
                code, width = decode(data, end)
        position, characters, groups = end, characters + length, groups + 1
    return position, characters, groups


@kernel
def _hex_literal(data: Bytes, position: int, stop: int, table: Bytes) -> int:
    """Characters of the hexadecimal literal that begins at a word's first character, 0 if none does."""
    if position + 2 >= stop or data[position] != 0x30 or data[position + 1] | 0x20 != 0x78:
        return 0
    end = position + 2
    while end < stop and data[end] < 128 and table[data[end]] & CODE_HEX:
        end += 1
    if end == position + 2:
        return 0
    if end < stop:
        code, _ = decode(data, end)
        if table[code] & CODE_WORD:
            return 0
    return end - position


@kernel
def _escapes(data: Bytes, position: int, stop: int, table: Bytes) -> int:
    """How many `\\uXXXX` stand in a row from `position` on."""
    groups = 0
    while (
        position + 1 < stop
        and data[position] == BACKSLASH
        and data[position + 1] == 0x75
        and _hex_digits(data, position + 2, stop, 4, table)
    ):
        position, groups = position + 6, groups + 1
    return groups


@helper
def add_encoded(counts: I64, characters: int) -> None:
    """Adds a run of encoded data."""
    counts[CODE_COLUMN_ENCODED] += characters
    counts[CODE_COLUMN_LONGEST_ENCODED] = max(counts[CODE_COLUMN_LONGEST_ENCODED], characters)


@helper
def end_base64(counts: I64, characters: int) -> None:
    """Ends a run of so many characters of base64: it counts from 64 on."""
    if characters >= _BASE64_CHARACTERS:
        add_encoded(counts, characters)


@helper
def may_be_data(data: Bytes, position: int, stop: int, table: Bytes) -> bool:
    """Whether the word at `position` may be a hexadecimal number. Most words fail at their second or third byte."""
    if position + 1 >= stop or not (table[data[position + 1]] & CODE_HEX or data[position + 1] | 0x20 == 0x78):
        return False
    return (
        position + 2 >= stop
        or data[position + 1] | 0x20 == 0x78
        or data[position + 2] >= 128
        or not table[data[position + 2]] & CODE_WORD
    )


@kernel
def count_data(data: Bytes, position: int, stop: int, after_word: bool, table: Bytes, counts: I64, taken: I64) -> None:
    """Counts hexadecimal literals, bytes and `\\u` escapes that begin at `position`.

    `taken`: where the latest runs of bytes and of escapes ended. What lies before belongs to them, as a regular expression
    that has matched goes on after its match.
    """
    if data[position] != BACKSLASH:
        counts[CODE_COLUMN_HEX_CHARACTERS] += _hex_literal(data, position, stop, table)
    elif position >= taken[1]:
        groups = _escapes(data, position, stop, table)
        taken[1] = position + 6 * groups
        if groups >= _GROUPS:
            add_encoded(counts, 6 * groups)
    if position >= taken[0]:
        end, characters, groups = _hex_run(data, position, stop, after_word, table)
        taken[0] = end
        if groups >= _GROUPS:
            add_encoded(counts, characters)
