"""The document pass: reads sources or parts, and applies mappers and filters, one batch at a time.

A worker holds one batch of about 16 MB of text, however large its partition. `stage_line` applies the stages and writes the
results.
"""

# Tested in tests/end_to_end/test_bad_input.py.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from eyas.corpus import documents as table
from eyas.corpus import ledger
from eyas.corpus.ledger import READ, Refusal
from eyas.corpus.part import Part
from eyas.corpus.sources.base import BATCH_BYTES, BATCH_ROWS, Batch, Source
from eyas.corpus.sources.listing import Partition, check_unchanged
from eyas.corpus.stage import Filter
from eyas.corpus.storage_errors import of_source
from eyas.corpus.task import Step, Steps, Task, TaskContext, entries_of
from eyas.pipelines.engine.columns import Layout, survey
from eyas.pipelines.engine.passes.base import PassState, Result
from eyas.pipelines.engine.passes.figures import gathered
from eyas.pipelines.engine.passes.records import DocumentsEntry, DocumentsSummary
from eyas.pipelines.engine.passes.stage_line import StageLine
from eyas.pipelines.recipe.recipe import NamedStage


def work(state: PassState) -> Steps[Result[DocumentsSummary]]:
    """One task per partition; before the sources are read, another that surveys it."""
    stages = state.current.stages
    summary: DocumentsSummary = {"figures": {}}
    if state.current.reads:
        columns = yield from survey(state.plan.recipe, state.plan.partitions)
        summary["columns"] = {source: [one.to_json() for one in planned] for source, planned in columns.items()}
        sources = {entry.name: entry.source.planned(columns[entry.name]) for entry in state.plan.recipe.options.sources}
        layout = state.layout(columns)
        tasks = [
            Task(f"part-{p.number:05d}", partial(_read, p, sources[p.source], stages, layout), p.bytes)
            for p in state.plan.partitions
        ]
    else:
        layout = state.layout()
        tasks = [Task(part.key, partial(_refine, part, stages, layout), part.text_bytes) for part in state.parts]
    entries = yield from entries_of(Step.of("documents", tasks))
    summary["figures"] = gathered(entries)
    result = Result[DocumentsSummary](summary=summary)
    result.collect(entries)
    return result


def _read(
    partition: Partition, source: Source, stages: Sequence[NamedStage], layout: Layout, context: TaskContext
) -> DocumentsEntry:
    line = StageLine(stages, context, reads=True, moved=layout.moved)
    batches = _batches(partition, source, line)
    return line.publish(partition.number, partition.source, batches, layout.working_schema, context)


def _batches(partition: Partition, source: Source, line: StageLine) -> Iterator[pa.Table]:
    """Tables of about `BATCH_BYTES`, recorded as read. Small files are joined, because each table has a cost of its own."""
    row = size = 0
    pieces: list[pa.Table] = []
    refusals: list[Refusal] = []
    fs = source.filesystem()
    with of_source(partition.source):
        for split in partition.splits:
            check_unchanged(fs, split)
            for batch in source.read(split, row):
                row += len(batch.rows) + len(batch.rejects)
                pieces.append(_documents(partition, batch))
                refusals += [
                    Refusal(table.document_id(partition.number, r.row), r.reason, r.message, r.dropped)
                    for r in batch.rejects
                ]
                size += table.text_bytes(pieces[-1])
                if size >= BATCH_BYTES or len(pieces) + len(refusals) >= BATCH_ROWS:
                    yield _recorded(pieces, refusals, line)
                    pieces, refusals, size = [], [], 0
            check_unchanged(fs, split)
    if pieces:
        yield _recorded(pieces, refusals, line)


def _recorded(pieces: list[pa.Table], refusals: list[Refusal], line: StageLine) -> pa.Table:
    # Without unifying dictionaries beforehand: Arrow cannot do that in nests, and combining chunks does it.
    docs = pa.concat_tables(pieces).combine_chunks()
    ids, origins = docs.column("id").combine_chunks(), docs.column("origin").combine_chunks()
    own = _source_ids(docs)
    rows = pa.concat_tables([ledger.accepted(READ, ids, origins, own), ledger.refused(READ, refusals)])
    size = table.text_bytes(docs)
    line.record(READ, rows, docs.num_rows + len(refusals), size, size, languages=ledger.languages_of(docs))
    return docs


def _source_ids(docs: pa.Table) -> pa.Array | None:
    """The input's own ids as text; None if it has none, or none that can be text."""
    if "source_id" not in docs.column_names:
        return None
    try:
        return docs.column("source_id").combine_chunks().cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return None


def _documents(partition: Partition, batch: Batch) -> pa.Table:
    # Rows ascend, so one check of the last covers the batch.
    if batch.rows:
        table.document_id(partition.number, batch.rows[-1])
    ids = (np.uint64(partition.number) << np.uint64(table.ROW_BITS)) | np.array(batch.rows, np.uint64)
    extra = {
        name: values if isinstance(values, pa.Array) else pa.array(values, pa.string())
        for name, values in batch.extra.items()
    }
    return table.documents(ids, batch.texts, partition.source, batch.origins, extra)


def _refine(part: Part, stages: Sequence[NamedStage], layout: Layout, context: TaskContext) -> DocumentsEntry:
    line = StageLine(stages, context, moved=layout.moved)
    if all(isinstance(named.stage, Filter) for named in stages):
        # Dropping documents needs a mask, not their text once more.
        moved = [layout.moved.get(named.label, {}) for named in stages]
        return line.publish_mask(part, moved, context)
    return line.publish(part.number, part.source, part.tables(context.store), layout.working_schema, context)
