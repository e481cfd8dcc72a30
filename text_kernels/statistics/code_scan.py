"""The scanner that divides source code into comments, strings, tags and code, by the openers of `code_syntax`.

It keeps one region at a time and the counts that depend on it. `code` calls it at hot bytes only: those at which something
may begin or end in the region at hand. A string that is still open at the end of the text counts as code: a stray
apostrophe must not turn a file into one long string.

An example of 12 bytes of Python (`·` is a space):

    byte      0  1  2  3  4  5  6  7  8  9 10 11
    text      s  ·  =  ·  "  #  "  ·  ·  #  ·  a
    hot       .  .  .  .  *  .  *  .  .  *  .  .
    region    -  -  -  -  S  S  -  -  -  C  C  C

At byte 4 `_open` enters a string (S), whose content begins at 5. `#` is not hot in it. At byte 6 `_within` finds the closer:
one character of string. At byte 9 `_open` enters a comment (C). At the end `finish` closes it: three characters of comment.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from eyas.text_kernels.jit import helper, kernel, part
from eyas.text_kernels.statistics import code_grammar as at
from eyas.text_kernels.statistics import code_syntax as syntax
from eyas.text_kernels.statistics.code_columns import CODE_BREAK, CODE_SPACE, CODE_WORD
from eyas.text_kernels.types import I64, Bytes

# What the scanner remembers between its steps.
SCAN_STATE: Final = 0
"""The row of `pace`, which says at which bytes the next step is due."""
SCAN_REGION: Final = 1
"""Where in the grammar the opener of this region lies; 0: code."""
SCAN_DEPTH: Final = 2
SCAN_BUSY: Final = 3
"""Bytes before this position belong to an opener, a closer or an escape."""
SCAN_START: Final = 4
"""The character at which the region's count begins."""
SCAN_CONTENT: Final = 5
"""The byte at which a string's content begins."""
SCAN_QUIET: Final = 6
"""Bytes before this position are not code: a comment's closer."""
SCAN_IS_CODE: Final = 7
SCAN_IN_STRING: Final = 8
SCAN_IN_CLASS: Final = 9
SCAN_WORD_START: Final = 10
SCAN_URL: Final = 11
SCAN_TOKENS: Final = 12
SCAN_TOKEN_CLASS: Final = 13
SCAN_SYNTAX: Final = 14
SCAN_WORDS_HERE: Final = 15
"""Characters in long words of this string, and long lines of it: they count once it is closed."""
SCAN_LINES_HERE: Final = 16
# What it counts, in the same array, at these places.
SCAN_COMMENTS: Final = 17
SCAN_STRINGS: Final = 18
SCAN_LONGEST_STRING: Final = 19
SCAN_LONG_WORDS: Final = 20
SCAN_LONG_STRING_LINES: Final = 21
SCAN_MARKUP: Final = 22
SCAN_COUNTS: Final = SCAN_COMMENTS
SCAN_FIELDS: Final = 23

LONG_WORD: Final = 20
"""A word of a string is long above so many characters (OpenCoder)."""
LONG_STRING: Final = 20
"""A line of a string is long above so many tokens (OpenCoder)."""

_ASSERT: Final = np.array(list(b"assert"), np.int64)
_TODO: Final = np.array(list(b"todo"), np.int64)
_FIXME: Final = np.array(list(b"fixme"), np.int64)
_YOUR_CODE: Final = np.array(list(b"your code here"), np.int64)
_REGEX_MAY_FOLLOW: Final = np.isin(np.arange(256), list(b"\0(,=:[!&|?{};+-*%~^<>")).astype(np.uint8)
_EXPRESSION_GOES_ON: Final = np.isin(np.arange(256), list(b"([{,=+%\\")).astype(np.uint8)


@kernel
def matches(data: Bytes, position: int, stop: int, wanted: I64, start: int, length: int, ignore_case: bool) -> bool:
    """Whether the bytes at `position` are `wanted[start:start + length]`, which is lower case if case is ignored."""
    if position + length > stop:
        return False
    for i in range(length):
        byte = int(data[position + i])
        if ignore_case and 65 <= byte <= 90:
            byte += 32
        if byte != wanted[start + i]:
            return False
    return True


@helper
def _word_at(data: Bytes, position: int, stop: int) -> bool:
    """Whether a letter, number or underscore stands at `position`. What is not ASCII counts as one."""
    if position >= stop:
        return False
    byte = int(data[position])
    return byte >= 128 or byte == 0x5F or 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122


@kernel
def _allowed(flags: int, data: Bytes, end: int, stop: int, before: int, byte: int, blank: bool) -> bool:
    """Whether an opener's conditions hold; `before`, `byte`: traits and last byte of what stands before it."""
    if flags & syntax.LINE_START and not blank:
        return False
    if flags & syntax.COLUMN_ZERO and not before & CODE_BREAK:
        return False
    if flags & syntax.AFTER_SPACE and not (before & (CODE_SPACE | CODE_BREAK) or byte == 0x3B):
        return False
    if flags & syntax.NOT_AFTER_WORD and before & CODE_WORD:
        return False
    if flags & syntax.NOT_AFTER_OPERAND and byte in (0x29, 0x5D, 0x7D, 0x2E, 0x27):
        return False
    if flags & syntax.WORD_END and _word_at(data, end, stop):
        return False
    if flags & syntax.TAG:
        if end >= stop:
            return False
        following = int(data[end])
        letter = 65 <= following <= 90 or 97 <= following <= 122
        return letter or following in (0x2F, 0x21, 0x3F)
    return True


@kernel
def _character_end(data: Bytes, position: int, stop: int) -> int:
    """The end of the quoted character that begins at a quote, or -1: `'x'`, or `'\\` and at most ten bytes more."""
    i = position + 1
    if i < stop and data[i] == 0x5C:
        for end in range(i + 2, min(i + 12, stop)):
            if data[end] == 0x27:
                return end + 1
            if data[end] == 0x0A:
                return -1
        return -1
    if i >= stop or data[i] == 0x0A or data[i] == 0x27:
        return -1
    i += 1
    while i < stop and (data[i] & 0xC0) == 0x80:
        i += 1
    return i + 1 if i < stop and data[i] == 0x27 else -1


@kernel
def _significant(data: Bytes, position: int, start: int) -> int:
    """The last byte before `position` that is no space, 0 if the document has none."""
    position -= 1
    while position >= start and data[position] in (0x20, 0x09, 0x0A, 0x0D):
        position -= 1
    return int(data[position]) if position >= start else 0


@kernel
def _open(
    data: Bytes, position: int, start: int, stop: int, grammar: I64, before: int, blank: bool, index: int, scan: I64
) -> None:
    """Enters the region of the first candidate that opens at `position`, if one does; `index` counts characters."""
    # Candidates are a chained list, longest first: the first that opens wins.
    candidate = int(grammar[scan[SCAN_SYNTAX] + data[position]])
    byte = int(data[position - 1]) if position > start else 0x0A
    while candidate > 0:
        flags, kind = grammar[candidate + at.OPENER_FLAGS], grammar[candidate + at.OPENER_KIND]
        length, end = grammar[candidate + at.OPENER_OPEN_BYTES], position + grammar[candidate + at.OPENER_OPEN_BYTES]
        ignore_case = (flags & syntax.IGNORE_CASE) != 0
        opens = matches(data, position, stop, grammar, grammar[candidate + at.OPENER_OPEN], length, ignore_case)
        opens = opens and _allowed(flags, data, end, stop, before, byte, blank)
        if opens and kind == syntax.CHARACTER:
            end = _character_end(data, position, stop)
            opens = end >= 0
        if opens and kind == syntax.REGEX:
            opens = _REGEX_MAY_FOLLOW[_significant(data, position, start)] != 0
        if opens and flags & syntax.STATEMENT:
            opens = _EXPRESSION_GOES_ON[_significant(data, position, start)] == 0
        if opens:
            scan[SCAN_BUSY] = end + (kind == syntax.NO_OPENER)
            # A quoted character and an escape are passed over; anything else is a region to enter.
            if kind < syntax.CHARACTER:
                string = kind == syntax.STRING
                scan[SCAN_REGION], scan[SCAN_DEPTH], scan[SCAN_IN_CLASS], scan[SCAN_CONTENT] = candidate, 1, 0, end
                scan[SCAN_STATE] = grammar[candidate + at.OPENER_PACE]
                scan[SCAN_START] = index + (grammar[candidate + at.OPENER_OPEN_CHARACTERS] if string else 0)
                scan[SCAN_IN_STRING], scan[SCAN_IS_CODE] = string, kind != syntax.COMMENT
                scan[SCAN_WORD_START], scan[SCAN_URL], scan[SCAN_TOKENS], scan[SCAN_TOKEN_CLASS] = (
                    scan[SCAN_START],
                    0,
                    0,
                    0,
                )
                scan[SCAN_WORDS_HERE], scan[SCAN_LINES_HERE] = 0, 0
            return
        candidate = grammar[candidate + at.OPENER_NEXT]


@helper
def end_word(scan: I64, index: int) -> None:
    """Counts the word of a string that ends before character `index`."""
    length = index - scan[SCAN_WORD_START]
    if length > LONG_WORD and not scan[SCAN_URL]:
        scan[SCAN_WORDS_HERE] += length
    scan[SCAN_WORD_START], scan[SCAN_URL] = index + 1, 0


@helper
def end_string_line(scan: I64) -> None:
    """Counts a line of a string, if it is long."""
    scan[SCAN_LINES_HERE] += scan[SCAN_TOKENS] > LONG_STRING
    scan[SCAN_TOKENS], scan[SCAN_TOKEN_CLASS] = 0, 0


@kernel
def _close(scan: I64, kind: int, index: int, closer: int) -> None:
    """Leaves the region, whose content ends before character `index` and whose closer has `closer` characters."""
    if kind == syntax.STRING:
        length = index - scan[SCAN_START]
        scan[SCAN_STRINGS] += length
        scan[SCAN_LONGEST_STRING] = max(scan[SCAN_LONGEST_STRING], length)
        end_word(scan, index)
        end_string_line(scan)
        scan[SCAN_LONG_WORDS] += scan[SCAN_WORDS_HERE]
        scan[SCAN_LONG_STRING_LINES] += scan[SCAN_LINES_HERE]
    elif kind == syntax.COMMENT:
        scan[SCAN_COMMENTS] += index + closer - scan[SCAN_START]
    elif kind == syntax.MARKUP:
        scan[SCAN_MARKUP] += index + closer - scan[SCAN_START]
    scan[SCAN_REGION], scan[SCAN_STATE], scan[SCAN_IN_STRING], scan[SCAN_IS_CODE] = 0, scan[SCAN_SYNTAX], 0, 1


@kernel
def _within(data: Bytes, position: int, stop: int, grammar: I64, before: int, index: int, scan: I64) -> None:
    """One step inside a region: an escape, a region within, or its end."""
    region, byte = scan[SCAN_REGION], int(data[position])
    flags, kind = grammar[region + at.OPENER_FLAGS], grammar[region + at.OPENER_KIND]
    close, length = grammar[region + at.OPENER_CLOSE], grammar[region + at.OPENER_CLOSE_BYTES]
    # An escape takes the next byte with it, or a whole CR LF.
    if byte == grammar[region + at.OPENER_ESCAPE] and byte != 0:
        crlf = position + 2 < stop and data[position + 1] == 0x0D and data[position + 2] == 0x0A
        scan[SCAN_BUSY] = position + (3 if crlf else 2)
        return
    # In `[/]` the slash ends no regular expression.
    if kind == syntax.REGEX and byte in (0x5B, 0x5D):
        scan[SCAN_IN_CLASS] = byte == 0x5B
        return
    ignore_case = (flags & syntax.IGNORE_CASE) != 0
    if length > 0 and not scan[SCAN_IN_CLASS] and matches(data, position, stop, grammar, close, length, ignore_case):
        if flags & syntax.CLOSE_COLUMN_ZERO and not before & CODE_BREAK:
            return
        scan[SCAN_DEPTH] -= 1
        scan[SCAN_BUSY] = position + length
        if scan[SCAN_DEPTH] == 0:
            if kind == syntax.COMMENT:
                scan[SCAN_QUIET] = position + length
            _close(scan, kind, index, length)
        return
    opens, length = grammar[region + at.OPENER_OPEN], grammar[region + at.OPENER_OPEN_BYTES]
    if flags & syntax.NESTED and matches(data, position, stop, grammar, opens, length, False):
        scan[SCAN_DEPTH] += 1
        scan[SCAN_BUSY] = position + length


@kernel
def step(
    data: Bytes,
    position: int,
    start: int,
    stop: int,
    grammar: I64,
    trait: int,
    before: int,
    blank: bool,
    index: int,
    scan: I64,
) -> None:
    """The scanner's step at a hot byte; `start`, `stop`: where the document lies."""
    region = scan[SCAN_REGION]
    if region == 0:
        _open(data, position, start, stop, grammar, before, blank, index, scan)
    elif trait & CODE_BREAK and not grammar[region + at.OPENER_FLAGS] & syntax.MULTILINE:
        _close(scan, grammar[region + at.OPENER_KIND], index, 0)
    else:
        _within(data, position, stop, grammar, before, index, scan)


@part
def summary(scan: I64) -> tuple[int, int, int, bool, bool]:
    """`(state, busy, quiet, is code, in string)`: what the walk needs at every byte, and keeps in registers."""
    return scan[SCAN_STATE], scan[SCAN_BUSY], scan[SCAN_QUIET], scan[SCAN_IS_CODE] != 0, scan[SCAN_IN_STRING] != 0


@part
def begin(scan: I64, number: int, start: int) -> tuple[int, int, int, bool, bool]:
    """Begins a document of syntax `number` at byte `start`; the summary."""
    for field in range(SCAN_FIELDS):
        scan[field] = 0
    scan[SCAN_STATE], scan[SCAN_SYNTAX], scan[SCAN_IS_CODE] = 256 * number, 256 * number, 1
    scan[SCAN_BUSY], scan[SCAN_QUIET] = start, start
    return summary(scan)


@helper
def finish(scan: I64, grammar: I64, index: int) -> None:
    """The end of a text of `index` characters."""
    if scan[SCAN_REGION] > 0 and grammar[scan[SCAN_REGION] + at.OPENER_KIND] != syntax.STRING:
        _close(scan, grammar[scan[SCAN_REGION] + at.OPENER_KIND], index, 0)


@helper
def in_word(scan: I64) -> None:
    """Counts a run of letters in a string's content."""
    scan[SCAN_TOKENS] += scan[SCAN_TOKEN_CLASS] != 1
    scan[SCAN_TOKEN_CLASS] = 1


@helper
def in_string(data: Bytes, position: int, stop: int, trait: int, index: int, scan: I64) -> None:
    """Counts one character of a string's content."""
    kind = 1 if trait & CODE_WORD else (0 if trait & CODE_SPACE else 2)
    scan[SCAN_TOKENS] += kind != 0 and kind != scan[SCAN_TOKEN_CLASS]
    scan[SCAN_TOKEN_CLASS] = kind
    if kind == 0:
        end_word(scan, index)
        if trait & CODE_BREAK:
            end_string_line(scan)
    elif data[position] == 0x3A and position + 2 < stop and data[position + 1] == 0x2F and data[position + 2] == 0x2F:
        scan[SCAN_URL] = 1


@helper
def is_assert(data: Bytes, position: int, stop: int) -> bool:
    """Whether `assert` begins here; `position` is not the last byte."""
    return data[position + 1] | 0x20 == 0x73 and matches(data, position, stop, _ASSERT, 0, 6, True)


@helper
def is_todo(data: Bytes, position: int, stop: int) -> bool:
    """Whether a word begins here that marks unfinished code; `position` is not the last byte."""
    return (data[position + 1] | 0x20 == 0x6F or data[position + 1] | 0x20 == 0x69) and _is_todo(data, position, stop)


@kernel
def _is_todo(data: Bytes, position: int, stop: int) -> bool:
    """Whether one of OpenCoder's three words begins here."""
    return (
        matches(data, position, stop, _TODO, 0, 4, True)
        or matches(data, position, stop, _FIXME, 0, 5, True)
        or matches(data, position, stop, _YOUR_CODE, 0, 14, True)
    )
