"""Counts of lines, pieces between line feeds, and paragraphs: one walk that leaves a hash of each behind.

The walk over words (`text_words`) is another one: both in one loop ran at half the speed.
"""

# Tested in tests/text_kernels/statistics/test_text.py.

from __future__ import annotations

from typing import Final

import numpy as np

from eyas.text_kernels.hashing import SEED, mix
from eyas.text_kernels.jit import helper, kernel
from eyas.text_kernels.statistics.text_columns import (
    TEXT_COLUMN_LONGEST_LINE,
    TEXT_COLUMN_NEWLINES,
    TEXT_COLUMN_PIECES,
    TEXT_COLUMN_REPEATED_PIECES,
    TEXT_COLUMN_SHORT_LINES,
    TEXT_COLUMN_TERMINAL_LINES,
    TEXT_COLUMN_TEXT_LINES,
    TEXT_SPACE,
    TEXT_TERMINAL,
)
from eyas.text_kernels.types import I64, U16, U64, Bytes
from eyas.text_kernels.utf8 import decode

_LF: Final = 0x0A


@kernel
def walk_lines(
    data: Bytes,
    start: int,
    stop: int,
    table: U16,
    short_line: int,
    counts: I64,
    hashes: U64,
    lengths: I64,
    starts: I64,
    ends: I64,
) -> int:
    """Counts the pieces between line feeds, and leaves of each its hash, its code points (negative for one of white
    space alone), and where it lies; how many there are."""
    pieces, position = 0, start
    while position < stop:
        # Phase 1: the piece up to the next line feed: its hash, its code points, whether it has visible ASCII.
        first, characters, not_blank, value = position, 0, False, SEED
        while position < stop and data[position] != _LF:
            byte = int(data[position])
            value = mix(value, np.uint64(byte))
            characters += byte & 0xC0 != 0x80
            not_blank |= 0x20 < byte < 0x80
            position += 1
        # Phase 2: put the piece down, unless it is empty. Only one without visible ASCII may be white space alone.
        if position > first:
            begin, end = first, position
            if not not_blank:
                begin, end = _stripped(data, first, position, table)
            counts[TEXT_COLUMN_LONGEST_LINE] = max(counts[TEXT_COLUMN_LONGEST_LINE], characters)
            if begin < end:
                counts[TEXT_COLUMN_TEXT_LINES] += 1
                counts[TEXT_COLUMN_TERMINAL_LINES] += (
                    int(table[decode(data, _last(data, first, position))[0]]) & TEXT_TERMINAL
                ) != 0
                counts[TEXT_COLUMN_SHORT_LINES] += characters <= short_line
            hashes[pieces], lengths[pieces] = value, characters if begin < end else -characters
            starts[pieces], ends[pieces] = first, position
            pieces += 1
        counts[TEXT_COLUMN_NEWLINES] += position < stop
        position += 1
    # What lies before a first and after a last line feed is an empty piece.
    outer = 1 if start == stop else np.int64(data[start] == _LF) + np.int64(data[stop - 1] == _LF)
    counts[TEXT_COLUMN_PIECES] = pieces + outer
    counts[TEXT_COLUMN_REPEATED_PIECES] = outer == 2
    return pieces


@kernel
def join_paragraphs(
    data: Bytes, start: int, stop: int, table: U16, pieces: int, hashes: U64, lengths: I64, starts: I64, ends: I64
) -> int:
    """Puts paragraphs, hash and code points, in the place of the pieces they are made of; how many there are."""
    begin, end = _stripped(data, start, stop, table)
    paragraphs, last_end = 0, -1
    for i in range(pieces):
        first, last = max(starts[i], begin), min(ends[i], end)
        if first >= last:
            continue
        # The first and the last piece may have lost white space: their hash and length are counted anew.
        value, characters = hashes[i], abs(lengths[i])
        if first != starts[i] or last != ends[i]:
            value, characters = _hash(data, first, last)
        # One line feed between two pieces: they are of one paragraph.
        if paragraphs > 0 and first == last_end + 1:
            hashes[paragraphs - 1] = mix(hashes[paragraphs - 1], value)
            lengths[paragraphs - 1] += characters + 1
        else:
            hashes[paragraphs], lengths[paragraphs] = mix(SEED, value), characters
            paragraphs += 1
        last_end = last
    return paragraphs


@kernel
def _hash(data: Bytes, first: int, last: int) -> tuple[np.uint64, int]:
    """Hash and code points of a span of bytes."""
    value, characters = SEED, 0
    for position in range(first, last):
        value = mix(value, np.uint64(data[position]))
        characters += int(data[position]) & 0xC0 != 0x80
    return value, characters


@helper
def _last(data: Bytes, start: int, stop: int) -> int:
    """Where the last code point before `stop` begins."""
    position = stop - 1
    while position > start and int(data[position]) & 0xC0 == 0x80:
        position -= 1
    return position


@kernel
def _stripped(data: Bytes, start: int, stop: int, table: U16) -> tuple[int, int]:
    """Where the text without the white space around it begins and ends; (stop, stop) if there is nothing else."""
    while start < stop:
        code, width = decode(data, start)
        if not int(table[code]) & TEXT_SPACE:
            break
        start += width
    while stop > start:
        last = _last(data, start, stop)
        if not int(table[decode(data, last)[0]]) & TEXT_SPACE:
            break
        stop = last
    return start, stop
