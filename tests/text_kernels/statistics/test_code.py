"""The counts of code heuristics: kernel against twin, over hostile text and over code."""

from __future__ import annotations

import dataclasses

import code_twins as twin
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.statistics import code_syntax
from eyas.text_kernels.statistics.code import code_statistics

NAMES = sorted(code_syntax.SYNTAXES)
MARKS = sorted(
    {mark for openers in code_syntax.SYNTAXES.values() for o in openers for mark in (o.opens, o.closes) if mark}
)
PIECES = [
    *MARKS, "\\", "\\", "'", '"', "\n", "\n", "\r\n", "\r", "\x0c", "\u2028", " ", " ", "\t", "\u3000", "\x1c", ";", "x",
    "Your Code Here", "'a'", "'\\n'", "'\\u{1F}'", "'é'", "/[/]/", "= /", "(", ")", "[", "]", "assert", "ASSERT ",
    "TODO", "fixme",
    "\0", "é", "中", "\U0001d465", "٣", "_", "\u0301", "\ufffd", "https://a.b/c", "w" * 19, "w w . ", "0x1F",
    "0Xab", "0x", "12,",
    "ff ", "\\x1f", "\\u12aF", "0xff,", "0xff, ", "A" * 40, "==", "+/\n", "r", "u", "REM ", "rem", "SCRIPT", "=cut\n",
]  # fmt: skip
RUNS = st.tuples(
    st.sampled_from(["12,", "0x1f,", "\\x1f", "ff ", "ab\n", "\\u12aF", "Az+/", "a, ", "0x12 "]), st.integers(5, 20)
)
TEXTS = st.lists(
    st.sampled_from(PIECES) | st.text(max_size=3) | RUNS.map(lambda run: run[0] * run[1]), max_size=25
).map("".join)


def counted(texts: list[str], names: list[str]) -> list[dict[str, int]]:
    statistics = code_statistics(pa.array(texts, pa.large_string()), names)
    columns = {f.name: getattr(statistics, f.name).tolist() for f in dataclasses.fields(statistics)}
    return [{name: values[i] for name, values in columns.items()} for i in range(len(texts))]


@settings(max_examples=1200, deadline=None)
@given(st.data())
def test_counts_are_those_of_the_twin(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
    texts = [data.draw(TEXTS) for _ in names]
    for text, name, counts in zip(texts, names, counted(texts, names), strict=True):
        assert counts == twin.code_statistics(text, name)
