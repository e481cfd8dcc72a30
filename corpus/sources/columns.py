"""The columns that documents take from their records: which fields, by what names, with what types.

A recipe chooses by `columns:` and `drop:`; by default every field stays. The survey of the input (`shapes`) says what each
field holds, and `plan_columns` turns both into planned columns: one schema for all sources of a run, fixed before reading.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from eyas.corpus.documents import COLUMNS, CONTROL, HIDDEN, PARENT, SPANS
from eyas.corpus.options import Options
from eyas.corpus.sources.shapes import Shape, joined, type_from_text, type_to_text
from eyas.errors import InputError, nearest

RESERVED = (*COLUMNS, PARENT.name, CONTROL.name, SPANS.name)
"""Names of columns that Eyas gives a meaning of its own: an input's field of this name becomes `source_<name>`."""
JSON = "json"
"""The declared type of a column that is kept as JSON text."""
_NAMED = "bool, int8 … int64, uint8 … uint64, float32, float64, string, date32, timestamp[s|ms|us|ns], decimal128(P, S), json"


class MissingColumn(InputError):
    """A recipe names a field that no record has, or a stage needs a column that there is not."""


class ColumnOptions(Options):
    """One column: the field that it comes from, and its type."""

    from_: str | None = Field(default=None, alias="from")
    """The field, with dots into nests: `metadata.url`. Null: the field of the column's own name."""
    type: str | None = None
    """The type that its values must have, such as float64; a record with another value is quarantined. Null: as they are."""

    @model_validator(mode="after")
    def _known_type(self) -> Self:
        if self.type is not None:
            parse_type(self.type)
        return self


ColumnsOption = list[str | dict[str, str | ColumnOptions | None]] | dict[str, str | ColumnOptions | None]
"""The option `columns`: `[url, metadata.url]`, `{score: float64}`, `{address: {from: metadata.url, type: string}}`."""


Form = Literal["value", "declared", "json", "text"]
"""How a column's values are made of a field's: as they are; of the declared type, or their record is quarantined; as JSON
text; or as `carry` of the first edition made them, strings as they are and anything else as JSON text."""


@dataclass(frozen=True)
class Choice:
    """A column that a recipe asks for: its name, its field, and its type if that is declared."""

    name: str
    path: str
    form: Form = "value"
    kind: pa.DataType | None = None


@dataclass(frozen=True)
class PlannedColumn:
    """A column of the document table, and the field of the records that it comes from."""

    name: str
    path: str
    kind: pa.DataType
    form: Form = "value"
    note: str | None = None
    """Why the column is not simply its field."""

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        return {**self.__dict__, "kind": type_to_text(self.kind), "type": str(self.kind)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PlannedColumn:
        """The column that `to_json` wrote."""
        return cls(**{**{k: v for k, v in data.items() if k != "type"}, "kind": type_from_text(data["kind"])})


def choices_of(option: ColumnsOption | None) -> list[Choice] | None:
    """The columns that the option names, in its order; None if it is not given: all fields."""
    if option is None:
        return None
    entries: list[tuple[str, str | ColumnOptions | None]] = []
    for item in [option] if isinstance(option, dict) else option:
        entries += [(item, None)] if isinstance(item, str) else list(item.items())
    choices = []
    for name, given in entries:
        options = ColumnOptions.model_validate({"type": given}) if isinstance(given, str) else given or ColumnOptions()
        form: Form = "value" if options.type is None else "json" if options.type == JSON else "declared"
        kind = parse_type(options.type) if options.type is not None else None
        choices.append(Choice(name, options.from_ or name, form, kind))
    names = [choice.name for choice in choices]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"columns: {', '.join(twice)} is named twice")
    for name in names:
        if name in RESERVED or name.startswith(HIDDEN) or not name:
            raise InputError(
                f"columns: {name!r} is a column that every document table has; give it another name: "
                f"`columns: {{source_{name.lstrip(HIDDEN)}: {{from: {name}}}}}`"
            )
    return choices


def parse_type(text: str) -> pa.DataType:
    """The type of this name; InputError if there is none."""
    if text == JSON:
        return pa.string()
    if match := re.fullmatch(r"timestamp\[(s|ms|us|ns)(?:, *(?:tz=)?([A-Za-z0-9_+:/-]+))?\]", text):
        return pa.timestamp(match[1], match[2])
    if match := re.fullmatch(r"decimal128\( *(\d+) *, *(\d+) *\)", text):
        return pa.decimal128(int(match[1]), int(match[2]))
    if match := re.fullmatch(r"list<(.+)>", text):
        return pa.list_(parse_type(match[1]))
    try:
        return pa.type_for_alias(text)
    except ValueError as error:
        raise InputError(
            f"there is no type {text!r} (types: {_NAMED}, list<TYPE>). "
            f"To take a column from another field, write {{from: {text}}}"
        ) from error


def value_at(record: Any, path: str) -> Any:
    """The value of a record's field; a dot leads into a nest unless a field has it in its name. None if it is not there."""
    return found_at(record, path)[1]


def found_at(record: Any, path: str) -> tuple[bool, Any]:
    """Whether a record has the field, and its value."""
    if not isinstance(record, dict):
        return False, None
    if path in record:
        return True, record[path]
    head, dot, rest = path.partition(".")
    while dot:
        if head in record:
            found = found_at(record[head], rest)
            if found[0]:
                return found
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return False, None


@dataclass(frozen=True)
class Surveyed:
    """What is known of a source: the shapes of the fields that it may give, and what its recipe says of them.

    fields: in the order in which they were first seen; a field that occurs in no record is absent. nested: the named fields
    that lie in nests.
    """

    source: str
    fields: Mapping[str, Shape]
    choices: Sequence[Choice] | None = None
    drop: Sequence[str] = ()
    """Fields that are no columns: those that the recipe drops, and the text."""
    nested: Collection[str] = ()
    named: Sequence[str] = ()
    """Fields that the recipe names: each must occur."""
    seen: Sequence[str] = ()
    """Names of fields, for messages."""

    def check(self) -> None:
        """InputError if a field that the recipe names occurs in no record."""
        for path in self.named:
            if path not in self.fields and path not in self.nested:
                raise MissingColumn(
                    f"source {self.source!r}: no record has the field {path!r}{nearest(path, self.seen)} "
                    f"(fields: {', '.join(self.seen[:20]) or 'none'})"
                )

    def wanted(self) -> list[tuple[Choice, Shape, str | None]]:
        """The columns that the source gives: name and field, the shape, and why the name is not the field's."""
        if self.choices is not None:
            return [
                (one, self.fields.get(one.path, Shape()) if one.kind is None else Shape.of_type(one.kind), None)
                for one in self.choices
            ]
        left = {path: shape for path, shape in self.fields.items() if path not in self.drop}
        names = _names(left)
        return [
            (Choice(names[path], path), _without(shape, path, self.drop), _renamed(names[path], path))
            for path, shape in left.items()
        ]


def _renamed(name: str, path: str) -> str | None:
    return None if name == path else f"the name {path!r} has a meaning in Eyas"


def _names(paths: Iterable[str]) -> dict[str, str]:
    """The name of each field's column: its own, or `source_…` if that is taken."""
    paths = list(paths)
    names = {path: f"source_{path}" for path in paths if path in RESERVED or path.startswith(HIDDEN) or not path}
    for path in paths:
        name = names.get(path, path)
        while path not in names and name in names.values():
            name = f"source_{name}"
        names.setdefault(path, name)
    return names


def _without(shape: Shape, path: str, drop: Sequence[str]) -> Shape:
    """The shape without the nested fields that are dropped."""
    inner = [name[len(path) + 1 :] for name in drop if name.startswith(f"{path}.")]
    if not inner:
        return shape
    fields = {n: _without(s, n, inner) for n, s in shape.fields.items() if n not in inner}
    left = Shape(shape.kinds, fields=fields, untyped=True)
    # A map, a text or a mixture has no fields that could be left out one by one.
    if shape.kinds != {"object"} or left.type() is None:
        raise InputError(
            f"drop: {path}.{inner[0]} cannot be left out, because {path!r} is kept as one value (it holds "
            f"{left.described()}): drop all of it, or choose what stays by `columns`"
        )
    return left


def plan_columns(sources: Sequence[Surveyed]) -> dict[str, list[PlannedColumn]]:
    """The columns of each source, by its name: the same name has the same type in all of them.

    A field whose values no one type holds exactly, within a source or across sources, is kept as JSON text in `<name>_json`.
    Raises InputError if a field that a recipe names occurs in no record.
    """
    for surveyed in sources:
        surveyed.check()
    wanted = {surveyed.source: surveyed.wanted() for surveyed in sources}
    shapes: dict[str, list[tuple[str, Choice, Shape]]] = {}
    for source, columns in wanted.items():
        for choice, shape, _ in columns:
            shapes.setdefault(choice.name, []).append((source, choice, shape))
    kinds = {name: _united(members) for name, members in shapes.items()}
    texts = _text_names(kinds)
    planned: dict[str, list[PlannedColumn]] = {}
    for source, columns in wanted.items():
        planned[source] = []
        for choice, _, note in columns:
            kind, name = kinds[choice.name], choice.name
            if kind is not None:
                planned[source].append(PlannedColumn(name, choice.path, kind, choice.form, note))
            else:
                why = _why(name, shapes[name])
                planned[source].append(PlannedColumn(texts[name], choice.path, pa.string(), "json", why))
    return planned


def _united(members: Sequence[tuple[str, Choice, Shape]]) -> pa.DataType | None:
    """The type of a column over all sources that give it; None if only JSON text holds it."""
    forms = {choice.form for _, choice, _ in members}
    if "json" in forms and len(forms) > 1:
        return None
    kind = joined(shape for _, _, shape in members).type()
    return kind if kind is None or writable(kind) else None


def _text_names(kinds: Mapping[str, pa.DataType | None]) -> dict[str, str]:
    """The names of the columns that are kept as JSON text, by their fields' names."""
    taken, names = set(kinds), {}
    for name in (name for name, kind in kinds.items() if kind is None):
        names[name] = f"{name}_json"
        while names[name] in taken:
            names[name] += "_json"
        taken.add(names[name])
    return names


def _why(name: str, members: Sequence[tuple[str, Choice, Shape]]) -> str:
    own = [(source, shape.described()) for source, _, shape in members if shape.kinds]
    if len({what for _, what in own}) == 1:
        return f"{name!r} holds {own[0][1]}: kept as JSON text"
    return f"{name!r} holds " + ", ".join(f"{what} in {source!r}" for source, what in own) + ": kept as JSON text"


def writable(kind: pa.DataType) -> bool:
    """Whether Parquet can hold this type."""
    if pa.types.is_struct(kind):
        return kind.num_fields > 0 and all(writable(field.type) for field in kind)
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return all(writable(kind.field(i).type) for i in range(kind.num_fields))
    return not (pa.types.is_union(kind) or pa.types.is_run_end_encoded(kind) or pa.types.is_interval(kind))


def in_memory(kind: pa.DataType) -> pa.DataType:
    """The type that documents have between stages: Arrow cannot filter views of strings yet, so they are plain strings."""
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_struct(kind):
        return pa.struct([inner.with_type(in_memory(inner.type)) for inner in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(in_memory(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(in_memory(kind.value_type)))
    return kind


def schema_of(planned: Mapping[str, Sequence[PlannedColumn]]) -> dict[str, pa.DataType]:
    """The columns of the document table that sources give, by name, in the order of the sources."""
    return {column.name: column.kind for columns in planned.values() for column in columns}
