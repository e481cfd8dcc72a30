"""Writes `table.json`, the class of every code point according to the `tokenizers` engine.

    python -m eyas.text_kernels.unicode.make_table

A Split on `\\p{L}+` and the like over one text of all 1,112,064 code points leaves the ranges that match. The lower
case comes from `str.lower`, whose Unicode version is noted: run it with the oldest Python that is supported, so that
the mappings hold on every later one. It takes about 8 s, and needs `tokenizers`, which the kernels themselves do not.
"""

# Tested in tests/text_kernels/unicode/test_classes.py.

from __future__ import annotations

import json
import unicodedata
from itertools import groupby
from typing import Any

import tokenizers
from tokenizers.pre_tokenizers import Split

from eyas.text_kernels.unicode.classes import CODE_POINTS, TABLE

SURROGATES = range(0xD800, 0xE000)
CLASS_PATTERNS = {
    "letter": r"\p{L}",
    "mark": r"\p{M}",
    "number": r"\p{N}",
    "space": r"\s",
    "punctuation": r"\p{P}",
    "symbol": r"\p{S}",
}
# U+30FC, U+FF70, U+3006 and U+303C are written among kana and Han but belong to no script of their own.
FLAG_PATTERNS = {
    "ideograph": r"[\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}\x{FF70}\x{3006}\x{303C}]",
    "digit": r"\p{Nd}",
    "connector": r"\p{Pc}",
    "format": r"[\p{Cf}&&[^\x{200B}]]",
}


def matching(pattern: str) -> list[int]:
    """The code points that the engine matches with a pattern for one character, as `[first, last, first, last, …]`."""
    codes = [code for code in range(CODE_POINTS) if code not in SURROGATES]
    split = Split(tokenizers.Regex(f"(?:{pattern})+"), "removed", invert=True)
    matched = [
        code for _, (start, stop) in split.pre_tokenize_str("".join(map(chr, codes))) for code in codes[start:stop]
    ]
    # A match may run over the surrogates' gap, hence ranges are made of the code points, not of the pieces.
    flat: list[int] = []
    for _, group in groupby(enumerate(matched), lambda pair: pair[1] - pair[0]):
        run = [code for _, code in group]
        flat += [run[0], run[-1]]
    return flat


def lower_case_ranges() -> list[int]:
    """Code points whose lower case is one other code point, as `[first, last, step, delta, …]`, step 1 or 2."""
    deltas = {}
    for code in range(CODE_POINTS):
        lower = chr(code).lower()
        if len(lower) == 1 and ord(lower) != code:
            deltas[code] = ord(lower) - code
    flat: list[int] = []
    while deltas:
        first = min(deltas)
        step = 1 if deltas.get(first + 1) == deltas[first] else 2
        last = first
        while deltas.get(last + step) == deltas[first]:
            last += step
        flat += [first, last, step, deltas[first]]
        for code in range(first, last + 1, step):
            del deltas[code]
    return flat


def table() -> dict[str, Any]:
    """The content of the file; raises ValueError if the engine puts a code point into two classes."""
    classes = {name: matching(pattern) for name, pattern in CLASS_PATTERNS.items()}
    seen: set[int] = set()
    for name, flat in classes.items():
        codes = {code for i in range(0, len(flat), 2) for code in range(flat[i], flat[i + 1] + 1)}
        if seen & codes:
            raise ValueError(
                f"U+{min(seen & codes):04X} is in the class {name} and in another: classes must be disjoint"
            )
        seen |= codes
    return {
        "versions": {"tokenizers": tokenizers.__version__, "lower_case": unicodedata.unidata_version},
        "classes": classes,
        "flags": {name: matching(pattern) for name, pattern in FLAG_PATTERNS.items()},
        "lower_case": lower_case_ranges(),
    }


def dumps(content: dict[str, Any]) -> str:
    """JSON with one list per line, so that a change shows in a diff."""
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in value.items())
            lines.append(f"{json.dumps(key)}: {{\n{inner}\n}}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    TABLE.write_text(dumps(table()), encoding="utf-8")
    print(f"wrote {TABLE}")
