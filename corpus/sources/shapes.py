"""The shape of a field: what its values are over all files of a source, and the one type that holds them exactly.

Shapes are joined: of records, then of pieces of a file, files and sources. A join only collects, and the type is chosen at
the end, so the order of joining never matters. Whole numbers and numbers with a fraction unite where every whole number is
exact as float64; values of any other mixture are kept as JSON text.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

EXACT = 1 << 53
"""Whole numbers up to this size are exact as float64."""
HUGE = float(1 << 63)
MOST_FIELDS = 1000
"""An object with more different keys than this is a dictionary, not a record: it is kept as JSON text."""


class Huge(Exception):
    """A float that may have been a whole number beyond 64 bits."""


@dataclass
class Shape:
    """The kinds of values seen: `bool`, `int`, `float`, `string`, `object`, `list`, `wide` (an object of too many keys), or
    `arrow` for types that only columnar files have. Nothing but nulls: no kind at all."""

    kinds: set[str] = field(default_factory=set)
    low: int = 0
    high: int = 0
    """Bounds of the whole numbers, zero included."""
    items: Shape | None = None
    """The elements of lists."""
    fields: dict[str, Shape] = field(default_factory=dict)
    """The fields of objects, in the order in which they were first seen."""
    types: set[pa.DataType] = field(default_factory=set)
    """The Arrow types that columnar files gave it."""
    untyped: bool = False
    """Whether a value came without an Arrow type, from JSON."""

    def observe(self, value: Any, exact: bool = False) -> None:
        """Adds a value as it comes from JSON.

        exact: whether whole numbers beyond 64 bits are integers in it. orjson makes floats of them, so a float of this size
        raises `Huge`: the record must be parsed once more, by a parser that keeps them.
        """
        kind = type(value)
        self.untyped = True
        if kind is str:
            self.kinds.add("string")
        elif kind is int:
            self.kinds.add("int")
            if value < self.low:
                self.low = value
            elif value > self.high:
                self.high = value
        elif kind is float:
            if not exact and (value >= HUGE or value <= -HUGE):
                raise Huge
            self.kinds.add("float")
        elif kind is bool:
            self.kinds.add("bool")
        elif kind is dict:
            self._observe_object(value, exact)
        elif kind is list:
            self.kinds.add("list")
            self.items = self.items or Shape()
            for item in value:
                self.items.observe(item, exact)

    def _observe_object(self, value: Mapping[str, Any], exact: bool) -> None:
        self.kinds.add("object")
        if "wide" in self.kinds:
            return
        for name, inner in value.items():
            known = self.fields.get(name)
            if known is None:
                known = self.fields[name] = Shape()
            if inner is not None:
                known.observe(inner, exact)
        self._give_up_fields()

    def _give_up_fields(self) -> None:
        """Forgets the fields of an object that turns out to be a dictionary: they are not needed, and could be millions."""
        if len(self.fields) > MOST_FIELDS:
            self.kinds.add("wide")
        if "wide" in self.kinds:
            self.fields.clear()

    def join(self, other: Shape) -> None:
        """Adds all that `other` has seen."""
        self.kinds |= other.kinds
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.types |= other.types
        self.untyped |= other.untyped
        if other.items is not None:
            self.items = self.items or Shape()
            self.items.join(other.items)
        for name, inner in other.fields.items():
            self.fields.setdefault(name, Shape()).join(inner)
        self._give_up_fields()

    @classmethod
    def of_type(cls, kind: pa.DataType, low: int | None = None, high: int | None = None) -> Shape:
        """The shape of a column of a columnar file. low, high: bounds of its whole numbers, if they are known."""
        if pa.types.is_null(kind):
            return cls()
        shape = cls(types={kind})
        if pa.types.is_integer(kind):
            bits, signed = kind.bit_width, pa.types.is_signed_integer(kind)
            least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            shape.kinds, shape.low, shape.high = {"int"}, min(0, least), most
            if low is not None and high is not None:
                shape.low, shape.high = min(low, 0), max(high, 0)
        elif pa.types.is_struct(kind):
            shape.kinds = {"object"}
            shape.fields = {inner.name: cls.of_type(inner.type) for inner in kind}
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            shape.kinds, shape.items = {"list"}, cls.of_type(kind.value_type)
        else:
            shape.kinds = {_kind_of(kind)}
        return shape

    def type(self) -> pa.DataType | None:
        """The type that holds every value exactly; None if only JSON text does."""
        if not self.kinds:
            return pa.null()
        if len(self.types) == 1 and not self.untyped:
            return next(iter(self.types))
        if self.kinds <= {"int", "float"}:
            return self._number()
        if len(self.kinds) > 1:
            return None
        (kind,) = self.kinds
        if kind == "object":
            return self._struct()
        if kind == "list":
            inner = self.items.type() if self.items is not None else pa.null()
            return None if inner is None else pa.list_(inner)
        if kind == "string":
            large = any(pa.types.is_large_string(one) or pa.types.is_string_view(one) for one in self.types)
            return pa.large_string() if large else pa.string()
        if kind == "binary":
            return pa.large_binary()
        return {"bool": pa.bool_()}.get(kind)

    def _number(self) -> pa.DataType | None:
        if "float" in self.kinds:
            exact = "int" not in self.kinds or (self.low >= -EXACT and self.high <= EXACT)
            return pa.float64() if exact else None
        if self.low >= -(1 << 63) and self.high < 1 << 63:
            return pa.int64()
        return pa.uint64() if self.low >= 0 and self.high < 1 << 64 else None

    def _struct(self) -> pa.DataType | None:
        types = {name: shape.type() for name, shape in self.fields.items()}
        if not types or None in types.values():
            return None  # Parquet has no struct without fields
        return pa.struct(list(types.items()))

    def described(self) -> str:
        """What was seen, in words for messages."""
        if "wide" in self.kinds:
            return f"objects with more than {MOST_FIELDS} different keys"
        if self.kinds == {"object"}:
            inner = [f"{name} ({shape.described()})" for name, shape in self.fields.items() if shape.type() is None]
            return f"objects whose fields mix types: {', '.join(inner)}" if inner else "objects without fields"
        if self.kinds == {"list"} and self.items is not None:
            return f"lists of {self.items.described()}"
        names = sorted(_WORDS.get(kind, kind.removeprefix("arrow ")) for kind in self.kinds)
        if self.kinds <= {"int", "float"} and self.type() is None:
            return f"{' and '.join(names)} that no one type holds exactly ({self.low:,} … {self.high:,})"
        return " and ".join(names)

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        data: dict[str, Any] = {"kinds": sorted(self.kinds)}
        if self.low or self.high:
            data |= {"low": str(self.low), "high": str(self.high)}
        if self.items is not None:
            data["items"] = self.items.to_json()
        if self.fields:
            data["fields"] = [[name, shape.to_json()] for name, shape in self.fields.items()]
        if self.types:
            data["types"] = sorted(type_to_text(one) for one in self.types)
        if self.untyped:
            data["untyped"] = True
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Shape:
        """The shape that `to_json` wrote."""
        return cls(
            kinds=set(data["kinds"]),
            low=int(data.get("low", 0)),
            high=int(data.get("high", 0)),
            items=cls.from_json(data["items"]) if "items" in data else None,
            fields={name: cls.from_json(inner) for name, inner in data.get("fields", [])},
            types={type_from_text(one) for one in data.get("types", [])},
            untyped=data.get("untyped", False),
        )


@dataclass
class Survey:
    """What one piece of the input, or all of it, was found to hold."""

    fields: dict[str, Shape] = field(default_factory=dict)
    """By path, in the order in which they were first seen; a field that occurs in no record is absent."""
    records: int = 0
    """Records that were looked at: none says nothing about the names of fields."""
    seen: list[str] = field(default_factory=list)
    """Names of fields for messages, also of those that are not surveyed."""

    def join(self, other: Survey) -> None:
        """Adds all that `other` has found."""
        for path, shape in other.fields.items():
            self.fields.setdefault(path, Shape()).join(shape)
        self.records += other.records
        self.seen = list(dict.fromkeys([*self.seen, *other.seen]))[:MOST_FIELDS]

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        fields = [[path, shape.to_json()] for path, shape in self.fields.items()]
        return {"fields": fields, "records": self.records, "seen": self.seen}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Survey:
        """What `to_json` wrote."""
        fields = {path: Shape.from_json(shape) for path, shape in data["fields"]}
        return cls(fields, data["records"], list(data["seen"]))


_WORDS = {"bool": "booleans", "int": "whole numbers", "float": "fractions", "string": "strings", "object": "objects"}
_WORDS |= {"list": "lists"}


def _kind_of(kind: pa.DataType) -> str:
    """The kind of a type without inner types; types of different kinds never unite, nor do two of the kind `arrow`."""
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_floating(kind):
        return "float"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_dictionary(kind) and _kind_of(kind.value_type) == "string":
        return "string"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return "binary"
    return f"arrow {kind}"


def joined(shapes: Iterable[Shape]) -> Shape:
    """All of `shapes` as one."""
    whole = Shape()
    for shape in shapes:
        whole.join(shape)
    return whole


def type_to_text(kind: pa.DataType) -> str:
    """A type as text that `type_from_text` reads: its own name does not say all of it."""
    return base64.b64encode(pa.schema([("x", kind)]).serialize().to_pybytes()).decode()


def type_from_text(text: str) -> pa.DataType:
    """The type that `type_to_text` wrote."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text))).field("x").type
