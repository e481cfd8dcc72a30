"""Spans of lines or paragraphs, each with a 128-bit hash of its normalised content, for line deduplication.

Content is the text between the white space at both ends. Every run of white space inside counts as one space; case and
digits are folded on request. The trade: two independent 64-bit hashes in one walk, 16 bytes for a line, so that a
trillion different lines meet none of another by chance.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from eyas.text_kernels.hashing import SEED, SEED_2, finish, mix, mix_2
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.types import I32, I64, U64, Bools, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers, decode
from eyas.text_kernels.words.words import SKIP, normalising

_LF: Final = 0x0A
_SPACE: Final = 0x20


class Lines(NamedTuple):
    """Lines (or paragraphs) that hold more than white space; those of document i are `offsets[i]` to `offsets[i + 1]`."""

    start: I64
    """Bytes from the beginning of the document."""
    end: I64
    """Behind the line break; for a paragraph, behind the empty lines that follow."""
    high: U64
    low: U64
    characters: I64
    """Of content."""
    offsets: I64


def lines(
    text: pa.LargeStringArray | pa.ChunkedArray, paragraphs: bool, lower: bool = True, fold_digits: bool = False
) -> Lines:
    """Lines end at a line feed; paragraphs at a line of white space. Raises ValueError as `buffers` does."""
    data, offsets = buffers(text)
    room = int(np.count_nonzero(data[offsets[0] : offsets[-1]] == _LF)) + len(offsets)
    numbers = np.empty((3, room), np.int64)
    hashes = np.empty((2, room), np.uint64)
    doc_offsets = np.zeros(len(offsets), np.int64)
    spaces = unicode_classes.classes() == unicode_classes.CLASS_SPACE
    used = _lines(data, offsets, spaces, normalising(lower, fold_digits), paragraphs, numbers, hashes, doc_offsets)
    start, end, characters = (row[:used].copy() for row in numbers)
    high, low = (row[:used].copy() for row in hashes)
    return Lines(start, end, high, low, characters, doc_offsets)


@kernel
def _lines(
    data: Bytes, offsets: I64, spaces: Bools, normal: I32, paragraphs: bool, numbers: I64, hashes: U64, doc_offsets: I64
) -> int:
    """Fills `numbers` (start, end, characters) and `hashes`; how many lines there are."""
    used = 0
    for document in range(len(offsets) - 1):
        begin, stop = offsets[document], offsets[document + 1]
        position = line_start = start = end = begin
        high, low = SEED, SEED_2
        count = 0  # characters of content of the line or paragraph at hand
        filled = gap = closed = False
        while position <= stop:
            if position == stop:
                # The text ends: what is open ends with it, and a paragraph takes a last empty line without a break.
                end = end if closed and not paragraphs else stop
                closed, code, width, blank = True, 0, 1, False
            else:
                code, width = decode(data, position)
                blank = spaces[code] or normal[code] == SKIP
            # The first content behind a closed line: only now is it sure where a paragraph ends.
            if closed and not blank and count > 0:
                numbers[0, used], numbers[1, used], numbers[2, used] = start - begin, end - begin, count
                hashes[0, used], hashes[1, used] = finish(high), finish(low)
                used += 1
                high, low = SEED, SEED_2
                count = 0
                closed = gap = False
            position += width
            if position > stop:
                break
            if not blank:
                start = line_start if count == 0 else start
                if gap:
                    high, low = mix(high, np.uint64(_SPACE)), mix_2(low, np.uint64(_SPACE))
                    count += 1
                high, low = mix(high, np.uint64(normal[code])), mix_2(low, np.uint64(normal[code]))
                count += 1
                filled, gap = True, False
            elif spaces[code]:
                gap = count > 0
            if code == _LF:
                # A line ends here; a paragraph at the first empty line, and it takes those that follow.
                if filled != paragraphs and count > 0:
                    end, closed = position, True
                line_start, filled = position, False
        doc_offsets[document + 1] = used
    return used
