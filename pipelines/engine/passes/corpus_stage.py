"""The pass of a corpus stage: its own steps, then one verdict per part, which becomes a mask and ledger rows."""

# Tested in tests/end_to_end/test_dedup.py.

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from eyas.corpus import ledger
from eyas.corpus.documents import text_bytes
from eyas.corpus.ledger import Books
from eyas.corpus.part import Part, cut_field
from eyas.corpus.stage import CorpusStage
from eyas.corpus.store import FileEntry
from eyas.corpus.task import Entry, Step, Steps, Task, TaskContext, as_generator, entries_of, next_step
from eyas.corpus.verdict import Verdict
from eyas.pipelines.engine.passes.base import PassState, Result, Samples
from eyas.pipelines.engine.passes.records import CorpusSummary, DocumentsEntry
from eyas.pipelines.engine.quarantine import as_json, check_verdict
from eyas.text_kernels.splice import splice


def work(state: PassState) -> Steps[Result[CorpusSummary]]:
    """The steps that the stage plans, then a decision on each part."""
    label, stage = state.stage(CorpusStage)
    summary: CorpusSummary = {}
    published: list[FileEntry] = []
    inputs = tuple(state.parts)
    plan = as_generator(stage.plan(inputs))
    counted: list[Entry] | None = None
    while (step := next_step(plan, counted)) is not None:
        counted = yield step
        published += [FileEntry.from_json(file) for entry in counted for file in entry.get("files", [])]
        summary[step.name] = _sums(counted)
    tasks = [Task(part.key, partial(_decide, part, inputs, label, stage), part.text_bytes) for part in inputs]
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


def _decide(part: Part, inputs: Sequence[Part], label: str, stage: CorpusStage, context: TaskContext) -> DocumentsEntry:
    started = time.perf_counter()
    verdict = stage.decide(part, inputs, context)
    check_verdict(label, verdict, part.kept)
    ids, kept_bytes, samples = _ids_and_samples(part, label, verdict, context)
    rows = ledger.decisions(label, pa.array(ids), verdict)
    books = Books.of(rows, part.kept)
    books.bytes_in, books.bytes_kept = part.text_bytes, kept_bytes
    books.check(label, part.key)
    books.seconds = time.perf_counter() - started
    mask_path = f"{context.folder}/masks/{part.key}.parquet"
    files = [
        context.store.write_table(mask_path, _mask(part, verdict, stage, context)),
        context.store.write_table(f"{context.folder}/ledger/{part.key}.parquet", rows),
        context.store.write_table(f"{context.folder}/samples/{part.key}.parquet", samples),
    ]
    masked = replace(part, kept=books.kept, text_bytes=kept_bytes, masks=(*part.masks, mask_path))
    return {
        "files": [file.to_json() for file in files],
        "part": masked.to_json(),
        "ledger": files[1].path,
        "samples": files[2].path,
        "books": as_json({label: books}),
    }


def _ids_and_samples(
    part: Part, label: str, verdict: Verdict, context: TaskContext
) -> tuple[np.ndarray, int, pa.Table]:
    """Ids of the documents before the verdict, text bytes of those that it keeps, and samples of the others."""
    ids, kept_bytes, samples, start = [np.zeros(0, np.uint64)], 0, Samples(), 0
    for docs in part.tables(context.store, ["id", "text", "origin"]):
        kept = verdict.kept.slice(start, docs.num_rows)
        ids.append(docs.column("id").to_numpy())
        kept_docs = docs.filter(kept)
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
    return np.concatenate(ids), kept_bytes, samples.table()


def _mask(part: Part, verdict: Verdict, stage: CorpusStage, context: TaskContext) -> pa.Table:
    """One row per document of the part. Documents dropped before stay dropped, and have nulls in the added columns."""
    before = part.mask(context.store)
    kept_before = np.ones(part.rows, np.bool_) if before is None else before.column("kept").to_numpy()
    kept = kept_before.copy()
    kept[kept_before] = verdict.kept.to_numpy(zero_copy_only=False)
    take = pa.array(np.cumsum(kept_before) - 1, mask=~kept_before)
    columns = {"kept": pa.array(kept)}
    for name in stage.columns_added():
        columns[name] = pa.array(verdict.columns[name]).take(take)
    mask = pa.table(columns)
    return mask if verdict.cuts is None else mask.append_column(cut_field(verdict.filler), verdict.cuts.take(take))
