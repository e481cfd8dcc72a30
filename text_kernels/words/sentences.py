"""Where sentences begin: behind the marks that end the one before. After UAX #29, without its dictionaries.

* A sentence ends with terminal marks (`.`, `!`, `?`, `。`, `।` …: datatrove's set, or the caller's) and what closes it:
  quotation marks and brackets. The next one begins at the next character that is not white space.
* After `.`, `!` and `?` white space must follow: `3.14`, `os.path`, `Yahoo!Mail` (SB6, 7). Other marks need none: `。`.
* After full stops alone, a lower-case letter does not begin a sentence: `e.g. this`, `wait... what` (SB8).
* Line breaks are white space like any other. `Dr. Smith` is two sentences: that needs a dictionary.

Sentences tile the text: each reaches to where the next begins, and a text of white space alone is one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from eyas.text_kernels.jit import helper, kernel
from eyas.text_kernels.types import I64, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers, decode

CLOSERS: Final = "\"')]}”’»›」』）］｝】〉》〕"

SENTENCE_OTHER: Final = 0
SENTENCE_STOP: Final = 1
"""A full stop."""
SENTENCE_MARK: Final = 2
"""`!` or `?`."""
SENTENCE_WIDE: Final = 3
"""A terminal mark that needs no white space after it."""
SENTENCE_CLOSER: Final = 4
SENTENCE_BLANK: Final = 5
SENTENCE_LOWER: Final = 6

# States: within a sentence; after full stops; after other ASCII marks; after a wide mark; the same and white space.
INSIDE: Final = 0
AFTER_STOP: Final = 1
AFTER_MARK: Final = 2
AFTER_WIDE: Final = 3
STOP_BLANK: Final = 4
MARK_BLANK: Final = 5
BEGINS: Final = 8
"""Set in a step's result when a sentence begins at this code point."""


def _transitions() -> Bytes:
    """uint8[6 * 8]: the next state, with BEGINS, for `state * 8 + kind`."""
    table = np.full((6, 8), INSIDE, np.uint8)
    for state in range(6):
        table[state, SENTENCE_STOP] = AFTER_STOP
        table[state, SENTENCE_MARK] = AFTER_MARK
        table[state, SENTENCE_WIDE] = AFTER_WIDE
    for state, blank in ((AFTER_STOP, STOP_BLANK), (AFTER_MARK, MARK_BLANK), (AFTER_WIDE, MARK_BLANK)):
        table[state, SENTENCE_CLOSER], table[state, SENTENCE_BLANK] = state, blank
    table[AFTER_MARK, SENTENCE_STOP] = AFTER_MARK
    table[AFTER_WIDE, [SENTENCE_STOP, SENTENCE_MARK]] = AFTER_WIDE
    table[AFTER_WIDE, [SENTENCE_OTHER, SENTENCE_LOWER]] = INSIDE | BEGINS
    for state in (STOP_BLANK, MARK_BLANK):
        table[state, SENTENCE_BLANK] = state
        table[state, [SENTENCE_OTHER, SENTENCE_STOP, SENTENCE_MARK, SENTENCE_WIDE, SENTENCE_CLOSER]] |= np.uint8(BEGINS)
    table[MARK_BLANK, SENTENCE_LOWER] |= np.uint8(BEGINS)
    return table.reshape(-1)


_SENTENCE_TRANSITIONS: Final = _transitions()


@lru_cache(maxsize=8)
def kinds(terminals: str) -> Bytes:
    """uint8[0x110000], read-only: what each code point is to the rule."""
    classes = unicode_classes.classes()
    table = np.zeros(unicode_classes.CODE_POINTS, np.uint8)
    lowered = unicode_classes.lower_case()
    table[lowered[lowered != np.arange(unicode_classes.CODE_POINTS)]] = SENTENCE_LOWER
    table[classes == unicode_classes.CLASS_SPACE] = SENTENCE_BLANK
    table[0x1C:0x20] = SENTENCE_BLANK  # white space to Python, not to the engine
    table[[ord(character) for character in CLOSERS]] = SENTENCE_CLOSER
    for character in terminals:
        table[ord(character)] = {".": SENTENCE_STOP, "!": SENTENCE_MARK, "?": SENTENCE_MARK}.get(
            character, SENTENCE_WIDE
        )
    table.setflags(write=False)
    return table


@helper
def sentence_step(state: int, kind: int) -> int:
    """The state after a code point of this kind, and BEGINS if a sentence begins at it."""
    return int(_SENTENCE_TRANSITIONS[(state << 3) | kind])


def sentences(text: pa.LargeStringArray | pa.ChunkedArray, terminals: str) -> tuple[I64, I64]:
    """`(start, doc_offsets)`: sentence s begins at byte `start[s]` of `data`, as `buffers(text)` gives it, and reaches
    to the next one or to the end of its document. An empty document has one.

    Raises ValueError for text that is not large_string, or has nulls.
    """
    data, offsets = buffers(text)
    doc_offsets = np.zeros(len(offsets), np.int64)
    nowhere = np.empty(0, np.int64)
    total = _find(data, offsets, kinds(terminals), nowhere, doc_offsets)
    start = np.empty(total, np.int64)
    _find(data, offsets, kinds(terminals), start, doc_offsets)
    return start, doc_offsets


@kernel
def _find(data: Bytes, offsets: I64, table: Bytes, start: I64, doc_offsets: I64) -> int:
    """Counts sentences, and fills `start` if it has room."""
    count = 0
    fill = len(start) > 0
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        if fill:
            start[count] = position
        count += 1
        state = INSIDE
        while position < stop:
            code, width = decode(data, position)
            new = sentence_step(state, int(table[code]))
            if new & BEGINS:
                if fill:
                    start[count] = position
                count += 1
            state = new & 7
            position += width
        doc_offsets[document + 1] = count
    return count
