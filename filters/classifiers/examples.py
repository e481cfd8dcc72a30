"""The examples of one class: documents that reach the stage and meet a condition, or documents of files.

A condition is SQL as Polars reads it (`source = 'wiki' and lang = 'en'`); it decides on one document at a time. Of files,
the documents with the lowest hashes are taken, whatever their order, so memory is that of the sample.
"""

# Tested in tests/filters/classifiers/test_train.py.

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from typing import Any

import fsspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from eyas.corpus.documents import COLUMNS
from eyas.corpus.options import Options
from eyas.corpus.paths import RecipePath, where_looked
from eyas.corpus.sources.base import ColumnSource
from eyas.corpus.sources.by_path import class_of
from eyas.corpus.sources.jsonl import JsonLines
from eyas.corpus.sources.listing import InputFile
from eyas.errors import InputError

WHERE = "where"
"""The column that says where an example came from."""


class Examples(Options):
    """The examples of one class: exactly one of `where` and `files`."""

    where: str | None = Field(default=None, min_length=1)
    """A condition on the columns of the documents that reach this stage, in SQL: `source = 'wiki'`."""
    files: list[RecipePath] = []
    """JSON lines (plain or compressed) or Parquet files: paths, patterns (`bad/*.jsonl.gz`) or fsspec URLs."""
    text_column: str = "text"
    """The field of those files that holds the text."""

    @model_validator(mode="after")
    def _one_kind(self) -> Examples:
        if (self.where is None) == (not self.files):
            raise InputError("examples need exactly one of `where` (a condition) and `files` (a list of paths)")
        if self.where is not None:
            _ = self.expression
        return self

    @property
    def expression(self) -> pl.Expr:
        """The condition; ValueError if Polars cannot read it."""
        try:
            return pl.sql_expr(self.where or "")
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise InputError(
                f"where: cannot be read: {error}. Expected a condition in SQL, such as \"source = 'wiki'\""
            ) from error

    def columns(self) -> tuple[str, ...]:
        """The columns that the condition reads."""
        return tuple(sorted(set(self.expression.meta.root_names()))) if self.where is not None else ()

    def matches(self, docs: pa.Table) -> npt.NDArray[np.bool_]:
        """Which documents meet the condition; null counts as false. ValueError if the answer depends on other documents."""
        mask = self._evaluate(docs)
        # An average or a rank would differ in every batch. Polars does not say which it is, so we try it on half of them.
        half = docs.num_rows // 2
        if half and not np.array_equal(self._evaluate(docs.slice(0, half)), mask[:half]):
            raise InputError(
                f"where: {self.where!r} gives another answer on fewer documents; a condition must depend on "
                f"one document alone, without averages, ranks or counts over others"
            )
        return mask

    def _evaluate(self, docs: pa.Table) -> npt.NDArray[np.bool_]:
        columns = {name: _plain(docs.column(name)) for name in self.columns()}
        # The column `#row` keeps the length where the condition names no column at all (`true`).
        frame = pl.from_arrow(pa.table({"#row": pa.array(np.arange(docs.num_rows)), **columns}))
        assert isinstance(frame, pl.DataFrame)
        try:
            matches = frame.with_columns(self.expression.alias("#match"))["#match"]
        except pl.exceptions.PolarsError as error:
            raise InputError(f"where: {self.where!r} cannot be evaluated on these documents: {error}") from error
        if matches.dtype != pl.Boolean:
            raise InputError(f"where: {self.where!r} gives {matches.dtype}, expected true or false")
        mask: npt.NDArray[np.bool_] = matches.fill_null(False).to_numpy()
        return mask

    def sources(self, carry: Sequence[str]) -> list[tuple[ColumnSource, InputFile]]:
        """The files, each with the source that reads it; ValueError if a pattern matches nothing."""
        by_url: dict[str, tuple[ColumnSource, InputFile]] = {}
        for pattern in self.files:
            try:
                fs, root = fsspec.core.url_to_fs(pattern)
                paths = sorted(fs.glob(root)) if any(c in root for c in "*?[") else [root]
                names = [path for path in paths if fs.isfile(path)]
            except (ImportError, ValueError, OSError) as error:
                raise InputError(f"files: cannot open {pattern}: {error}") from error
            if not names:
                raise InputError(f"files: nothing matches {pattern}{where_looked(pattern)}")
            for name in names:
                known = class_of(name)
                kind = known if known is not None and issubclass(known, ColumnSource) else JsonLines
                url = fs.unstrip_protocol(name)
                source = kind(path=url, text_column=self.text_column, carry=[c for c in carry if c not in COLUMNS])
                by_url[url] = (source, source.files("files")[0])
        return [by_url[url] for url in sorted(by_url)]

    def listing(self) -> list[Any]:
        """Path, size and stamp of each file: they change whenever the files do."""
        return [[file.path, file.bytes, file.stamp] for _, file in self.sources(())]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A dictionary of strings as plain strings: Polars compares dictionaries of several chunks more slowly, or not at all."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def read_files(
    examples: Examples, count: int, max_characters: int | None, carry: Sequence[str], seed: int
) -> tuple[list[dict[str, str | None]], dict[str, int]]:
    """At most `count` different texts of the files, those of the lowest hashes, with the fields `carry`.

    The second value counts the documents `read` and the records that were `broken` and skipped.
    """
    # A heap of the lowest hashes, negated: its first is the next to be dropped.
    heap: list[tuple[int, int]] = []
    kept: dict[int, dict[str, str | None]] = {}
    read = broken = 0
    for row, broken_now in _rows(examples, carry):
        broken += broken_now
        if row is None:
            continue
        read += 1
        text = (row["text"] or "")[:max_characters]
        digest = hashlib.blake2b(text.encode(), digest_size=8, key=seed.to_bytes(8, "little")).digest()
        rank = int.from_bytes(digest, "little")
        if rank in kept or (len(heap) == count and rank > -heap[0][0]):
            continue
        kept[rank] = {**row, "text": text}
        heapq.heappush(heap, (-rank, rank))
        if len(heap) > count:
            del kept[heapq.heappop(heap)[1]]
    return [kept[rank] for rank in sorted(kept)], {"read": read, "broken": broken}


def _rows(examples: Examples, carry: Sequence[str]) -> Iterator[tuple[dict[str, str | None] | None, int]]:
    """Each document of the files; None and a count stand for the broken records of a batch."""
    for source, file in examples.sources(carry):
        for split in source.splits([file], 1 << 62):
            for batch in source.read(split, 0):
                broken = sum(not reject.dropped for reject in batch.rejects)
                if broken:
                    yield None, broken
                texts = batch.texts.to_pylist() if isinstance(batch.texts, pa.Array) else batch.texts
                origins = batch.origins.to_pylist() if isinstance(batch.origins, pa.Array) else batch.origins
                extra = {
                    name: values.to_pylist() if isinstance(values, pa.Array | pa.ChunkedArray) else values
                    for name, values in batch.extra.items()
                }
                for i, text in enumerate(texts):
                    groups = {name: values[i] for name, values in extra.items()}
                    yield {"text": text, WHERE: origins[i], "source": file.relative, **groups}, 0
