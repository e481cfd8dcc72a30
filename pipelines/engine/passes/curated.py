"""Publishes the surviving documents: plain Parquet files of one schema, for anyone's tools."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.documents import conform, schema, text_bytes
from eyas.corpus.part import Part
from eyas.corpus.store import FileEntry
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.errors import BooksError
from eyas.pipelines.engine.passes.base import PassState, Result


def work(state: PassState) -> Generator[Step, list[Entry], Result]:
    """One file per part."""
    target = schema(state.current.columns)
    tasks = [Task(part.key, partial(_publish, part, target), part.text_bytes) for part in state.parts]
    entries = yield Step.of("curated", tasks)
    result = Result()
    for entry in entries:
        result.files += [FileEntry.from_json(file) for file in entry["files"]]
        result.parts.append(Part.from_json(entry["curated"]))
    result.parts.sort(key=lambda part: part.number)
    languages: dict[str, list[int]] = {}
    for entry in entries:
        for name, (count, size) in entry["languages"].items():
            known = languages.setdefault(name, [0, 0])
            known[0], known[1] = known[0] + count, known[1] + size
    result.summary = {
        "documents": sum(part.rows for part in result.parts),
        "text_bytes": sum(part.text_bytes for part in result.parts),
        "languages": dict(sorted(languages.items(), key=lambda item: (-item[1][1], item[0]))),
    }
    return result


def _publish(part: Part, target: pa.Schema, context: TaskContext) -> Entry:
    path = f"curated/{part.key}.parquet"
    size = 0
    languages: dict[str, list[int]] = {}
    with context.store.parquet(path, target) as output:
        for docs in part.tables(context.store):
            output.write(conform(docs, target))
            size += text_bytes(docs)
            _count_languages(docs, languages)
    entry = output.published()
    if entry.rows != part.kept:
        raise BooksError(f"{path}: {entry.rows} documents written, {part.kept} expected; the books do not balance")
    curated = Part(part.number, part.source, path, part.kept, part.kept, size)
    return {
        "files": [entry.to_json()],
        "curated": curated.to_json(),
        "languages": languages,
    }


def _count_languages(docs: pa.Table, into: dict[str, list[int]]) -> None:
    if "lang" not in docs.column_names or not docs.num_rows:
        return
    sizes = pa.table({"lang": docs.column("lang"), "bytes": pc.binary_length(docs.column("text"))})
    for row in sizes.group_by("lang").aggregate([("bytes", "sum"), ("bytes", "count")]).to_pylist():
        known = into.setdefault(row["lang"] or "unknown", [0, 0])
        known[0], known[1] = known[0] + row["bytes_count"], known[1] + row["bytes_sum"]
