"""Applies document stages one after another to the batches of one part, and writes what they leave.

Consecutive filters with `scores_all` are *fused*: shared statistics of the text are computed once for all of them, each
filter judges every document that enters, even one that another filter dropped, and documents are only removed at the end. So
fused filters cost one walk over the text, and leave the scores of all their rules for all documents: thresholds can then be
moved, either way, without the text (`eyas.pipelines.analysis.what_if`). The trade: a document that the first filter dropped
is still scored by the others, from counts that were made in the same walk.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus import documents as table
from eyas.corpus import ledger
from eyas.corpus.documents import HIDDEN, renamed
from eyas.corpus.ledger import READ, Books
from eyas.corpus.measure import Measure, join
from eyas.corpus.part import Part
from eyas.corpus.stage import Filter, Mapper
from eyas.corpus.task import TaskContext
from eyas.corpus.verdict import Verdict
from eyas.pipelines.engine.passes.base import Samples
from eyas.pipelines.engine.passes.figures import figures_of
from eyas.pipelines.engine.passes.records import DocumentsEntry
from eyas.pipelines.engine.passes.scores import ScoreFile, Scores
from eyas.pipelines.engine.quarantine import apply_filter, apply_mapper, as_json
from eyas.pipelines.recipe.recipe import NamedStage

Mask = npt.NDArray[np.bool_]


def fused(stages: Sequence[NamedStage]) -> list[list[NamedStage]]:
    """The stages in groups: consecutive filters with `scores_all` are one group, any other stage is a group of its own."""
    groups: list[list[NamedStage]] = []
    for named in stages:
        if groups and _scores_all(named) and _scores_all(groups[-1][-1]):
            groups[-1].append(named)
        else:
            groups.append([named])
    return groups


def _scores_all(named: NamedStage) -> bool:
    return isinstance(named.stage, Filter) and named.stage.scores_all


def _later(stages: Sequence[NamedStage], docs: pa.Table) -> Iterator[Measure]:
    """The measures of later filters, if the columns that they need are there already."""
    for named in stages:
        measure = named.stage.measure() if isinstance(named.stage, Filter) else None
        if measure is not None and set(measure.needs) <= set(docs.column_names):
            yield measure


class StageLine:
    """Applies the stages of one pass to one part; collects their books, ledger rows, scores and samples."""

    def __init__(
        self,
        stages: Sequence[NamedStage],
        context: TaskContext,
        reads: bool = False,
        moved: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """moved: by label, the input's columns that make way for those of a stage, with their new names."""
        self._moved = moved or {}
        self._stages = stages
        self._groups = fused(stages)
        self._labels = [*([READ] if reads else []), *(named.label for named in stages)]
        self.books: dict[str, Books] = {}
        self.samples = Samples()
        self._ledger: list[pa.Table] = []
        self._scores: dict[int, pa.Table] = {}
        for named in stages:
            named.stage.open(context)
            named.stage.prepare()

    def record(self, label: str, rows: pa.Table, documents: int, bytes_in: int, bytes_kept: int) -> None:
        """Records the ledger rows of one stage, which got `documents` documents."""
        books = Books.of(rows, documents)
        books.bytes_in, books.bytes_kept = bytes_in, bytes_kept
        books.check(label, "in a document pass")
        self.books.setdefault(label, Books()).add(books)
        self._ledger.append(rows)

    def apply(self, docs: pa.Table) -> pa.Table:
        """The documents that all stages keep."""
        for number, group in enumerate(self._groups):
            stage = group[0].stage
            for named in group:
                docs = renamed(docs, self._moved.get(named.label, {}))
            docs = self._map(group[0], stage, docs) if isinstance(stage, Mapper) else self._judge(number, group, docs)
            docs = docs.drop_columns([name for name in docs.column_names if name.startswith(HIDDEN)])
        return docs

    def _map(self, named: NamedStage, stage: Mapper, docs: pa.Table) -> pa.Table:
        started = time.perf_counter()
        out, rows = apply_mapper(named.label, stage, docs)
        self.record(named.label, rows, docs.num_rows, table.text_bytes(docs), table.text_bytes(out))
        self.books[named.label].seconds += time.perf_counter() - started
        return out

    def _judge(self, number: int, group: Sequence[NamedStage], docs: pa.Table) -> pa.Table:
        """Applies each filter of a group to all documents, and removes the dropped ones at the end."""
        started = time.perf_counter()
        kept = np.ones(docs.num_rows, np.bool_)
        scores = Scores(docs)
        attached: Measure | None = None
        for position, named in enumerate(group):
            assert isinstance(named.stage, Filter)
            measure = named.stage.measure()
            if measure is not None and (attached is None or attached.joined(measure) != attached):
                attached = join([measure, *_later(group[position + 1 :], docs)])
                docs = attached.attach(docs) if attached is not None else docs
            docs, kept, verdict = self._filter(named, named.stage, docs, kept)
            scores.add(named.label, docs, verdict)
            self.books[named.label].seconds += time.perf_counter() - started
            started = time.perf_counter()
        if _scores_all(group[0]):
            self._scores[number] = scores.table()
        return docs if kept.all() else docs.filter(pa.array(kept))

    def _filter(self, named: NamedStage, stage: Filter, docs: pa.Table, kept: Mask) -> tuple[pa.Table, Mask, Verdict]:
        """The documents that could be judged, which of them are still kept, and the verdict on all of them."""
        judged, verdict, refusals = apply_filter(named.label, stage, docs)
        entered_bytes = int(table.text_lengths(docs)[kept].sum())
        if refusals:
            raised = np.isin(docs.column("id").to_numpy(), [refusal.id for refusal in refusals])
            # A document that an earlier filter dropped has its decision already.
            entered = set(docs.column("id").to_numpy()[raised & kept].tolist())
            refusals = [refusal for refusal in refusals if refusal.id in entered]
            kept = kept[~raised]
        ids = pc.filter(judged.column("id"), pa.array(kept)).combine_chunks()
        rows = pa.concat_tables(
            [ledger.decisions(named.label, ids, verdict.filter(kept)), ledger.refused(named.label, refusals)]
        )
        documents = int(kept.sum()) + len(refusals)
        kept = kept & verdict.kept.to_numpy(zero_copy_only=False)
        self.samples.add(judged, rows)
        self.record(named.label, rows, documents, entered_bytes, int(table.text_lengths(judged)[kept].sum()))
        return judged, kept, verdict

    def publish(
        self, number: int, source: str, batches: Iterator[pa.Table], schema: pa.Schema, context: TaskContext
    ) -> DocumentsEntry:
        """Applies the stages to all batches, and writes documents, ledger, scores and samples of one part."""
        key = f"part-{number:05d}"
        paths = {name: f"{context.folder}/{name}/{key}.parquet" for name in ("documents", "ledger", "samples")}
        rows = size = 0
        with ExitStack() as stack:
            documents = stack.enter_context(context.store.parquet(paths["documents"], schema))
            decisions = stack.enter_context(context.store.parquet(paths["ledger"], ledger.SCHEMA))
            score_files = {
                group: stack.enter_context(ScoreFile(context.store, f"{context.folder}/scores-{group}/{key}.parquet"))
                for group, stages in enumerate(self._groups)
                if _scores_all(stages[0])
            }
            for batch in batches:
                docs = self.apply(batch)
                documents.write(table.conform(docs, schema))
                rows, size = rows + docs.num_rows, size + table.text_bytes(docs)
                decisions.write(self._take_ledger())
                for group, scored in self._scores.items():
                    score_files[group].write(scored)
            # An empty part must still hold its stages' books.
            for label in self._labels:
                self.books.setdefault(label, Books())
        samples = context.store.write_table(paths["samples"], self.samples.table())
        scores = [file.published() for file in score_files.values()]
        part = Part(number, source, paths["documents"], rows, rows, size)
        files: list[Any] = [documents.published(), decisions.published(), samples, *scores]
        return {
            "files": [file.to_json() for file in files],
            "part": part.to_json(),
            "ledger": paths["ledger"],
            "samples": paths["samples"],
            "scores": [file.path for file in scores],
            "books": as_json(self.books),
            "figures": figures_of((named.label, named.stage) for named in self._stages),
        }

    def _take_ledger(self) -> pa.Table:
        rows, self._ledger = self._ledger, []
        return pa.concat_tables(rows).unify_dictionaries() if rows else ledger.SCHEMA.empty_table()
