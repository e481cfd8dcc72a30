"""The rules of the family of pretoken patterns, the kind of every code point under them, and contractions."""

# Tested in tests/text_kernels/pretokens/test_blocks.py.

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from eyas.text_kernels.jit import helper, part
from eyas.text_kernels.types import Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import decode

KIND_SYMBOL: Final = 0
"""Everything else: punctuation, symbols, controls, unassigned code points, and marks where letters do not take them."""
KIND_LETTER: Final = 1
KIND_NUMBER: Final = 2
KIND_SPACE: Final = 3
KIND_NEWLINE: Final = 4
KIND_MARK: Final = 5
"""A mark that belongs to the letters or ideographs before it."""
KIND_IDEOGRAPH: Final = 6
"""Han and kana, where they are kept apart from other letters."""
KINDS_OF_WORDS: Final = 1 << KIND_LETTER | 1 << KIND_MARK | 1 << KIND_IDEOGRAPH
"""A bit set: what begins a pretoken of letters."""

NOTHING: Final = 0
ONE_SPACE: Final = 1
ANY: Final = 2

APOSTROPHE: Final = 0x27
BACKSLASH: Final = 0x5C
BLANK: Final = 0x20
LONG_S: Final = 0x17F
"""`(?i:s)` matches it too, because it folds to s."""


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
def kinds(marks: int, ideographs: int) -> Bytes:
    """uint8[0x110000], read-only: the kind of every code point under `Rules.marks` and `Rules.ideographs`."""
    by_class = np.zeros(256, np.uint8)
    by_class[unicode_classes.CLASS_LETTER] = KIND_LETTER
    by_class[unicode_classes.CLASS_NUMBER] = KIND_NUMBER
    by_class[unicode_classes.CLASS_SPACE] = KIND_SPACE
    by_class[unicode_classes.CLASS_MARK] = KIND_MARK if marks else KIND_SYMBOL
    table = by_class[unicode_classes.classes()]
    table[[0x0A, 0x0D]] = KIND_NEWLINE
    if ideographs:
        table[(table == KIND_LETTER) & ((unicode_classes.flags() & unicode_classes.FLAG_IDEOGRAPH) > 0)] = (
            KIND_IDEOGRAPH
        )
    table.setflags(write=False)
    return table


@helper
def code_at(data: Bytes, position: int) -> tuple[int, int]:
    """The code point that starts at `position`, and its bytes."""
    first = int(data[position])
    if first < 0x80:
        return first, 1
    return decode(data, position)


@part
def contraction_end(data: Bytes, position: int, stop: int, how: int) -> int:
    """The end of the contraction whose apostrophe is before `position`; 0 if it is none."""
    if position >= stop:
        return 0
    fold = 0x20 if how == 2 else 0
    first = int(data[position]) | fold
    if first == 0x73 or first == 0x74 or first == 0x6D or first == 0x64:  # s t m d
        return position + 1
    if how == 2 and first == 0xE5 and position + 1 < stop and code_at(data, position)[0] == LONG_S:
        return position + 2
    if position + 1 < stop:
        second = int(data[position + 1]) | fold
        if second == 0x65 and (first == 0x72 or first == 0x76):  # re ve
            return position + 2
        if second == 0x6C and first == 0x6C:  # ll
            return position + 2
    return 0
