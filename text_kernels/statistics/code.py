"""What heuristics ask of source code, all counted in one walk over its bytes.

Lines are those of `str.splitlines`; comments and strings are those of `code_syntax`, which is approximate and says how;
encoded data is what StarCoder2's three regular expressions match (Lozhkov et al. 2024, arXiv:2402.19173, section 2.1),
character for character. The trade: every count is made whether or not a rule asks for it, at 000 MB/s on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from eyas.text_kernels.jit import helper, kernel
from eyas.text_kernels.statistics import code_grammar as at
from eyas.text_kernels.statistics import code_scan as scanner
from eyas.text_kernels.statistics import code_syntax as syntax
from eyas.text_kernels.statistics.code_scan import (
    CODE_BASE64,
    CODE_BREAK,
    CODE_HEX,
    CODE_LETTER,
    CODE_NEEDLE,
    CODE_NUMBER,
    CODE_SPACE,
    CODE_WORD,
)
from eyas.text_kernels.types import I64, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers, decode

# Columns of the kernel's result, in the order of `CodeStatistics`; those before are the scanner's.
CODE_COLUMN_CODE_LINES: Final = 6
CODE_COLUMN_ASSERT_LINES: Final = 7
CODE_COLUMN_TODO_LINES: Final = 8
CODE_COLUMN_CHARACTERS: Final = 9
CODE_COLUMN_LINES: Final = 10
CODE_COLUMN_LINE_CHARACTERS: Final = 11
CODE_COLUMN_LONGEST_LINE: Final = 12
CODE_COLUMN_LETTERS: Final = 13
CODE_COLUMN_NUMBERS: Final = 14
CODE_COLUMN_SPACES: Final = 15
CODE_COLUMN_REPLACEMENTS: Final = 16
CODE_COLUMN_HEX_CHARACTERS: Final = 17
CODE_COLUMN_ENCODED: Final = 18
CODE_COLUMN_LONGEST_ENCODED: Final = 19
CODE_COLUMN_LONGEST_RUN: Final = 20
CODE_COLUMN_HEADER: Final = 21
CODE_COLUMNS: Final = 22

_BASE64_CHARACTERS: Final = 64
_GROUPS: Final = 8
_BACKSLASH: Final = 0x5C
_REPLACEMENT: Final = 0xFFFD


@dataclass(frozen=True)
class CodeStatistics:
    """Counts per document; each array is int64[documents]. Characters are code points."""

    comments: I64
    """Characters in comments and documentation strings, delimiters counted, line ends not."""
    strings: I64
    """Characters in string literals, delimiters not counted."""
    longest_string: I64
    long_words: I64
    """Characters in words of string literals that are longer than 20, those with `://` left out."""
    long_string_lines: I64
    """Lines within string literals of more than 20 tokens (runs of word characters, and runs of other ones)."""
    markup: I64
    """Characters in tags, scripts and style sheets of HTML."""
    code_lines: I64
    """Lines with something that is neither comment nor white space."""
    assert_lines: I64
    """Lines with `assert` outside comments, whatever the case."""
    todo_lines: I64
    """Lines with `todo`, `fixme` or `your code here` in a comment, whatever the case."""
    characters: I64
    lines: I64
    line_characters: I64
    """Characters that do not end lines."""
    longest_line: I64
    letters: I64
    numbers: I64
    spaces: I64
    """White space, line ends included."""
    replacements: I64
    """U+FFFD, left by a wrong decoding."""
    hex_characters: I64
    """Characters of hexadecimal literals: `\\b0[xX][0-9a-fA-F]+\\b`."""
    encoded: I64
    """Characters of encoded data: runs that StarCoder2's patterns of base64, hexadecimal bytes and `\\uXXXX` match."""
    longest_encoded: I64
    longest_run: I64
    """The longest run without white space."""
    header: I64
    """Characters in comments before the first code: a licence, as a rule. All of them if there is no code."""


def code_statistics(text: pa.LargeStringArray | pa.ChunkedArray, syntaxes: Sequence[str]) -> CodeStatistics:
    """The counts of each document, whose comments and strings are those of the syntax named for it.

    Raises ValueError for text that is not large_string or has nulls, for a syntax that `code_syntax` does not know, and
    for another number of syntaxes than of documents.
    """
    data, offsets = buffers(text)
    numbers = {name: number for number, name in enumerate(syntax.SYNTAXES)}
    unknown = sorted(set(syntaxes) - set(numbers))
    if unknown:
        raise ValueError(
            f"no syntax {unknown[0]!r}: text_kernels.code_syntax.SYNTAXES has {', '.join(sorted(numbers))}"
        )
    if len(syntaxes) != len(offsets) - 1:
        raise ValueError(f"{len(syntaxes)} syntaxes for {len(offsets) - 1} documents: name one for each")
    which = np.array([numbers[name] for name in syntaxes], np.int64)
    counts = np.zeros((len(offsets) - 1, CODE_COLUMNS), np.int64)
    _count(data, offsets, which, *at.tables(), _traits(), counts)
    return CodeStatistics(*(np.ascontiguousarray(counts[:, column]) for column in range(CODE_COLUMNS)))


@lru_cache(maxsize=1)
def _traits() -> Bytes:
    """uint8[0x110000], read-only: the traits of each code point."""
    classes = unicode_classes.classes()
    table = np.zeros(unicode_classes.CODE_POINTS, np.uint8)
    table[classes == unicode_classes.CLASS_LETTER] |= np.uint8(CODE_LETTER | CODE_WORD)
    table[classes == unicode_classes.CLASS_NUMBER] |= np.uint8(CODE_NUMBER | CODE_WORD)
    table[classes == unicode_classes.CLASS_SPACE] |= np.uint8(CODE_SPACE)
    table[0x1C:0x20] |= np.uint8(CODE_SPACE)  # Python's white space, which the engine's \s does not know
    for characters, trait in (
        ("_", CODE_WORD),
        (syntax.LINE_BREAKS, CODE_BREAK),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\n=", CODE_BASE64),
        ("0123456789abcdefABCDEF", CODE_HEX),
        ("aAtTfFyY", CODE_NEEDLE),
    ):
        table[[ord(character) for character in characters]] |= np.uint8(trait)
    table.setflags(write=False)
    return table


@kernel
def _hex_digits(data: Bytes, position: int, stop: int, wanted: int, table: Bytes) -> bool:
    if position + wanted > stop:
        return False
    found = True
    for i in range(position, position + wanted):
        found = found and table[data[i]] & CODE_HEX != 0
    return found


@kernel
def _hex_run(data: Bytes, position: int, stop: int, after_word: bool, table: Bytes) -> tuple[int, int, int]:
    """Hexadecimal bytes in a row, from a word boundary on: `(end, characters, how many)`.

    A byte is two digits, after `0x` or `\\x` or neither, then a comma, or no word character and any white space;
    each begins at a word boundary, which is why `0x1, 0x2` (comma and space) is no run.
    """
    characters, groups = 0, 0
    while position < stop:
        backslash = data[position] == _BACKSLASH
        if backslash != after_word:
            break
        digits = position
        if position + 1 < stop and data[position + 1] == 0x78 and (backslash or data[position] == 0x30):
            digits += 2
        if not _hex_digits(data, digits, stop, 2, table):
            break
        end, after_word = digits + 2, True
        length = end - position
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
        and data[position] == _BACKSLASH
        and data[position + 1] == 0x75
        and _hex_digits(data, position + 2, stop, 4, table)
    ):
        position, groups = position + 6, groups + 1
    return groups


@helper
def _encoded(counts: I64, characters: int) -> None:
    counts[CODE_COLUMN_ENCODED] += characters
    counts[CODE_COLUMN_LONGEST_ENCODED] = max(counts[CODE_COLUMN_LONGEST_ENCODED], characters)


@helper
def _may_be_data(data: Bytes, position: int, stop: int, table: Bytes) -> bool:
    """Whether a word may be a hexadecimal number: most are not, and a look at two bytes says so."""
    if position + 1 >= stop or not (table[data[position + 1]] & CODE_HEX or data[position + 1] | 0x20 == 0x78):
        return False
    return (
        position + 2 >= stop
        or data[position + 1] | 0x20 == 0x78
        or data[position + 2] >= 128
        or not table[data[position + 2]] & CODE_WORD
    )


@kernel
def _data_at(data: Bytes, position: int, stop: int, after_word: bool, table: Bytes, counts: I64, taken: I64) -> None:
    """Counts hexadecimal literals, bytes and `\\u` escapes that begin here; `taken`: where earlier runs ended."""
    if data[position] != _BACKSLASH:
        counts[CODE_COLUMN_HEX_CHARACTERS] += _hex_literal(data, position, stop, table)
    elif position >= taken[1]:
        groups = _escapes(data, position, stop, table)
        taken[1] = position + 6 * groups
        if groups >= _GROUPS:
            _encoded(counts, 6 * groups)
    if position >= taken[0]:
        end, characters, groups = _hex_run(data, position, stop, after_word, table)
        taken[0] = end
        if groups >= _GROUPS:
            _encoded(counts, characters)


@kernel
def _walk(
    data: Bytes,
    start: int,
    stop: int,
    number: int,
    grammar: I64,
    paces: Bytes,
    seconds: Bytes,
    table: Bytes,
    scan: I64,
    taken: I64,
    counts: I64,
) -> None:
    """One document, of syntax `number`."""
    scanner.begin(scan, number, start)
    taken[0], taken[1] = start, start
    position, index, before, carriage = start, 0, CODE_BREAK | CODE_SPACE, False
    letters, numbers, spaces, breaks = 0, 0, 0, 0
    state, busy, quiet, is_code, in_string = 256 * number, start, start, True, False
    in_word, seen = 0, False
    line_start, run_start, longest_run, base64_start = 0, 0, 0, 0
    blank, has_code, code_line, assert_line, todo_line = True, False, False, False, False
    while position < stop:
        pace = paces[state + data[position]]
        if pace <= in_word and position >= quiet:
            # A letter like any other: most are, and all that they change is put down at the next byte that is not.
            run = position
            while position < stop and paces[state + data[position]] <= at.PACE_IN_WORD:
                position += 1
            if in_string and run >= scan[scanner.SCAN_CONTENT]:
                scanner.in_word(scan)
            letters, index = letters + position - run, index + position - run
            before, in_word, carriage, seen = CODE_LETTER | CODE_WORD, 1, False, True
            continue
        if pace == at.PACE_POINT and position >= quiet:
            if index - base64_start >= _BASE64_CHARACTERS:
                _encoded(counts, index - base64_start)
            position, index = position + 1, index + 1
            before, in_word, carriage, seen, base64_start = 0, 0, False, True, index
            continue
        if seen:
            blank, seen = False, False
            if is_code:
                code_line = True
                if not has_code:
                    has_code, counts[CODE_COLUMN_HEADER] = True, scan[scanner.SCAN_COMMENTS]
        if pace == at.PACE_BLANK:
            run = position
            while position < stop and data[position] == 0x20:
                position += 1
            if index - base64_start >= _BASE64_CHARACTERS:
                _encoded(counts, index - base64_start)
            longest_run, before, carriage, in_word = max(longest_run, index - run_start), CODE_SPACE, False, 0
            spaces, index = spaces + position - run, index + position - run
            run_start, base64_start = index, index
            continue
        code, width = int(data[position]), 1
        if code >= 0x80:
            code, width = decode(data, position)
        trait = int(table[code])
        letters += trait & CODE_LETTER
        numbers += (trait & CODE_NUMBER) >> 1
        hot = pace == at.PACE_HOT or (
            pace == at.PACE_PAIR and position + 1 < stop and seconds[state + data[position + 1]] != 0
        )
        if hot and position >= busy:
            scanner.step(data, position, start, stop, grammar, trait, before, blank, index, scan)
            state, busy, quiet = scan[scanner.SCAN_STATE], scan[scanner.SCAN_BUSY], scan[scanner.SCAN_QUIET]
            is_code, in_string = scan[scanner.SCAN_IS_CODE] != 0, scan[scanner.SCAN_IN_STRING] != 0
        if in_string and position >= scan[scanner.SCAN_CONTENT]:
            scanner.in_string(data, position, stop, trait, index, scan)
        if not trait & CODE_BASE64:
            if index - base64_start >= _BASE64_CHARACTERS:
                _encoded(counts, index - base64_start)
            base64_start = index + 1
        if trait & CODE_SPACE:
            spaces += 1
            longest_run = max(longest_run, index - run_start)
            run_start = index + 1
            if trait & CODE_BREAK:
                breaks += 1
                if code != 0x0A or not carriage:  # CR LF is one break
                    _end_line(counts, index - line_start, code_line, assert_line, todo_line)
                line_start = index + 1
                blank, code_line, assert_line, todo_line = True, False, False, False
        else:
            blank = False
            in_code = is_code and position >= quiet
            code_line = code_line or in_code
            if in_code and not has_code:
                has_code, counts[CODE_COLUMN_HEADER] = True, scan[scanner.SCAN_COMMENTS]
            if trait & CODE_NEEDLE and position + 1 < stop:
                if in_code:
                    assert_line = assert_line or scanner.is_assert(data, position, stop)
                else:
                    todo_line = todo_line or scanner.is_todo(data, position, stop)
            if code == _BACKSLASH or (
                trait & CODE_HEX and not before & CODE_WORD and _may_be_data(data, position, stop, table)
            ):
                _data_at(data, position, stop, (before & CODE_WORD) != 0, table, counts, taken)
            if code == _REPLACEMENT:
                counts[CODE_COLUMN_REPLACEMENTS] += 1
        before, carriage, in_word = trait, code == 0x0D, int(trait & CODE_WORD != 0)
        position, index = position + width, index + 1
    if seen and is_code:
        code_line = True
        if not has_code:
            has_code, counts[CODE_COLUMN_HEADER] = True, scan[scanner.SCAN_COMMENTS]
    scanner.finish(scan, grammar, index)
    if not has_code:
        counts[CODE_COLUMN_HEADER] = scan[scanner.SCAN_COMMENTS]
    if index - base64_start >= _BASE64_CHARACTERS:
        _encoded(counts, index - base64_start)
    if line_start < index:
        _end_line(counts, index - line_start, code_line, assert_line, todo_line)
    for column in range(CODE_COLUMN_CODE_LINES):
        counts[column] = scan[scanner.SCAN_COUNTS + column]
    counts[CODE_COLUMN_LONGEST_RUN] = max(longest_run, index - run_start)
    counts[CODE_COLUMN_CHARACTERS], counts[CODE_COLUMN_LINE_CHARACTERS] = index, index - breaks
    counts[CODE_COLUMN_LETTERS], counts[CODE_COLUMN_NUMBERS], counts[CODE_COLUMN_SPACES] = letters, numbers, spaces


@helper
def _end_line(counts: I64, length: int, code: bool, has_assert: bool, has_todo: bool) -> None:
    counts[CODE_COLUMN_LINES] += 1
    counts[CODE_COLUMN_LONGEST_LINE] = max(counts[CODE_COLUMN_LONGEST_LINE], length)
    counts[CODE_COLUMN_CODE_LINES] += code
    counts[CODE_COLUMN_ASSERT_LINES] += has_assert
    counts[CODE_COLUMN_TODO_LINES] += has_todo


@kernel
def _count(
    data: Bytes, offsets: I64, syntaxes: I64, grammar: I64, paces: Bytes, seconds: Bytes, table: Bytes, out: I64
) -> None:
    scan = np.zeros(scanner.SCAN_FIELDS, np.int64)
    taken = np.zeros(2, np.int64)
    for document in range(len(offsets) - 1):
        start, stop = offsets[document], offsets[document + 1]
        _walk(data, start, stop, syntaxes[document], grammar, paces, seconds, table, scan, taken, out[document])
