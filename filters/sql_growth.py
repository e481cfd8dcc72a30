"""Bounds how much longer than its columns a value within an SQL expression can become, before any document is seen.

`REPLACE(text, '', text)` makes a terabyte of a megabyte. So each part of an expression gets a bound of the form
*factor × (bytes of the document's columns) + constant*, and an expression with a larger part than the limits is refused.
"""

# Tested in tests/filters/test_where.py.

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from eyas.errors import InputError

MOST_TIMES: Final = 32
"""How many times longer than the document a value may be."""
MOST_MORE: Final = 10_000
"""How many bytes may come on top in each document."""
_CASED: Final = 3
"""Upper and lower case, and composed forms, take at most three times the bytes in UTF-8."""
_COMPATIBLE: Final = 11
"""The compatibility forms NFKC and NFKD: U+FDFA has 3 bytes, and 33 of them are written for it."""
_NUMBERS: Final = {"LenChars", "LenBytes", "Contains", "StartsWith", "EndsWith", "Find", "CountMatches", "Strptime"}
_IN_SQL: Final = {"PadStart": "LPAD", "PadEnd": "RPAD", "ConcatHorizontal": "CONCAT", "Split": "STRING_TO_ARRAY"}
_VIEW: Final = 17
"""What a list needs for an element beside its bytes."""


@dataclass(frozen=True)
class Size:
    """At most `times` the bytes of the document's columns, and `more` bytes."""

    times: float
    more: float

    def __add__(self, other: Size) -> Size:
        return Size(self.times + other.times, self.more + other.more)

    def by(self, factor: float) -> Size:
        """So many times as much."""
        return Size(self.times * factor if self.times else 0.0, self.more * factor if self.more else 0.0)


_ENDLESS: Final = Size(math.inf, math.inf)
_NUMBER: Final = Size(0, 32)


def check_growth(tree: Any) -> Size:
    """The bound of an expression in Polars' JSON form; InputError if a part of it can become longer than the limits."""
    return _size(tree)


def _size(node: Any) -> Size:
    """The bound of a node; InputError if it or a node below is too large."""
    if isinstance(node, list):
        return sum((_size(item) for item in node), Size(0, 0))
    if not isinstance(node, dict):
        return _NUMBER
    kind, body = next(iter(node.items()))
    size = _of(kind, body)
    if size.times > MOST_TIMES or size.more > MOST_MORE:
        raise InputError(
            f"{_named(kind, body)} can make a value more than {MOST_TIMES} times as long as the document, or more than "
            f"{MOST_MORE:,} bytes longer; workers would run out of memory. Compare shorter values"
        )
    return size


def _of(kind: str, body: Any) -> Size:
    if kind == "Column":
        return Size(1, 8)
    if kind == "Literal":
        text = _text(body)
        return Size(0, 8 if text is None else len(text.encode()))
    if kind == "BinaryExpr":
        both = _size(body["left"]) + _size(body["right"])
        return both if body["op"] == "Plus" else _NUMBER
    if kind == "Ternary":
        _size(body["predicate"])
        return _most([_size(body["truthy"]), _size(body["falsy"])])
    if kind == "Cast":
        return _size(body["expr"]) + _NUMBER
    if kind == "Alias":
        return _size(body[0])
    if kind == "Function":
        return _of_function(body["function"], body["input"])
    return _NUMBER


def _of_function(function: Any, inputs: list[Any]) -> Size:
    sizes = [_size(item) for item in inputs]
    whole = sum(sizes, Size(0, 0))
    if not isinstance(function, dict) or "StringExpr" not in function:
        return _most([*sizes, _NUMBER])
    name, options = _head(function["StringExpr"])
    if name in _NUMBERS:
        return _NUMBER
    if name in ("Uppercase", "Lowercase", "Titlecase"):
        return whole.by(_CASED)
    if name == "Normalize":
        return whole.by(_COMPATIBLE if "K" in str(options) else _CASED)
    if name == "Split":
        return whole.by(_VIEW + 1)
    if name == "ConcatHorizontal":
        return whole + Size(0, len(options["delimiter"].encode()) * len(inputs))
    if name in ("PadStart", "PadEnd"):
        length = _whole(inputs[1])
        return _ENDLESS if length is None else sizes[0] + Size(0, 4 * length)
    if name == "Replace":
        return _replaced(sizes[0], inputs[1], inputs[2], options)
    return whole


def _most(sizes: list[Size]) -> Size:
    return Size(max(size.times for size in sizes), max(size.more for size in sizes))


def _replaced(size: Size, pattern: Any, value: Any, options: dict[str, Any]) -> Size:
    """A text in which one match or every match of a pattern makes way for a value."""
    found, put = _literal(pattern), _literal(value)
    if put is None:
        return _ENDLESS
    length = len(put.encode())
    # `$1` stands for what a group matched: matches do not overlap, so each mention adds the text once at most.
    groups = 0 if options["literal"] else put.count("$")
    if options["n"] == 1:
        return size.by(1 + groups) + Size(0, length)
    if options["literal"] and found:
        return size.by(max(1.0, length / len(found.encode())))
    # An empty match lies between any two characters.
    return size.by(1 + groups + length) + Size(0, length)


def _head(function: Any) -> tuple[str, Any]:
    if isinstance(function, str):
        return function, None
    name, options = next(iter(function.items()))
    return name, options


def _literal(node: Any) -> str | None:
    return _text(node["Literal"]) if isinstance(node, dict) and "Literal" in node else None


def _text(body: Any) -> str | None:
    scalar = body.get("Scalar") if isinstance(body, dict) else None
    text = scalar.get("String") if isinstance(scalar, dict) else None
    return text if isinstance(text, str) else None


def _whole(node: Any) -> int | None:
    body = node.get("Literal") if isinstance(node, dict) else None
    number = body.get("Dyn", {}).get("Int") if isinstance(body, dict) else None
    return number if isinstance(number, int) else None


def _named(kind: str, body: Any) -> str:
    if kind != "Function":
        return "`+` or `||`" if kind == "BinaryExpr" else "a literal" if kind == "Literal" else kind
    function = body["function"]
    if not isinstance(function, dict) or "StringExpr" not in function:
        return str(function)
    name = _head(function["StringExpr"])[0]
    return _IN_SQL.get(name, name.upper())
