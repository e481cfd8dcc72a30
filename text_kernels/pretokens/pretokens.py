"""Pretokens, the pieces that byte-pair encoding works within, cut in one walk over Arrow's bytes.

This is a kernel form of the Split patterns of GPT-2, Llama-3, Qwen and Falcon-H1, which are one family: a LaTeX command |
a contraction | something before letters, letters | digits | a space, symbols, newlines | white space. `Rules` selects the
alternatives. `eyas.tokenizer_train.pretokenizer` writes the same as a regular expression, and a test compares both on every
code point. The trade: a pattern outside the family has no kernel. It runs at 550 MB/s on one core, where the
regular-expression engine of `tokenizers` does 5.
"""

# Tested in tests/text_kernels/pretokens/test_blocks.py.

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from eyas.text_kernels.jit import helper, kernel, part
from eyas.text_kernels.pretokens.blocks import BLOCK, ascii_starts, character_starts
from eyas.text_kernels.pretokens.rules import (
    ANY,
    APOSTROPHE,
    BACKSLASH,
    BLANK,
    KIND_IDEOGRAPH,
    KIND_LETTER,
    KIND_MARK,
    KIND_NEWLINE,
    KIND_NUMBER,
    KIND_SPACE,
    KIND_SYMBOL,
    KINDS_OF_WORDS,
    Rules,
    code_at,
    contraction_end,
    kinds,
)
from eyas.text_kernels.types import I64, Bytes
from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.wide_loads import ascii_letters, lowest

MOST_ENDS: Final = BLOCK
SCRATCH: Final = 2 * BLOCK


def pretokens(text: pa.LargeStringArray | pa.ChunkedArray, rules: Rules) -> tuple[I64, I64]:
    """`(ends, doc_offsets)`: pretoken p ends before byte `ends[p]` of `buffers(text)`, where the next one starts.

    Those of document i are `doc_offsets[i]` to `doc_offsets[i + 1]`. Raises ValueError as `buffers` does.
    """
    data, offsets = buffers(text)
    ends = np.empty(int(offsets[-1] - offsets[0]) + MOST_ENDS, np.int64)
    doc_offsets = np.zeros(len(offsets), np.int64)
    count = _pretokens(data, offsets, kinds(rules.marks, rules.ideographs), rules, ends, doc_offsets)
    return ends[:count], doc_offsets


@kernel
def _pretokens(data: Bytes, offsets: I64, table: Bytes, rules: Rules, ends: I64, doc_offsets: I64) -> int:
    """Fills `ends` and `doc_offsets`; the number of pretokens."""
    count = 0
    scratch = np.empty(SCRATCH, np.uint8)
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        while position < stop:
            count = next_ends(data, position, stop, table, rules, scratch, ends, count)
            position = ends[count - 1]
        doc_offsets[document + 1] = count
    return count


@part
def next_ends(
    data: Bytes, start: int, stop: int, table: Bytes, rules: Rules, scratch: Bytes, ends: I64, count: int
) -> int:
    """Writes the ends of the pretokens from `start` on to `ends[count:]`, one or more; the new count.

    `start` is before `stop`, where the document ends, and a pretoken begins there; `table` as `kinds` gives it. Of `ends`
    MOST_ENDS may be written over, of `scratch` all SCRATCH.
    """
    # First a block of ASCII, then one of any characters; if neither decides anything, one pretoken by itself.
    starts = ascii_starts(data, start, stop, rules)
    if starts:
        while starts:
            ends[count] = start + lowest(starts)
            count += 1
            starts &= starts - np.uint64(1)
        return count
    first = count
    starts = character_starts(data, start, stop, table, rules, scratch, ends, first)
    if starts:
        while starts:  # the ends take the place of the characters' places, which are ahead of them
            ends[count] = ends[first + lowest(starts)]
            count += 1
            starts &= starts - np.uint64(1)
        return count
    ends[count] = pretoken_end(data, start, stop, table, rules)
    return count + 1


@part
def pretoken_end(data: Bytes, start: int, stop: int, table: Bytes, rules: Rules) -> int:
    """Where the pretoken ends that starts at `start` of a document that ends at `stop`; `table` as `kinds` gives it."""
    if start + 9 <= len(data):
        # Two in three are up to seven ASCII letters, most with a space before them: one branch for all of these.
        letter = start + (1 if (data[start] == BLANK) & (rules.before_letters > 0) else 0)
        end = letter + ascii_letters(data, letter)
        # `end` is at most `start + 9`, and read only where it is less: `&` does not stop early.
        if (end > letter) & (end < letter + 8) & (end < stop) & (data[min(end, start + 8)] < 0x80):
            return end
    code, width = code_at(data, start)
    kind = table[code]
    if KINDS_OF_WORDS >> kind & 1:
        return _letters_end(data, start + width, stop, table, kind)
    if kind == KIND_NUMBER:
        return _digits_end(data, start + width, stop, table, rules.digits)
    if rules.latex and code == BACKSLASH and _is_command(data, start, stop):
        return _command_end(data, start + 1, stop)
    after = start + width
    if rules.contractions and code == APOSTROPHE:
        contracted = contraction_end(data, after, stop, rules.contractions)
        if contracted:
            return contracted
    if after < stop:
        # What may stand before letters, digits or symbols; the first two only with something after it.
        next_code, next_width = code_at(data, after)
        next_kind = table[next_code]
        if KINDS_OF_WORDS >> next_kind & 1:
            if (rules.before_letters == ANY and kind != KIND_NEWLINE) or (rules.before_letters and code == BLANK):
                return _letters_end(data, after + next_width, stop, table, next_kind)
        elif code == BLANK and next_kind == KIND_NUMBER and rules.space_before_digits:
            return _digits_end(data, after + next_width, stop, table, rules.digits)
        elif code == BLANK and next_kind == KIND_SYMBOL:
            command = rules.latex and next_code == BACKSLASH and _is_command(data, after, stop)
            if not command:
                return _symbols_end(data, after + next_width, stop, table, rules)
    if kind == KIND_SYMBOL:
        return _symbols_end(data, after, stop, table, rules)
    return _white_end(data, start, stop, table, rules)


@part
def _letters_end(data: Bytes, position: int, stop: int, table: Bytes, first: int) -> int:
    """After ideographs come ideographs, after other letters (or a mark) other letters; marks after both."""
    wanted = KIND_IDEOGRAPH if first == KIND_IDEOGRAPH else KIND_LETTER
    while position < stop:
        if data[position] < 0x80 and position + 8 <= len(data):
            letters = ascii_letters(data, position) if wanted == KIND_LETTER else 0
            if letters == 0:
                break
            position += letters
            if position >= stop:
                return stop
            continue
        code, width = code_at(data, position)
        kind = table[code]
        if kind != wanted and kind != KIND_MARK:
            break
        position += width
    return position


@part
def _digits_end(data: Bytes, position: int, stop: int, table: Bytes, most: int) -> int:
    """The first digit is before `position`; at most `most` belong together, 0 for any number."""
    count = 1
    while position < stop and count != most:
        code, width = code_at(data, position)
        if table[code] != KIND_NUMBER:
            break
        position += width
        count += 1
    return position


@part
def _symbols_end(data: Bytes, position: int, stop: int, table: Bytes, rules: Rules) -> int:
    """The first symbol is before `position`."""
    if rules.symbol_runs:
        while position < stop:
            code, width = code_at(data, position)
            if table[code] != KIND_SYMBOL or (rules.latex and code == BACKSLASH and _is_command(data, position, stop)):
                break
            position += width
    if rules.newlines_after_symbols:
        while position < stop and (data[position] == 0x0A or data[position] == 0x0D):
            position += 1
    return position


@part
def _white_end(data: Bytes, start: int, stop: int, table: Bytes, rules: Rules) -> int:
    """White space, cut after its last newline if that is a rule; else without its last character if text follows."""
    position, latest, after_newline = start, start, start
    while position < stop:
        code, width = code_at(data, position)
        kind = table[code]
        if kind != KIND_SPACE and kind != KIND_NEWLINE:
            break
        latest = position
        position += width
        if kind == KIND_NEWLINE:
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
def _is_command(data: Bytes, position: int, stop: int) -> bool:
    """Whether the backslash at `position` begins a command."""
    return position + 1 < stop and _is_letter(int(data[position + 1]))


@part
def _command_end(data: Bytes, position: int, stop: int) -> int:
    """The command's backslash is before `position`."""
    while position < stop and _is_letter(int(data[position])):
        position += 1
    return position
