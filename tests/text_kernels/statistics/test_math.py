"""Counts of mathematical text by example; `tests/filters/heuristics/test_math.py` compares them with a twin."""

from __future__ import annotations

import pyarrow as pa
import pytest

from eyas.text_kernels.statistics.math import math_statistics


def counts(text: str) -> dict[str, int]:
    statistics = math_statistics(pa.array([text], pa.large_string()), ("frac",), ("newcommand",), ("theorem",))
    return {name: int(values[0]) for name, values in vars(statistics).items()}


@pytest.mark.parametrize(
    ("text", "formulas", "characters", "broken"),
    [
        ("$x^2$ and $$y$$", 2, 10, 0),
        (r"\(a\) \[b\]", 2, 10, 0),
        (r"\begin{align*}x\end{align*}", 1, 27, 0),
        ("from $5 to $6", 0, 0, 0),
        ("$x_1 without an end\n\nprose", 0, 0, 1),
        (r"$\frac{1{2}$", 1, 12, 1),
        (":math:`x` in text", 1, 3, 0),
    ],
)
def test_formulas_of_known_texts(text: str, formulas: int, characters: int, broken: int) -> None:
    counted = counts(text)
    assert (counted["formulas"], counted["formula_characters"], counted["broken"]) == (formulas, characters, broken)


def test_names_are_counted() -> None:
    counted = counts(r"\newcommand{\half}{\frac} A Theorem, ∀x")
    assert (counted["commands"], counted["definitions"], counted["math_commands"]) == (3, 1, 1)
    assert (counted["keywords"], counted["symbols"], counted["words"]) == (1, 1, 1)
