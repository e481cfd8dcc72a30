"""Planned columns: options, names, declared types, and one schema for all sources."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from eyas.corpus.sources.columns import (
    MissingColumn,
    PlannedColumn,
    Surveyed,
    choices_of,
    found_at,
    parse_type,
    plan_columns,
    schema_of,
    value_at,
)
from eyas.corpus.sources.jsonl import JsonLines
from eyas.corpus.sources.shapes import Shape
from eyas.corpus.sources.values import BrokenValue, column_value, holds_huge, json_text, to_array


def shapes(**kinds: pa.DataType) -> dict[str, Shape]:
    return {name: Shape.of_type(kind) for name, kind in kinds.items()}


def test_columns_in_every_form() -> None:
    chosen = choices_of(
        JsonLines(path=".", columns=["a", "m.x", {"s": "float64", "t": {"from": "u", "type": "string"}}]).columns
    )
    assert chosen is not None
    assert [(one.name, one.path, one.form, one.kind) for one in chosen] == [
        ("a", "a", "value", None),
        ("m.x", "m.x", "value", None),
        ("s", "s", "declared", pa.float64()),
        ("t", "u", "declared", pa.string()),
    ]
    assert choices_of(JsonLines(path=".", columns=[]).columns) == []
    assert choices_of(JsonLines(path=".").columns) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["a", "a"]}, "named twice"),
        ({"columns": ["id"]}, "columns: {source_id: {from: id}}"),
        ({"columns": {"a": "flot64"}}, "no type 'flot64'"),
        ({"columns": {"a": "metadata.url"}}, "{from: metadata.url}"),
        ({"columns": {"a": {"form": "x"}}}, "form"),
        ({"columns": ["a"], "drop": ["b"]}, "nothing to `drop`"),
        ({"columns": ["a"], "carry": ["b"]}, "without it"),
        ({"drop": ["a"], "carry": ["b"]}, "without it"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("{", r"\{").replace("}", r"\}")):
        JsonLines(path=".", **options)


def test_names_with_a_meaning_make_way() -> None:
    fields = shapes(id=pa.int64(), source=pa.string(), source_id=pa.string(), parent=pa.string(), lang=pa.string())
    planned = plan_columns([Surveyed("s", {**fields, "#x": Shape.of_type(pa.int8())})])["s"]
    assert {column.path: column.name for column in planned} == {
        "id": "source_id",
        "source": "source_source",
        "source_id": "source_source_id",
        "parent": "source_parent",
        "lang": "lang",
        "#x": "source_#x",
    }


def test_sources_share_one_schema() -> None:
    one = Surveyed(
        "a", {"n": Shape.of_type(pa.int64(), 0, 9), "m": Shape.of_type(pa.string()), "m_json": Shape.of_type(pa.int8())}
    )
    two = Surveyed("b", {"n": Shape.of_type(pa.float64()), "m": Shape.of_type(pa.int64())})
    planned = plan_columns([one, two])
    assert schema_of(planned) == {"n": pa.float64(), "m_json_json": pa.string(), "m_json": pa.int8()}
    assert all(
        "'m' holds strings in 'a', whole numbers in 'b'" in str(c.note)
        for p in planned.values()
        for c in p
        if c.path == "m"
    )
    assert PlannedColumn.from_json(planned["a"][0].to_json()) == planned["a"][0]


def test_a_missing_field_is_said_with_what_there_is() -> None:
    with pytest.raises(MissingColumn, match=r"'scor'.*did you mean 'score'.*fields: text, score"):
        plan_columns([Surveyed("s", {}, named=["scor"], seen=["text", "score"])])


@pytest.mark.parametrize(
    ("record", "path", "found"),
    [
        ({"a.b": 1, "a": {"b": 2}}, "a.b", (True, 1)),
        ({"a": {"b": {"c": 3}}}, "a.b.c", (True, 3)),
        ({"a": {"b.c": 3}}, "a.b.c", (True, 3)),
        ({"a.b": {"c": 3}}, "a.b.c", (True, 3)),
        ({"a": None}, "a.b", (False, None)),
        ({"a": {"b": None}}, "a.b", (True, None)),
        ({"a": [1]}, "a.b", (False, None)),
        ([], "a", (False, None)),
    ],
)
def test_dots_lead_into_nests_unless_a_name_has_them(record: Any, path: str, found: tuple[bool, Any]) -> None:
    assert found_at(record, path) == found and value_at(record, path) == found[1]


@pytest.mark.parametrize(
    "text", ["int8", "float64", "string", "bool", "date32", "timestamp[us]", "timestamp[ms, UTC]", "list<float32>"]
)
def test_types_have_the_names_that_arrow_prints(text: str) -> None:
    assert parse_type(text) is not None


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("float64", 3, 3.0), ("float64", "0.5", 0.5), ("int64", 3.0, 3), ("int64", "7", 7), ("string", 5, "5"),
        ("bool", "true", True),
        ("string", {"a": 1}, '{"a":1}'), ("list<int64>", [1], [1]), ("decimal128(5, 2)", "1.25", None),
        ("date32", "2024-05-01", None),
    ],
)  # fmt: skip
def test_declared_types_hold_what_they_can(kind: str, value: Any, held: Any) -> None:
    column = PlannedColumn("x", "x", parse_type(kind), "declared")
    array = to_array([column_value(value, column), column_value(None, column)], column.kind)
    assert array.type == column.kind and array[1].as_py() is None
    assert held is None or array[0].as_py() == held


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("float64", 2**53 + 1),
        ("float64", "many"),
        ("int64", 0.5),
        ("int8", 300),
        ("bool", "maybe"),
        ("date32", "soon"),
        ("int64", [1]),
    ],
)
def test_declared_types_refuse_the_rest(kind: str, value: Any) -> None:
    with pytest.raises(BrokenValue, match=r"field 'x' is .*, expected"):
        column_value(value, PlannedColumn("x", "x", parse_type(kind), "declared"))


def test_json_text_is_exact() -> None:
    assert json_text(2**100) == str(2**100) and json_text({"b": [1, "ä"], "a": None}) == '{"b":[1,"ä"],"a":null}'
    assert holds_huge({"a": [1e19]}) and not holds_huge({"a": [1e18, "x"]})
    with pytest.raises(ValueError, match="fraction among whole numbers"):
        to_array([1, 0.5], pa.int64())
