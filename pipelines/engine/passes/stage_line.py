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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

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
from eyas.corpus.sources.arrow_fields import with_fields
from eyas.corpus.stage import Filter, Mapper
from eyas.corpus.store import FileEntry, ParquetOutput
from eyas.corpus.task import TaskContext
from eyas.corpus.verdict import Verdict
from eyas.pipelines.engine.passes.base import Samples
from eyas.pipelines.engine.passes.figures import figures_of
from eyas.pipelines.engine.passes.records import DocumentsEntry
from eyas.pipelines.engine.passes.scores import ScoreFile, Scores
from eyas.pipelines.engine.quarantine import apply_filter, apply_mapper, as_json
from eyas.pipelines.recipe.only import Only
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


def split(docs: pa.Table, only: Only | None) -> tuple[pa.Table, pa.Table | None]:
    """The documents that a stage is asked about, and the others; None if it is asked about all."""
    if only is None:
        return docs, None
    asked = only.mask(docs)
    return docs.filter(pa.array(asked)), docs.filter(pa.array(~asked))


def merged(asked: pa.Table, others: pa.Table) -> pa.Table:
    """Both in the order of their ids, as they came; columns that only one of them has are null in the other."""
    if not asked.num_rows and not set(asked.column_names) - set(others.column_names):
        return others
    docs = pa.concat_tables([asked, others], promote_options="default")
    order = np.argsort(docs.column("id").to_numpy(), kind="stable")
    return docs.take(pa.array(order)).combine_chunks()


def _with_columns(docs: pa.Table, columns: Mapping[str, pa.DataType]) -> pa.Table:
    """The documents with these columns: nulls where a stage was asked about none of them."""
    for name, kind in columns.items():
        if name not in docs.column_names:
            docs = docs.append_column(name, pa.nulls(docs.num_rows, kind))
    return docs


def _nobody_asked(stage: Filter, docs: pa.Table) -> tuple[pa.Table, Verdict]:
    """No document and an empty verdict, with the columns and the rules that the filter has for documents it is asked about:
    score files need them in every batch. One document tells."""
    none = _with_columns(docs.slice(0, 0), stage.columns_added())
    try:
        verdict = stage.judge(docs.slice(0, 1))
    except Exception:
        return none, Verdict.of([])
    empty = verdict.filter(np.zeros(1, np.bool_))
    rules = [
        replace(rule, fails=rule.fails[:0], score=rule.score[:0], threshold=_none_of(rule.threshold))
        for rule in verdict.rules
    ]
    return none, replace(empty, rules=tuple(rules))


def _none_of(threshold: float | npt.NDArray[np.float64]) -> float | npt.NDArray[np.float64]:
    return threshold[:0] if isinstance(threshold, np.ndarray) else threshold


def _after(kept: Mask, judged: Mask | None, verdict: Verdict) -> Mask:
    """Which documents are kept after a verdict on those that were judged."""
    decided = verdict.kept.to_numpy(zero_copy_only=False)
    after: Mask = kept.copy()
    if judged is None:
        after &= decided
        return after
    after[judged] &= decided
    return after


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

    def record(
        self,
        label: str,
        rows: pa.Table,
        documents: int,
        bytes_in: int,
        bytes_kept: int,
        passed: int = 0,
        languages: dict[str, int] | None = None,
    ) -> None:
        """Records the ledger rows of one stage, which got `documents`; bytes_kept, languages: of all that went on."""
        books = Books.of(rows, documents, passed)
        books.languages = languages or {}
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
            came = set(docs.column_names)
            docs = with_fields(docs, (name for named in group for name in named.columns_needed()))
            nested = set(docs.column_names) - came
            docs = self._map(group[0], stage, docs) if isinstance(stage, Mapper) else self._judge(number, group, docs)
            docs = docs.drop_columns([name for name in docs.column_names if name.startswith(HIDDEN) or name in nested])
        return docs

    def _map(self, named: NamedStage, stage: Mapper, docs: pa.Table) -> pa.Table:
        started = time.perf_counter()
        asked, others = split(docs, named.only)
        out, rows = apply_mapper(named.label, stage, asked)
        out = out if others is None else _with_columns(merged(out, others), stage.columns_added())
        passed = 0 if others is None else others.num_rows
        languages = ledger.languages_of(out)
        self.record(named.label, rows, docs.num_rows, table.text_bytes(docs), table.text_bytes(out), passed, languages)
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
            # Nothing is counted for a stage that is not asked about any of these documents.
            measure = named.stage.measure() if named.only is None or named.only.mask(docs).any() else None
            if measure is not None and (attached is None or attached.joined(measure) != attached):
                attached = join([measure, *_later(group[position + 1 :], docs)])
                docs = attached.attach(docs) if attached is not None else docs
            docs, kept = self._filter(named, named.stage, docs, kept, scores)
            self.books[named.label].seconds += time.perf_counter() - started
            started = time.perf_counter()
        if _scores_all(group[0]):
            self._scores[number] = scores.table()
        return docs if kept.all() else docs.filter(pa.array(kept))

    def _filter(
        self, named: NamedStage, stage: Filter, docs: pa.Table, kept: Mask, scores: Scores
    ) -> tuple[pa.Table, Mask]:
        """The documents that could be judged, with those that were not to be, and which of them are still kept."""
        asked, others = split(docs, named.only)
        judged, verdict, refusals = apply_filter(named.label, stage, asked)
        if others is not None and not asked.num_rows and docs.num_rows:
            judged, verdict = _nobody_asked(stage, docs)
        entered_bytes = int(table.text_lengths(docs)[kept].sum())
        if refusals:
            raised = np.isin(docs.column("id").to_numpy(), [refusal.id for refusal in refusals])
            # A document that an earlier filter dropped has its decision already.
            entered = set(docs.column("id").to_numpy()[raised & kept].tolist())
            refusals = [refusal for refusal in refusals if refusal.id in entered]
            kept = kept[~raised]
        docs = judged if others is None else merged(judged, others)
        scores.add(named.label, docs, verdict, judged)
        is_judged = None if others is None else np.isin(docs.column("id").to_numpy(), judged.column("id").to_numpy())
        before = kept if is_judged is None else kept[is_judged]
        ids = pc.filter(judged.column("id"), pa.array(before)).combine_chunks()
        rows = pa.concat_tables(
            [ledger.decisions(named.label, ids, verdict.filter(before)), ledger.refused(named.label, refusals)]
        )
        documents = int(kept.sum()) + len(refusals)
        passed = int(kept.sum() - before.sum())
        kept = _after(kept, is_judged, verdict)
        self.samples.add(judged, rows)
        left_bytes = int(table.text_lengths(docs)[kept].sum())
        languages = ledger.languages_of(docs, pa.array(kept))
        self.record(named.label, rows, documents, entered_bytes, left_bytes, passed, languages)
        return docs, kept

    def publish(
        self, number: int, source: str, batches: Iterator[pa.Table], schema: pa.Schema, context: TaskContext
    ) -> DocumentsEntry:
        """Applies the stages to all batches, and writes documents, ledger, scores and samples of one part."""
        path = f"{context.folder}/documents/part-{number:05d}.parquet"
        rows = size = 0
        with context.store.parquet(path, schema) as documents, self._decisions(number, context) as record:
            for batch in batches:
                docs = self.apply(batch)
                documents.write(table.conform(docs, schema))
                rows, size = rows + docs.num_rows, size + table.text_bytes(docs)
                record.batch()
        return self._entry(Part(number, source, path, rows, rows, size), documents.published(), record)

    def publish_mask(self, part: Part, moved: Sequence[Mapping[str, str]], context: TaskContext) -> DocumentsEntry:
        """Applies the stages, which are filters, and writes a mask in place of the documents.

        moved: for each stage, the input's columns that make way for those that it adds.
        """
        came: list[np.ndarray] = [np.zeros(0, np.uint64)]
        left: list[pa.Table] = []
        size = 0
        with self._decisions(part.number, context) as record:
            for batch in part.tables(context.store):
                came.append(batch.column("id").to_numpy())
                docs = self.apply(batch)
                left.append(docs.select(["id", *(name for name in self._added if name in docs.column_names)]))
                size += table.text_bytes(docs)
                record.batch()
        whole = (
            pa.concat_tables(left, promote_options="default") if left else pa.table({"id": pa.array([], pa.uint64())})
        )
        mask = context.store.write_table(
            f"{context.folder}/masks/{part.key}.parquet", self._mask(part, np.concatenate(came), whole, context)
        )
        masked = replace(part, kept=whole.num_rows, text_bytes=size, masks=(*part.masks, mask.path))
        for names in moved:
            masked = masked.with_moved(names)
        return self._entry(masked, mask, record)

    @property
    def _added(self) -> dict[str, pa.DataType]:
        return {name: kind for named in self._stages for name, kind in named.stage.columns_added().items()}

    def _mask(self, part: Part, came: np.ndarray, left: pa.Table, context: TaskContext) -> pa.Table:
        """One row per document of the part: whether it is kept, and the columns that the stages added."""
        before = part.mask(context.store)
        kept_before = np.ones(part.rows, np.bool_) if before is None else before.column("kept").to_numpy()
        ids = left.column("id").to_numpy()
        kept = kept_before.copy()
        kept[kept_before] = np.isin(came, ids)
        take = pa.array(np.cumsum(kept) - 1, mask=~kept)
        columns = {"kept": pa.array(kept)}
        for name, kind in self._added.items():
            column = left.column(name).cast(kind) if name in left.column_names else pa.nulls(left.num_rows, kind)
            columns[name] = column.take(take)
        return pa.table(columns)

    @contextmanager
    def _decisions(self, number: int, context: TaskContext) -> Iterator[_Record]:
        """Opens the files of ledger and scores of a part; the samples are written at the end."""
        key = f"part-{number:05d}"
        with ExitStack() as stack:
            ledger_file = stack.enter_context(
                context.store.parquet(f"{context.folder}/ledger/{key}.parquet", ledger.SCHEMA)
            )
            scores = {
                group: stack.enter_context(ScoreFile(context.store, f"{context.folder}/scores-{group}/{key}.parquet"))
                for group, stages in enumerate(self._groups)
                if _scores_all(stages[0])
            }
            record = _Record(self, ledger_file, scores)
            yield record
            # An empty part must still hold its stages' books.
            for label in self._labels:
                self.books.setdefault(label, Books())
        record.samples = context.store.write_table(f"{context.folder}/samples/{key}.parquet", self.samples.table())

    def _entry(self, part: Part, documents: FileEntry, record: _Record) -> DocumentsEntry:
        files = [documents, *record.files()]
        return {
            "files": [file.to_json() for file in files],
            "part": part.to_json(),
            "ledger": record.ledger.published().path,
            "samples": record.samples.path if record.samples else "",
            "scores": [file.path for file in record.scores_published()],
            "books": as_json(self.books),
            "figures": figures_of((named.label, named.stage) for named in self._stages),
        }

    def take_scores(self) -> dict[int, pa.Table]:
        """The scores of the last batch, by group of fused filters."""
        return self._scores

    def take_ledger(self) -> pa.Table:
        """The ledger rows since the last call."""
        rows, self._ledger = self._ledger, []
        return pa.concat_tables(rows).unify_dictionaries() if rows else ledger.SCHEMA.empty_table()


@dataclass
class _Record:
    """The files of one part besides its documents."""

    line: StageLine
    ledger: ParquetOutput
    scores: dict[int, ScoreFile]
    samples: FileEntry | None = None

    def batch(self) -> None:
        """Writes what the stages decided on one batch."""
        self.ledger.write(self.line.take_ledger())
        for group, scored in self.line.take_scores().items():
            self.scores[group].write(scored)

    def scores_published(self) -> list[FileEntry]:
        """The score files, in the order of their groups."""
        return [file.published() for file in self.scores.values()]

    def files(self) -> list[FileEntry]:
        """All files."""
        samples = [self.samples] if self.samples is not None else []
        return [self.ledger.published(), *samples, *self.scores_published()]
