"""Cuts a document into pieces that fit a model, each at the best place, without losing any text.

It cuts at paragraphs first, then at lines, sentences and words. A piece is filled until the next paragraph would not fit
(Nemotron-CC fills segments likewise). The trade: pieces are rewritten one by one, so a pronoun may lose its name at a seam.
Joining the pieces gives back the text, except for white space at the seams.
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
"""Places to cut, the best first."""


def split(text: str, most: int) -> list[str]:
    """Pieces of at most `most` characters, none of them empty. White space alone gives []."""
    text = trim(text)
    if not text:
        return []
    if len(text) <= most:
        return [text]
    return [piece for piece in map(trim, _cut(text, most, 0)) if piece]


def trim(text: str) -> str:
    """The text without blank lines at its ends. The first line keeps its indentation, which matters in code."""
    return _BLANK_LINES.sub("", text).rstrip()


def _cut(text: str, most: int, level: int) -> list[str]:
    """Pieces cut at the separator number `level`, and at later ones where a unit is too long."""
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
