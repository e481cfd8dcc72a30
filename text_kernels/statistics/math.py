"""Counts for rules about mathematical text: formulas, TeX commands, symbols, keywords, all in one walk over the bytes.

Formulas are those of TeX (`$…$`, `$$…$$`, `\\(…\\)`, `\\[…\\]`, and environments such as `equation`) and of
reStructuredText (the role and the directive `math`). A dollar begins and ends a formula by pandoc's rule, which spares
prices: no white space inside of either, no digit after the last. The trade: no TeX parser, so a formula within a `verbatim`
environment is one, too. It runs at 127 MB/s on one core, on text of all kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from eyas.text_kernels.hashing import SEED, mix
from eyas.text_kernels.jit import helper, kernel
from eyas.text_kernels.types import I64, U64, Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import buffers, decode

# Traits of a code point.
MATH_LETTER: Final = 1
MATH_SPACE: Final = 2
MATH_SYMBOL: Final = 4
MATH_JUNK: Final = 8
MATH_MARK: Final = 16
"""An ASCII character that `_mark` reads."""

# What a name may be.
NAME_COMMAND: Final = 1
NAME_DEFINITION: Final = 2
NAME_ENVIRONMENT: Final = 3
NAME_KEYWORD: Final = 4

# Where the walk is.
(
    MODE_PROSE, MODE_DOLLAR, MODE_DOLLARS, MODE_PAREN, MODE_BRACKET, MODE_ENVIRONMENT, MODE_ROLE, MODE_DIRECTIVE,
) = range(8)  # fmt: skip

# Columns of the kernel's result, in the order of `MathStatistics`.
MATH_COLUMNS: Final = 11
(
    MATH_COLUMN_CHARACTERS, MATH_COLUMN_JUNK_CHARACTERS, MATH_COLUMN_WORDS, MATH_COLUMN_COMMANDS,
    MATH_COLUMN_MATH_COMMANDS, MATH_COLUMN_DEFINITIONS, MATH_COLUMN_FORMULAS, MATH_COLUMN_FORMULA_CHARACTERS,
    MATH_COLUMN_BROKEN, MATH_COLUMN_SYMBOLS, MATH_COLUMN_KEYWORDS,
) = range(MATH_COLUMNS)  # fmt: skip

# What the walk remembers, besides its place.
WALK_FIELDS: Final = 8
(
    WALK_MODE, WALK_START, WALK_BRACES, WALK_DEPTH, WALK_FILLED, WALK_TEX, WALK_HELD_WORDS, WALK_HELD_KEYWORDS,
) = range(WALK_FIELDS)  # fmt: skip

ENVIRONMENTS: Final = (
    *("math", "displaymath", "equation", "align", "alignat", "flalign", "gather", "multline", "eqnarray"),
    *("array", "cases", "matrix", "pmatrix", "bmatrix", "vmatrix", "split", "aligned", "gathered"),
)
"""Environments whose content is a formula, with a star or without."""
SYMBOL_RANGES: Final = (
    *((0x2200, 0x22FF), (0x27C0, 0x27EF), (0x2980, 0x29FF), (0x2A00, 0x2AFF), (0x1D400, 0x1D7FF)),
    *((0xB1, 0xB1), (0xD7, 0xD7), (0xF7, 0xF7), (0x2102, 0x2102), (0x2115, 0x2115), (0x2119, 0x211A)),
    *((0x211D, 0x211D), (0x2124, 0x2124), (0x21A6, 0x21A6), (0x21D0, 0x21D4)),
)
"""Operators, mathematical letters and arrows of Unicode."""

_BEGIN: Final = np.frombuffer(b"\\begin", np.uint8)
_END: Final = np.frombuffer(b"\\end", np.uint8)
_ROLE: Final = np.frombuffer(b":math:", np.uint8)
_DIRECTIVE: Final = np.frombuffer(b".. math::", np.uint8)


@dataclass(frozen=True)
class MathStatistics:
    """Counts per document; each array is int64[documents]. Characters are code points."""

    characters: I64
    junk: I64
    """U+FFFD, control characters that are no white space, private and unassigned code points."""
    words: I64
    """Runs of two letters and more outside formulas and commands."""
    commands: I64
    """`\\` and ASCII letters, anywhere."""
    math_commands: I64
    """Those among the argument `commands`."""
    definitions: I64
    """Those among the argument `definitions`."""
    formulas: I64
    """Formulas that are closed."""
    formula_characters: I64
    """Characters of them, delimiters counted."""
    broken: I64
    """Closed formulas whose braces do not match, and formulas that are not closed: before a blank line, or before the
    end for `\\[` and environments. A dollar without any TeX up to there is a price, and not counted."""
    symbols: I64
    """Mathematical symbols of Unicode, anywhere."""
    keywords: I64
    """Words among the argument `keywords`, whatever the case of ASCII letters."""


def math_statistics(
    text: pa.LargeStringArray | pa.ChunkedArray,
    commands: tuple[str, ...],
    definitions: tuple[str, ...],
    keywords: tuple[str, ...],
) -> MathStatistics:
    """The counts of each document; commands and definitions are named without their backslash, keywords in lower case.

    Raises ValueError for text that is not large_string or has nulls.
    """
    data, offsets = buffers(text)
    counts = np.zeros((len(offsets) - 1, MATH_COLUMNS), np.int64)
    keys, kinds = _names(commands, definitions, keywords)
    _count(data, offsets, _traits(), keys, kinds, counts)
    return MathStatistics(*(np.ascontiguousarray(counts[:, column]) for column in range(MATH_COLUMNS)))


@lru_cache(maxsize=1)
def _traits() -> Bytes:
    """uint8[0x110000], read-only: the traits of each code point."""
    classes, flags = unicode_classes.classes(), unicode_classes.flags()
    table = np.zeros(unicode_classes.CODE_POINTS, np.uint8)
    table[(classes == unicode_classes.CLASS_OTHER) & (flags & unicode_classes.FLAG_FORMAT == 0)] |= np.uint8(MATH_JUNK)
    table[0xFFFD] |= np.uint8(MATH_JUNK)
    table[classes == unicode_classes.CLASS_LETTER] |= np.uint8(MATH_LETTER)
    table[classes == unicode_classes.CLASS_SPACE] = np.uint8(MATH_SPACE)
    table[[ord(character) for character in "{}^_`."]] |= np.uint8(MATH_MARK)
    for first, last in SYMBOL_RANGES:
        table[first : last + 1] |= np.uint8(MATH_SYMBOL)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=16)
def _names(commands: tuple[str, ...], definitions: tuple[str, ...], keywords: tuple[str, ...]) -> tuple[U64, Bytes]:
    """An open-addressing table of the names' hashes (0: empty), mostly empty; what each name is."""
    # The first character keeps the groups apart: a backslash, a brace, a space.
    names = dict.fromkeys((f"\\{name}" for name in commands), NAME_COMMAND)
    names |= dict.fromkeys((f"\\{name}" for name in definitions), NAME_DEFINITION)
    names |= dict.fromkeys((f"{{{name}" for name in ENVIRONMENTS), NAME_ENVIRONMENT)
    names |= dict.fromkeys((f" {name}" for name in keywords), NAME_KEYWORD)
    keys = np.zeros(1 << (4 * len(names)).bit_length(), np.uint64)
    kinds = np.zeros(len(keys), np.uint8)
    for name, kind in names.items():
        _insert(keys, kinds, np.array([ord(character) for character in name], np.int64), kind)
    keys.setflags(write=False)
    kinds.setflags(write=False)
    return keys, kinds


@kernel
def _insert(keys: U64, kinds: Bytes, codes: I64, kind: int) -> None:
    value = SEED
    for i in range(len(codes)):
        value = mix(value, np.uint64(codes[i]))
    slot = np.int64(value & np.uint64(len(keys) - 1))
    while keys[slot] != 0 and keys[slot] != value:
        slot = (slot + 1) & (len(keys) - 1)
    keys[slot], kinds[slot] = value, kind


@helper
def _kind(value: np.uint64, keys: U64, kinds: Bytes) -> int:
    slot = np.int64(value & np.uint64(len(keys) - 1))
    while keys[slot] != 0 and keys[slot] != value:
        slot = (slot + 1) & (len(keys) - 1)
    return int(kinds[slot])


@helper
def _starts(data: Bytes, position: int, stop: int, mark: Bytes) -> bool:
    if position + len(mark) > stop:
        return False
    same = True
    for i in range(len(mark)):
        same = same and data[position + i] == mark[i]
    return same


@helper
def _begin(walk: I64, mode: int, index: int) -> None:
    """Enters a formula at character `index`."""
    walk[WALK_MODE], walk[WALK_START], walk[WALK_DEPTH] = mode, index, 1
    walk[WALK_BRACES], walk[WALK_FILLED], walk[WALK_TEX] = 0, 0, 0
    walk[WALK_HELD_WORDS], walk[WALK_HELD_KEYWORDS] = 0, 0


@helper
def _close(walk: I64, index: int, counts: I64) -> None:
    """Leaves a formula that ends before character `index`."""
    counts[MATH_COLUMN_FORMULAS] += 1
    counts[MATH_COLUMN_FORMULA_CHARACTERS] += index - walk[WALK_START]
    counts[MATH_COLUMN_BROKEN] += walk[WALK_BRACES] != 0
    walk[WALK_MODE] = MODE_PROSE


@kernel
def _give_up(walk: I64, counts: I64) -> None:
    """Leaves what was no formula, or a broken one: its words are prose."""
    counts[MATH_COLUMN_BROKEN] += walk[WALK_MODE] != MODE_DOLLAR or walk[WALK_TEX] != 0
    counts[MATH_COLUMN_WORDS] += walk[WALK_HELD_WORDS]
    counts[MATH_COLUMN_KEYWORDS] += walk[WALK_HELD_KEYWORDS]
    walk[WALK_MODE] = MODE_PROSE


@kernel
def _backslash(
    data: Bytes, position: int, stop: int, index: int, keys: U64, kinds: Bytes, walk: I64, counts: I64
) -> int:
    """Reads a command, a delimiter or an escape; gives the position behind it. It is ASCII, so bytes are characters."""
    walk[WALK_TEX] = 1
    end = position + 1
    value = mix(SEED, np.uint64(0x5C))
    while end < stop and 97 <= (data[end] | 0x20) <= 122:
        value = mix(value, np.uint64(data[end]))
        end += 1
    if end > position + 1:
        counts[MATH_COLUMN_COMMANDS] += 1
        kind = _kind(value, keys, kinds)
        counts[MATH_COLUMN_MATH_COMMANDS] += kind == NAME_COMMAND
        counts[MATH_COLUMN_DEFINITIONS] += kind == NAME_DEFINITION
        step = 0
        if end < stop and data[end] == 0x7B:
            if end - position == 6 and _starts(data, position, stop, _BEGIN):
                step = 1
            elif end - position == 4 and _starts(data, position, stop, _END):
                step = -1
        return end if step == 0 else _environment(data, end, stop, step, index - position, keys, kinds, walk, counts)
    following = int(data[end]) if end < stop else 0x80
    if following == 0x28 and walk[WALK_MODE] == MODE_PROSE:
        _begin(walk, MODE_PAREN, index)
    elif following == 0x5B and walk[WALK_MODE] == MODE_PROSE:
        _begin(walk, MODE_BRACKET, index)
    elif (following == 0x29 and walk[WALK_MODE] == MODE_PAREN) or (
        following == 0x5D and walk[WALK_MODE] == MODE_BRACKET
    ):
        _close(walk, index + 2, counts)
    elif following >= 0x80 or following in (0x20, 0x09, 0x0A, 0x0D):
        return end
    return end + 1


@kernel
def _environment(
    data: Bytes, position: int, stop: int, step: int, shift: int, keys: U64, kinds: Bytes, walk: I64, counts: I64
) -> int:
    """Reads `{name}` after `\\begin` (step 1) or `\\end` (-1); the position behind it, or as it was if there is none."""
    end = position + 1
    value = mix(SEED, np.uint64(0x7B))
    while end < stop and 97 <= (data[end] | 0x20) <= 122:
        value = mix(value, np.uint64(data[end]))
        end += 1
    end += end < stop and data[end] == 0x2A
    if end >= stop or data[end] != 0x7D:
        return position
    end += 1
    if walk[WALK_MODE] == MODE_ENVIRONMENT:
        walk[WALK_DEPTH] += step
        if walk[WALK_DEPTH] == 0:
            _close(walk, end + shift, counts)
    elif walk[WALK_MODE] == MODE_PROSE and step == 1 and _kind(value, keys, kinds) == NAME_ENVIRONMENT:
        _begin(walk, MODE_ENVIRONMENT, position - 6 + shift)
    return end


@kernel
def _dollar(data: Bytes, position: int, stop: int, after_space: bool, index: int, walk: I64, counts: I64) -> int:
    """Reads a dollar, or two; the position behind."""
    following = int(data[position + 1]) if position + 1 < stop else 0x20
    two = following == 0x24
    before_space = following in (0x20, 0x09, 0x0A, 0x0D)
    if two and walk[WALK_MODE] in (MODE_PROSE, MODE_DOLLARS):
        if walk[WALK_MODE] == MODE_PROSE:
            _begin(walk, MODE_DOLLARS, index)
        else:
            _close(walk, index + 2, counts)
        return position + 2
    if walk[WALK_MODE] == MODE_DOLLAR and not after_space and not 48 <= following <= 57:
        _close(walk, index + 1, counts)
    elif walk[WALK_MODE] in (MODE_PROSE, MODE_DOLLAR) and not before_space:
        if walk[WALK_MODE] == MODE_DOLLAR:
            _give_up(walk, counts)
        _begin(walk, MODE_DOLLAR, index)
    return position + 1


@kernel
def _mark(
    data: Bytes, position: int, start: int, stop: int, line_blank: bool, index: int, walk: I64, counts: I64
) -> int:
    """Reads an ASCII character that may mean something; the position behind what it began."""
    code = int(data[position])
    if code == 0x7B:
        walk[WALK_BRACES] += 1
    elif code == 0x7D:
        walk[WALK_BRACES] -= 1
    elif code in (0x5E, 0x5F):
        walk[WALK_TEX] = 1
    elif code == 0x60 and walk[WALK_MODE] == MODE_ROLE:
        _close(walk, index + 1, counts)
    elif (
        code == 0x60
        and walk[WALK_MODE] == MODE_PROSE
        and position - start >= 6
        and _starts(data, position - 6, stop, _ROLE)
    ):
        _begin(walk, MODE_ROLE, index)
    elif code == 0x2E and walk[WALK_MODE] == MODE_PROSE and line_blank and _starts(data, position, stop, _DIRECTIVE):
        _begin(walk, MODE_DIRECTIVE, index)
        return position + len(_DIRECTIVE)
    return position + 1


@kernel
def _blank_line(walk: I64, index: int, counts: I64) -> None:
    """What a blank line does to a formula; it ends at character `index`."""
    if walk[WALK_MODE] in (MODE_DOLLAR, MODE_DOLLARS, MODE_PAREN, MODE_ROLE):
        _give_up(walk, counts)
    elif walk[WALK_MODE] == MODE_DIRECTIVE and walk[WALK_FILLED]:
        _close(walk, index, counts)


@kernel
def _walk(data: Bytes, start: int, stop: int, table: Bytes, keys: U64, kinds: Bytes, walk: I64, counts: I64) -> None:
    """One document."""
    for field in range(WALK_FIELDS):
        walk[field] = 0
    position, index, line_blank, after_space = start, 0, True, True
    length, value = 0, SEED
    while position < stop:
        code, width = int(data[position]), 1
        if code >= 0x80:
            code, width = decode(data, position)
        trait = int(table[code])
        if trait & MATH_SYMBOL:
            counts[MATH_COLUMN_SYMBOLS] += 1
        # Phase 1: a letter goes on a word, and its hash.
        if trait & MATH_LETTER:
            if length == 0:
                value = mix(SEED, np.uint64(0x20))
            value = mix(value, np.uint64(code + 32 if 65 <= code <= 90 else code))
            length, position, index, line_blank, after_space = length + 1, position + width, index + 1, False, False
            continue
        # Phase 2: anything else ends the word. White space may end a formula: a blank line does.
        if length > 0:
            _end_word(length, value, keys, kinds, walk, counts)
            length = 0
        if trait & MATH_SPACE:
            if code == 0x0A:
                if line_blank:
                    _blank_line(walk, index, counts)
                line_blank = True
            position, index, after_space = position + width, index + 1, True
            continue
        # Phase 3: what may begin or end a formula.
        if walk[WALK_MODE] == MODE_DIRECTIVE:
            walk[WALK_FILLED] = 1
        if trait & MATH_JUNK:
            counts[MATH_COLUMN_JUNK_CHARACTERS] += 1
        end = position + width
        if code == 0x5C:
            end = _backslash(data, position, stop, index, keys, kinds, walk, counts)
        elif code == 0x24:
            end = _dollar(data, position, stop, after_space, index, walk, counts)
        elif trait & MATH_MARK:
            end = _mark(data, position, start, stop, line_blank, index, walk, counts)
        index += end - position if width == 1 else 1
        position, line_blank, after_space = end, False, False
    if length > 0:
        _end_word(length, value, keys, kinds, walk, counts)
    if walk[WALK_MODE] == MODE_DIRECTIVE and walk[WALK_FILLED]:
        _close(walk, index, counts)
    elif walk[WALK_MODE] != MODE_PROSE:
        _give_up(walk, counts)
    counts[MATH_COLUMN_CHARACTERS] = index


@kernel
def _end_word(length: int, value: np.uint64, keys: U64, kinds: Bytes, walk: I64, counts: I64) -> None:
    """Counts a word, or holds it until its formula turns out to be one."""
    if walk[WALK_MODE] == MODE_DIRECTIVE:
        walk[WALK_FILLED] = 1
    word = length > 1
    keyword = word and _kind(value, keys, kinds) == NAME_KEYWORD
    if walk[WALK_MODE] == MODE_PROSE:
        counts[MATH_COLUMN_WORDS] += word
        counts[MATH_COLUMN_KEYWORDS] += keyword
    else:
        walk[WALK_HELD_WORDS] += word
        walk[WALK_HELD_KEYWORDS] += keyword


@kernel
def _count(data: Bytes, offsets: I64, table: Bytes, keys: U64, kinds: Bytes, out: I64) -> None:
    walk = np.zeros(WALK_FIELDS, np.int64)
    for document in range(len(offsets) - 1):
        _walk(data, offsets[document], offsets[document + 1], table, keys, kinds, walk, out[document])
