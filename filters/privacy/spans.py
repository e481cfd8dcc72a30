"""The spans that finders return, and the placeholders that replace them.

A placeholder is `<EMAIL_1>` (numbered) or `<EMAIL>` (plain). It has no `@`, no dot and no run of digits that a finder could
take for something else. A match that touches a placeholder is refused: the rest of a longer match must not become another
match.
"""

# Tested in tests/filters/privacy/test_mask_pii.py.

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

Kind = Literal["secret", "email", "ip", "iban", "card", "phone"]
KINDS: Final[tuple[Kind, ...]] = ("secret", "email", "ip", "iban", "card", "phone")
"""All kinds, in the order in which they are masked. No kind sees what an earlier one has replaced."""

_NAMES: Final = "|".join(kind.upper() for kind in KINDS)
_NUMBERED: Final = re.compile(rf"<({_NAMES})_([1-9][0-9]{{0,8}})>")
_ENDS: Final = re.compile(rf"<(?:{_NAMES})(?:_[1-9][0-9]{{0,8}})?>\Z")
_BEGINS: Final = re.compile(rf"<(?:{_NAMES})(?:_[1-9][0-9]{{0,8}})?>")
_LONGEST: Final = len("<SECRET_123456789>")


class Span(NamedTuple):
    """Characters `start` to `end` of a text. `identity` is the same for two spellings of one thing."""

    start: int
    end: int
    identity: str


Finder = Callable[[str], Iterator[Span]]
"""Returns the spans of one kind, from left to right, without overlaps, in time linear in the length of the text."""


@dataclass(frozen=True)
class Detector:
    """The detector of one kind. `hint` is an RE2 pattern that matches every text in which `find` finds anything."""

    kind: Kind
    hint: str
    find: Finder


def touches_placeholder(text: str, start: int, end: int) -> bool:
    """Whether a placeholder ends at `start` or begins at `end`."""
    if start and text[start - 1] == ">" and _ENDS.search(text, max(0, start - _LONGEST), start):
        # `<EMAIL>` may also be an XML tag; then its end tag follows.
        return not text.startswith("</", end)
    return text.startswith("<", end) and _BEGINS.match(text, end) is not None


@dataclass
class Placeholders:
    """The placeholders of one document: the n-th distinct identity of a kind gets the number n.

    Numbers of placeholders that the text already holds are not used again.
    """

    text: str
    numbered: bool
    _known: dict[tuple[Kind, str], str] = field(default_factory=dict)
    _last: dict[str, int] | None = None

    def of(self, kind: Kind, identity: str) -> str:
        """The placeholder that replaces `identity` throughout the document."""
        if not self.numbered:
            return f"<{kind.upper()}>"
        known = self._known.get((kind, identity))
        if known is None:
            if self._last is None:
                self._last = {}
                for name, number in _NUMBERED.findall(self.text):
                    self._last[name] = max(self._last.get(name, 0), int(number))
            number = self._last[kind.upper()] = self._last.get(kind.upper(), 0) + 1
            known = self._known[kind, identity] = f"<{kind.upper()}_{number}>"
        return known
