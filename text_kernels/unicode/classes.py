"""Tables of all code points: the class of each, the flags that words need, the lower case.

The tables come from `table.json`, which `python -m eyas.text_kernels.unicode.make_table` writes from the answers of the
`tokenizers` engine, so that pretokens and words agree with it (`unicodedata` and `regex` differ by thousands of letters).
A test compares both again. The trade: arrays of one entry per code point, 1.1 MB a table, of which
text touches a few pages. Loading takes 8 ms, once per process.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.types import I32, Bytes

T = TypeVar("T", bound=np.generic)

CODE_POINTS: Final = 0x110000
TABLE: Final = Path(__file__).with_name("table.json")

CLASS_OTHER: Final = 0
CLASS_LETTER: Final = 1
CLASS_MARK: Final = 2
CLASS_NUMBER: Final = 3
CLASS_SPACE: Final = 4
CLASS_PUNCTUATION: Final = 5
CLASS_SYMBOL: Final = 6
CLASSES: Final = {
    "letter": CLASS_LETTER,
    "mark": CLASS_MARK,
    "number": CLASS_NUMBER,
    "space": CLASS_SPACE,
    "punctuation": CLASS_PUNCTUATION,
    "symbol": CLASS_SYMBOL,
}
"""Names in the file, and the uint8 for each. A code point in none of them (control, format, unassigned) is CLASS_OTHER."""

FLAG_IDEOGRAPH: Final = 1
FLAG_DIGIT: Final = 2
FLAG_CONNECTOR: Final = 4
FLAG_FORMAT: Final = 8
FLAGS: Final = {"ideograph": FLAG_IDEOGRAPH, "digit": FLAG_DIGIT, "connector": FLAG_CONNECTOR, "format": FLAG_FORMAT}
"""Han and kana; decimal digits (Nd); `_` and its like (Pc); invisible format characters (Cf, save U+200B, a space)."""


@lru_cache(maxsize=1)
def classes() -> Bytes:
    """uint8[0x110000], read-only: the class of each code point."""
    table = np.zeros(CODE_POINTS, np.uint8)
    ranges = _read()["classes"]
    for name, value in CLASSES.items():
        for first, last in _rows(ranges[name], 2):
            table[first : last + 1] = value
    return _frozen(table)


@lru_cache(maxsize=1)
def flags() -> Bytes:
    """uint8[0x110000], read-only: the bits of `FLAGS` for each code point."""
    table = np.zeros(CODE_POINTS, np.uint8)
    ranges = _read()["flags"]
    for name, bit in FLAGS.items():
        for first, last in _rows(ranges[name], 2):
            table[first : last + 1] |= np.uint8(bit)
    return _frozen(table)


@lru_cache(maxsize=1)
def lower_case() -> I32:
    """int32[0x110000], read-only: the one code point that each lowers to; itself where there is none, or several.

    U+0130 (Turkish capital I with a dot, which lowers to two) and final sigma's context are left alone.
    """
    table = np.arange(CODE_POINTS, dtype=np.int32)
    for first, last, step, delta in _rows(_read()["lower_case"], 4):
        table[first : last + 1 : step] += np.int32(delta)
    return _frozen(table)


def versions() -> dict[str, str]:
    """Where the tables come from: the `tokenizers` package's version, and the Unicode version of the lower case."""
    return dict(_read()["versions"])


@lru_cache(maxsize=1)
def _read() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return content


def _rows(flat: list[int], width: int) -> list[list[int]]:
    return [flat[i : i + width] for i in range(0, len(flat), width)]


def _frozen(table: npt.NDArray[T]) -> npt.NDArray[T]:
    table.setflags(write=False)
    return table
