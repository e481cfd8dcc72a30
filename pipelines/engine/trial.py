"""Tries a recipe on the first records of every source: each goes through every stage, in a folder that is thrown away."""

# Tested in tests/end_to_end/test_check.py.

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from eyas.corpus.sources.base import Batch, Source
from eyas.corpus.sources.columns import PlannedColumn, Surveyed
from eyas.corpus.sources.listing import Partition, Split
from eyas.corpus.sources.shapes import Survey
from eyas.corpus.stage import Generator, Joiner, Mapper, Stage
from eyas.corpus.store import Store
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.errors import EyasError
from eyas.pipelines.engine.columns import LOOK_RECORDS
from eyas.pipelines.engine.engine import artifacts_before
from eyas.pipelines.engine.executors import Executor, InlineExecutor
from eyas.pipelines.engine.passes import work_of
from eyas.pipelines.engine.passes.base import PassState, Result
from eyas.pipelines.engine.planning import Pass, Plan, document_passes
from eyas.pipelines.engine.requirements import Finding
from eyas.pipelines.recipe.recipe import Recipe
from eyas.synthetic.options import ModelStage

RECORDS = 200
"""Records of each source that a trial takes."""
FEW = 2
"""The same, if a stage asks a language model about every document."""


@dataclass(frozen=True)
class FirstRecords:
    """A source that gives its first records only."""

    source: Source
    records: int

    @property
    def carried(self) -> dict[str, pa.DataType]:
        """See `Source`."""
        return self.source.carried

    def surveyed(self, name: str, survey: Survey) -> Surveyed | None:
        """See `Source`."""
        return self.source.surveyed(name, survey)

    def survey(self, split: Split, most: int | None = None) -> Survey:
        """Of as many records as are read, and some more: broken ones do not count there."""
        return self.source.survey(split, LOOK_RECORDS)

    def filesystem(self) -> Any:
        """See `Source`."""
        return self.source.filesystem()

    def planned(self, columns: Sequence[PlannedColumn]) -> FirstRecords:
        """See `Source`."""
        return FirstRecords(self.source.planned(columns), self.records)

    def read(self, split: Split, first_row: int) -> Iterator[Batch]:
        """The records of a piece whose row numbers are among the first."""
        if first_row >= self.records:
            return
        batch = next(iter(self.source.read(split, first_row)), Batch())
        count = sum(row < self.records for row in batch.rows)
        extra = {name: values[:count] for name, values in batch.extra.items()}
        rejects = [reject for reject in batch.rejects if reject.row < self.records]
        yield Batch(batch.rows[:count], batch.texts[:count], batch.origins[:count], extra, rejects)


def try_out(planned: Plan) -> Iterator[Finding]:
    """A finding for each stage: what it did with the first records of each source, or why it cannot work."""
    small = _small(planned)
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix="eyas-check-") as folder:
        state = PassState(small, small.passes[0], Store(folder), [], results)
        for current in small.passes:
            state.current = current
            try:
                result = _run(small, state)
            except EyasError as error:
                yield _failed(current, error)
                return
            results[current.digest] = result
            state.parts = result.parts
            yield from _done(current, result)


def _small(planned: Plan) -> Plan:
    """The plan for the first records, without products."""
    recipe = planned.recipe
    stages = tuple(replace(named, stage=_cheap(named.stage)) for named in recipe.stages)
    asks = any(isinstance(named.stage, ModelStage) and isinstance(named.stage, Mapper) for named in stages)
    records = FEW if asks else RECORDS
    entries = [
        SimpleNamespace(name=entry.name, source=FirstRecords(entry.source, records)) for entry in recipe.options.sources
    ]
    products: dict[str, Any] = {"tokenizer": None, "shards": None, "train": None}
    options = recipe.options.model_copy(update={"sources": entries, **products})
    small: Recipe = replace(recipe, options=options, stages=stages)
    first: dict[str, Partition] = {}
    for partition in planned.partitions:
        if partition.splits and partition.source not in first:
            first[partition.source] = Partition(len(first), partition.source, partition.splits)
    return Plan(small, tuple(first.values()), planned.files, tuple(document_passes(small, "trial")))


def _cheap(stage: Stage) -> Stage:
    """The stage, limited to one document if each costs a request to a language model or makes a new one."""
    asks = isinstance(stage, ModelStage) or (isinstance(stage, Generator) and not isinstance(stage, Joiner))
    return (
        stage.model_copy(update={"max_documents": 1}) if asks and "max_documents" in type(stage).model_fields else stage
    )


def _run(plan: Plan, state: PassState) -> Result:
    work = work_of(state.current.kind)(state)
    executor = InlineExecutor()
    context = TaskContext(
        state.store, state.current.folder, plan.recipe.options.seed, artifacts=artifacts_before(plan, state.current)
    )
    try:
        step = next(work)
        while True:
            step = work.send(_entries(executor, step, context))
    except StopIteration as end:
        result: Result = end.value
        return result


def _entries(executor: Executor, step: Step[Any], context: TaskContext) -> list[Entry]:
    entries = {event[0].key: event[1] for event in executor.run(step.name, step.tasks, context) if event is not None}
    return [entries[task.key] for task in step.tasks]


def _failed(current: Pass, error: EyasError) -> Finding:
    learns = [named.label for named in current.stages if named.stage.makes()]
    if learns:
        return Finding(
            "trial",
            "warning",
            f"{learns[0]} and what follows were not tried: {RECORDS} records may be too few ({error})",
        )
    return Finding("trial", "error", f"{current.label}: {error}")


def _done(current: Pass, result: Result) -> Iterator[Finding]:
    labels = [*(["read"] if current.reads else []), *(named.label for named in current.stages)]
    for label in labels:
        counts = [
            f"{source} {books.documents:,} → {books.left:,}"
            + (f" ({books.passed:,} passed by)" if books.passed else "")
            for source, books in sorted(result.books.get(label, {}).items())
        ]
        quarantined = result.total(label).quarantined
        text = f"{label}: {', '.join(counts) or 'no documents'}"
        level: Any = "warning" if quarantined else "ok"
        yield Finding("trial", level, text + (f"; {quarantined:,} quarantined" if quarantined else ""))


def on_workers(planned: Plan, store: Store, executor: Executor, workers: int) -> Iterator[Finding]:
    """Whether workers can read every source and write into the run's folder, as this process can."""
    first: dict[str, Split] = {p.source: p.splits[0] for p in reversed(planned.partitions) if p.splits}
    sources = {entry.name: entry.source for entry in planned.recipe.options.sources}
    tasks = [
        Task(f"probe-{number}", _Probe(first, {name: sources[name] for name in first})) for number in range(workers)
    ]
    context = TaskContext(store, ".check", planned.recipe.options.seed)
    try:
        for _ in executor.run("probe", tasks, context):
            pass
        yield Finding("workers", "ok", f"{workers} tasks read {len(first)} sources and wrote to {store.name()}")
    except EyasError as error:
        yield Finding("workers", "error", f"a worker cannot do what this process can: {error}")
    finally:
        store.delete(".check")


@dataclass(frozen=True)
class _Probe:
    splits: Mapping[str, Split]
    sources: Mapping[str, Source]

    def __call__(self, context: TaskContext) -> Entry:
        for name, split in self.splits.items():
            next(iter(self.sources[name].read(split, 0)), None)
        return {"files": []}
