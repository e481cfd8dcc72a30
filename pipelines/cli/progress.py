"""Progress on the terminal: a bar per pass with documents/s, bytes/s and time left; plain lines when piped."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as Bar
from rich.text import Text

from eyas.corpus.show.text import human, plain
from eyas.corpus.store import Store
from eyas.corpus.task import Entry, Step, Task
from eyas.pipelines.cli.console import print_table, table
from eyas.pipelines.engine.engine import Outcome
from eyas.pipelines.engine.integrity import Verified
from eyas.pipelines.engine.observer import Observer
from eyas.pipelines.engine.passes.base import Result
from eyas.pipelines.engine.planning import Pass, Plan
from eyas.pipelines.engine.products import staging
from eyas.pipelines.report.funnel import funnel
from eyas.pipelines.report.language_models import lines as model_lines
from eyas.tokenizer_train.training.pruning import pruning_message


def headline(planned: Plan) -> str:
    """The run's name, and the size of its input."""
    name, size = planned.recipe.options.name, human(planned.bytes)
    return f"{name}: {planned.files:,} files, {size}, {len(planned.partitions)} partitions"


def _seconds(bar: Bar) -> float:
    """Seconds since the pass began: its steps reset the bar, not this clock."""
    seconds: float = bar.fields["seconds"] or time.perf_counter() - bar.fields["since"]
    return max(seconds, 1e-3)


class _Rate(ProgressColumn):
    """Documents/s and bytes/s of the pass so far."""

    def render(self, task: Bar) -> Text:
        """`1,234 docs/s 5.6 MB/s`, or the trainer's last step."""
        documents, size, seconds = task.fields["documents"], task.fields["done_bytes"], _seconds(task)
        parts = [
            f"{documents / seconds:,.0f} docs/s" if documents else "",
            f"{human(size / seconds)}/s" if size else "",
        ]
        return Text(task.fields["note"] or " ".join(part for part in parts if part), style="cyan")


class _Left(TimeRemainingColumn):
    """Time left, and when the pass is done the time it took."""

    def render(self, task: Bar) -> Text:
        """`0:01:23`, then `83.4 s`."""
        return Text(f"{task.fields['seconds']:.1f} s") if task.fields["seconds"] else super().render(task)


class TerminalObserver(Observer):
    """Shows a run as it goes."""

    def __init__(self, console: Console, store: Store, steps: int | None = None) -> None:
        """`steps`: how many the training takes, if there is one, for its bar."""
        self.console = console
        self._steps = steps
        self._store = store
        self._live = console.is_terminal
        self._progress: Progress | None = None
        self._bar: Any = None
        self._documents = self._bytes = 0
        self._started = 0.0
        self._kind = self._folder = ""
        self._looked = 0.0

    def pass_started(self, planned: Pass, number: int, total: int) -> None:
        """Opens the bar of a pass."""
        self._documents = self._bytes = 0
        self._started = time.perf_counter()
        self._kind = planned.kind
        self._folder = staging("model", planned.digest)
        if not self._live:
            self.console.print(f"[{number}/{total}] {planned.label} …")
            return
        columns = (
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[step]}", markup=False),
            _Rate(),
            _Left(),
        )
        self._progress = Progress(*columns, console=self.console)
        # What stands to the right of the label takes up to 62 columns.
        room = max(self.console.width - 62, 16)
        label = planned.label if len(planned.label) <= room else planned.label[: room - 1] + "…"
        fields: dict[str, Any] = {"step": "starting", "documents": 0, "done_bytes": 0, "note": ""}
        fields |= {"seconds": 0.0, "since": self._started}
        self._bar = self._progress.add_task(label, total=None, **fields)
        self._progress.start()

    def verified(self, what: Verified) -> None:
        """Prints what it cost to read again what is kept."""
        size = f"{what.files:,} kept files, {human(what.bytes)}"
        self.console.print(f"  ✓ verified {size}, in {what.seconds:.1f} s", style="dim")

    def pass_kept(self, planned: Pass) -> None:
        """Prints that a pass was kept."""
        self.console.print(f"  ✓ {planned.label}: kept from before", style="dim")

    def warned(self, message: str) -> None:
        """Prints a note."""
        self.console.print(plain(f"note: {message}"), style="yellow", markup=False, soft_wrap=True)

    def step_started(self, step: Step, done: Sequence[Entry]) -> None:
        """Sets the bar to the step's size."""
        if self._progress is not None:
            self._progress.update(self._bar, total=max(len(step.tasks), 1), completed=len(done), step=step.name)

    def task_done(self, task: Task, entry: Entry) -> None:
        """Moves the bar."""
        self._documents += max((books["documents"] for books in entry.get("books", {}).values()), default=0)
        self._bytes += task.bytes
        if self._progress is not None:
            self._progress.update(self._bar, advance=1, documents=self._documents, done_bytes=self._bytes)

    def waiting(self) -> None:
        """Looks at the trainer's metrics, once a second."""
        if self._kind != "model" or time.perf_counter() - self._looked < 1.0:
            return
        self._looked = time.perf_counter()
        line = last_metrics(self._store, self._folder)
        if line is not None and self._progress is not None:
            note = f"loss {line['loss']:.3f} {line.get('tokens_per_s', 0):,.0f} tokens/s"
            steps = self._steps or line["step"]
            self._progress.update(
                self._bar, note=note, total=steps, completed=line["step"], step=f"step {line['step']}"
            )

    def pass_done(self, planned: Pass, result: Result) -> None:
        """Closes the bar."""
        seconds = time.perf_counter() - self._started
        if self._progress is not None:
            self._progress.update(self._bar, step="done", total=1, completed=1, seconds=seconds)
            self._progress.stop()
            self._progress = None
        else:
            self.console.print(f"      done in {seconds:.1f} s")

    def close(self) -> None:
        """Leaves the terminal in order after an error."""
        if self._progress is not None:
            self._progress.stop()


def last_metrics(store: Store, folder: str) -> dict[str, Any] | None:
    """The last complete line of the trainer's metrics, if there is one: of a model that is built beside another in `folder`,
    or in its own place."""
    path = store.path(f"{folder if store.exists(folder) else 'model'}/metrics.jsonl")
    try:
        size = store.fs.size(path)
        tail = store.fs.cat_file(path, start=max(size - 4096, 0))
    except (FileNotFoundError, OSError):
        return None
    for line in reversed(tail.split(b"\n")[:-1]):
        try:
            metrics: dict[str, Any] = json.loads(line)
            return metrics
        except json.JSONDecodeError:
            continue
    return None


def print_funnel(to: Console, outcome: Outcome) -> None:
    """The closing table: what each stage got, kept, dropped and set aside, and its commonest reasons."""
    stages = funnel(outcome)
    # Only recipes with conditions (`only:`) have documents that a stage was not asked about.
    limited = any(row.books.passed for row in stages)
    figures = ("in", "kept", *(["passed by"] if limited else []), "dropped", "quarantined", "text kept")
    rows = table("stage", *figures, "commonest reasons", right=figures)
    for row in stages:
        books = row.books
        reasons = sorted(books.reasons.items(), key=lambda item: -item[1])[:3]
        rows.add_row(
            row.label,
            f"{books.documents:,}",
            f"{books.kept:,}",
            *([f"{books.passed:,}"] if limited else []),
            f"{books.dropped:,}",
            f"{books.quarantined:,}",
            human(books.bytes_kept),
            ", ".join(f"{name} {count:,}" for name, count in reasons),
        )
    print_table(to, rows)


MOST_LANGUAGES = 12


def print_shares(to: Console, outcome: Outcome) -> None:
    """How much is left of each source and language, and the floor; of languages the most frequent ones."""
    found = outcome.shares
    languages = [share for share in found if share.kind == "language"]
    shown = [share for share in found if share.kind == "source"] + languages[:MOST_LANGUAGES]
    figures = ("of", "left", "share", "floor")
    rows = table("source or language", *figures, right=figures)
    for share in shown:
        floor = f"{share.floor:.1%}" if share.judged else "(too few)"
        rows.add_row(plain(share.name), f"{share.began:,}", f"{share.left:,}", f"{share.share:.1%}", floor)
    print_table(to, rows)
    if len(languages) > MOST_LANGUAGES:
        to.print(f"and {len(languages) - MOST_LANGUAGES} languages more: manifest.json has them", style="dim")


def print_products(to: Console, outcome: Outcome) -> None:
    """One line per product."""
    for kind, text in _product_lines(outcome):
        to.print(f"{kind:>10}  {text}")


def product_notes(outcome: Outcome) -> list[str]:
    """What became of products that were there before."""
    notes = []
    if outcome.previous:
        places = ", ".join(outcome.store.path(place) for place in outcome.previous)
        notes.append(
            f"replaced: what was there before is kept in {places}; `eyas clean {outcome.store.name()}` deletes it"
        )
    if outcome.unnamed:
        names = ", ".join(f"{name}/" for name in outcome.unnamed)
        notes.append(f"not in this recipe: {names} of an earlier one; they stay as they are")
    return notes


def _product_lines(outcome: Outcome) -> list[tuple[str, str]]:
    lines = model_lines(outcome)
    for label, counts in outcome.joined:
        mean = human(counts["text_bytes"] / max(counts["texts"], 1))
        sizes = f"{mean} on average, {human(counts['longest'])} at most"
        lines.append(("joined", f"{label}: {counts['texts']:,} texts of {counts['documents']:,} documents, {sizes}"))
    if (curated := outcome.curated) is not None:
        text = f"{curated.summary['documents']:,} documents, {human(curated.summary['text_bytes'])}"
        lines.append(("curated", text))
    if (tokenizer := outcome.tokenizer) is not None:
        for size, groups in tokenizer.summary["fertility"].items():
            lines.append(("tokenizer", f"{int(size):,} tokens, {groups['all']['bytes_per_token']:.2f} bytes per token"))
        if tokenizer.summary["raised_for_memory"]:
            lines.append(("tokenizer", pruning_message(tokenizer.summary).strip()))
    if (shards := outcome.shards) is not None:
        packed = shards.summary
        text = f"{packed['tokens']:,} tokens in {packed['rows']:,} rows of {packed['sequence_length']:,}, "
        text += f"{packed['padding_share']:.2%} padding, {packed['split']:,} documents longer than a row"
        lines.append(("shards", text))
    if (model := outcome.model) is not None:
        trained = model.summary
        losses = f"loss {trained['first_loss']:.3f} → {trained['last_loss']:.3f} in {trained['steps']} steps"
        lines.append(("model", f"{trained['parameters']:,} parameters, {losses}"))
    return lines
