"""The pass of a generator: chooses documents, makes new ones, and applies the gate. The originals stay as they are.

Documents are chosen by a hash of (seed, id), so the choice depends on the documents alone: each part lists its lowest
hashes, and the driver merges them. The documents made from partition p lie in a partition of their own.
"""

# Tested in tests/end_to_end/test_edges.py.

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial

import numpy as np
import pyarrow as pa

from eyas.corpus import ledger
from eyas.corpus.documents import PARENT, conform, document_id, generated_partition, text_bytes
from eyas.corpus.ledger import Books, Refusal
from eyas.corpus.part import Part
from eyas.corpus.sampling import hash_rank
from eyas.corpus.sources.arrow_fields import with_fields
from eyas.corpus.stage import Generator
from eyas.corpus.task import Step, Steps, Task, TaskContext, entries_of
from eyas.pipelines.engine.passes.base import PassState, Result, Samples
from eyas.pipelines.engine.passes.figures import figures_of, gathered
from eyas.pipelines.engine.passes.records import DocumentsEntry, DocumentsSummary, SelectEntry
from eyas.pipelines.engine.passes.stage_line import split
from eyas.pipelines.engine.quarantine import as_json, check_verdict, guarded
from eyas.pipelines.recipe.only import Only


def work(state: PassState) -> Steps[Result[DocumentsSummary]]:
    """Selection, if the stage limits its documents, then generation."""
    label, stage = state.stage(Generator)
    only = state.current.stages[0].only
    chosen: dict[str, list[int]] | None = None
    if stage.max_documents is not None:
        selection = [Task(part.key, partial(_lowest, part, only, stage.max_documents)) for part in state.parts]
        selected = yield from entries_of(Step.of("select", selection))
        ranked = sorted(tuple(pair) for entry in selected for pair in entry["lowest"])
        chosen = {}
        for _, document in ranked[: stage.max_documents]:
            chosen.setdefault(f"part-{document >> 32:05d}", []).append(document)
    generator = state.current.generator
    layout = state.layout()
    target = layout.working_schema
    tasks = []
    for part in state.parts:
        ids = None if chosen is None else sorted(chosen.get(part.key, []))
        if ids is None or ids:
            run = partial(_generate, part, ids, only, generator, label, stage, target)
            tasks.append(Task(part.key, run, part.text_bytes))
    entries = yield from entries_of(Step.of("generate", tasks))
    result = Result[DocumentsSummary](summary={"figures": gathered(entries)})
    result.collect(entries)
    result.books.setdefault(label, {})
    earlier = [part.with_moved(layout.moved.get(label, {})) for part in state.parts]
    result.parts = sorted([*earlier, *result.parts], key=lambda part: part.number)
    return result


def _lowest(part: Part, only: Only | None, count: int, context: TaskContext) -> SelectEntry:
    lowest: list[tuple[int, int]] = []
    for docs in part.tables(context.store, ["id", *(only.columns() if only is not None else ())]):
        docs = split(docs, only)[0]
        ids = docs.column("id").to_numpy()
        ranks = hash_rank(ids, context.seed)
        lowest = sorted([*lowest, *zip(ranks.tolist(), ids.tolist(), strict=True)])[:count]
    return {"files": [], "lowest": lowest}


def _generate(
    part: Part,
    ids: list[int] | None,
    only: Only | None,
    generator: int,
    label: str,
    stage: Generator,
    target: pa.Schema,
    context: TaskContext,
) -> DocumentsEntry:
    stage.open(context)
    stage.prepare()
    number = generated_partition(generator, part.number)

    def pieces() -> Iterable[tuple[pa.Table, pa.Table]]:
        for docs in part.tables(context.store):
            if ids is not None:
                docs = docs.filter(pa.compute.is_in(docs.column("id"), pa.array(ids, pa.uint64())))
            docs = with_fields(split(docs, only)[0], stage.columns_needed())
            if docs.num_rows:
                yield docs, apply_generator(label, stage, docs, context.seed)

    return publish(label, stage, number, pieces(), target, context)


def publish(
    label: str,
    stage: Generator,
    number: int,
    pieces: Iterable[tuple[pa.Table, pa.Table]],
    target: pa.Schema,
    context: TaskContext,
) -> DocumentsEntry:
    """Writes partition `number`: the generated documents that the gate keeps, the ledger, and samples.

    pieces: documents, and what was generated from them.
    """
    started = time.perf_counter()
    key = f"part-{number:05d}"
    folder = context.folder
    books, samples, row, kept, size = Books(), Samples(), 0, 0, 0
    with (
        context.store.parquet(f"{folder}/documents/{key}.parquet", target) as documents,
        context.store.parquet(f"{folder}/ledger/{key}.parquet", ledger.SCHEMA) as decisions,
    ):
        for docs, generated in pieces:
            numbered = _numbered(generated, docs, number, row, label)
            row += numbered.num_rows
            good, rows, dropped = _judge(stage, label, numbered)
            tally = Books.of(rows, numbered.num_rows)
            tally.bytes_in, tally.bytes_kept = text_bytes(docs), text_bytes(good)
            tally.check(label, key)
            books.add(tally)
            samples.add(dropped, rows)
            documents.write(conform(good, target))
            decisions.write(rows.unify_dictionaries())
            kept, size = kept + good.num_rows, size + text_bytes(good)
    books.seconds = time.perf_counter() - started
    sampled = context.store.write_table(f"{folder}/samples/{key}.parquet", samples.table())
    part = Part(number, label, f"{folder}/documents/{key}.parquet", kept, kept, size)
    return {
        "files": [file.to_json() for file in (documents.published(), decisions.published(), sampled)],
        "part": part.to_json(),
        "ledger": f"{folder}/ledger/{key}.parquet",
        "samples": f"{folder}/samples/{key}.parquet",
        "books": as_json({label: books}),
        "figures": figures_of([(label, stage)]),
    }


def apply_generator(label: str, stage: Generator, docs: pa.Table, seed: int) -> pa.Table:
    """What the stage generates from `docs`, and a row with an error for each document on which it raises."""
    good, refusals = guarded(label, lambda piece: stage.generate(piece, seed), docs)
    failed = pa.table(
        {
            "text": pa.nulls(len(refusals), pa.large_string()),
            PARENT.name: pa.array([[refusal.id] for refusal in refusals], PARENT.type),
            "error": pa.array([f"{refusal.reason}: {refusal.detail}" for refusal in refusals], pa.string()),
        }
    )
    return pa.concat_tables([*(typed(piece) for _, piece in good), failed], promote_options="default")


def typed(piece: pa.Table) -> pa.Table:
    """A generator's table with the types of the three columns that every generator fills."""
    for name, kind in (("text", pa.large_string()), (PARENT.name, PARENT.type), ("error", pa.string())):
        piece = piece.set_column(piece.column_names.index(name), name, piece.column(name).cast(kind))
    return piece


def _numbered(generated: pa.Table, docs: pa.Table, number: int, row: int, label: str) -> pa.Table:
    """Gives generated documents their ids, source and origin."""
    ids = pa.array([document_id(number, row + i) for i in range(generated.num_rows)], pa.uint64())
    origin_of = dict(zip(docs.column("id").to_pylist(), docs.column("origin").to_pylist(), strict=True))
    origins = [f"{label}:{origin_of.get(parents[0])}" for parents in generated.column("parent").to_pylist()]
    sources = pa.DictionaryArray.from_arrays(pa.array(np.zeros(generated.num_rows, np.int32)), pa.array([label]))
    columns = {"id": ids, "source": sources, "origin": pa.array(origins, pa.string())}
    return pa.table({**columns, **{name: generated.column(name) for name in generated.column_names}})


def _judge(stage: Generator, label: str, generated: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """The documents that pass the gate, the ledger rows of all, and the documents that do not pass."""
    failed = generated.filter(pa.compute.is_valid(generated.column("error")))
    whole = generated.filter(pa.compute.is_null(generated.column("error"))).drop_columns(["error"])
    verdict = stage.gate(whole)
    check_verdict(label, verdict, whole.num_rows)
    refusals = [
        Refusal(item["id"], "generation_failed", f"{item['origin']}: {item['error']}")
        for item in failed.select(["id", "origin", "error"]).to_pylist()
    ]
    parents = [f"from {', '.join(map(str, p))}" for p in whole.column(PARENT.name).to_pylist()]
    detail = pa.compute.coalesce(verdict.detail, pa.array(parents, pa.string()))
    judged = type(verdict)(verdict.kept, verdict.reason, verdict.score, verdict.threshold, detail)
    rows = pa.concat_tables(
        [ledger.decisions(label, whole.column("id").combine_chunks(), judged), ledger.refused(label, refusals)]
    )
    return whole.filter(verdict.kept), rows, whole.filter(pa.compute.invert(verdict.kept))
