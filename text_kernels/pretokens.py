"""Pretokens: the pieces that byte-pair encoding works within, found in one walk over Arrow's bytes.

A kernel form of the Split patterns that GPT-2, Llama-3, Qwen and Falcon-H1 use, all of one family: a LaTeX command |
a contraction | something before letters, letters | digits | a space, symbols, newlines | white space. `Rules` says which
members of the family are there; `tokenizer_train.pretokenizer` writes the same as a regular expression, and a test
compares both on every code point. The trade: a pattern outside the family has no kernel. 350 MB/s on one core, where
the regular-expression engine of `tokenizers` does 5.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from text_kernels import unicode_classes
from text_kernels.jit import helper, kernel, part
from text_kernels.utf8 import buffers, decode
from text_kernels.wide_loads import ascii_letters

SYMBOL: Final = 0
"""Everything else: punctuation, symbols, controls, unassigned code points, and marks where letters do not take them."""
LETTER: Final = 1
NUMBER: Final = 2
SPACE: Final = 3
NEWLINE: Final = 4
MARK: Final = 5
"""A mark that belongs to the letters or ideographs before it."""
IDEOGRAPH: Final = 6
"""Han and kana, where they are kept apart from other letters."""
WORD: Final = 1 << LETTER | 1 << MARK | 1 << IDEOGRAPH
"""A bit set: what begins a pretoken of letters."""

NOTHING: Final = 0
ONE_SPACE: Final = 1
ANY: Final = 2

APOSTROPHE: Final = 0x27
BACKSLASH: Final = 0x5C
BLANK: Final = 0x20
LONG_S: Final = 0x17F
"""`(?i:s)` matches it too: it is what s folds from."""


class Rules(NamedTuple):
    """Which alternatives the pattern has; integers, because a kernel reads them."""

    latex: int
    r"""1: `\\[A-Za-z]+` is a pretoken, and no other alternative takes its backslash."""
    contractions: int
    """0: none; 1: 's 't 're 've 'm 'll 'd; 2: in any case."""
    before_letters: int
    r"""NOTHING, ONE_SPACE (` ?`) or ANY (`[^\r\n\p{L}\p{N}]?`)."""
    digits: int
    """At most so many numbers in a pretoken; 0: no limit."""
    space_before_digits: int
    symbol_runs: int
    """0: each symbol for itself; 1: runs of them."""
    newlines_after_symbols: int
    newline_runs: int
    r"""1: white space is cut after its last newline (`\s*[\r\n]+`)."""
    final_space: int
    r"""1: white space at the end of a text is one pretoken (`\s+\z`)."""
    marks: int
    """1: marks belong to letters; 0: they are symbols."""
    ideographs: int
    """1: ideographs and other letters are pretokens apart."""


@lru_cache(maxsize=4)
def kinds(marks: int, ideographs: int) -> npt.NDArray[np.uint8]:
    """uint8[0x110000], read-only: the kind of every code point under `Rules.marks` and `Rules.ideographs`."""
    by_class = np.zeros(256, np.uint8)
    by_class[unicode_classes.LETTER] = LETTER
    by_class[unicode_classes.NUMBER] = NUMBER
    by_class[unicode_classes.SPACE] = SPACE
    by_class[unicode_classes.MARK] = MARK if marks else SYMBOL
    table = by_class[unicode_classes.classes()]
    table[[0x0A, 0x0D]] = NEWLINE
    if ideographs:
        table[(table == LETTER) & ((unicode_classes.flags() & unicode_classes.IDEOGRAPH) > 0)] = IDEOGRAPH
    table.setflags(write=False)
    return table


def pretokens(
    text: pa.LargeStringArray | pa.ChunkedArray, rules: Rules
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """`(ends, doc_offsets)`: pretoken p ends before byte `ends[p]` of `buffers(text)`, where the next one starts.

    Those of document i are `doc_offsets[i]` to `doc_offsets[i + 1]`. Raises ValueError as `buffers` does.
    """
    data, offsets = buffers(text)
    ends = np.empty(int(offsets[-1] - offsets[0]), np.int64)
    doc_offsets = np.zeros(len(offsets), np.int64)
    count = _pretokens(data, offsets, kinds(rules.marks, rules.ideographs), rules, ends, doc_offsets)
    return ends[:count], doc_offsets


@kernel
def _pretokens(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint8],
    rules: Rules,
    ends: npt.NDArray[np.int64],
    doc_offsets: npt.NDArray[np.int64],
) -> int:
    count = 0
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        while position < stop:
            position = pretoken_end(data, position, stop, table, rules)
            ends[count] = position
            count += 1
        doc_offsets[document + 1] = count
    return count


@part
def pretoken_end(data: npt.NDArray[np.uint8], start: int, stop: int, table: npt.NDArray[np.uint8], rules: Rules) -> int:
    """Where the pretoken ends that starts at `start` of a document that ends at `stop`; `table` as `kinds` gives it."""
    if start + 9 <= len(data):
        # Two in three are up to seven ASCII letters, most with a space before them: one branch for all of these.
        letter = start + (1 if (data[start] == BLANK) & (rules.before_letters > 0) else 0)
        end = letter + ascii_letters(data, letter)
        # `end` is at most `start + 9`, and read only where it is less: `&` does not stop early.
        if (end > letter) & (end < letter + 8) & (end < stop) & (data[min(end, start + 8)] < 0x80):
            return end
    code, width = _code(data, start)
    kind = table[code]
    if WORD >> kind & 1:
        return _letters_end(data, start + width, stop, table, kind)
    if kind == NUMBER:
        return _digits_end(data, start + width, stop, table, rules.digits)
    if rules.latex and code == BACKSLASH and _is_command(data, start, stop):
        return _command_end(data, start + 1, stop)
    after = start + width
    if rules.contractions and code == APOSTROPHE:
        contracted = _contraction_end(data, after, stop, rules.contractions)
        if contracted:
            return contracted
    if after < stop:
        # What may stand before letters, digits or symbols; the first two only with something after it.
        next_code, next_width = _code(data, after)
        next_kind = table[next_code]
        if WORD >> next_kind & 1:
            if (rules.before_letters == ANY and kind != NEWLINE) or (rules.before_letters and code == BLANK):
                return _letters_end(data, after + next_width, stop, table, next_kind)
        elif code == BLANK and next_kind == NUMBER and rules.space_before_digits:
            return _digits_end(data, after + next_width, stop, table, rules.digits)
        elif code == BLANK and next_kind == SYMBOL:
            command = rules.latex and next_code == BACKSLASH and _is_command(data, after, stop)
            if not command:
                return _symbols_end(data, after + next_width, stop, table, rules)
    if kind == SYMBOL:
        return _symbols_end(data, after, stop, table, rules)
    return _white_end(data, start, stop, table, rules)


@helper
def _code(data: npt.NDArray[np.uint8], position: int) -> tuple[int, int]:
    first = int(data[position])
    if first < 0x80:
        return first, 1
    return decode(data, position)


@part
def _letters_end(
    data: npt.NDArray[np.uint8], position: int, stop: int, table: npt.NDArray[np.uint8], first: int
) -> int:
    """After ideographs come ideographs, after other letters (or a mark) other letters; marks after both."""
    wanted = IDEOGRAPH if first == IDEOGRAPH else LETTER
    while position < stop:
        if data[position] < 0x80 and position + 8 <= len(data):
            letters = ascii_letters(data, position) if wanted == LETTER else 0
            if letters == 0:
                break
            position += letters
            if position >= stop:
                return stop
            continue
        code, width = _code(data, position)
        kind = table[code]
        if kind != wanted and kind != MARK:
            break
        position += width
    return position


@part
def _digits_end(data: npt.NDArray[np.uint8], position: int, stop: int, table: npt.NDArray[np.uint8], most: int) -> int:
    count = 1
    while position < stop and count != most:
        code, width = _code(data, position)
        if table[code] != NUMBER:
            break
        position += width
        count += 1
    return position


@part
def _symbols_end(
    data: npt.NDArray[np.uint8], position: int, stop: int, table: npt.NDArray[np.uint8], rules: Rules
) -> int:
    if rules.symbol_runs:
        while position < stop:
            code, width = _code(data, position)
            if table[code] != SYMBOL or (rules.latex and code == BACKSLASH and _is_command(data, position, stop)):
                break
            position += width
    if rules.newlines_after_symbols:
        while position < stop and (data[position] == 0x0A or data[position] == 0x0D):
            position += 1
    return position


@part
def _white_end(data: npt.NDArray[np.uint8], start: int, stop: int, table: npt.NDArray[np.uint8], rules: Rules) -> int:
    """White space, cut after its last newline if that is a rule; else without its last character if text follows."""
    position, latest, after_newline = start, start, start
    while position < stop:
        code, width = _code(data, position)
        kind = table[code]
        if kind != SPACE and kind != NEWLINE:
            break
        latest = position
        position += width
        if kind == NEWLINE:
            after_newline = position
    if position == stop and rules.final_space:
        return position
    if rules.newline_runs and after_newline > start:
        return after_newline
    return position if position == stop or latest == start else latest


@helper
def _is_letter(byte: int) -> bool:
    """Of ASCII."""
    return 0x61 <= (byte | 0x20) <= 0x7A


@helper
def _is_command(data: npt.NDArray[np.uint8], position: int, stop: int) -> bool:
    """Whether the backslash at `position` begins a command."""
    return position + 1 < stop and _is_letter(int(data[position + 1]))


@part
def _command_end(data: npt.NDArray[np.uint8], position: int, stop: int) -> int:
    while position < stop and _is_letter(int(data[position])):
        position += 1
    return position


@part
def _contraction_end(data: npt.NDArray[np.uint8], position: int, stop: int, how: int) -> int:
    """The end of the contraction whose apostrophe is before `position`; 0 if it is none."""
    if position >= stop:
        return 0
    fold = 0x20 if how == 2 else 0
    first = int(data[position]) | fold
    if first == 0x73 or first == 0x74 or first == 0x6D or first == 0x64:  # s t m d
        return position + 1
    if how == 2 and first == 0xE5 and position + 1 < stop and _code(data, position)[0] == LONG_S:
        return position + 2
    if position + 1 < stop:
        second = int(data[position + 1]) | fold
        if second == 0x65 and (first == 0x72 or first == 0x76):  # re ve
            return position + 2
        if second == 0x6C and first == 0x6C:  # ll
            return position + 2
    return 0
