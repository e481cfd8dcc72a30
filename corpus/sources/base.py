"""The base of all source formats: options, batches of documents, and rejects, records that cannot be documents."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

import fsspec
import pyarrow as pa
from pydantic import ByteSize, Field, PrivateAttr, field_validator, model_validator

from eyas.corpus.options import Options
from eyas.corpus.paths import RecipePath
from eyas.corpus.sources.columns import RESERVED, Choice, ColumnsOption, PlannedColumn, Surveyed, choices_of
from eyas.corpus.sources.listing import InputFile, Split, list_files
from eyas.corpus.sources.shapes import Shape, Survey
from eyas.corpus.sources.values import to_array
from eyas.errors import InputError

BATCH_BYTES = 16_000_000
"""Text in one batch: what a worker holds at a time, however large the partition."""
BATCH_ROWS = 8192


def printable(path: str) -> str:
    """`path` as text that Arrow and terminals accept: bytes of a file name that are not UTF-8 are escaped."""
    return path if path.isascii() else path.encode(errors="backslashreplace").decode()


class UnreadableInput(InputError):
    """A whole file cannot be read to its end. The run stops: nobody knows how many documents are missing."""


@dataclass(frozen=True)
class Reject:
    """A record that is no document. `dropped`: whether it is dropped (an empty text); otherwise it is quarantined."""

    row: int
    origin: str
    reason: str
    message: str
    dropped: bool = False


@dataclass
class Batch:
    """Some consecutive records: good ones as columns, bad ones as rejects. Every record has a row number."""

    rows: list[int] = field(default_factory=list)
    texts: list[str] | pa.Array = field(default_factory=list)
    origins: list[str] | pa.Array = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)


class BatchBuilder:
    """Collects records one at a time and hands out full batches."""

    def __init__(self, first_row: int, carry: Sequence[str] = (), planned: Sequence[PlannedColumn] = ()) -> None:
        """carry: columns of strings. planned: columns with types of their own."""
        self.row = first_row
        self._planned = planned
        self._carry = [*carry, *(column.name for column in planned)]
        self._new()

    def _new(self) -> None:
        self._batch = Batch(extra={name: [] for name in self._carry})
        self._bytes = 0

    def add(self, text: str, origin: str, carried: Mapping[str, Any] | None = None) -> None:
        """Adds a document. carried: the values of its columns, by name."""
        self._batch.rows.append(self.row)
        self._batch.texts.append(text)
        self._batch.origins.append(printable(origin))
        for name in self._carry:
            self._batch.extra[name].append((carried or {}).get(name))
        self._bytes += len(text)
        self.row += 1

    def reject(self, origin: str, reason: str, message: str, *, dropped: bool = False) -> None:
        """Adds a record that is no document."""
        self._batch.rejects.append(Reject(self.row, printable(origin), reason, printable(message), dropped))
        self.row += 1

    def full(self) -> bool:
        """Whether the batch should be handed on."""
        return self._bytes >= BATCH_BYTES or len(self._batch.rows) + len(self._batch.rejects) >= BATCH_ROWS

    def take(self) -> Batch:
        """The batch so far; the builder starts anew, row numbers going on."""
        batch = self._batch
        for column in self._planned:
            batch.extra[column.name] = to_array(batch.extra[column.name], column.kind)
        self._new()
        return batch


class Source(Options):
    """Options of every format. `path` is a folder, a file, or any fsspec URL (s3://, gs://, memory:// …)."""

    endings: ClassVar[tuple[str, ...]] = ()
    """Endings of its file names, in lower case, which tell the format of a path on the command line."""
    fallback: ClassVar[bool] = False
    """Whether a folder is read as this format only if it holds no other: a folder of JSON lines may have a README."""

    path: RecipePath
    """Folder, file or fsspec URL. A relative path begins at the recipe's folder; `${python_env}` stands for the Python
    environment's own packages."""
    glob: list[str] = ["**"]
    """Patterns relative to `path`; `**` crosses folders."""
    exclude: list[str] = []
    """Patterns of files to leave out."""
    max_bytes: ByteSize | None = None
    """Take a sample of files of about this size (`40MB`), chosen by a hash of seed and path."""
    max_document_bytes: Annotated[ByteSize, Field(gt=0, validate_default=True)] = ByteSize(64_000_000)
    """Quarantine larger documents: a worker has to hold several copies of a document in memory."""

    @field_validator("glob")
    @classmethod
    def _some_glob(cls, value: list[str]) -> list[str]:
        if not value:
            raise InputError("needs at least one pattern")
        return value

    def files(self, source: str) -> list[InputFile]:
        """The input files, sorted; InputError if nothing matches."""
        return list_files(self.path, self.glob, self.exclude, source)

    @property
    def carried(self) -> dict[str, pa.DataType]:
        """Columns besides text that are known before any file is read."""
        return {}

    def surveyed(self, name: str, survey: Survey) -> Surveyed | None:
        """What is known of the source `name` once all of it was surveyed; None if its records have no fields."""
        return None

    def survey(self, split: Split, most: int | None = None) -> Survey:
        """What the fields of one piece hold, as far as the options leave it open. most: records to look at; None: all."""
        return Survey()

    def planned(self, columns: Sequence[PlannedColumn]) -> Self:
        """This source with the columns that its records are to give."""
        return self

    @abstractmethod
    def splits(self, files: Sequence[InputFile], partition_bytes: int) -> list[Split]:
        """Pieces that can be read on their own, in order."""

    @abstractmethod
    def read(self, split: Split, first_row: int) -> Iterator[Batch]:
        """Reads one piece; records are numbered from `first_row`."""

    def filesystem(self) -> Any:
        """The file system of `path`."""
        return fsspec.core.url_to_fs(self.path)[0]


class ColumnSource(Source):
    """Options of formats whose records have named fields."""

    text_column: str = "text"
    """The field that holds the document."""
    origin_column: str | None = None
    """The field with the origin of the document (`url`). Null: the origin is the file's path and the record's number."""
    columns: ColumnsOption | None = None
    """The columns that documents get: `[url, metadata.url]`, `{score: float64}`, `{address: {from: metadata.url}}`.
    Null: all fields, with their types; a field `id` is called `source_id`."""
    drop: list[str] = []
    """Fields to leave out; a dot leads into a nest."""
    carry: list[str] = []
    """Fields to keep as columns, as text, and no others: the first edition's `columns`, which keeps their types."""

    _columns: tuple[PlannedColumn, ...] | None = PrivateAttr(default=None)

    @field_validator("carry")
    @classmethod
    def _not_reserved(cls, value: list[str]) -> list[str]:
        taken = sorted(set(RESERVED) & set(value))
        if taken:
            raise InputError(
                f"{', '.join(taken)}: every document table has a column of this name; it cannot be carried"
            )
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        choices_of(self.columns)
        if self.carry and (self.columns is not None or self.drop):
            raise InputError("`carry` keeps nothing but the fields that it names: use `columns` and `drop` without it")
        if self.columns is not None and self.drop:
            raise InputError("`columns` names all that is kept, so there is nothing to `drop`")
        if not self._surveys and (self.columns is not None or self.drop):
            raise InputError(f"{type(self).__name__} does not say what its fields hold: use `carry`")
        return self

    @property
    def _surveys(self) -> bool:
        """Whether this format can say what its fields hold; a plugin of the first edition cannot."""
        return type(self).survey is not ColumnSource.survey

    @property
    def carried(self) -> dict[str, pa.DataType]:
        return {name: pa.string() for name in self.carry}

    def choices(self) -> list[Choice] | None:
        """The columns that the options name; None: all fields."""
        if self.carry or not self._surveys:
            return [Choice(name, name, "text", pa.string()) for name in self.carry]
        return choices_of(self.columns)

    @property
    def named(self) -> list[str]:
        """The fields that the options name: each must occur."""
        if not self._surveys:
            return []
        wanted = [self.text_column, *([self.origin_column] if self.origin_column else [])]
        return list(dict.fromkeys([*wanted, *(choice.path for choice in self.choices() or ()), *self.drop]))

    @property
    def complete(self) -> bool:
        """Whether a survey must see every record: types of fields are to be found out."""
        choices = self.choices()
        return choices is None or any(choice.kind is None for choice in choices)

    def surveyed(self, name: str, survey: Survey) -> Surveyed:
        shapes = survey.fields
        nested = [path for path in self.named if path in shapes and _nested(path, shapes)]
        fields = {path: shape for path, shape in shapes.items() if path not in nested or self.choices() is not None}
        named = self.named if survey.records else []
        drop = [*self.drop, self.text_column]
        return Surveyed(name, fields, self.choices(), drop, nested, named, survey.seen)

    def planned(self, columns: Sequence[PlannedColumn]) -> Self:
        bound = self.model_copy()
        bound._columns = tuple(columns)
        return bound

    @property
    def planned_columns(self) -> tuple[PlannedColumn, ...]:
        """The columns that records are to give: those that a run planned, otherwise those of `carry`."""
        if self._columns is not None:
            return self._columns
        return tuple(PlannedColumn(name, name, pa.string(), "text") for name in self.carry)


def _nested(path: str, shapes: Mapping[str, Shape]) -> bool:
    """Whether a named field lies in a nest, and is no field with a dot in its name."""
    steps = path.split(".")
    return any(".".join(steps[:end]) in shapes for end in range(1, len(steps)))
