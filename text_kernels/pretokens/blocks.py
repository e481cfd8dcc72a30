r"""Where pretokens begin in 64 characters, all at once: a bit for each character, and no branch for any of them.

Text of short words takes as many unforeseeable branches as it has pretokens, and each costs more than everything else
that is done for it. Here a class is a mask of 64 bits (`letters`, `white` …), a neighbour is a shift, and an addition finds
the end of a run by its carry. What a block cannot decide, because a run goes on after it, is left to the next block. Text
without a block is left to `eyas.text_kernels.pretokens.pretokens.pretoken_end`, with which a test compares. The trade: every
rule is written a second time. Code is cut at 1,050 MB/s instead of 200, Russian at 350 instead of 260.

An example of 12 bytes (`·` is a space) under GPT-2's rules; bit i stands in column i:

    text      I  '  m  ·  i  n  ·  (  4  2  )  .
    letters   1  .  1  .  1  1  .  .  .  .  .  .
    numbers   .  .  .  .  .  .  .  .  1  1  .  .
    white     .  .  .  1  .  .  1  .  .  .  .  .
    symbols   .  1  .  .  .  .  .  1  .  .  1  1
    alone     .  1  .  .  .  .  .  .  .  .  1  .
    starts    .  1  .  1  .  .  1  .  1  .  1  .

`alone` are the symbols that begin a pretoken: not `(`, which belongs to the blank before it, nor `.`, which goes on a run.
`m` would begin one, but `'m` is a contraction. Bit 0 is never set: the caller knows that a pretoken begins there.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from eyas.text_kernels.jit import part
from eyas.text_kernels.pretokens.rules import (
    ANY,
    APOSTROPHE,
    BACKSLASH,
    BLANK,
    KIND_LETTER,
    KIND_MARK,
    KIND_NEWLINE,
    KIND_NUMBER,
    KIND_SPACE,
    LONG_S,
    ONE_SPACE,
    Rules,
    contraction_end,
)
from eyas.text_kernels.types import I64, Bytes
from eyas.text_kernels.wide_loads import bytes_in, highest, letters_in, load_8, lowest

BLOCK: Final = 64
LEAST: Final = 16
"""If a block begins with fewer ASCII bytes than these, it is left to `character_starts`."""
_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_NONE: Final = np.uint64(0)
_ONE: Final = np.uint64(1)
_WIDTHS: Final = np.uint64(0x4322111111111111)
"""Bytes of a code point, by the upper half of its first byte; 4 bits each."""
_BITS: Final = np.uint64(0x15100B0700)
"""Bits of a code point, by its bytes; 8 bits each."""
_BYTE: Final = np.uint64(0xFF)
_NOT_ASCII: Final = np.uint64(0x80)
_LAST_CODE: Final = np.uint64(0x10FFFF)
_SIX: Final = np.uint64(0x3F)


@part
def ascii_starts(data: Bytes, start: int, stop: int, rules: Rules) -> np.uint64:
    """Bit i: a pretoken begins at byte `start + i`, i > 0, and the one before it ends; 0 if the block decides nothing.

    A pretoken begins at `start`; the document ends at `stop`. No bit is set that what follows the block could move, so
    the last pretoken of the block is left for the next call, which begins with it.
    """
    if start + BLOCK > len(data):
        return _NONE
    known = min(lowest(bytes_in(data, start, 0x80, 0x80)), stop - start)
    if known < LEAST:
        return _NONE
    letters = letters_in(data, start)
    newlines = bytes_in(data, start, 0x0A, 1) | bytes_in(data, start, 0x0D, 1)
    white = bytes_in(data, start, BLANK, 1) | bytes_in(data, start, 0x09, 5)
    return _starts(data, start, stop, known, letters, bytes_in(data, start, 0x30, 10), white, newlines, rules)


@part
def character_starts(
    data: Bytes, start: int, stop: int, table: Bytes, rules: Rules, scratch: Bytes, places: I64, first: int
) -> np.uint64:
    """As `ascii_starts`, of any text: bit i is for the character at byte `places[first + i]`, which is written.

    `scratch`: 2 * BLOCK bytes, for the first byte (0x80 if it is not ASCII) and the kind of each character.
    """
    if rules.ideographs:
        return _NONE
    known, position = 0, start
    stop = min(stop, len(data) - BLOCK - 8)
    while known < BLOCK and position < stop:
        heads = ~bytes_in(data, position, 0x80, 0x40) & _first(stop - position)
        while heads and known < BLOCK:
            place = position + lowest(heads)
            heads &= heads - _ONE
            eight = load_8(data, place)
            code = _code(eight)
            # Rules ask for ASCII only: one byte stands for all others, so that no two can be taken for a code point.
            scratch[known], scratch[BLOCK + known] = min(eight & _BYTE, _NOT_ASCII), table[np.int64(code)]
            places[first + known] = place
            # The only letter of a contraction whose first byte does not tell which it is: the block ends before it.
            if code == LONG_S:
                stop = place
                break
            known += 1
        position += BLOCK
    if known < 2:
        return _NONE
    letters = bytes_in(scratch, BLOCK, KIND_LETTER, 1) | bytes_in(scratch, BLOCK, KIND_MARK, 1)
    newlines = bytes_in(scratch, BLOCK, KIND_NEWLINE, 1)
    white = newlines | bytes_in(scratch, BLOCK, KIND_SPACE, 1)
    starts = _starts(
        scratch, 0, known, known, letters, bytes_in(scratch, BLOCK, KIND_NUMBER, 1), white, newlines, rules
    )
    # A contraction of two letters may have its second one behind the block.
    return starts & _first(known - 1)


@part
def _code(eight: np.uint64) -> np.uint64:
    """The code point that begins these bytes: without a branch, because scripts mix at every space."""
    lead = eight & _BYTE
    width = (_WIDTHS >> ((lead >> np.uint64(4)) << np.uint64(2))) & np.uint64(15)
    code = (lead << np.uint64(18)) | ((eight >> np.uint64(8)) & _SIX) << np.uint64(12)
    code |= ((eight >> np.uint64(16)) & _SIX) << np.uint64(6) | ((eight >> np.uint64(24)) & _SIX)
    bits = (_BITS >> (width << np.uint64(3))) & np.uint64(31)
    code = (code >> (np.uint64(24) - np.uint64(6) * width)) & ((_ONE << bits) - _ONE)
    return min(code, _LAST_CODE)  # bytes that are no UTF-8 must not lead out of the table


@part
def _first(count: int) -> np.uint64:
    """The lowest bits, 1 to 64 of them."""
    return np.uint64(_ALL >> np.uint64(BLOCK - min(count, BLOCK)))


@part
def _starts(
    lead: Bytes,
    start: int,
    stop: int,
    known: int,
    letters: np.uint64,
    numbers: np.uint64,
    white: np.uint64,
    newlines: np.uint64,
    rules: Rules,
) -> np.uint64:
    """Where pretokens begin, from masks of which `known` bits hold.

    `lead[start:]` has the first byte of each character, up to `stop`.
    """
    inside = _first(known)
    letters &= inside
    blanks = bytes_in(lead, start, BLANK, 1)
    symbols = ~(letters | numbers | white)
    commands, after_commands = _NONE, _NONE
    if rules.latex:
        ascii_letters = letters_in(lead, start) & inside
        commands = bytes_in(lead, start, BACKSLASH, 1) & (ascii_letters >> _ONE)
        symbols &= ~commands
        # Of a command's letters: other letters that follow are none of its own.
        after_commands = (ascii_letters + (commands << _ONE)) & ~ascii_letters & letters & (ascii_letters << _ONE)
    # A blank always belongs to the symbol after it, and a symbol to those before it where runs are a rule.
    alone = symbols & ~(blanks << _ONE)
    if rules.symbol_runs:
        alone &= ~(symbols << _ONE)
    # Letters after these begin no pretoken: they belong to the one that what is before them begins.
    taken = commands << _ONE
    if rules.before_letters == ANY:
        taken |= ((white & ~newlines) | alone) << _ONE
    elif rules.before_letters == ONE_SPACE:
        taken |= blanks << _ONE
    starts = alone | commands | after_commands | (letters & ~(letters << _ONE) & ~taken)
    starts |= _number_starts(numbers, blanks, rules)
    if rules.contractions:
        starts = _contract(lead, start, stop, starts, alone & (letters >> _ONE), rules.contractions)
    starts |= _white_starts(white, newlines, symbols, rules)
    # White space that reaches the end of the block may go on behind it: nothing is sure but where it begins.
    sure = highest(inside & ~white) + 2
    return starts & inside & _first(sure) & ~_ONE


@part
def _number_starts(numbers: np.uint64, blanks: np.uint64, rules: Rules) -> np.uint64:
    """Where pretokens of digits begin: at each digit, at each run, or every `rules.digits` digits of a run."""
    starts = numbers
    if rules.digits != 1:
        starts = numbers & ~(numbers << _ONE)
    if rules.digits > 1:
        # Bit i of `whole`: the `digits` characters before it, and it, are numbers, so a full pretoken may end before it.
        whole = numbers
        for i in range(rules.digits):
            whole &= numbers << np.uint64(i + 1)
        more = starts
        while more:
            more = (more << np.uint64(rules.digits)) & whole
            starts |= more
    return np.uint64(starts & ~(blanks << _ONE)) if rules.space_before_digits else starts


@part
def _contract(lead: Bytes, start: int, stop: int, starts: np.uint64, before_letters: np.uint64, how: int) -> np.uint64:
    """Corrects `starts` for contractions; `before_letters`: single symbols that letters follow."""
    apostrophes = bytes_in(lead, start, APOSTROPHE, 1) & before_letters
    while apostrophes:
        place = lowest(apostrophes)
        apostrophes &= apostrophes - _ONE
        end = contraction_end(lead, start + place + 1, stop, how) - start
        if end > 0:
            starts &= ~(_ONE << np.uint64(place + 1))
            if end < BLOCK:
                starts |= _ONE << np.uint64(end)
    return starts


@part
def _white_starts(white: np.uint64, newlines: np.uint64, symbols: np.uint64, rules: Rules) -> np.uint64:
    """Begin of a run; after its last newline, if that is a rule; its last character, which goes with what follows."""
    if rules.newlines_after_symbols:
        taken = newlines & ~(newlines + (newlines & (symbols << _ONE)))
        white &= ~taken
        newlines &= ~taken
    starts = white & ~(white << _ONE)
    last = white & ~(white >> _ONE)
    if not rules.newline_runs:
        return np.uint64(starts | last)
    spaces = white & ~newlines
    after = spaces & (newlines << _ONE)
    # Spaces between two newlines of a run: the carry stops at the newline behind them.
    between = (spaces + after) & newlines
    while between:
        place = lowest(between)
        between &= between - _ONE
        after &= ~(_ONE << np.uint64(highest(after & ((_ONE << np.uint64(place)) - _ONE))))
    return np.uint64(starts | after | (last & spaces))
