"""Conditions in Polars' SQL that decide on each document by itself."""

# Tested in tests/filters/test_where.py.

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import polars as pl
import pyarrow as pa

from eyas.errors import InputError
from eyas.filters.sql_growth import check_growth

_KINDS: Final = {"Column", "Literal", "BinaryExpr", "Cast", "Ternary", "Function", "Alias"}
_FUNCTIONS: Final = {
    *("Abs", "Atan2", "Cbrt", "Ceil", "Clip", "Coalesce", "Exp", "FillNull", "Floor", "Log", "Log1p", "Negate", "Pow"),
    *("Round", "RoundSF", "Sign", "Sqrt", "Trigonometry", "MinHorizontal", "MaxHorizontal", "Sql"),
    *("StringExpr", "TemporalExpr"),
}
_BOOLEANS: Final = {"IsNull", "IsNotNull", "IsNan", "IsNotNan", "IsFinite", "IsInfinite", "IsIn", "IsBetween", "Not"}


_QUOTED: Final = re.compile(r"""'[^']*'|"[^"]*\"""")
_CLOCK: Final = re.compile(r"(?i)\b(?:current_(?:timestamp|date|time)|localtime(?:stamp)?)\b|\bnow\s*\(")
"""What Polars' SQL takes from the clock; it stands as a constant in the parsed expression, which does not tell any more."""


def condition(text: str) -> pl.Expr:
    """The expression, in which a division by zero gives null. InputError if it cannot be read, looks at several rows or
    at a clock, or may need much more memory than its documents."""
    clock = _CLOCK.search(_QUOTED.sub("''", text))
    if clock is not None:
        raise InputError(
            f"{clock[0].strip()!r} is a clock: the same recipe would keep other documents tomorrow; write the time out, such "
            f"as TIMESTAMP '2026-01-31 00:00:00' (a column of this name stands in double quotes)"
        )
    try:
        expression = pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"not an SQL expression: {error}") from error
    tree = json.loads(expression.meta.serialize(format="json"))
    for function in _several_rows(tree):
        raise InputError(
            f"{function!r} looks at several documents at once; an expression must decide on each document by itself"
        )
    check_growth(tree)
    return pl.Expr.deserialize(io.StringIO(json.dumps(_null_for_zero(tree))), format="json")


def series(name: str, column: pa.ChunkedArray) -> pl.Series:
    """A column for Polars. InputError, which names it, if it is of a type that Polars does not know."""
    try:
        return pl.Series(name, column)
    except (pl.exceptions.PolarsError, pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"where: the column {name!r} is {column.type}, which cannot be compared: {error}") from error


def _null_for_zero(node: Any) -> Any:
    """The expression with null for every division by zero: Polars gives NaN for 0/0 and takes NaN for the greatest number."""
    if isinstance(node, list):
        return [_null_for_zero(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {kind: _null_for_zero(body) for kind, body in node.items()}
    body = node.get("Function")
    if body and body["function"] == {"Sql": {"Binary": "Div"}}:
        above, below = body["input"]
        zero = {"BinaryExpr": {"left": below, "op": "Eq", "right": {"Literal": {"Dyn": {"Int": 0}}}}}
        null = {"Literal": {"Scalar": {"Null": "Null"}}}
        body["input"] = [above, {"Ternary": {"predicate": zero, "truthy": null, "falsy": below}}]
    return node


def _several_rows(node: Any) -> Iterator[str]:
    """The parts of an expression, in Polars' JSON form, that are not computed row by row."""
    if isinstance(node, str):
        if node not in _KINDS:
            yield node
        return
    if isinstance(node, list):
        for item in node:
            yield from _several_rows(item)
        return
    for kind, body in node.items() if isinstance(node, dict) else ():
        if kind not in _KINDS:
            yield kind
        elif kind == "Function":
            yield from _function(body["function"])
            yield from _several_rows(body["input"])
        elif kind == "BinaryExpr":
            yield from _several_rows([body["left"], body["right"]])
        elif kind == "Ternary":
            yield from _several_rows([body["predicate"], body["truthy"], body["falsy"]])
        elif kind == "Cast":
            yield from _several_rows(body["expr"])
        elif kind == "Alias":
            yield from _several_rows(body[0])


def _function(function: Any) -> Iterator[str]:
    name = function if isinstance(function, str) else next(iter(function))
    if name == "Boolean":
        inner = function[name]
        name = inner if isinstance(inner, str) else next(iter(inner))
        if name not in _BOOLEANS:
            yield name
    elif name not in _FUNCTIONS or (name == "StringExpr" and "ConcatVertical" in str(function)):
        yield name
