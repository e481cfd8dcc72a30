"""The journal of a run: `events.jsonl` tells what happened, `status.json` how far it is, for whoever looks from outside.

Both are written while the run holds the lock of its folder. On a local disk each event is a line that is appended; object
stores have no appending, so there the file is written anew at the end of each pass. `status.json` is written at
each event, and every `TICK_SECONDS` in between.
"""

# Tested in tests/end_to_end/test_journal.py.

from __future__ import annotations

import datetime
import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from eyas.corpus.sealed import DamagedFile
from eyas.corpus.store import Store
from eyas.corpus.task import Entry, Step, Task
from eyas.errors import InputError, exit_code
from eyas.pipelines.engine.integrity import Verified
from eyas.pipelines.engine.observer import Observer
from eyas.pipelines.engine.passes.base import Result
from eyas.pipelines.engine.planning import Pass, Plan
from eyas.pipelines.engine.processes import Stopped, started

EVENTS, STATUS = "events.jsonl", "status.json"
TICK_SECONDS = 30.0
SILENT_SECONDS = 120.0
"""A run on another machine that has not written its status for so long is taken for dead."""


@dataclass(frozen=True)
class Status:
    """How far a run is. Times are seconds since 1970."""

    state: str
    """`running`, `finished`, `failed` or `stopped` (by a signal)."""
    name: str
    host: str
    pid: int
    process: str | None
    """When the process began, in the clock ticks of its machine."""
    started: float
    updated: float
    passes: int
    number: int = 0
    """Number of the pass at hand, from 1."""
    label: str = ""
    step: str = ""
    tasks: int = 0
    done: int = 0
    documents: int = 0
    bytes: int = 0
    pass_started: float = 0.0
    seconds_left: float | None = None
    """Of the step at hand, if its tasks go on as they did."""
    message: str = ""
    exit_code: int | None = None

    @property
    def share(self) -> float:
        """The share of the step's tasks that are done."""
        return self.done / self.tasks if self.tasks else 0.0


class Progress(Observer):
    """Keeps the status of a run, and hands out events: `tell` receives each with its kind and the status then."""

    def __init__(
        self, tell: Callable[[str, Status, dict[str, Any]], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._tell, self._clock = tell, clock
        self.status: Status | None = None
        self._step_began = (0.0, 0)
        self._ticked = 0.0

    def _event(self, kind: str, more: dict[str, Any] | None = None, **changes: Any) -> None:
        if self.status is None:
            return
        now = self._clock()
        self.status = replace(self.status, updated=now, **changes)
        self._ticked = now
        self._tell(kind, self.status, more or {})

    def run_started(self, plan: Plan) -> None:
        """The lock is held, and the run begins."""
        now = self._clock()
        name, passes = plan.recipe.options.name, len(plan.passes)
        self.status = Status("running", name, socket.gethostname(), os.getpid(), started(os.getpid()), now, now, passes)
        self._event("run_started", {"files": plan.files, "bytes": plan.bytes, "partitions": len(plan.partitions)})

    def run_ended(self, error: BaseException | None) -> None:
        """The run is over."""
        if error is None:
            self._event("run_finished", state="finished", message="", exit_code=0)
        elif isinstance(error, Stopped):
            self._event("run_stopped", state="stopped", message=f"stopped by {error}", exit_code=128 + error.number)
        else:
            message = str(error) or type(error).__name__
            self._event("run_failed", {"error": message}, state="failed", message=message, exit_code=exit_code(error))

    def verified(self, what: Verified) -> None:
        """What is kept was read again."""
        self._event("verified", asdict(what))

    def pass_kept(self, planned: Pass) -> None:
        """A pass was done before."""
        self._event("pass_kept", {"kept": planned.label})

    def pass_started(self, planned: Pass, number: int, total: int) -> None:
        """A pass begins."""
        empty: dict[str, Any] = {"step": "", "tasks": 0, "done": 0, "documents": 0, "bytes": 0, "seconds_left": None}
        self._event("pass_started", number=number, label=planned.label, pass_started=self._clock(), **empty)

    def step_started(self, step: Step, done: Sequence[Entry]) -> None:
        """A step begins."""
        self._step_began = self._clock(), len(done)
        more = {"step": step.name, "tasks": len(step.tasks), "done": len(done)}
        self._event("step_started", more, step=step.name, tasks=len(step.tasks), done=len(done), seconds_left=None)

    def task_done(self, task: Task, entry: Entry) -> None:
        """A task finished; an event only now and then."""
        assert self.status is not None
        documents = max((books["documents"] for books in entry.get("books", {}).values()), default=0)
        began, before = self._step_began
        done = self.status.done + 1
        each = (self._clock() - began) / max(done - before, 1)
        self.status = replace(
            self.status,
            done=done,
            documents=self.status.documents + documents,
            bytes=self.status.bytes + task.bytes,
            seconds_left=each * (self.status.tasks - done),
        )
        self.waiting()

    def waiting(self) -> None:
        """An event if there was none for a while."""
        if self._clock() - self._ticked >= TICK_SECONDS:
            self._event("progress")

    def pass_done(self, planned: Pass, result: Result) -> None:
        """A pass is complete."""
        kept = sum(part.kept for part in result.parts)
        self._event("pass_done", {"seconds": round(result.seconds, 3), "documents_left": kept})

    def warned(self, message: str) -> None:
        """A note."""
        self._event("warning", {"message": message})


def event_of(kind: str, status: Status, more: dict[str, Any]) -> dict[str, Any]:
    """An event as JSON: when, what, and how far the run was."""
    when = datetime.datetime.fromtimestamp(status.updated, datetime.UTC).isoformat(timespec="milliseconds")
    at = {"pass": f"{status.number}/{status.passes}", "label": status.label} if status.number else {}
    if kind == "progress":
        more = {
            "step": status.step,
            "tasks": status.tasks,
            "done": status.done,
            "documents": status.documents,
            "bytes": status.bytes,
            "seconds_left": status.seconds_left,
        }
    return {"time": when, "event": kind, **at, **more}


class Journal(Progress):
    """Writes the events and the status of a run into its folder."""

    def __init__(self, store: Store) -> None:
        super().__init__(self._write)
        self._store = store
        self._lines: list[str] = []

    def _write(self, kind: str, status: Status, more: dict[str, Any]) -> None:
        line = json.dumps(event_of(kind, status, more), ensure_ascii=True) + "\n"
        ended = kind.startswith("run_") and kind != "run_started"
        if self._store.local:
            with open(self._store.path(EVENTS), "a", encoding="ascii") as file:
                file.write(line)
        else:
            if not self._lines:
                with suppress(FileNotFoundError):
                    self._lines.append(self._store.fs.cat_file(self._store.path(EVENTS)).decode())
            self._lines.append(line)
            if ended or kind in ("run_started", "pass_done"):
                self._store.fs.pipe_file(self._store.path(EVENTS), "".join(self._lines).encode())
        with self._store.create(STATUS) as output:
            output.sink.write((json.dumps(asdict(status), indent=1) + "\n").encode())


def status_of(store: Store) -> Status:
    """How far the run in `store` is; InputError if none ran there. A run whose process is gone is `dead`."""
    if not store.exists(STATUS):
        raise InputError(f"{store.name()}: no {STATUS}, so no run has begun here (runs before 0.3 wrote none)")
    try:
        status = Status(**store.read_json(STATUS))
    except TypeError as error:
        raise DamagedFile(f"{store.name(STATUS)}: of another version, or damaged ({error})") from error
    if status.state != "running":
        return status
    here = status.host == socket.gethostname()
    gone = started(status.pid) != status.process if here else time.time() - status.updated > SILENT_SECONDS
    return replace(status, state="dead") if gone else status
