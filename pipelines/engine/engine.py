"""The engine: runs the passes of a plan, resumes what a killed run left, and checks that the books balance.

The truth is in files. A task publishes its files, then its entry; when all tasks of a pass are done, its manifest is
written, and a pass with a manifest whose files are there is not run again. `products` says how a product (`curated/`,
`tokenizer/` …) replaces another.
"""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eyas.corpus.ledger import READ
from eyas.corpus.sealed import DamagedFile
from eyas.corpus.stage import CorpusStage
from eyas.corpus.store import Store
from eyas.corpus.task import Entry, Step, TaskContext
from eyas.errors import Alarm
from eyas.pipelines.engine import alarms
from eyas.pipelines.engine.cleaning import unfinished
from eyas.pipelines.engine.columns import column_notes
from eyas.pipelines.engine.costs import Cost, CostLedger, measured, session_name, unbilled_cpu
from eyas.pipelines.engine.executors import Executor, InlineExecutor
from eyas.pipelines.engine.integrity import Verified, damaged, finished_entries, made_again
from eyas.pipelines.engine.journal import Journal
from eyas.pipelines.engine.locks import Lock, locked
from eyas.pipelines.engine.observer import Observer, Observers
from eyas.pipelines.engine.passes import work_of
from eyas.pipelines.engine.passes.base import PassState, Result
from eyas.pipelines.engine.passes.records import (
    CuratedSummary,
    DocumentsSummary,
    FiguresRecord,
    JoinedCounts,
    JoinSummary,
    ShardsSummary,
    TokenizerSummary,
)
from eyas.pipelines.engine.planning import RUN_FORMAT, Kind, Pass, Plan, needed
from eyas.pipelines.engine.processes import Stopped
from eyas.pipelines.engine.products import (
    Workshop,
    adopt,
    check_owner,
    damaged_records,
    finish_swap,
    replacements,
)
from eyas.pipelines.engine.results import check_flow, read_result, stored_results
from eyas.trainer.summary import ModelSummary


class TooManyQuarantined(Alarm):
    """More documents are broken than the recipe tolerates."""


@dataclass
class Outcome:
    """What a run left."""

    plan: Plan
    store: Store
    results: dict[str, Result] = field(default_factory=dict)
    """By the digest of the pass."""
    computed: int = 0
    """Passes that were run, not taken from an earlier run."""
    previous: list[str] = field(default_factory=list)
    """Where the products are that this run replaced."""
    unnamed: list[str] = field(default_factory=list)
    """Products in the folder that the recipe no longer names."""

    @property
    def shares(self) -> list[alarms.Share]:
        """How much is left of each source and language."""
        return alarms.shares(self.plan, self.results)

    def _product(self, kind: Kind) -> Result | None:
        passes = (p for p in self.plan.passes if p.kind == kind and p.digest in self.results)
        return next((self.results[p.digest] for p in passes), None)

    @property
    def curated(self) -> Result[CuratedSummary] | None:
        """The curated documents, if they are there."""
        return self._product("curated")

    @property
    def tokenizer(self) -> Result[TokenizerSummary] | None:
        """The tokenizer, if there is one."""
        return self._product("tokenizer")

    @property
    def shards(self) -> Result[ShardsSummary] | None:
        """The shards, if there are any."""
        return self._product("shards")

    @property
    def model(self) -> Result[ModelSummary] | None:
        """The model, if there is one."""
        return self._product("model")

    @property
    def joined(self) -> list[tuple[str, JoinedCounts]]:
        """The label and the counts of each joiner."""
        passes = [p for p in self.plan.passes if p.kind == "join" and p.digest in self.results]
        summaries: list[tuple[str, JoinSummary]] = [(p.label, self.results[p.digest].summary) for p in passes]
        return [(label, summary["joined"]) for label, summary in summaries if "joined" in summary]

    @property
    def figures(self) -> list[tuple[Pass, str, FiguresRecord]]:
        """Figures of stages besides the books, each with its pass and label, in the order of the recipe."""
        passes = [p for p in self.plan.passes if p.kind in ("documents", "generate") and p.digest in self.results]
        summaries: list[tuple[Pass, DocumentsSummary]] = [(p, self.results[p.digest].summary) for p in passes]
        return [
            (planned, named.label, summary["figures"][named.label])
            for planned, summary in summaries
            for named in planned.stages
            if named.label in summary.get("figures", {})
        ]


class Engine:
    """Runs `plan` in the folder `store` by `executor`."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        executor: Executor,
        observer: Observer,
        replace: bool = False,
        report: Callable[[Outcome], object] = lambda outcome: None,
    ) -> None:
        """replace: whether it may replace products that another recipe made. report: called at the end in any case."""
        self._report = report
        self._plan, self._store, self._executor = plan, store, executor
        self._observer = Observers(observer, Journal(store))
        self._costs = CostLedger(store, session_name(), self._observer.warned)
        self._inline_cpu = 0.0
        self._damaged: set[str] = set()
        self._replace = replace
        self._workshop = Workshop(store, plan)
        self._outcome = Outcome(plan, store)
        self._lock = Lock()

    @property
    def outcome(self) -> Outcome:
        """What the run has left so far."""
        return self._outcome

    def run(self) -> Outcome:
        """Runs all passes; raises what a task raised, `BooksError`, `TooManyQuarantined`, `Alarm`, or StorageError if the
        folder holds products of another recipe."""
        self._store.check_writable()
        with locked(self._store, self._plan.recipe.options.lock, self._observer.warned) as self._lock:
            finish_swap(self._store)
            adopt(self._store)
            # Before the journal begins: another recipe's stays as it is.
            check_owner(self._store, self._plan, self._replace)
            self._observer.run_started(self._plan)
            with measured("", "driver") as driver:
                try:
                    self._run()
                except BaseException as error:
                    self._end(driver, error)
                    raise
            self._end(driver, None)
        return self._outcome

    def _end(self, driver: Cost, error: BaseException | None) -> None:
        """Writes what is left to say of the run. Where that fails too, as on a full disk, the run's own error counts."""
        try:
            self._costs.write()
            self._observer.run_ended(error)
            if not isinstance(error, Stopped):  # whoever stops a run does not wait for its plots
                self._report(self._outcome)
            driver.cpu_s = unbilled_cpu() - self._inline_cpu
            self._costs.add("", "", [driver])
            self._costs.write()
        except Exception as second:
            if error is None:
                raise
            error.add_note(f"and the end of the run could not be written: {second}")

    def _run(self) -> None:
        for path in unfinished(self._store):
            self._store.delete(path)
        for path in damaged_records(self._store):
            self._observer.warned(made_again(self._store, path))
        before = stored_results(self._store)
        self._write_text("recipe.yaml", self._plan.recipe.text)
        self._store.write_sealed("plan.json", self._plan.to_json())
        self._run_passes(before)
        self._outcome.previous = self._workshop.swap()
        self._outcome.unnamed = [one.product for one in replacements(self._store, self._plan) if not one.named]
        self._store.write_sealed("manifest.json", self._manifest())

    def _run_passes(self, before: dict[str, Result]) -> None:
        """Runs the passes that are needed; before: results that an earlier run left in its manifest."""
        state = PassState(self._plan, self._plan.passes[0], self._store, [], self._outcome.results)
        found = self._verified({p.digest: self._find(p) for p in self._plan.passes})
        to_run = needed(self._plan.passes, {digest for digest, result in found.items() if result is not None})
        flows = True
        for number, planned in enumerate(self._plan.passes, 1):
            state.current, state.store = planned, self._workshop.store
            result = found[planned.digest]
            skipped = result is None and planned.digest not in to_run
            if skipped:
                result = before.get(planned.digest, Result())
            if result is not None:
                self._observer.pass_kept(planned)
            else:
                self._observer.pass_started(planned, number, len(self._plan.passes))
                result = self._run_pass(planned, state)
                self._outcome.computed += 1
                self._observer.pass_done(planned, result)
            self._outcome.results[planned.digest] = result
            for note in column_notes(state.inputs) if planned.reads else ():
                self._observer.warned(note)
            if planned.product is None:
                # Where passes/ was deleted, and nothing needs it, only the books are left.
                flows = flows and not skipped
                if flows:
                    check_flow(planned, state.parts, result)
                state.parts = result.parts
                self._check_pass(planned, result)

    def _check_pass(self, planned: Pass, result: Result) -> None:
        self._check_tolerance()
        # A pass that was done before is checked again: the limit may have been lowered since.
        for named in planned.stages:
            if isinstance(named.stage, CorpusStage):
                named.stage.check(result.books.get(named.label, {}), result.summary)
        alarms.check(self._plan, self._outcome.results)

    def _find(self, planned: Pass) -> Result | None:
        """The result of a pass that is done."""
        if planned.product is not None:
            return self._workshop.find(planned)
        try:
            return read_result(self._store, planned)
        except DamagedFile:
            self._remake(planned, [f"{planned.folder}/manifest.json"])
            return None

    def _remake(self, planned: Pass, paths: Sequence[str]) -> None:
        """Takes a damaged pass out of use: its manifest is deleted, and of its tasks only the damaged ones run again."""
        for path in paths:
            self._report_damage(path)
        if planned.product is None:
            self._store.delete(f"{planned.folder}/manifest.json")
        else:
            self._workshop.distrust(planned)

    def _report_damage(self, path: str) -> None:
        """Says once of a file that it is damaged: as a part of its product, then as one of its task's, it is met twice."""
        if path not in self._damaged:
            self._damaged.add(path)
            self._observer.warned(made_again(self._workshop.store, path))

    def _verified(self, found: dict[str, Result | None]) -> dict[str, Result | None]:
        """Results whose files hold what was written; None for the others, which are reported."""
        started = time.perf_counter()
        store = self._workshop.store
        kept = [file for result in found.values() if result is not None for file in result.files]
        broken = damaged(store, kept, self._executor)
        for planned in self._plan.passes:
            result = found[planned.digest]
            if result is not None and (paths := sorted(broken & {file.path for file in result.files})):
                self._remake(planned, paths)
                found[planned.digest] = None
        if kept:
            size = sum(file.bytes for file in kept)
            self._observer.verified(Verified(len(kept), size, time.perf_counter() - started))
        return found

    def _run_pass(self, planned: Pass, state: PassState) -> Result:
        started = time.perf_counter()
        if planned.product is not None:
            self._workshop.claim(planned)
            state.store = self._workshop.store
        work = work_of(planned.kind)(state)
        try:
            step = next(work)
            while True:
                step = work.send(self._run_step(planned, step))
        except StopIteration as end:
            result: Result = end.value
        result.seconds = time.perf_counter() - started
        self._costs.write()
        if planned.product is not None:
            self._workshop.finished(planned, result)
        else:
            self._store.write_sealed(f"{planned.folder}/manifest.json", {"digest": planned.digest, **result.to_json()})
        return result

    def _run_step(self, planned: Pass, step: Step) -> list[Entry]:
        """Entries of all tasks of a step, in the order of its tasks."""
        try:
            return self._entries(planned, step)
        finally:
            costs = list(self._executor.costs)
            self._executor.costs.clear()
            if isinstance(self._executor, InlineExecutor):
                self._inline_cpu += sum(cost.cpu_s for cost in costs)
            self._costs.add(planned.label, planned.digest, costs)

    def _entries(self, planned: Pass, step: Step) -> list[Entry]:
        store = self._workshop.store
        entries = finished_entries(store, planned.folder, step, self._executor, self._report_damage)
        waiting = [task for task in step.tasks if task.key not in entries]
        self._observer.step_started(step, list(entries.values()))
        if waiting:
            options = self._plan.recipe.options
            context = TaskContext(store, planned.folder, options.seed, artifacts=artifacts_before(self._plan, planned))
            for event in self._executor.run(step.name, waiting, context):
                self._lock.check()
                if event is None:
                    self._observer.waiting()
                    continue
                task, entry = event
                entries[task.key] = entry
                self._observer.task_done(task, entry)
        return [entries[task.key] for task in step.tasks]

    def _check_tolerance(self) -> None:
        read = quarantined = 0
        for result in self._outcome.results.values():
            for label in result.books:
                books = result.total(label)
                read += books.documents if label == READ else 0
                quarantined += books.quarantined
                if label != READ and books.documents and books.quarantined == books.documents:
                    raise TooManyQuarantined(
                        f"stage {label!r} failed on each of its {books.documents:,} documents:\n{self._examples(label)}"
                    )
        tolerance = self._plan.recipe.options.tolerance
        if quarantined > tolerance * read:
            raise TooManyQuarantined(
                f"{quarantined:,} of {read:,} documents are quarantined ({quarantined / max(read, 1):.2%}), more than the "
                f"tolerance of {tolerance:.2%}. The first:\n{self._examples()}"
                f"Mend the input or the stage, or raise `tolerance:` in the recipe."
            )

    def _examples(self, stage: str | None = None) -> str:
        """The first few quarantined documents (of one stage), a line each."""
        lines: list[str] = []
        for result in self._outcome.results.values():
            for path in result.ledgers.values():
                if len(lines) >= 3:
                    break
                rows = self._store.read_table(path)
                for row in rows.filter(rows.column("kept").is_null()).to_pylist():
                    if stage in (None, row["stage"]) and len(lines) < 3:
                        lines.append(f"  {row['stage']}, {row['reason']}: {row['detail']}\n")
        return "".join(lines)

    def _manifest(self) -> dict[str, Any]:
        passes = []
        for planned in self._plan.passes:
            result = self._outcome.results[planned.digest]
            files = [file.to_json() for file in result.files] if planned.product else []
            books = result.to_json()["books"]
            passes.append(
                {
                    "kind": planned.kind,
                    "label": planned.label,
                    "digest": planned.digest,
                    "folder": planned.product or planned.folder,
                    "seconds": round(result.seconds, 3),
                    "books": books,
                    "files": files,
                    "summary": result.summary,
                }
            )
        return {
            "format": RUN_FORMAT,
            "name": self._plan.recipe.options.name,
            "plan": self._plan.digest,
            "passes": passes,
            "not_in_recipe": self._outcome.unnamed,
            "shares": [share.to_json() for share in self._outcome.shares],
        }

    def _write_text(self, path: str, text: str) -> None:
        with self._store.create(path) as output:
            output.sink.write(text.encode())


def artifacts_before(plan: Plan, planned: Pass) -> dict[str, str]:
    """The artifacts of the passes before one: the name of each, and its folder."""
    earlier = plan.passes[: plan.passes.index(planned)]
    stages = [(p.folder, named.stage) for p in earlier for named in p.stages]
    return {name: f"{folder}/{below}" for folder, stage in stages for name, below in stage.makes().items()}
