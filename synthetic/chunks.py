"""Cuts a document into pieces that a model can take, at the best place there is, and nothing of it is lost.

Paragraphs first, then lines, sentences, words: a piece is filled until the next paragraph would not fit (Nemotron-CC fills
segments likewise). The trade: pieces know nothing of one another, so a pronoun may lose its name at a seam. Joining the
pieces gives back the text, white space at the seams apart.
"""

from __future__ import annotations

import re

_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_SEPARATORS = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?。！？।؟])\s+|(?<=[。！？])"),
    re.compile(r"[ \t]+"),
)
"""Where to cut, best first."""


def split(text: str, most: int) -> list[str]:
    """Pieces of at most `most` characters, none empty; [] for a text of white space."""
    text = trim(text)
    if not text:
        return []
    if len(text) <= most:
        return [text]
    return [piece for piece in map(trim, _cut(text, most, 0)) if piece]


def trim(text: str) -> str:
    """The text without blank lines at its ends; the indentation of its first line says something in code."""
    return _BLANK_LINES.sub("", text).rstrip()


def _cut(text: str, most: int, level: int) -> list[str]:
    if len(text) <= most:
        return [text]
    if level == len(_SEPARATORS):
        return [text[i : i + most] for i in range(0, len(text), most)]
    units: list[str] = []
    start = 0
    for match in _SEPARATORS[level].finditer(text):
        units.append(text[start : match.end()])
        start = match.end()
    units.append(text[start:])
    pieces: list[str] = []
    current = ""
    for unit in units:
        if len(trim(current + unit)) <= most:
            current += unit
            continue
        if current:
            pieces.append(current)
        current = unit
        if len(trim(unit)) > most:
            *whole, current = _cut(unit, most, level + 1)
            pieces += whole
    return [*pieces, current]


def join(pieces: list[str]) -> str:
    """The rewritten pieces as one text."""
    return "\n\n".join(trim(piece) for piece in pieces if trim(piece))
