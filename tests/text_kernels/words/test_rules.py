"""The rule for words: the examples that it promises, and the one that its module draws."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from drawings import drawing

from eyas.text_kernels.types import Bytes
from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words import rules
from eyas.text_kernels.words.words import words


def column(*texts: str) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def split(text: str) -> list[str]:
    array = column(text)
    start, end, _ = words(array)
    data = buffers(array)[0].tobytes()
    return [data[i:j].decode() for i, j in zip(start, end, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop: it’s 3.14, not 1,000!", ["Don't", "stop", ":", "it’s", "3.14", ",", "not", "1,000", "!"]),
        ("os.path 'quoted' x'2 rock'n'roll", ["os", ".", "path", "'", "quoted", "'", "x", "'", "2", "rock'n'roll"]),
        ("snake_case ____ __init__", ["snake_case", "____", "__init__"]),
        ("人工知能カタ한국어", ["人", "工", "知", "能", "カ", "タ", "한국어"]),
        ("cafe\u0301 ❤\ufe0f 1\ufe0f\u20e3 \u0301a", ["cafe\u0301", "❤\ufe0f", "1\ufe0f\u20e3", "\u0301a"]),
        ("می\u200cشود \u200cx co\xadop", ["می\u200cشود", "x", "co\xadop"]),
        ("สวัสดีชาวโลก ສະບາຍດີ", ["สวัสดีชาวโลก", "ສະບາຍດີ"]),
        ("col·lecció a\0b\u200bc", ["col·lecció", "a", "b", "c"]),
        ("1.2.3 4. .5 a.", ["1.2.3", "4", ".", ".", "5", "a", "."]),
        ("", []),
        (" \n\0\x7f\ue000", []),
    ],
)
def test_the_rule_by_example(text: str, expected: list[str]) -> None:
    assert split(text) == expected


ACTIONS = {
    rules.ACTION_LETTER: "L",
    rules.ACTION_NUMBER: "N",
    rules.ACTION_MARK: "M",
    rules.ACTION_SYMBOL: "S",
    rules.ACTION_SEPARATE: "-",
    rules.ACTION_JOIN_EITHER: "JE",
    rules.ACTION_JOIN_NUMBERS: "JN",
}
STATES = {rules.OUTSIDE: "O", rules.AFTER_LETTER: "AL", rules.AFTER_NUMBER: "AN", rules.IN_SINGLE: "IS"}


def test_the_example_of_the_module_is_true() -> None:
    rows = drawing(rules.__doc__, "text", "action", "becomes", "state", "starts")
    characters = [character.replace("·", " ") for character in rows["text"]]
    data: Bytes = np.frombuffer("".join(characters).encode(), np.uint8)
    assert len(data) == 12
    state = after = 0
    for place, character in enumerate(characters):
        action = int(rules.actions()[ord(character)])
        after += len(character.encode())
        rest = (data, after, len(data), rules.actions())
        became = rules._resolved(state, action, *rest)
        result = rules.step(state, action, *rest)
        state = result & rules.STATE
        drawn = [rows[name][place] for name in ("action", "becomes", "state", "starts")]
        assert drawn == [ACTIONS[action], ACTIONS[became], STATES[state], "*" if result & rules.START else "."]
    assert split("".join(characters)) == ["it's", "3.1", ",", "é"]
