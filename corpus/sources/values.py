"""Makes columns of the values of records: exactly, or not at all."""

# Tested in tests/corpus/sources/test_columns.py.

from __future__ import annotations

import base64
import datetime
import decimal
import json
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from eyas.corpus.sources.columns import PlannedColumn, in_memory
from eyas.corpus.sources.shapes import EXACT, HUGE
from eyas.errors import InputError


class BrokenValue(InputError):
    """A value that the declared type of its column cannot hold."""


def column_value(value: Any, column: PlannedColumn) -> Any:
    """The value of a record's field as its column takes it; `BrokenValue` if the declared type cannot hold it."""
    if value is None:
        return None
    if column.form == "declared":
        return _declared(value, column)
    if column.form == "json":
        return json_text(value)
    return as_text(value) if column.form == "text" else value


def to_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The values as a column. A value that `kind` cannot hold raises; none is rounded or cut."""
    # Arrow would cut fractions off without a word.
    if pa.types.is_integer(kind) and float in set(map(type, values)):
        raise InputError(f"a fraction among whole numbers of type {kind}: did the file change since the run began?")
    return pa.array(values, in_memory(kind))


def as_text(value: Any) -> str:
    """A string as it is, any other value as JSON text."""
    return value if isinstance(value, str) else json_text(value)


def json_text(value: Any) -> str:
    """A value as JSON text; bytes as base64, decimals and times as their own text."""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)  # integers beyond 64 bits


def holds_huge(value: Any) -> bool:
    """Whether orjson may have made a float of a whole number beyond 64 bits somewhere in `value`."""
    if isinstance(value, float):
        return value >= HUGE or value <= -HUGE
    if isinstance(value, dict):
        return any(map(holds_huge, value.values()))
    return isinstance(value, list) and any(map(holds_huge, value))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, decimal.Decimal | datetime.timedelta):
        return str(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _is_number(value: Any) -> bool:
    """Whether a value is a truth value, or a number that Arrow has a type for."""
    return isinstance(value, bool | float) or (isinstance(value, int) and -(1 << 63) <= value < 1 << 64)


def changes_kind(of: pa.DataType | None, kind: pa.DataType) -> bool:
    """Whether a cast makes truth values of numbers, or numbers of truth values. `of`: None for a value of another kind."""
    return of is not None and not pa.types.is_string(kind) and pa.types.is_boolean(of) != pa.types.is_boolean(kind)


def _declared(value: Any, column: PlannedColumn) -> Any:
    kind = column.kind
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return as_text(value)
    if pa.types.is_float64(kind) and (type(value) is float or (type(value) is int and abs(value) <= EXACT)):
        return float(value)
    # Arrow would make true of 2 and 1.0 of true, and cut fractions off, without a word.
    is_fraction = type(value) is float and not value.is_integer()
    if changes_kind(pa.scalar(value).type if _is_number(value) else None, kind) or (
        is_fraction and pa.types.is_integer(kind)
    ):
        raise BrokenValue(_expected(value, column))
    try:
        if isinstance(value, str | bool | int | float):
            return pa.scalar(value).cast(kind)
        return pa.scalar(value, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise BrokenValue(_expected(value, column)) from error


def _expected(value: Any, column: PlannedColumn) -> str:
    return f"field {column.path!r} is {json_text(value)[:60]}, expected {column.kind}"
