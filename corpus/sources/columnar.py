"""Parquet and Arrow IPC files: cut by row group or record batch, read without a Python object per document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eyas.corpus.sources.arrow_fields import converted, root_of, type_at, values_at, whole_number_bounds
from eyas.corpus.sources.base import BATCH_BYTES, BATCH_ROWS, Batch, ColumnSource, Reject, UnreadableInput, printable
from eyas.corpus.sources.columns import PlannedColumn
from eyas.corpus.sources.listing import InputFile, Split
from eyas.corpus.sources.shapes import MOST_FIELDS, Shape, Survey
from eyas.corpus.sources.text_files import too_large
from eyas.corpus.storage_errors import opened


class ParquetFiles(ColumnSource):
    """Parquet files: `parquet: {path, glob, text_column, …}`."""

    endings: ClassVar[tuple[str, ...]] = (".parquet",)
    glob: list[str] = [f"**/*{ending}" for ending in endings]
    """Patterns relative to `path`; `**` crosses folders."""

    def splits(self, files: Sequence[InputFile], partition_bytes: int) -> list[Split]:
        splits = []
        for file in files:
            with opened(self.filesystem(), file.path) as raw:
                metadata = _open(lambda raw=raw: pq.ParquetFile(raw), file.path).metadata
                sizes = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
            splits += _runs(file.path, sizes, partition_bytes)
        return splits

    def read(self, split: Split, first_row: int) -> Iterator[Batch]:
        with opened(self.filesystem(), split.path) as raw:
            parquet = _open(lambda: pq.ParquetFile(raw, page_checksum_verification=True), split.path)
            columns = self._needed(parquet.schema_arrow, split.path)
            before = sum(parquet.metadata.row_group(i).num_rows for i in range(split.start))
            groups = list(range(split.start, split.end))
            sizes = [parquet.metadata.row_group(i) for i in groups]
            rows = _batch_rows(sum(g.total_byte_size for g in sizes), sum(g.num_rows for g in sizes))
            batches = parquet.iter_batches(batch_size=rows, row_groups=groups, columns=columns)
            yield from self._batches(batches, printable(split.path), before, first_row)

    def survey(self, split: Split, most: int | None = None) -> Survey:
        """From the first piece of each file: all pieces have the schema of the file."""
        if split.start > 0:
            return Survey()
        with opened(self.filesystem(), split.path) as raw:
            parquet = _open(lambda: pq.ParquetFile(raw), split.path)
            schema = _without_twins(parquet.schema_arrow, split.path)
            return self._survey(schema, whole_number_bounds(parquet), parquet.metadata.num_rows)

    def _survey(self, schema: pa.Schema, bounds: Mapping[str, tuple[int, int]], records: int) -> Survey:
        survey = Survey(records=records, seen=schema.names[:MOST_FIELDS])
        if self.choices() is None:
            survey.fields = {f.name: Shape.of_type(f.type, *bounds.get(f.name, (None, None))) for f in schema}
        for path in self.named:
            if (found := type_at(schema, path)) is not None:
                survey.fields.setdefault(path, Shape.of_type(found, *bounds.get(path, (None, None))))
        return survey

    def _needed(self, schema: pa.Schema, path: str) -> list[str]:
        """The columns of a file that must be read."""
        if type_at(schema, self.text_column) is None:
            raise UnreadableInput(
                f"{path}: no column {self.text_column!r}; it has {', '.join(schema.names)}. Set `text_column`."
            )
        fields = [self.text_column, self.origin_column or "", *(column.path for column in self.planned_columns)]
        roots = [root_of(schema, field) for field in fields]
        return [name for name in dict.fromkeys(roots) if name is not None]

    def _batches(self, batches: Iterator[pa.RecordBatch], path: str, before: int, row: int) -> Iterator[Batch]:
        while True:
            batch = _open(lambda: next(batches, None), path)
            if batch is None:
                return
            yield self._convert(batch, path, before, row)
            before += batch.num_rows
            row += batch.num_rows

    def _convert(self, batch: pa.RecordBatch, path: str, before: int, first_row: int) -> Batch:
        text = self._column(batch, self.text_column, path)
        if pa.types.is_dictionary(text.type):
            text = text.dictionary_decode()
        if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
            raise UnreadableInput(f"{path}: column {self.text_column!r} is {text.type}, expected strings")
        text = text.cast(pa.large_string())
        size = pc.fill_null(pc.binary_length(text), -1).to_numpy(zero_copy_only=False)
        numbers = np.arange(batch.num_rows) + before
        good = (size > 0) & (size <= self.max_document_bytes)
        rejects = []
        for i in np.flatnonzero(~good).tolist():
            origin = f"{path}#{numbers[i]}"
            if size[i] < 0:
                message = f"{path}, row {numbers[i]}: {self.text_column!r} is null"
                rejects.append(Reject(first_row + int(i), origin, "no_text", message))
            elif size[i] == 0:
                message = f"{path}, row {numbers[i]}: the text is empty"
                rejects.append(Reject(first_row + int(i), origin, "empty", message, dropped=True))
            else:
                message = f"{path}, row {numbers[i]}: " + too_large(int(size[i]), self.max_document_bytes)
                rejects.append(Reject(first_row + int(i), origin, "too_large", message))
        extra = {}
        for column in self.planned_columns:
            values, broken = converted(self._column(batch, column.path, path), column, path)
            extra[column.name] = values
            for i, message in broken.items():
                if good[i]:
                    good[i] = False
                    where = f"{path}, row {numbers[i]}: {message}"
                    rejects.append(Reject(first_row + i, f"{path}#{numbers[i]}", "broken_column", where))
        rejects.sort(key=lambda reject: reject.row)
        keep = np.flatnonzero(good)
        origins = self._origins(batch, path, numbers).take(pa.array(keep))
        extra = {name: values.take(pa.array(keep)) for name, values in extra.items()}
        rows = [first_row + int(i) for i in keep]
        return Batch(rows, text.take(pa.array(keep)), origins, extra, rejects)

    def _column(self, batch: pa.RecordBatch, field: str, path: str) -> pa.Array:
        """The values of a field, which may lie in a nest; nulls if the file has no such field."""
        return _open(lambda: _validated(values_at(batch, field)), path)

    def _origins(self, batch: pa.RecordBatch, path: str, numbers: Any) -> pa.Array:
        numbered = pa.array([f"{path}#{number}" for number in numbers], pa.string())
        if self.origin_column is None or root_of(batch.schema, self.origin_column) is None:
            return numbered
        own = PlannedColumn("origin", self.origin_column, pa.string(), "text")
        return pc.coalesce(converted(self._column(batch, self.origin_column, path), own, path)[0], numbered)


class ArrowFiles(ParquetFiles):
    """Arrow IPC files (the file format, also called Feather 2): `arrow: {path, glob, text_column, …}`."""

    endings: ClassVar[tuple[str, ...]] = (".arrow", ".feather")
    glob: list[str] = [f"**/*{ending}" for ending in endings]
    """Patterns relative to `path`; `**` crosses folders."""

    def splits(self, files: Sequence[InputFile], partition_bytes: int) -> list[Split]:
        splits = []
        for file in files:
            with opened(self.filesystem(), file.path) as raw:
                count = _open(lambda raw=raw: pa.ipc.open_file(raw), file.path).num_record_batches
            # Batches of one file are about equal, so each gets an equal share of its bytes.
            splits += _runs(file.path, [file.bytes // max(count, 1)] * count, partition_bytes)
        return splits

    def survey(self, split: Split, most: int | None = None) -> Survey:
        if split.start > 0:
            return Survey()
        with opened(self.filesystem(), split.path) as raw:
            reader = _open(lambda: pa.ipc.open_file(raw), split.path)
            return self._survey(_without_twins(reader.schema, split.path), {}, reader.num_record_batches)

    def read(self, split: Split, first_row: int) -> Iterator[Batch]:
        with opened(self.filesystem(), split.path) as raw:
            reader = _open(lambda: pa.ipc.open_file(raw), split.path)
            columns = self._needed(reader.schema, split.path)
            before = sum(reader.get_batch(i).num_rows for i in range(split.start))
            for number in range(split.start, split.end):
                batch = _open(lambda number=number: reader.get_batch(number), split.path).select(columns)
                rows = _batch_rows(batch.nbytes, batch.num_rows)
                pieces = (batch.slice(i, rows) for i in range(0, batch.num_rows, rows))
                yield from self._batches(pieces, printable(split.path), before, first_row)
                before += batch.num_rows
                first_row += batch.num_rows


def _without_twins(schema: pa.Schema, path: str) -> pa.Schema:
    """The schema; `UnreadableInput` if two columns have one name, because neither could be told from the other."""
    twins = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twins:
        raise UnreadableInput(f"{path}: several columns are called {', '.join(twins)}: give each a name of its own")
    return schema


def _batch_rows(size: int, rows: int) -> int:
    """Rows that hold about `BATCH_BYTES` if `rows` rows hold `size` bytes: 8,192 books at once would be gigabytes."""
    return min(max(BATCH_BYTES * rows // max(size, 1), 1), BATCH_ROWS)


def _validated(text: pa.Array) -> pa.Array:
    text.validate(full=True)
    return text


def _runs(path: str, sizes: Sequence[int], partition_bytes: int) -> list[Split]:
    """Splits of neighbouring row groups of about `partition_bytes`."""
    splits, start, size = [], 0, 0
    for number, group in enumerate(sizes):
        if number > start and size + group > partition_bytes:
            splits.append(Split(path, size, start, number))
            start, size = number, 0
        size += group
    if sizes:
        splits.append(Split(path, size, start, len(sizes)))
    return splits


def _open(action: Any, path: str) -> Any:
    """Runs `action`; an error of Arrow becomes one that names the file."""
    try:
        return action()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnreadableInput(
            f"{path}: truncated or damaged: {error}. Restore the file, or leave it out with `exclude`."
        ) from error
