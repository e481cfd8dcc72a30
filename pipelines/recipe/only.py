"""Conditions that limit a stage to some documents: `only: {source: [web], lang: [de, fr]}`, or an SQL condition.

A document that a stage is not asked about passes it by, as it is. So web, code and mathematics go through one recipe, each by
its own rules; a `route` groups stages under one condition.
"""

# Tested in tests/end_to_end/test_routes.py.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.sources.arrow_fields import column_at
from eyas.errors import InputError

Value = str | int | float | bool | None
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Only:
    """Conditions that must all hold: a column has one of some values, or an SQL expression is true."""

    values: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    conditions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, given: Any) -> Only:
        """The condition that a recipe states; InputError, which says what was expected, if it is none."""
        if isinstance(given, str):
            from eyas.filters.sql import condition

            condition(given)
            return cls(conditions=(given,))
        if not isinstance(given, Mapping) or not given:
            raise InputError("expected columns with their values, `{source: [web]}`, or a condition, \"lang = 'de'\"")
        return cls(tuple((str(name), _values(name, values)) for name, values in given.items()))

    def both(self, other: Only | None) -> Only:
        """This condition and another."""
        if other is None:
            return self
        return Only((*self.values, *other.values), (*self.conditions, *other.conditions))

    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        names = [name for name, _ in self.values]
        for text in self.conditions:
            from eyas.filters.sql import condition

            names += condition(text).meta.root_names()
        return tuple(dict.fromkeys(names))

    def sources(self) -> tuple[Value, ...]:
        """The sources that it names."""
        return tuple(value for name, values in self.values if name == "source" for value in values)

    def to_json(self) -> list[Any]:
        """JSON data that changes with the condition: part of the digests of passes."""
        return [[[name, list(values)] for name, values in self.values], list(self.conditions)]

    def mask(self, docs: pa.Table) -> Mask:
        """bool[documents]: which documents the stage is asked about; null, and a column that is not there, count as no."""
        mask = np.ones(docs.num_rows, np.bool_)
        for name, values in self.values:
            mask &= _is_one_of(column_at(docs, name), name, values, docs.num_rows)
        for text in self.conditions:
            mask &= _holds(text, docs)
        return mask

    def __str__(self) -> str:
        parts = [f"{name} = {' or '.join(map(str, values))}" for name, values in self.values]
        return " and ".join([*parts, *self.conditions])


def _values(name: Any, given: Any) -> tuple[Value, ...]:
    values = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not values or not all(value is None or isinstance(value, str | int | float | bool) for value in values):
        raise InputError(f"{name}: expected a value or a list of values, found {given!r}")
    return tuple(values)


def _is_one_of(column: pa.ChunkedArray | None, name: str, values: tuple[Value, ...], rows: int) -> Mask:
    if column is None:
        return np.full(rows, None in values, np.bool_)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    named = [value for value in values if value is not None]
    try:
        wanted = pa.array(named, kind)
    except (pa.ArrowException, TypeError) as error:
        raise InputError(f"only: {name}: the column holds {kind}, and cannot be one of {named}") from error
    found = pc.is_in(column, value_set=wanted, skip_nulls=True)
    if None in values:
        found = pc.or_(found, column.is_null())
    mask: Mask = found.to_numpy()
    return mask


def _holds(text: str, docs: pa.Table) -> Mask:
    import polars as pl

    from eyas.filters.sql import condition, series

    expression = condition(text)
    names = expression.meta.root_names()
    columns = {name: column_at(docs, name) for name in names}
    frame = pl.DataFrame([series(name, column) for name, column in columns.items() if column is not None])
    for name, column in columns.items():
        if column is None:
            frame = frame.with_columns(pl.lit(None).alias(name))
    if not frame.width:
        frame = pl.DataFrame({"": np.zeros(docs.num_rows)})
    try:
        held = frame.select(expression.alias("held"))["held"]
    except pl.exceptions.PolarsError as error:
        raise InputError(f"only: {text!r}: {error}") from error
    if held.dtype not in (pl.Boolean, pl.Null):
        raise InputError(f"only: {text!r} is no condition: it gives {held.dtype}, not true or false")
    mask = held.cast(pl.Boolean).fill_null(False).to_numpy()
    return np.broadcast_to(mask, (docs.num_rows,)) if len(mask) == 1 else mask
