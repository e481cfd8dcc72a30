"""Code that still parses and LaTeX that is still balanced."""

from __future__ import annotations

import pytest

from eyas.synthetic import gate_syntax


@pytest.mark.parametrize(
    ("source", "answer", "origin", "broken"),
    [
        ("def f(a):\n  return a\n", "def double(a: int) -> int:\n    return a\n", "x.py", False),
        ("def f(a):\n  return a\n", "def double(a: int) -> int\n    return a\n", "x.py", True),
        ("x = 1", "x = (1", "notes", True),
        ("int f() { return '}'; }", "int one() { /* { */ return '}'; } // (", "a.c", False),
        ("int f() { return 1; }", "int one() { return 1; ", "a.c", True),
        ("def f(:", "def f(:", "x.py", False),  # The source is broken, too.
        ("Plain words, nothing else", "Plain words :)", "a.txt", True),
    ],
)
def test_code_still_parses(source: str, answer: str, origin: str, broken: bool) -> None:
    assert gate_syntax.code_broken(source, answer, origin) is broken


@pytest.mark.parametrize(
    ("text", "balanced"),
    [
        (r"Let $x^2 = 4$, so \(x = \pm 2\).", True),
        (r"\begin{align} a &= \frac{1}{2} \\[2pt] b &= \{1\} \end{align}", True),
        (r"It costs \$5 and 10\% of $x$", True),
        (r"Let $x^2 = 4, so", False),
        (r"\begin{align} a \end{equation}", False),
        (r"\frac{1}{2", False),
        (r"\(x = \[2\)", False),
        ("no formula at all", True),
    ],
)
def test_latex_is_balanced(text: str, balanced: bool) -> None:
    assert gate_syntax.latex_balances(text) is balanced
    assert gate_syntax.latex_broken("fine", text) is not balanced and not gate_syntax.latex_broken("{", text)
