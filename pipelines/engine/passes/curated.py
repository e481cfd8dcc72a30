"""Publishes the documents that were kept as plain Parquet files of one schema, for any tool."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from eyas.corpus.documents import conform, text_bytes
from eyas.corpus.part import Part
from eyas.corpus.task import Step, Steps, Task, TaskContext, entries_of
from eyas.errors import BooksError
from eyas.pipelines.engine.passes import curated_files
from eyas.pipelines.engine.passes.base import PassState, Result, files_of
from eyas.pipelines.engine.passes.records import CuratedEntry, CuratedSummary
from eyas.pipelines.recipe.options import CuratedOptions


def work(state: PassState) -> Steps[Result[CuratedSummary]]:
    """One file per part; other files if the recipe asks for them."""
    if state.plan.recipe.options.curated != CuratedOptions():
        return (yield from curated_files.work(state))
    target = state.layout().schema
    tasks = [Task(part.key, partial(_publish, part, target), part.text_bytes) for part in state.parts]
    entries = yield from entries_of(Step.of("curated", tasks))
    parts = sorted((Part.from_json(entry["curated"]) for entry in entries), key=lambda part: part.number)
    summary: CuratedSummary = {
        "documents": sum(part.rows for part in parts),
        "text_bytes": sum(part.text_bytes for part in parts),
        "languages": curated_files.sorted_languages(entry["languages"] for entry in entries),
    }
    return Result(parts=parts, files=files_of(entries), summary=summary)


def _publish(part: Part, target: pa.Schema, context: TaskContext) -> CuratedEntry:
    path = f"curated/{part.key}.parquet"
    size = 0
    languages: dict[str, list[int]] = {}
    if _is_published_already(part, target, context):
        # The text would lie on the disk twice: on a local one, the file gets a second name.
        for docs in part.tables(context.store, ["text", "lang"]):
            size += text_bytes(docs)
            curated_files.count_languages(docs, languages)
        entry = context.store.link(part.documents, path, part.rows)
    else:
        with context.store.parquet(path, target) as output:
            for docs in part.tables(context.store):
                output.write(conform(docs, target))
                size += text_bytes(docs)
                curated_files.count_languages(docs, languages)
        entry = output.published()
    if entry.rows != part.kept:
        raise BooksError(f"{path}: {entry.rows} documents written, {part.kept} expected; the books do not balance")
    curated = Part(part.number, part.source, path, part.kept, part.kept, size)
    return {
        "files": [entry.to_json()],
        "curated": curated.to_json(),
        "languages": languages,
    }


def _is_published_already(part: Part, target: pa.Schema, context: TaskContext) -> bool:
    """Whether the part's file is, document for document and column for column, what is to be published."""
    if part.moved or part.kept != part.rows:
        return False
    mask = part.mask(context.store)
    if mask is not None and mask.column_names != ["kept"]:
        return False
    with context.store.open(part.documents) as file:
        return bool(pq.read_schema(file).equals(target, check_metadata=False))
