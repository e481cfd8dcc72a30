"""The openers of `code_syntax` as arrays for a kernel: what may begin at a byte, and which bytes it may pass over.

The trade: a table of 256 entries for each syntax and each opener, 230 KB in all, so that a kernel passes most bytes of
code after one look at it. Making them takes 30 ms, once per process.
"""

# Tested in tests/text_kernels/statistics/test_code.py.

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from eyas.text_kernels.statistics.code_syntax import (
    COMMENT,
    IGNORE_CASE,
    LINE_BREAKS,
    MULTILINE,
    NESTED,
    REGEX,
    STRING,
    SYNTAXES,
    Opener,
)
from eyas.text_kernels.types import I64, Bytes

# What the grammar holds of an opener, at these places after the opener's own.
OPENER_KIND: Final = 0
OPENER_FLAGS: Final = 1
OPENER_OPEN: Final = 2
OPENER_OPEN_BYTES: Final = 3
OPENER_OPEN_CHARACTERS: Final = 4
OPENER_CLOSE: Final = 5
OPENER_CLOSE_BYTES: Final = 6
OPENER_ESCAPE: Final = 7
OPENER_NEXT: Final = 8
OPENER_PACE: Final = 9
OPENER_PLACES: Final = 10

# How the kernel passes a byte.
PACE_PLAIN: Final = 0
"""A letter that nothing begins with."""
PACE_IN_WORD: Final = 1
"""A letter that means something at the start of a word only: it may be a hexadecimal digit."""
PACE_HOT: Final = 2
"""The scanner has to look."""
PACE_PAIR: Final = 3
"""The scanner has to look if the next byte is a `second` one."""
PACE_BLANK: Final = 4
"""A space."""
PACE_POINT: Final = 5
"""Punctuation that nothing begins or ends with."""
PACE_SLOW: Final = 6


@lru_cache(maxsize=1)
def tables() -> tuple[I64, Bytes, Bytes]:
    """`(grammar, pace, second)`. The grammar is one array, since each array that a kernel hands on costs it some 10 ns.

    `grammar[256 * syntax + byte]` is where the first candidate lies that begins with the byte, longest first (0: none);
    after those come the openers, then their bytes. `pace[256 * syntax + byte]`: how to pass the byte in code;
    further rows, named by the openers, say so for their regions; and `second` which byte may follow one of pace `PAIR`.
    Syntaxes are numbered as `SYNTAXES` is.
    """
    pool = bytearray()
    rows: list[list[int]] = []
    written: list[Opener] = []
    first = np.zeros((len(SYNTAXES), 256), np.int64)
    for number, openers in enumerate(SYNTAXES.values()):
        by_byte: dict[int, list[int]] = {}
        # Python sorts stably: of two openers of one length, the one written first is tried first.
        for opener in sorted(dict.fromkeys(openers), key=lambda each: -len(each.opens.encode())):
            for byte in sorted(_starts(opener.opens, opener.flags)):
                by_byte.setdefault(byte, []).append(len(rows))
                rows.append([*_row(opener, pool), 0, 256 * (len(SYNTAXES) + len(rows))])
                written.append(opener)
        for byte, candidates in by_byte.items():
            first[number, byte] = first.size + OPENER_PLACES * candidates[0]
            for row, following in zip(candidates, candidates[1:], strict=False):
                rows[row][OPENER_NEXT] = first.size + OPENER_PLACES * following
    bytes_at = first.size + OPENER_PLACES * len(rows)
    for row in range(len(rows)):
        rows[row][OPENER_OPEN] += bytes_at
        rows[row][OPENER_CLOSE] += bytes_at
    grammar = np.concatenate((first.ravel(), np.array(rows, np.int64).ravel(), np.array(list(pool), np.int64)))
    starts = [{opener.opens for opener in openers} for openers in SYNTAXES.values()]
    pace = [_pace(marks, -1) for marks in starts] + [_pace(_ends(o), o.kind) for o in written]
    second = [_second(marks) for marks in starts] + [_second(_ends(o)) for o in written]
    frozen = (grammar, np.array(pace, np.uint8).ravel(), np.array(second, np.uint8).ravel())
    for table in frozen:
        table.setflags(write=False)
    return frozen


def _starts(mark: str, flags: int) -> set[int]:
    """The bytes that `mark` may begin with; none if it is empty."""
    first = mark[:1]
    return {form.encode()[0] for form in ({first.lower(), first.upper()} if flags & IGNORE_CASE else {first}) if form}


def _ends(opener: Opener) -> set[str]:
    """The marks at which the scanner has to look in the opener's region."""
    marks = {opener.closes} if opener.flags & MULTILINE else {opener.closes, *LINE_BREAKS}
    marks |= {opener.opens} if opener.flags & NESTED else set()
    marks |= {"[", "]"} if opener.kind == REGEX else set()
    return (marks | {opener.escape}) - {""}


def _bytes_at(marks: set[str], position: int) -> set[int]:
    """The bytes at a position of the marks, in either case."""
    forms = {form.encode() for mark in marks for form in (mark, mark.lower(), mark.upper())}
    return {form[position] for form in forms if len(form) > position}


def _pace(marks: set[str], kind: int) -> list[int]:
    """How to pass each byte in a region of `kind`, or in code (-1), where the scanner has to look at `marks`."""
    needles = b"tTfFyY" if kind == COMMENT else b"aA"
    row = [PACE_SLOW] * 256
    if kind != STRING:
        row[0x20] = PACE_BLANK
        for byte in b"!\"#$%&'()*,-.:;<>?@[]^`{|}~":
            row[byte] = PACE_POINT
    for letter in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        row[letter] = PACE_SLOW if letter in needles else PACE_IN_WORD if letter in b"abcdefABCDEF" else PACE_PLAIN
    alone = _bytes_at({mark for mark in marks if len(mark.encode()) == 1}, 0)
    for byte in _bytes_at(marks, 0):
        row[byte] = PACE_HOT if byte in alone else PACE_PAIR
    return row


def _second(marks: set[str]) -> list[bool]:
    """For each byte, whether it is the second one of a mark."""
    seconds = _bytes_at(marks, 1)
    return [byte in seconds for byte in range(256)]


def _row(opener: Opener, pool: bytearray) -> list[int]:
    """The opener's numbers but for the last two; its bytes are added to `pool`."""
    opens, closes = opener.opens.encode(), opener.closes.encode()
    start = len(pool)
    pool += opens + closes
    escape = ord(opener.escape) if opener.escape else 0
    close = start + len(opens)
    return [opener.kind, opener.flags, start, len(opens), len(opener.opens), close, len(closes), escape]
