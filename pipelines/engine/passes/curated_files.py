"""Publishes curated documents as a recipe asks for them: some of the columns, JSON lines, files of about a size."""

# Tested in tests/end_to_end/test_curated_output.py.

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.documents import conform, text_bytes
from eyas.corpus.part import Part
from eyas.corpus.sources.values import json_text
from eyas.corpus.store import FileEntry, Store
from eyas.corpus.task import Step, Steps, Task, TaskContext, entries_of
from eyas.errors import BooksError, InputError, nearest
from eyas.pipelines.engine.passes.base import PassState, Result, files_of
from eyas.pipelines.engine.passes.records import CuratedFilesEntry, CuratedSummary
from eyas.pipelines.recipe.options import CuratedOptions


def work(state: PassState) -> Steps[Result[CuratedSummary]]:
    """One task per group of neighbouring parts of a source; what is made of the documents later reads the parts."""
    options = state.plan.recipe.options.curated
    target = chosen(state.layout().schema, options)
    tasks = [
        Task(group[0].key, partial(_publish, group, target, options), sum(part.text_bytes for part in group))
        for group in groups(state.parts, options.part_bytes)
    ]
    entries = yield from entries_of(Step.of("curated files", tasks))
    summary: CuratedSummary = {
        "documents": sum(entry["documents"] for entry in entries),
        "text_bytes": sum(part.text_bytes for part in state.parts),
        "languages": sorted_languages(entry["languages"] for entry in entries),
    }
    return Result(parts=list(state.parts), files=files_of(entries), summary=summary)


def chosen(schema: pa.Schema, options: CuratedOptions) -> pa.Schema:
    """The columns to publish; InputError for one that the documents do not have."""
    if options.columns is None:
        return schema
    for name in options.columns:
        if name not in schema.names:
            raise InputError(
                f"curated: columns: documents have no column {name!r}{nearest(name, schema.names)}; they have "
                f"{', '.join(schema.names)}"
            )
    return pa.schema([schema.field(name) for name in options.columns])


def groups(parts: Sequence[Part], size: int | None) -> list[list[Part]]:
    """Neighbouring parts of one source whose text is about `size` bytes together; a part alone if there is no size."""
    found: list[list[Part]] = []
    total = 0
    for part in parts:
        fits = found and size is not None and found[-1][0].source == part.source and total + part.text_bytes <= size
        if fits:
            found[-1].append(part)
            total += part.text_bytes
        else:
            found.append([part])
            total = part.text_bytes
    return found


def _publish(
    group: Sequence[Part], target: pa.Schema, options: CuratedOptions, context: TaskContext
) -> CuratedFilesEntry:
    files: list[FileEntry] = []
    languages: dict[str, list[int]] = {}
    documents = 0
    names = list(dict.fromkeys(["text", "lang", *target.names]))
    tables = (docs for part in group for docs in part.tables(context.store, names))
    for number, piece in enumerate(_pieces(tables, options.part_bytes)):
        # The first file has the name that it has without a size.
        path = f"curated/{group[0].key}{f'-{number:03d}' if number else ''}.{options.format}"
        with _writer(context.store, path, target, files) as write:
            for docs in piece:
                write(conform(docs, target))
                count_languages(docs, languages)
                documents += docs.num_rows
    expected = sum(part.kept for part in group)
    if documents != expected:
        raise BooksError(f"curated/{group[0].key}: {documents} documents written, {expected} expected")
    return {"files": [file.to_json() for file in files], "documents": documents, "languages": languages}


def _pieces(tables: Iterator[pa.Table], size: int | None) -> Iterator[Iterator[pa.Table]]:
    """The tables of one file after another: a file ends with the table by which it has `size` bytes of text."""
    ended = False

    def piece(first: pa.Table) -> Iterator[pa.Table]:
        nonlocal ended
        total = text_bytes(first)
        yield first
        while size is None or total < size:
            following = next(tables, None)
            if following is None:
                ended = True
                return
            total += text_bytes(following)
            yield following

    while not ended and (first := next(tables, None)) is not None:
        yield piece(first)


@contextmanager
def _writer(store: Store, path: str, schema: pa.Schema, files: list[FileEntry]) -> Iterator[Any]:
    if path.endswith(".parquet"):
        with store.parquet(path, schema) as output:
            yield output.write
        files.append(output.published())
        return
    with store.create(path) as raw:
        lines = _packed(raw.sink, path)

        def write(docs: pa.Table) -> None:
            lines.write("".join(json_text(row) + "\n" for row in docs.to_pylist()).encode())

        yield write
        lines.close()
    files.append(raw.published())


def _packed(sink: IO[bytes], path: str) -> IO[bytes]:
    if path.endswith(".zst"):
        return cast("IO[bytes]", pa.CompressedOutputStream(pa.PythonFile(_Open(sink), mode="w"), "zstd"))
    if path.endswith(".gz"):
        # Without a time and a name: the same documents give the same bytes.
        return cast("IO[bytes]", gzip.GzipFile(fileobj=_Open(sink), mode="wb", mtime=0, filename=""))
    return cast("IO[bytes]", _Open(sink))


class _Open(io.RawIOBase):
    """Writes into a file that stays open when this is closed: the store closes it."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink

    def write(self, data: Any) -> int:
        return self._sink.write(data)

    def writable(self) -> bool:
        return True


def sorted_languages(entries: Iterable[Mapping[str, list[int]]]) -> dict[str, list[int]]:
    """Documents and text bytes by language, added up; the language with most text comes first."""
    languages: dict[str, list[int]] = {}
    for entry in entries:
        for name, (count, size) in entry.items():
            counts = languages.setdefault(name, [0, 0])
            counts[0], counts[1] = counts[0] + count, counts[1] + size
    return dict(sorted(languages.items(), key=lambda item: (-item[1][1], item[0])))


def count_languages(docs: pa.Table, into: dict[str, list[int]]) -> None:
    """Adds documents and text bytes by language."""
    if "lang" not in docs.column_names or not docs.num_rows:
        return
    sizes = pa.table({"lang": docs.column("lang"), "bytes": pc.binary_length(docs.column("text"))})
    for row in sizes.group_by("lang").aggregate([("bytes", "sum"), ("bytes", "count")]).to_pylist():
        counts = into.setdefault(row["lang"] or "unknown", [0, 0])
        counts[0], counts[1] = counts[0] + row["bytes_count"], counts[1] + row["bytes_sum"]
