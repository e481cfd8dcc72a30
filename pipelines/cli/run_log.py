"""The log of a run whose output is no terminal: a line per event with the time, and every 30 s how far it is."""

# Tested in tests/end_to_end/test_journal.py.

from __future__ import annotations

import json
import time
from typing import Any

from rich.console import Console

from eyas.corpus.show.text import human, plain
from eyas.corpus.store import Store
from eyas.pipelines.cli.progress import last_metrics
from eyas.pipelines.engine.integrity import Verified
from eyas.pipelines.engine.journal import Progress, Status, event_of
from eyas.pipelines.engine.planning import Pass
from eyas.pipelines.engine.products import staging


class LogObserver(Progress):
    """Prints lines for people."""

    def __init__(self, console: Console, store: Store, steps: int | None = None) -> None:
        """store: the run's, in which a training writes its metrics. steps: how many it takes, if there is one."""
        super().__init__(self._print)
        self._console, self._store, self._steps = console, store, steps
        self._model = ""

    def pass_started(self, planned: Pass, number: int, total: int) -> None:
        """A pass begins."""
        self._model = staging("model", planned.digest) if planned.kind == "model" else ""
        super().pass_started(planned, number, total)

    def _print(self, kind: str, status: Status, more: dict[str, Any]) -> None:
        line = log_line(kind, status, more)
        if kind == "progress" and self._model and (metrics := last_metrics(self._store, self._model)):
            steps = self._steps or metrics["step"]
            line = f"[{status.number}/{status.passes}] {status.label}: step {metrics['step']:,} of {steps:,}, "
            line += f"loss {metrics['loss']:.3f}, {metrics.get('tokens_per_s', 0):,.0f} tokens/s"
        if line:
            when = time.strftime("%H:%M:%S", time.localtime(status.updated))
            style = "yellow" if kind == "warning" else None
            self._console.print(f"{when} {plain(line)}", style=style, markup=False, soft_wrap=True)

    def warned(self, message: str) -> None:
        """A note, also before the run has begun."""
        if self.status is None:
            self._console.print(plain(f"note: {message}"), style="yellow", markup=False, soft_wrap=True)
        super().warned(message)

    def close(self) -> None:
        """Nothing is left open."""


class JsonObserver(LogObserver):
    """Prints a JSON object per event, as in `events.jsonl`."""

    def warned(self, message: str) -> None:
        """A note, also before the run has begun."""
        if self.status is None:
            self._console.print(json.dumps({"event": "warning", "message": message}), markup=False, soft_wrap=True)
        Progress.warned(self, message)

    def _print(self, kind: str, status: Status, more: dict[str, Any]) -> None:
        self._console.print(json.dumps(event_of(kind, status, more)), markup=False, soft_wrap=True)


class QuietObserver(LogObserver):
    """Prints warnings only."""

    def _print(self, kind: str, status: Status, more: dict[str, Any]) -> None:
        if kind == "warning":
            super()._print(kind, status, more)


def log_line(kind: str, status: Status, more: dict[str, Any]) -> str:
    """A line about an event; empty for events that need none."""
    at = f"[{status.number}/{status.passes}] {status.label}"
    if kind == "pass_started":
        return f"{at} …"
    if kind == "progress":
        return f"{at}: {status_line(status)}"
    if kind == "pass_done":
        return f"{at}: done in {more['seconds']:.1f} s"
    if kind == "pass_kept":
        return f"✓ {more['kept']}: kept from before"
    if kind == "verified":
        what = Verified(**more)
        return f"✓ verified {what.files:,} kept files, {human(what.bytes)}, in {what.seconds:.1f} s"
    return f"note: {more['message']}" if kind == "warning" else ""


def status_line(status: Status) -> str:
    """`hash 40 of 120 (33%), 1,234 docs/s 5.6 MB/s, 0:04:00 left`."""
    seconds = max(status.updated - status.pass_started, 1e-3)
    parts = [f"{status.step or 'starting'} {status.done:,} of {status.tasks:,} ({status.share:.0%})"]
    if status.documents:
        parts.append(f"{status.documents / seconds:,.0f} docs/s {human(status.bytes / seconds)}/s")
    elif status.bytes:
        parts.append(f"{human(status.bytes / seconds)}/s")
    if status.seconds_left is not None:
        parts.append(f"{_clock(status.seconds_left)} left in this step")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
