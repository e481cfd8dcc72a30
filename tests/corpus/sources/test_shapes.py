"""Shapes: joining in any order gives the same type, and that type holds every value exactly."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyas.corpus.sources.shapes import EXACT, MOST_FIELDS, Huge, Shape, Survey, joined, type_from_text, type_to_text

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)


def shape_of(*seen: Any) -> Shape:
    shape = Shape()
    for value in seen:
        if value is not None:
            shape.observe(value, exact=True)
    return shape


@given(st.lists(values, max_size=6), st.randoms(use_true_random=False))
def test_the_type_does_not_depend_on_the_order_and_holds_every_value(seen: list[Any], chance: random.Random) -> None:
    kind = shape_of(*seen).type()
    shuffled = seen.copy()
    chance.shuffle(shuffled)
    again = joined(Shape.from_json(shape_of(value).to_json()) for value in shuffled).type()
    assert (kind is None) == (again is None)
    if kind is None or again is None:
        return
    # Fields of structs come in the order in which they were seen.
    back = pa.array(seen, kind).to_pylist()
    assert pa.array(seen, again).to_pylist() == back or "struct" in str(kind)
    for value, held in zip(seen, back, strict=True):
        if not isinstance(value, dict | list):
            assert held == value and isinstance(held, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        ([1, 2**63 - 1], pa.int64()), ([2**63], pa.uint64()), ([-1, 2**63], None), ([2**64], None), ([1, 0.5], pa.float64()),
        ([EXACT, 0.5], pa.float64()), ([EXACT + 1, 0.5], None), ([-EXACT - 1, 0.5], None), ([True, 1], None),
        (["a", 1], None),
        ([None], pa.null()), ([[]], pa.list_(pa.null())), ([[1], [0.5]], pa.list_(pa.float64())), ([{}], None),
        ([{"a": 1}, {"b": "x"}], pa.struct([("a", pa.int64()), ("b", pa.string())])), ([{"a": 1}, {"a": "x"}], None),
        ([[1], {}], None),
    ],
)  # fmt: skip
def test_types_of_json(seen: list[Any], kind: pa.DataType | None) -> None:
    assert shape_of(*seen).type() == kind


def test_a_dictionary_is_no_record() -> None:
    shape = shape_of({str(i): i for i in range(MOST_FIELDS + 1)})
    assert shape.type() is None and "different keys" in shape.described() and not shape.fields
    half = [shape_of({f"{n}{i}": i for i in range(MOST_FIELDS - 1)}) for n in "ab"]
    assert joined(half).type() is None and not joined(half).fields


def test_floats_that_may_be_whole_numbers_beyond_64_bits_are_parsed_again() -> None:
    with pytest.raises(Huge):
        Shape().observe({"a": [1e19]})
    assert shape_of(1e300).type() == pa.float64()


@pytest.mark.parametrize(
    ("kinds", "united"),
    [
        ((pa.int32(), pa.int32()), pa.int32()), ((pa.int32(), pa.int64()), pa.int64()),
        ((pa.int32(), pa.float32()), pa.float64()),
        ((pa.int64(), pa.float64()), None), ((pa.uint64(), pa.int8()), None),
        ((pa.string(), pa.large_string()), pa.large_string()),
        ((pa.null(), pa.date32()), pa.date32()), ((pa.timestamp("s"), pa.timestamp("us")), None),
        ((pa.float16(), pa.float64()), pa.float64()),
        ((pa.dictionary(pa.int8(), pa.string()), pa.string()), pa.string()), ((pa.binary(), pa.binary(3)), None),
        ((pa.list_(pa.int8()), pa.large_list(pa.int16())), pa.list_(pa.int64())),
    ],
)  # fmt: skip
def test_types_of_several_files(kinds: tuple[pa.DataType, ...], united: pa.DataType | None) -> None:
    assert joined(map(Shape.of_type, kinds)).type() == united
    assert joined(map(Shape.of_type, reversed(kinds))).type() == united


def test_bounds_of_a_file_let_whole_numbers_and_fractions_unite() -> None:
    assert joined([Shape.of_type(pa.int64(), 0, 100), Shape.of_type(pa.float64())]).type() == pa.float64()
    assert joined([Shape.of_type(pa.int64(), 0, EXACT + 1), Shape.of_type(pa.float64())]).type() is None


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.map_(pa.string(), pa.list_(pa.decimal128(5, 2))), pa.timestamp("ns", "UTC"), pa.uuid()]
)
def test_types_are_written_as_text(kind: pa.DataType) -> None:
    assert type_from_text(type_to_text(kind)) == kind
    survey = Survey({"x": Shape.of_type(kind)}, 3, ["x", "y"])
    assert Survey.from_json(survey.to_json()) == survey
