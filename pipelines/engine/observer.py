"""Observers receive the progress of a run: the terminal, the log and the journal are some."""

# Tested in tests/end_to_end/test_journal.py.

from __future__ import annotations

from collections.abc import Sequence

from eyas.corpus.task import Entry, Step, Task
from eyas.pipelines.engine.integrity import Verified
from eyas.pipelines.engine.passes.base import Result
from eyas.pipelines.engine.planning import Pass, Plan


class Observer:
    """Receives the progress of a run; this one ignores it."""

    def run_started(self, plan: Plan) -> None:
        """The run's folder is locked, and the run begins."""

    def run_ended(self, error: BaseException | None) -> None:
        """The run is over; error: what ended it, if it failed or was stopped."""

    def pass_started(self, planned: Pass, number: int, total: int) -> None:
        """A pass begins."""

    def verified(self, what: Verified) -> None:
        """What an earlier run left was read again, and is what was written."""

    def pass_kept(self, planned: Pass) -> None:
        """A pass was done before, and nothing is recomputed."""

    def step_started(self, step: Step, done: Sequence[Entry]) -> None:
        """A step begins; `done`: entries of tasks finished by an earlier run."""

    def task_done(self, task: Task, entry: Entry) -> None:
        """A task finished."""

    def warned(self, message: str) -> None:
        """The run may go wrong, or a result may not be what one expects."""

    def waiting(self) -> None:
        """Nothing has finished for a moment."""

    def pass_done(self, planned: Pass, result: Result) -> None:
        """A pass is complete."""


class Observers(Observer):
    """Several observers as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def run_started(self, plan: Plan) -> None:
        for one in self._observers:
            one.run_started(plan)

    def run_ended(self, error: BaseException | None) -> None:
        for one in self._observers:
            one.run_ended(error)

    def pass_started(self, planned: Pass, number: int, total: int) -> None:
        for one in self._observers:
            one.pass_started(planned, number, total)

    def verified(self, what: Verified) -> None:
        for one in self._observers:
            one.verified(what)

    def pass_kept(self, planned: Pass) -> None:
        for one in self._observers:
            one.pass_kept(planned)

    def step_started(self, step: Step, done: Sequence[Entry]) -> None:
        for one in self._observers:
            one.step_started(step, done)

    def task_done(self, task: Task, entry: Entry) -> None:
        for one in self._observers:
            one.task_done(task, entry)

    def warned(self, message: str) -> None:
        for one in self._observers:
            one.warned(message)

    def waiting(self) -> None:
        for one in self._observers:
            one.waiting()

    def pass_done(self, planned: Pass, result: Result) -> None:
        for one in self._observers:
            one.pass_done(planned, result)
