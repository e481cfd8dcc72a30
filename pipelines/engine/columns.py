"""The columns of documents along a run: those of the input, surveyed before reading, and those that stages add.

Where a stage adds a column whose name the input has, the input's is called `source_<name>` from then on: neither is lost.
"""

# Tested in tests/end_to_end/test_metadata.py.

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from eyas.corpus.documents import PARENT, schema
from eyas.corpus.sources.arrow_fields import type_at
from eyas.corpus.sources.base import Source
from eyas.corpus.sources.columns import MissingColumn, PlannedColumn, Surveyed, in_memory, plan_columns, schema_of
from eyas.corpus.sources.listing import Partition
from eyas.corpus.sources.shapes import Survey
from eyas.corpus.stage import Stage
from eyas.corpus.storage_errors import of_source
from eyas.corpus.task import Step, Task, TaskContext, entries_of
from eyas.errors import InputError, nearest
from eyas.pipelines.recipe.recipe import NamedStage, Recipe

if TYPE_CHECKING:
    from eyas.pipelines.engine.passes.records import SurveyEntry

LOOK_RECORDS = 1000
"""Records of each source that are looked at before a run."""
Planned = dict[str, list[PlannedColumn]]
"""The columns that each source gives, by its name."""


def survey(recipe: Recipe, partitions: Sequence[Partition]) -> Generator[Step[Any], list[Any], Planned]:
    """Finds out what the fields of all sources hold, a task for each partition, and plans the columns.

    Raises InputError if a field that the recipe names occurs in no record, or a stage needs a column that there is not.
    """
    sources = {entry.name: entry.source for entry in recipe.options.sources}
    tasks = [
        Task(f"part-{p.number:05d}", partial(survey_partition, p, sources[p.source], None), p.bytes)
        for p in partitions
        if sources[p.source].surveyed(p.source, Survey()) is not None
    ]
    entries: list[SurveyEntry] = []
    if tasks:
        entries = yield from entries_of(Step.of("survey", tasks))
    return planned_columns(recipe, entries)


def look(recipe: Recipe, partitions: Sequence[Partition]) -> Planned:
    """The columns as the first records show them, for checks before a run; the survey of everything may find more.

    A column that is missing there may come later: then more of the input is looked at, all of it if need be, before
    `MissingColumn` says that it is in no record. InputError for a column of a type that a stage cannot work with.
    """
    sources = {entry.name: entry.source for entry in recipe.options.sources}
    first = {p.source: Partition(p.number, p.source, p.splits[:1]) for p in reversed(partitions)}
    entries = [survey_partition(piece, sources[name], LOOK_RECORDS) for name, piece in first.items()]
    for partition in partitions:
        try:
            return planned_columns(recipe, entries)
        except MissingColumn:
            entries.append(survey_partition(partition, sources[partition.source]))
    return planned_columns(recipe, entries)


def survey_partition(
    partition: Partition, source: Source, most: int | None = None, context: TaskContext | None = None
) -> SurveyEntry:
    """What the fields of one partition hold. most: records of each piece to look at; None: all."""
    whole = Survey()
    with of_source(partition.source):
        for split in partition.splits:
            whole.join(source.survey(split, most))
    return {"files": [], "source": partition.source, "survey": whole.to_json()}


def planned_columns(recipe: Recipe, entries: Sequence[SurveyEntry]) -> Planned:
    """The columns of each source, from what was found out about all partitions."""
    surveys = {entry.name: Survey() for entry in recipe.options.sources}
    for entry in entries:
        surveys[entry["source"]].join(Survey.from_json(entry["survey"]))
    surveyed: list[Surveyed] = []
    for source in recipe.options.sources:
        found = source.source.surveyed(source.name, surveys[source.name])
        if found is not None:
            surveyed.append(found)
    planned = plan_columns(surveyed)
    for source in recipe.options.sources:
        carried = [PlannedColumn(name, name, kind, "text") for name, kind in source.source.carried.items()]
        planned.setdefault(source.name, carried)
    check_columns(recipe.stages, planned)
    return planned


def column_notes(planned: Planned) -> list[str]:
    """A sentence for each column that is not simply its field."""
    return [
        f"source {source!r}: field {column.path!r} is the column {column.name!r}: {column.note}"
        for source, columns in planned.items()
        for column in columns
        if column.note is not None
    ]


def check_columns(stages: Sequence[NamedStage], planned: Planned) -> None:
    """InputError if a stage needs a column that the input has not and no earlier stage adds, or one of another type."""
    inputs = schema_of(planned)
    for number, named in enumerate(stages):
        available = {**layout_of(inputs, stages[:number]).columns, **dict(_BUILT_IN)}
        table = pa.schema(list(available.items()))
        for name in named.columns_needed():
            kind = type_at(table, name)
            if kind is None:
                raise MissingColumn(f"{at_place(named)}needs the column {name!r}{_hint(name, planned, available)}")
            available[name] = kind  # a dotted name is a column, too, for the stage that needs it
        try:
            named.stage.check_columns(available)
        except InputError as error:
            raise InputError(f"{at_place(named)}{error}") from error


def at_place(named: NamedStage) -> str:
    """How a message about a stage begins: where it stands in the recipe."""
    return f"{named.place}: " if named.place else f"stage {named.label!r}: "


_BUILT_IN = (("id", pa.uint64()), ("text", pa.large_string()), ("source", pa.string()), ("origin", pa.string()))


def _hint(name: str, planned: Planned, available: Mapping[str, pa.DataType]) -> str:
    """What is there instead of a column: a text of the same field, or the names of all."""
    for source, columns in planned.items():
        for column in columns:
            if column.path == name and column.name != name:
                return f"; in source {source!r}, the field is called {column.name!r}: {column.note}"
    return (
        f", which no source has and no earlier stage adds{nearest(name, available)}; there are {', '.join(available)}"
    )


@dataclass(frozen=True)
class Layout:
    """The columns of documents at one point of a run, besides id, text, source and origin."""

    columns: Mapping[str, pa.DataType]
    moved: Mapping[str, Mapping[str, str]]
    """By label of a stage: the input's columns that make way for those that it adds, with their new names."""

    @property
    def schema(self) -> pa.Schema:
        """The schema of the documents as they are published."""
        return schema(self.columns)

    @property
    def working_schema(self) -> pa.Schema:
        """The schema of the documents between passes."""
        return schema({name: in_memory(kind) for name, kind in self.columns.items()})


def layout_of(inputs: Mapping[str, pa.DataType], stages: Sequence[NamedStage]) -> Layout:
    """The columns after `stages`, given those of the input."""
    columns = dict(inputs)
    own = set(inputs)
    moved: dict[str, dict[str, str]] = {}
    for named in stages:
        for name in displaced(named.stage, own):
            new = f"source_{name}"
            while new in columns:
                new = f"source_{new}"
            moved.setdefault(named.label, {})[name] = new
            columns = {new if key == name else key: kind for key, kind in columns.items()}
            own = {new if key == name else key for key in own}
        columns.update(named.stage.columns_added())
        if named.stage.makes_documents:
            columns[PARENT.name] = PARENT.type
        own -= set(named.stage.columns_added())
    return Layout(columns, moved)


def displaced(stage: Stage, inputs: set[str]) -> list[str]:
    """The input's columns whose names `stage` takes; a stage that needs a column goes on from its values."""
    return sorted((set(stage.columns_added()) - set(stage.columns_needed())) & inputs)
