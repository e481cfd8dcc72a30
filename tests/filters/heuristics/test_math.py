"""MathQuality: what is mathematics, what is broken, and what a formula is to the kernel below it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.heuristics import MathQuality
from eyas.text_kernels.statistics.math import math_statistics

PROSE = "Here are some more words that explain what all of this is about to those who read it. "
NAMES = {"definitions": ("newcommand", "def"), "keywords": ("theorem", "proof")}


def counts(text: str) -> dict[str, int]:
    """The counts that are not 0."""
    found = math_statistics(pa.array([text], pa.large_string()), ("frac", "sum"), **NAMES)
    return {f.name: n for f in dataclasses.fields(found) if (n := int(getattr(found, f.name)[0]))}


def reason(text: str, **options: Any) -> str | None:
    found: str | None = (
        MathQuality(**options).judge(pa.table({"text": pa.array([text], pa.large_string())})).reason[0].as_py()
    )
    return found


@pytest.mark.parametrize(
    ("text", "formulas", "characters", "broken"),
    [
        ("$x+1$", 1, 5, 0),
        ("It costs $5 and $6 today.", 0, 0, 0),
        ("$$a$$ and $b$", 2, 8, 0),
        (r"\(a\) and \[b\]", 2, 10, 0),
        (r"\begin{equation*}a\end{equation*}", 1, 33, 0),
        (r"\begin{itemize}a\end{itemize}", 0, 0, 0),
        (":math:`x^2`", 1, 5, 0),
        ("$a { b$", 1, 7, 1),
        (r"\[ \frac{1}{2 and no end", 0, 0, 1),
        (r"$\frac{1} is not closed" + "\n\nhere", 0, 0, 1),
        ("", 0, 0, 0),
    ],
)
def test_formulas(text: str, formulas: int, characters: int, broken: int) -> None:
    found = counts(text)
    assert (found.get("formulas", 0), found.get("formula_characters", 0), found.get("broken", 0)) == (
        formulas,
        characters,
        broken,
    )


def test_commands_symbols_and_words() -> None:
    found = counts(r"Theorem: \frac12 ∑ ∈ \newcommand{\foo}{x} Proof. \sum")
    assert found["math_commands"] == 2 and found["commands"] == 4 and found["definitions"] == 1
    assert found["symbols"] == 2 and found["keywords"] == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROSE, "math_little"),
        (PROSE + r"We have $a = b$ and $c = d$ by the theorem.", None),
        (r"$a$ $b$ $c$", "math_few_words"),
        (PROSE + r"\[" + "x+y" * 500 + r"\]", "math_formulas_only"),
        (PROSE + r"Let \[ \frac{1}{2 be open. The lemma says $x$.", "math_broken"),
        (PROSE + "\\newcommand{\\a}{b}\n\\usepackage{x}\n" * 20 + "$a$ is a theorem and a proof", "math_definitions"),
        (PROSE + "$a$ and $b$ by the lemma " + "\ufffd" * 20, "math_junk"),
        ("", "math_few_words"),
    ],
)
def test_decisions(text: str, expected: str | None) -> None:
    assert reason(text) == expected


def test_rules_can_be_turned_off_and_thresholds_pass_themselves() -> None:
    assert reason(PROSE, min_math_share=None) is None
    text = "word " * 18 + "lemma lemma"
    assert reason(text, min_math_share=0.1) is None
    assert reason(text, min_math_share=0.11) == "math_little"


MARKS = st.sampled_from(
    ["$", "$$", "\\(", "\\)", "\\[", "\\]", "\\begin{align}", "\\end{align}", "\\begin{x}", "{", "}", "\\", "\\$", "x", " ",
     "\n", "\n\n", ":math:`", "`", ".. math::", "5", "∑", "theorem", "\\frac", "\0", "\ufffd", "𝒳", "é", "%"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(MARKS | st.text(max_size=3), max_size=30).map("".join), min_size=1, max_size=4))
def test_counts_are_bounded_and_of_each_document_alone(texts: list[str]) -> None:
    found = math_statistics(pa.array(texts, pa.large_string()), ("frac",), **NAMES)
    assert found.characters.tolist() == [len(text) for text in texts]
    assert np.all(found.formula_characters <= found.characters) and np.all(found.junk <= found.characters)
    for number, text in enumerate(texts):
        alone = math_statistics(pa.array([text], pa.large_string()), ("frac",), **NAMES)
        for field in dataclasses.fields(found):
            value = int(getattr(found, field.name)[number])
            assert value == int(getattr(alone, field.name)[0]) and value >= 0
