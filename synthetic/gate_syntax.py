"""Gates for syntax: whether the code of a rewrite still parses and its LaTeX is still balanced.

Python's own parser checks Python; for any other language only brackets are checked, outside strings and comments. The trade:
a missing semicolon passes, and no grammar of sixty languages is shipped. If the source itself is broken, because it is part
of a file, say, its rewrite passes.
"""

from __future__ import annotations

import ast
import re
import warnings

_PAIRS = {")": "(", "]": "[", "}": "{"}
_STRINGS = re.compile(
    r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|/\*[\s\S]*?\*/|//[^\n]*|(?<![^\s])\#[^\n]*'
    r'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|`(?:\\.|[^`\\])*`'
)
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{([^{}]*)\}")
_MATH = re.compile(r"\\[()\[\]]")
_CLOSES = {r"\)": r"\(", r"\]": r"\["}


def python_parses(text: str) -> bool:
    """Whether Python parses the text as a module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # An invalid escape in a document is no concern of the user.
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def brackets_balance(text: str) -> bool:
    """Whether (), [] and {} nest outside strings and comments."""
    open_: list[str] = []
    for character in _STRINGS.sub(" ", text):
        if character in "([{":
            open_.append(character)
        elif character in _PAIRS and (not open_ or open_.pop() != _PAIRS[character]):
            return False
    return not open_


def code_broken(source: str, answer: str, origin: str) -> bool:
    """Whether the answer does not parse although its source does. The file name in `origin` shows the language."""
    if python_parses(source) and (origin.endswith((".py", ".pyi")) or _looks_like_python(source)):
        return not python_parses(answer)
    return brackets_balance(source) and not brackets_balance(answer)


def _looks_like_python(text: str) -> bool:
    """Whether a text that parses is Python: plain words may parse, too."""
    return bool(re.search(r"^\s*(def |class |import |from \w+ import |\w+ *= *\S)", text, re.MULTILINE))


def latex_balances(text: str) -> bool:
    """Whether braces, $, \\( \\[ and environments are closed in the order in which they were opened."""
    text = re.sub(r"(?<!\\)%[^\n]*", "", text)
    environments: list[str] = []
    for verb, name in _ENVIRONMENT.findall(text):
        if verb == "begin":
            environments.append(name)
        elif not environments or environments.pop() != name:
            return False
    text = text.replace(r"\\", " ")
    mode: str | None = None
    for mark in _MATH.findall(text):
        if mark in _CLOSES:
            if mode != _CLOSES[mark]:
                return False
            mode = None
        elif mode is not None:
            return False
        else:
            mode = mark
    text = re.sub(r"\\[{}$()\[\]]", " ", text)
    return not environments and mode is None and text.count("$") % 2 == 0 and _braces_nest(text)


def _braces_nest(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


def latex_broken(source: str, answer: str) -> bool:
    """Whether the answer's LaTeX does not balance although its source's does."""
    return latex_balances(source) and not latex_balances(answer)
