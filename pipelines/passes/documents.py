"""The document pass: reads sources or parts, and applies mappers and filters, one batch at a time.

A worker holds one batch of about 16 MB of text, however large its partition. It leaves three files per partition: the
surviving documents, the ledger rows, and samples of what was dropped.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from corpus import documents as table
from corpus import ledger
from corpus.ledger import READ, Books, Refusal
from corpus.part import Part
from corpus.sources.base import BATCH_BYTES, BATCH_ROWS, Batch, Source
from corpus.sources.listing import Partition
from corpus.stage import Filter, Mapper
from corpus.task import Entry, Step, Task, TaskContext
from pipelines.passes.base import PassState, Result, Samples
from pipelines.quarantine import apply_filter, apply_mapper, as_json
from pipelines.recipe import NamedStage


def work(state: PassState) -> Generator[Step, list[Entry], Result]:
    """One task per partition."""
    stages = state.current.stages
    schema = table.schema(state.current.columns)
    if state.current.reads:
        sources = {entry.name: entry.source for entry in state.plan.recipe.options.sources}
        tasks = [
            Task(f"part-{p.number:05d}", partial(_read, p, sources[p.source], stages, schema), p.bytes)
            for p in state.plan.partitions
        ]
    else:
        tasks = [Task(part.key, partial(_refine, part, stages, schema), part.text_bytes) for part in state.parts]
    entries = yield Step.of("documents", tasks)
    result = Result()
    result.collect(entries)
    return result


def _read(
    partition: Partition, source: Source, stages: Sequence[NamedStage], schema: pa.Schema, context: TaskContext
) -> Entry:
    line = StageLine(stages, reads=True)
    batches = _batches(partition, source, line)
    return line.publish(partition.number, partition.source, batches, schema, context)


def _batches(partition: Partition, source: Source, line: StageLine) -> Iterator[pa.Table]:
    """Tables of about `BATCH_BYTES`, booked as read. Small files are joined: a table has a cost of its own."""
    row = size = 0
    pieces: list[pa.Table] = []
    refusals: list[Refusal] = []
    for split in partition.splits:
        for batch in source.read(split, row):
            row += len(batch.rows) + len(batch.rejects)
            pieces.append(_documents(partition, batch))
            refusals += [
                Refusal(table.document_id(partition.number, r.row), r.reason, r.message, r.dropped)
                for r in batch.rejects
            ]
            size += table.text_bytes(pieces[-1])
            if size >= BATCH_BYTES or len(pieces) + len(refusals) >= BATCH_ROWS:
                yield _booked(pieces, refusals, line)
                pieces, refusals, size = [], [], 0
    if pieces:
        yield _booked(pieces, refusals, line)


def _booked(pieces: list[pa.Table], refusals: list[Refusal], line: StageLine) -> pa.Table:
    docs = pa.concat_tables(pieces).unify_dictionaries().combine_chunks()
    ids, origins = docs.column("id").combine_chunks(), docs.column("origin").combine_chunks()
    rows = pa.concat_tables([ledger.accepted(READ, ids, origins), ledger.refused(READ, refusals)])
    line.record(READ, rows, docs.num_rows + len(refusals), docs, docs)
    return docs


def _documents(partition: Partition, batch: Batch) -> pa.Table:
    # Checks the range once per batch: rows ascend.
    if batch.rows:
        table.document_id(partition.number, batch.rows[-1])
    ids = (np.uint64(partition.number) << np.uint64(table.ROW_BITS)) | np.array(batch.rows, np.uint64)
    extra = {name: pa.array(values, pa.string()) for name, values in batch.extra.items()}
    return table.documents(ids, batch.texts, partition.source, batch.origins, extra)


def _refine(part: Part, stages: Sequence[NamedStage], schema: pa.Schema, context: TaskContext) -> Entry:
    return StageLine(stages).publish(part.number, part.source, part.tables(context.store), schema, context)


class StageLine:
    """Document stages one after another, with their books, ledger rows and samples."""

    def __init__(self, stages: Sequence[NamedStage], reads: bool = False) -> None:
        self._stages = stages
        self._labels = [*([READ] if reads else []), *(named.label for named in stages)]
        self.books: dict[str, Books] = {}
        self.samples = Samples()
        self._ledger: list[pa.Table] = []
        for named in stages:
            named.stage.prepare()

    def record(self, label: str, rows: pa.Table, documents: int, before: pa.Table, after: pa.Table) -> None:
        """Books ledger rows of one stage that got `documents` documents."""
        books = Books.of(rows, documents)
        books.bytes_in, books.bytes_kept = table.text_bytes(before), table.text_bytes(after)
        books.check(label, "in a document pass")
        self.books.setdefault(label, Books()).add(books)
        self._ledger.append(rows)

    def apply(self, docs: pa.Table) -> pa.Table:
        """The documents that survive all stages."""
        for named in self._stages:
            started = time.perf_counter()
            before, documents = docs, docs.num_rows
            if isinstance(named.stage, Mapper):
                docs, rows = apply_mapper(named.label, named.stage, docs)
            else:
                assert isinstance(named.stage, Filter)
                docs, dropped, rows = apply_filter(named.label, named.stage, docs)
                self.samples.add(dropped, rows)
            self.record(named.label, rows, documents, before, docs)
            self.books[named.label].seconds += time.perf_counter() - started
        return docs

    def publish(
        self, number: int, source: str, batches: Iterator[pa.Table], schema: pa.Schema, context: TaskContext
    ) -> Entry:
        """Runs all batches through the line and writes documents, ledger and samples of one part."""
        key = f"part-{number:05d}"
        paths = {name: f"{context.folder}/{name}/{key}.parquet" for name in ("documents", "ledger", "samples")}
        rows = size = 0
        with (
            context.store.parquet(paths["documents"], schema) as documents,
            context.store.parquet(paths["ledger"], ledger.SCHEMA) as decisions,
        ):
            for batch in batches:
                docs = self.apply(batch)
                documents.write(table.conform(docs, schema))
                rows, size = rows + docs.num_rows, size + table.text_bytes(docs)
                decisions.write(self._take_ledger())
            # An empty part must still hold its stages' books.
            for label in self._labels:
                self.books.setdefault(label, Books())
        samples = context.store.write_table(paths["samples"], self.samples.table())
        part = Part(number, source, paths["documents"], rows, rows, size)
        return {
            "files": [file.to_json() for file in (documents.published(), decisions.published(), samples)],
            "part": part.to_json(),
            "ledger": paths["ledger"],
            "samples": paths["samples"],
            "books": as_json(self.books),
        }

    def _take_ledger(self) -> pa.Table:
        rows, self._ledger = self._ledger, []
        return pa.concat_tables(rows).unify_dictionaries() if rows else ledger.SCHEMA.empty_table()
