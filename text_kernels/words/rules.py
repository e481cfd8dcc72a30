"""The rule that says which code points make a word, as one small automaton that all kernels over words share.

After UAX #29 (rule numbers in brackets), without its dictionaries:

* A run of letters, numbers and connectors (`_`, U+203F …) is one word (WB5, 8–10, 13a/b): `naïve`, `x86_64`, `____`.
* An apostrophe or a middle dot between two letters belongs to the word (WB6/7): `don't`, `col·lecció`. So does
  `.`, `,` or an apostrophe between two numbers (WB11/12): `3.14`, `1,000`. UAX #29 also joins letters over `.` and `:`;
  we do not, because `os.path.join`, URLs and sentences without a space would become one word.
* Marks and invisible format characters (zero-width joiners, soft hyphens) belong to the word they directly follow,
  whatever it is (WB4): `e` + U+0301, `1️⃣`. A mark that follows no word begins one; a format character does not.
* Each Han character and each kana is a word (UAX #29 joins katakana; shingles want one rule for Japanese).
* Each punctuation mark and symbol is a word.
* Thai, Lao, Khmer and Myanmar, which need a dictionary, get no special rule: a run between spaces is one word.
* White space, controls, private-use and unassigned code points belong to no word.

An example of 12 bytes (`·` is a space, `é` has two bytes). `becomes`: what a joiner turns out to be, here a MARK, which
belongs to the word, or a SYMBOL, which is one:

    text      i   t   '   s   ·   3   .   1   ,   ·   é
    action    L   L   JE  L   -   N   JN  N   JN  -   L
    becomes   L   L   M   L   -   N   M   N   S   -   L
    state     AL  AL  AL  AL  O   AN  AN  AN  IS  O   AL
    starts    *   .   .   .   .   *   .   .   *   .   *

Actions: L LETTER, N NUMBER, M MARK, S SYMBOL, - SEPARATE, JE JOIN_EITHER, JN JOIN_NUMBERS.
States: O OUTSIDE, AL AFTER_LETTER, AN AFTER_NUMBER, IS IN_SINGLE. The words are `it's`, `3.1`, `,` and `é`.

A step is two table look-ups per code point: the walk that only counts words runs at 390 MB/s on one core.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import helper
from eyas.text_kernels.types import Bytes
from eyas.text_kernels.unicode import classes as unicode_classes
from eyas.text_kernels.utf8 import decode

# Actions: what a code point does to the word before it. They take four bits; callers may use the upper bits of an entry.
ACTION_SEPARATE: Final = 0
ACTION_LETTER: Final = 1
ACTION_NUMBER: Final = 2
ACTION_IDEOGRAPH: Final = 3
ACTION_CONNECT: Final = 4
ACTION_MARK: Final = 5
ACTION_FORMAT: Final = 6
ACTION_SYMBOL: Final = 7
ACTION_JOIN_LETTERS: Final = 8
ACTION_JOIN_NUMBERS: Final = 9
ACTION_JOIN_EITHER: Final = 10
ACTION: Final = 15
ANY_ACTION: Final = (1 << 16) - 1
CONTENT: Final = 1 << ACTION_LETTER | 1 << ACTION_NUMBER | 1 << ACTION_IDEOGRAPH
"""Bit sets of actions. A word with none of CONTENT is punctuation: a symbol, `____`, a mark alone."""

# States: in no word; in a run whose last base is a letter, a number or neither; in a word of one character.
OUTSIDE: Final = 0
IN_RUN: Final = 1
AFTER_LETTER: Final = 2
AFTER_NUMBER: Final = 3
IN_SINGLE: Final = 4
STATE: Final = 7
START_BIT: Final = 3
START: Final = 1 << START_BIT
"""Set in a step's result when a new word starts at this code point."""

LETTER_JOINERS: Final = "\u00b7\u0387\u05f4\u2027"
NUMBER_JOINERS: Final = ".,\u066b\u066c\uff0c\uff0e"
APOSTROPHES: Final = "'\u2019\uff07"


def _transitions() -> Bytes:
    """uint8[5 * 16]: the next state, with START, for `state * 16 + action`."""
    table = np.zeros((5, 16), np.uint8)
    runs = (IN_RUN, AFTER_LETTER, AFTER_NUMBER)
    for state in (OUTSIDE, IN_SINGLE, *runs):
        start = 0 if state in runs else START
        table[state, ACTION_LETTER] = AFTER_LETTER | start
        table[state, ACTION_NUMBER] = AFTER_NUMBER | start
        table[state, ACTION_CONNECT] = IN_RUN | start
        table[state, ACTION_MARK] = state if state else IN_RUN | START
        table[state, ACTION_FORMAT] = state
        table[state, [ACTION_IDEOGRAPH, ACTION_SYMBOL]] = IN_SINGLE | START
    return table.reshape(-1)


_WORD_TRANSITIONS: Final = _transitions()


@lru_cache(maxsize=1)
def actions() -> Bytes:
    """uint8[0x110000], read-only: the action of each code point."""
    classes, flags = unicode_classes.classes(), unicode_classes.flags()
    by_class = np.zeros(256, np.uint8)
    by_class[unicode_classes.CLASS_LETTER] = ACTION_LETTER
    by_class[unicode_classes.CLASS_NUMBER] = ACTION_NUMBER
    by_class[unicode_classes.CLASS_MARK] = ACTION_MARK
    by_class[[unicode_classes.CLASS_PUNCTUATION, unicode_classes.CLASS_SYMBOL]] = ACTION_SYMBOL
    table = by_class[classes]
    table[(flags & unicode_classes.FLAG_CONNECTOR) > 0] = ACTION_CONNECT
    table[(flags & unicode_classes.FLAG_FORMAT) > 0] = ACTION_FORMAT
    ideographs = ((flags & unicode_classes.FLAG_IDEOGRAPH) > 0) & ((table == ACTION_LETTER) | (table == ACTION_NUMBER))
    table[ideographs] = ACTION_IDEOGRAPH
    for characters, action in (
        (LETTER_JOINERS, ACTION_JOIN_LETTERS),
        (NUMBER_JOINERS, ACTION_JOIN_NUMBERS),
        (APOSTROPHES, ACTION_JOIN_EITHER),
    ):
        table[[ord(character) for character in characters]] = action
    table.setflags(write=False)
    return table


@helper
def step(state: int, action: int, data: Bytes, after: int, stop: int, table: npt.NDArray[Any]) -> int:
    """The state after a code point with `action`, and START if a word starts at it.

    The word before it has ended if the result has START or is OUTSIDE. The next code point is at `after`, the document
    ends at `stop`: a joiner looks one code point ahead in `table` (that of `actions`).
    """
    return int(_WORD_TRANSITIONS[(state << 4) | _resolved(state, action, data, after, stop, table)])


# A function of its own with early returns: written into `step` as an assignment it ran at a quarter of the speed.
@helper
def _resolved(state: int, action: int, data: Bytes, after: int, stop: int, table: npt.NDArray[Any]) -> int:
    """A joiner's action in this place: it belongs to the word (as a mark does), or stands alone."""
    if action >= ACTION_JOIN_LETTERS:
        return ACTION_MARK if _joins(state, action, data, after, stop, table) else ACTION_SYMBOL
    return action


@helper
def _joins(state: int, action: int, data: Bytes, after: int, stop: int, table: npt.NDArray[Any]) -> bool:
    if after >= stop:
        return False
    if state == AFTER_LETTER and action != ACTION_JOIN_NUMBERS:
        return int(table[decode(data, after)[0]]) & ACTION == ACTION_LETTER
    if state == AFTER_NUMBER and action != ACTION_JOIN_LETTERS:
        return int(table[decode(data, after)[0]]) & ACTION == ACTION_NUMBER
    return False
