"""Counts for rules about source code: comments, strings, lines, encoded data, all in one walk over the bytes.

Lines are those of `str.splitlines`. Comments and strings are those of `code_syntax`, which is approximate and says how.
Encoded data is what StarCoder2's three patterns match, character for character (`code_data`). The trade: every count is
made whether or not a rule needs it, at 153 MB/s on one core (8 MB of Python from the packages of a virtual environment).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from eyas.text_kernels.jit import helper, kernel, part
from eyas.text_kernels.statistics import code_grammar as at
from eyas.text_kernels.statistics import code_scan as scanner
from eyas.text_kernels.statistics import code_syntax as syntax
from eyas.text_kernels.statistics.code_columns import (
    CODE_BASE64,
    CODE_BREAK,
    CODE_COLUMN_ASSERT_LINES,
    CODE_COLUMN_CHARACTERS,
    CODE_COLUMN_CODE_LINES,
    CODE_COLUMN_HEADER,
    CODE_COLUMN_LETTERS,
    CODE_COLUMN_LINE_CHARACTERS,
    CODE_COLUMN_LINES,
    CODE_COLUMN_LONGEST_LINE,
    CODE_COLUMN_LONGEST_RUN,
    CODE_COLUMN_NUMBERS,
    CODE_COLUMN_REPLACEMENTS,
    CODE_COLUMN_SPACES,
    CODE_COLUMN_TODO_LINES,
    CODE_COLUMNS,
    CODE_HEX,
    CODE_LETTER,
    CODE_NEEDLE,
    CODE_NUMBER,
    CODE_SPACE,
    CODE_WORD,
)
from eyas.text_kernels.statistics.code_data import BACKSLASH, count_data, end_base64, may_be_data
from eyas.text_kernels.statistics.code_scan import SCAN_COMMENTS, SCAN_CONTENT, SCAN_COUNTS
from eyas.text_kernels.types import I64, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers, decode

_REPLACEMENT: Final = 0xFFFD

# What is known of the line at hand, as bits.
_HAS_CODE: Final = 1
_HAS_ASSERT: Final = 2
_HAS_TODO: Final = 4


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
def _walk(
    data: Bytes, start: int, stop: int, number: int, grammar: I64, paces: Bytes, seconds: Bytes, table: Bytes, scan: I64,
    taken: I64, counts: I64,
) -> None:  # fmt: skip
    """Counts one document, of syntax `number`.

    `paces` says what a byte may mean in the region at hand: most bytes mean nothing and take phases 1 to 3. The variables
    stay in this function because they stay in registers here; parts that return several of them cost half of the speed.
    """
    taken[0], taken[1] = start, start
    state, busy, quiet, is_code, in_string = scanner.begin(scan, number, start)
    # Where the walk is, in bytes and in characters, and what lies directly before it.
    position, index, before, in_word, carriage = start, 0, CODE_BREAK | CODE_SPACE, 0, False
    # The line so far. `seen`: phases 1 and 2 have passed something that is not yet in `line` and `blank`.
    line, blank, seen, has_code = 0, True, False, False
    # The characters at which the line, the run without white space and the run of base64 begin.
    line_start, run_start, base64_start, longest_run = 0, 0, 0, 0
    letters, numbers, spaces, breaks = 0, 0, 0, 0
    while position < stop:
        pace = paces[state + data[position]]
        # Phase 1: a run of letters that mean nothing here. Most bytes are such.
        if pace <= in_word and position >= quiet:
            end = _letters_end(data, position, stop, state, paces)
            if in_string and position >= scan[SCAN_CONTENT]:
                scanner.in_word(scan)
            letters, index, position = letters + end - position, index + end - position, end
            before, in_word, carriage, seen = CODE_LETTER | CODE_WORD, 1, False, True
            continue
        # Phase 2: punctuation that nothing begins or ends with. It ends a word, and base64.
        if pace == at.PACE_POINT and position >= quiet:
            end_base64(counts, index - base64_start)
            position, index = position + 1, index + 1
            before, in_word, carriage, seen, base64_start = 0, 0, False, True, index
            continue
        # What phases 1 and 2 passed is put down once, at the first byte that is neither.
        if seen:
            blank, seen = False, False
            if is_code:
                line |= _HAS_CODE
                if not has_code:
                    has_code, counts[CODE_COLUMN_HEADER] = True, scan[SCAN_COMMENTS]
        # Phase 3: spaces.
        if pace == at.PACE_BLANK:
            end = _blanks_end(data, position, stop)
            end_base64(counts, index - base64_start)
            longest_run, before, carriage, in_word = max(longest_run, index - run_start), CODE_SPACE, False, 0
            spaces, index, position = spaces + end - position, index + end - position, end
            run_start, base64_start = index, index
            continue
        # Phase 4: any other character. First the scanner, if a region may begin or end here.
        code, width = decode(data, position)
        trait = int(table[code])
        letters, numbers = letters + (trait & CODE_LETTER), numbers + ((trait & CODE_NUMBER) >> 1)
        if position >= busy and _is_hot(data, position, stop, pace, state, seconds):
            scanner.step(data, position, start, stop, grammar, trait, before, blank, index, scan)
            state, busy, quiet, is_code, in_string = scanner.summary(scan)
        if in_string and position >= scan[SCAN_CONTENT]:
            scanner.in_string(data, position, stop, trait, index, scan)
        # Then the runs and the lines that the character ends or goes on with.
        if not trait & CODE_BASE64:
            end_base64(counts, index - base64_start)
            base64_start = index + 1
        if trait & CODE_SPACE:
            spaces, longest_run, run_start = spaces + 1, max(longest_run, index - run_start), index + 1
            if trait & CODE_BREAK:
                breaks += 1
                if code != 0x0A or not carriage:  # CR LF is one break
                    _end_line(counts, index - line_start, line)
                line_start, line, blank = index + 1, 0, True
        else:
            in_code, blank = is_code and position >= quiet, False
            if in_code:
                line |= _HAS_CODE
                if not has_code:
                    has_code, counts[CODE_COLUMN_HEADER] = True, scan[SCAN_COMMENTS]
            if trait & CODE_NEEDLE and position + 1 < stop:
                line |= _needle(data, position, stop, in_code)
            # Encoded data begins at an escape, or at a hexadecimal digit that begins a word.
            may_begin = trait & CODE_HEX and not before & CODE_WORD
            if code == BACKSLASH or (may_begin and may_be_data(data, position, stop, table)):
                count_data(data, position, stop, (before & CODE_WORD) != 0, table, counts, taken)
            if code == _REPLACEMENT:
                counts[CODE_COLUMN_REPLACEMENTS] += 1
        before, carriage, in_word = trait, code == 0x0D, int(trait & CODE_WORD != 0)
        position, index = position + width, index + 1
    if seen and is_code:
        line |= _HAS_CODE
        if not has_code:
            has_code, counts[CODE_COLUMN_HEADER] = True, scan[SCAN_COMMENTS]
    if line_start < index:
        _end_line(counts, index - line_start, line)
    end_base64(counts, index - base64_start)
    counts[CODE_COLUMN_LETTERS], counts[CODE_COLUMN_NUMBERS], counts[CODE_COLUMN_SPACES] = letters, numbers, spaces
    counts[CODE_COLUMN_CHARACTERS], counts[CODE_COLUMN_LINE_CHARACTERS] = index, index - breaks
    counts[CODE_COLUMN_LONGEST_RUN] = max(longest_run, index - run_start)
    _finish(counts, scan, grammar, index, has_code)


@part
def _letters_end(data: Bytes, position: int, stop: int, state: int, paces: Bytes) -> int:
    """Where the run of letters that begins at `position` ends."""
    while position < stop and paces[state + data[position]] <= at.PACE_IN_WORD:
        position += 1
    return position


@part
def _blanks_end(data: Bytes, position: int, stop: int) -> int:
    """Where the run of spaces that begins at `position` ends."""
    while position < stop and data[position] == 0x20:
        position += 1
    return position


@part
def _is_hot(data: Bytes, position: int, stop: int, pace: int, state: int, seconds: Bytes) -> bool:
    """Whether the scanner has to look: at this byte in any case, or because of the next one."""
    return pace == at.PACE_HOT or (
        pace == at.PACE_PAIR and position + 1 < stop and seconds[state + data[position + 1]] != 0
    )


@part
def _needle(data: Bytes, position: int, stop: int, in_code: bool) -> int:
    """The line's bit for the word that begins here: `assert` in code, `todo` and its like in a comment; or 0."""
    if in_code:
        return _HAS_ASSERT if scanner.is_assert(data, position, stop) else 0
    return _HAS_TODO if scanner.is_todo(data, position, stop) else 0


@helper
def _end_line(counts: I64, length: int, line: int) -> None:
    counts[CODE_COLUMN_LINES] += 1
    counts[CODE_COLUMN_LONGEST_LINE] = max(counts[CODE_COLUMN_LONGEST_LINE], length)
    counts[CODE_COLUMN_CODE_LINES] += (line & _HAS_CODE) != 0
    counts[CODE_COLUMN_ASSERT_LINES] += (line & _HAS_ASSERT) != 0
    counts[CODE_COLUMN_TODO_LINES] += (line & _HAS_TODO) != 0


@helper
def _finish(counts: I64, scan: I64, grammar: I64, index: int, has_code: bool) -> None:
    """Ends the region at hand, and takes over what the scanner counted."""
    scanner.finish(scan, grammar, index)
    if not has_code:
        counts[CODE_COLUMN_HEADER] = scan[SCAN_COMMENTS]
    for column in range(CODE_COLUMN_CODE_LINES):
        counts[column] = scan[SCAN_COUNTS + column]


@kernel
def _count(
    data: Bytes, offsets: I64, syntaxes: I64, grammar: I64, paces: Bytes, seconds: Bytes, table: Bytes, out: I64
) -> None:
    scan = np.zeros(scanner.SCAN_FIELDS, np.int64)
    taken = np.zeros(2, np.int64)
    for document in range(len(offsets) - 1):
        start, stop = offsets[document], offsets[document + 1]
        _walk(data, start, stop, syntaxes[document], grammar, paces, seconds, table, scan, taken, out[document])
