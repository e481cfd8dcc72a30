"""The pass of a corpus stage: its own steps, then one verdict per part, which becomes a mask and ledger rows."""

# Tested in tests/end_to_end/test_dedup.py.

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eyas.corpus import ledger
from eyas.corpus.documents import text_bytes, text_lengths
from eyas.corpus.ledger import Books
from eyas.corpus.part import Part, cut_field
from eyas.corpus.stage import CorpusStage
from eyas.corpus.store import FileEntry
from eyas.corpus.task import Entry, Step, Steps, Task, TaskContext, as_generator, entries_of, next_step
from eyas.corpus.verdict import Verdict
from eyas.pipelines.engine.passes.base import PassState, Result, Samples
from eyas.pipelines.engine.passes.records import CorpusSummary, DocumentsEntry, NarrowEntry
from eyas.pipelines.engine.quarantine import as_json, check_verdict
from eyas.pipelines.recipe.only import Only
from eyas.text_kernels.splice import splice


def work(state: PassState) -> Steps[Result[CorpusSummary]]:
    """The steps that the stage plans, then a decision on each part."""
    label, stage = state.stage(CorpusStage)
    summary: CorpusSummary = {}
    published: list[FileEntry] = []
    only = state.current.stages[0].only
    inputs = tuple(state.parts)
    if only is not None:
        narrowed = yield from entries_of(
            Step.of("asked", [Task(part.key, partial(_narrow, part, only), part.text_bytes) for part in state.parts])
        )
        inputs = tuple(Part.from_json(entry["part"]) for entry in narrowed)
    plan = as_generator(stage.plan(inputs))
    counted: list[Entry] | None = None
    while (step := next_step(plan, counted)) is not None:
        counted = yield step
        published += [FileEntry.from_json(file) for entry in counted for file in entry.get("files", [])]
        summary[step.name] = _sums(counted)
    tasks = [
        Task(part.key, partial(_decide, whole, part, inputs, label, stage), part.text_bytes)
        for whole, part in zip(state.parts, inputs, strict=True)
    ]
    entries = yield from entries_of(Step.of("decide", tasks))
    result = Result(summary=summary)
    result.collect(entries)
    moved = state.layout().moved.get(label, {})
    result.parts = [part.with_moved(moved) for part in result.parts]
    # Artifacts for later stages must be there for as long as this pass counts as done.
    folders = tuple(f"{state.current.folder}/{folder}/" for folder in stage.makes().values())
    result.files += [file for file in published if file.path.startswith(folders)]
    return result


def _sums(entries: Sequence[Entry]) -> dict[str, float]:
    """The figures of a step: the counts of its tasks, added up."""
    sums: dict[str, float] = {}
    for entry in entries:
        for name, value in entry.items():
            if isinstance(value, int | float):
                sums[name] = sums.get(name, 0) + value
    return sums


def _narrow(part: Part, only: Only, context: TaskContext) -> NarrowEntry:
    """The part with those documents only that the stage is asked about: what is not asked is not compared."""
    asked: list[np.ndarray] = [np.zeros(0, np.bool_)]
    size = 0
    for docs in part.tables(context.store, list(dict.fromkeys(["id", "text", *only.columns()]))):
        mask = only.mask(docs)
        asked.append(mask)
        size += int(text_lengths(docs)[mask].sum())
    before = part.mask(context.store)
    kept = np.ones(part.rows, np.bool_) if before is None else before.column("kept").to_numpy().copy()
    kept[kept] = np.concatenate(asked)
    file = context.store.write_table(f"{context.folder}/asked/{part.key}.parquet", pa.table({"kept": pa.array(kept)}))
    narrowed = replace(part, kept=int(kept.sum()), text_bytes=size, masks=(*part.masks, file.path))
    return {"files": [file.to_json()], "part": narrowed.to_json()}


def _decide(
    whole: Part, part: Part, inputs: Sequence[Part], label: str, stage: CorpusStage, context: TaskContext
) -> DocumentsEntry:
    """The decision on a part. whole: the part with the documents, too, that the stage is not asked about."""
    started = time.perf_counter()
    verdict = stage.decide(part, inputs, context)
    check_verdict(label, verdict, part.kept)
    ids, asked_kept_bytes, samples, languages = _walk(part, label, verdict, context)
    kept_bytes = whole.text_bytes - part.text_bytes + asked_kept_bytes
    rows = ledger.decisions(label, pa.array(ids), verdict)
    books = Books.of(rows, whole.kept, whole.kept - part.kept)
    books.bytes_in, books.bytes_kept = whole.text_bytes, kept_bytes
    books.languages = languages if whole is part else _added(languages, _passed_languages(whole, part, context))
    books.check(label, part.key)
    books.seconds = time.perf_counter() - started
    mask_path = f"{context.folder}/masks/{part.key}.parquet"
    files = [
        context.store.write_table(mask_path, _mask(whole, part, verdict, stage, context)),
        context.store.write_table(f"{context.folder}/ledger/{part.key}.parquet", rows),
        context.store.write_table(f"{context.folder}/samples/{part.key}.parquet", samples),
    ]
    masked = replace(whole, kept=books.left, text_bytes=kept_bytes, masks=(*whole.masks, mask_path))
    return {
        "files": [file.to_json() for file in files],
        "part": masked.to_json(),
        "ledger": files[1].path,
        "samples": files[2].path,
        "books": as_json({label: books}),
    }


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _passed_languages(whole: Part, part: Part, context: TaskContext) -> dict[str, int]:
    """Documents that the stage was not asked about, by language."""
    all_of: dict[str, int] = {}
    asked: dict[str, int] = {}
    for counts, one in ((all_of, whole), (asked, part)):
        for docs in one.tables(context.store, ["id", "lang"]):
            for name, count in ledger.languages_of(docs).items():
                counts[name] = counts.get(name, 0) + count
    return {name: count - asked.get(name, 0) for name, count in all_of.items()}


def _walk(
    part: Part, label: str, verdict: Verdict, context: TaskContext
) -> tuple[np.ndarray, int, pa.Table, dict[str, int]]:
    """Ids of the documents before the verdict; text bytes and languages of those that it keeps; samples of the others."""
    ids, kept_bytes, samples, start = [np.zeros(0, np.uint64)], 0, Samples(), 0
    languages: dict[str, int] = {}
    for docs in part.tables(context.store, ["id", "text", "origin", "lang"]):
        kept = verdict.kept.slice(start, docs.num_rows)
        ids.append(docs.column("id").to_numpy())
        kept_docs = docs.filter(kept)
        languages = _added(languages, ledger.languages_of(kept_docs))
        if verdict.cuts is not None:
            cuts = verdict.cuts.slice(start, docs.num_rows).filter(kept)
            kept_bytes += text_bytes(pa.table({"text": splice(kept_docs.column("text"), cuts, verdict.filler)}))
        else:
            kept_bytes += text_bytes(kept_docs)
        dropped = docs.filter(pa.compute.invert(kept))
        if dropped.num_rows:
            piece = Verdict(
                *(
                    getattr(verdict, name).slice(start, docs.num_rows)
                    for name in ("kept", "reason", "score", "threshold", "detail")
                )
            )
            samples.add(dropped, ledger.decisions(label, docs.column("id").combine_chunks(), piece))
        start += docs.num_rows
    return np.concatenate(ids), kept_bytes, samples.table(), languages


def _with_others(values: pa.Array, asked: np.ndarray, name: str, whole: Part, context: TaskContext) -> pa.Array:
    """The values of a column that the stage adds; documents that it was not asked about keep what an earlier stage said."""
    mask = whole.mask(context.store)
    if mask is not None and name in mask.column_names:
        earlier = mask.column(name).combine_chunks()
    else:
        with context.store.open(whole.documents) as file:
            if name not in pq.read_schema(file).names or name in dict(whole.moved):
                return values
        earlier = context.store.read_table(whole.documents, [name]).column(name).combine_chunks()
    return values if earlier.type != values.type else pc.if_else(pa.array(asked), values, earlier)


def _mask(whole: Part, part: Part, verdict: Verdict, stage: CorpusStage, context: TaskContext) -> pa.Table:
    """One row per document of the part. Documents dropped before stay dropped; they, and those that the stage was not asked
    about, have nulls in the added columns."""
    before = part.mask(context.store)
    asked = np.ones(part.rows, np.bool_) if before is None else before.column("kept").to_numpy()
    reached = asked
    if whole is not part:
        mask = whole.mask(context.store)
        reached = np.ones(part.rows, np.bool_) if mask is None else mask.column("kept").to_numpy()
    kept = reached.copy()
    kept[asked] = verdict.kept.to_numpy(zero_copy_only=False)
    take = pa.array(np.cumsum(asked) - 1, mask=~asked)
    columns = {"kept": pa.array(kept)}
    for name in stage.columns_added():
        values = pa.array(verdict.columns[name]).take(take)
        columns[name] = values if whole is part else _with_others(values, asked, name, whole, context)
    table = pa.table(columns)
    return table if verdict.cuts is None else table.append_column(cut_field(verdict.filler), verdict.cuts.take(take))
