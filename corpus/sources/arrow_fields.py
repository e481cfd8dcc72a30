"""The fields of Arrow tables, also those in nests, and their values as planned columns."""

# Tested in tests/end_to_end/test_metadata.py.

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eyas.corpus.sources.columns import PlannedColumn, in_memory
from eyas.corpus.sources.values import as_text, changes_kind, json_text
from eyas.errors import InputError


def root_of(schema: pa.Schema, path: str) -> str | None:
    """The column that a field lies in, or that it is; None if there is none."""
    return next((root for root, _ in _roots(path) if root in schema.names), None)


def type_at(schema: pa.Schema, path: str) -> pa.DataType | None:
    """The type of a field; None if there is none."""
    found = (_inner_type(schema.field(root).type, rest) for root, rest in _roots(path) if root in schema.names)
    return next((kind for kind in found if kind is not None), None)


def _inner_type(kind: pa.DataType, path: str) -> pa.DataType | None:
    if not path:
        return kind
    if _has_names(kind):
        return kind.item_type
    if not pa.types.is_struct(kind):
        return None
    indices = ((kind.get_field_index(root), rest) for root, rest in _roots(path))
    found = (_inner_type(kind.field(index).type, rest) for index, rest in indices if index >= 0)
    return next((inner for inner in found if inner is not None), None)


def _has_names(kind: pa.DataType) -> bool:
    """Whether a type is a map by strings."""
    return bool(
        pa.types.is_map(kind) and (pa.types.is_string(kind.key_type) or pa.types.is_large_string(kind.key_type))
    )


def values_at(batch: pa.RecordBatch, path: str) -> pa.Array:
    """The values of a field; nulls if there is none."""
    for root, rest in _roots(path):
        if root in batch.schema.names and _inner_type(batch.schema.field(root).type, rest) is not None:
            return _inner(batch.column(root), rest)
    return pa.nulls(batch.num_rows)


def column_at(table: pa.Table, name: str) -> pa.ChunkedArray | None:
    """The column of this name, or the field in a nest that a dotted name leads to; None if there is none."""
    if name in table.column_names:
        return table.column(name)
    kind = type_at(table.schema, name)
    return None if kind is None else pa.chunked_array([values_at(one, name) for one in table.to_batches()], kind)


def with_fields(table: pa.Table, names: Iterable[str]) -> pa.Table:
    """The table with a column for each of the dotted names that lead into nests, so that it can be used like any other."""
    for name in names:
        if name not in table.column_names and (column := column_at(table, name)) is not None:
            table = table.append_column(name, column)
    return table


def _inner(column: pa.Array, path: str) -> pa.Array:
    """The values at a path that `_inner_type` finds."""
    if not path:
        return column
    if pa.types.is_map(column.type):
        return pc.map_lookup(column, pa.scalar(path, column.type.key_type), "first")
    for root, rest in _roots(path):
        index = column.type.get_field_index(root)
        if index >= 0 and _inner_type(column.type.field(index).type, rest) is not None:
            break
    return _inner(pc.struct_field(column, [index]), rest)


def _roots(path: str) -> Iterator[tuple[str, str]]:
    """The ways to cut a path into a field and what is left: the longest field first, because a name may hold dots."""
    steps = path.split(".")
    for end in range(len(steps), 0, -1):
        yield ".".join(steps[:end]), ".".join(steps[end:])


def converted(values: pa.Array, column: PlannedColumn, path: str) -> tuple[pa.Array, dict[int, str]]:
    """The values as the column takes them, and what is wrong with those that its declared type cannot hold, by row."""
    kind = in_memory(column.kind)
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), kind), {}
    if column.form == "json":
        return _texts(values, json_text), {}
    if column.form == "text":
        return _as_text(values), {}
    if column.form == "value":
        return _exact(values, column, kind, path), {}
    return _declared(values, column, kind)


def _texts(values: pa.Array, text: Callable[[Any], str]) -> pa.Array:
    return pa.array([None if value is None else text(value) for value in values.to_pylist()], pa.string())


def _as_text(values: pa.Array) -> pa.Array:
    """As Arrow prints values; as JSON where it cannot."""
    try:
        return values.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return _texts(values, as_text)


def _exact(values: pa.Array, column: PlannedColumn, kind: pa.DataType, path: str) -> pa.Array:
    if values.type == kind:
        return values
    if pa.types.is_struct(kind):
        return _struct(values, column, kind, path)
    try:
        return values.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{path}: column {column.path!r} is {values.type}, planned as {kind}: {error}") from error


def _struct(values: pa.Array, column: PlannedColumn, kind: pa.DataType, path: str) -> pa.Array:
    """A struct with the fields of `kind`: those that another file has are null, those that are dropped are left out."""
    inner = []
    for field in kind:
        index = values.type.get_field_index(field.name)
        old = pa.nulls(len(values), field.type) if index < 0 else values.field(index)
        inner.append(_exact(old, column, field.type, path))
    return pa.StructArray.from_arrays(inner, fields=list(kind), mask=values.is_null())


def _declared(values: pa.Array, column: PlannedColumn, kind: pa.DataType) -> tuple[pa.Array, dict[int, str]]:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if changes_kind(values.type if _is_plain(values.type) else None, kind):
        wrong = {i: _expected(values, i, column) for i in range(len(values)) if values[i].is_valid}
        return pa.nulls(len(values), kind), wrong
    try:
        return values.cast(kind), {}
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(values, as_text).cast(kind), {}
    broken: dict[int, str] = {}
    pieces = []
    for i in range(len(values)):
        try:
            pieces.append(values.slice(i, 1).cast(kind))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pieces.append(pa.nulls(1, kind))
            broken[i] = _expected(values, i, column)
    return pa.concat_arrays(pieces), broken


def _is_plain(kind: pa.DataType) -> bool:
    """Whether values are numbers or truth values."""
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _expected(values: pa.Array, row: int, column: PlannedColumn) -> str:
    return f"column {column.path!r} is {json_text(values[row].as_py())[:60]}, expected {column.kind}"


def whole_number_bounds(parquet: pq.ParquetFile) -> dict[str, tuple[int, int]]:
    """The least and the greatest value of each column of whole numbers whose row groups all state them."""
    bounds: dict[str, tuple[int, int]] = {}
    metadata, names = parquet.metadata, parquet.schema_arrow.names
    paths = {metadata.schema.column(i).path: i for i in range(len(metadata.schema.names))}
    for name in names:
        if name not in paths or not pa.types.is_integer(parquet.schema_arrow.field(name).type):
            continue
        found = [metadata.row_group(g).column(paths[name]).statistics for g in range(metadata.num_row_groups)]
        if all(one is not None and one.has_min_max for one in found) and found:
            bounds[name] = (min(one.min for one in found), max(one.max for one in found))
    return bounds
