"""A training run on the terminal: progress, losses, speed and held-out bits per byte, redrawn in place; lines when piped."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

EVERY = 10
"""Steps between lines where there is no terminal."""
_BARS = "▁▂▃▄▅▆▇█"


class TrainingView:
    """Shows each step's metrics while it is entered. `steps`: how many the whole training takes."""

    def __init__(self, console: Console, steps: int, title: str) -> None:
        self.console, self.steps, self.title = console, steps, title
        self._losses: list[float] = []
        self._held_out: dict[str, float] = {}
        self._bar = Progress(
            TextColumn("step"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("·"),
            TimeRemainingColumn(), TextColumn("left"), console=console,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=steps)
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> TrainingView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, line: dict[str, Any]) -> None:
        """Shows the metrics of a step."""
        self._losses.append(line["loss"])
        self._held_out = line.get("held_out") or self._held_out
        if self._live is not None:
            self._bar.update(self._task, completed=line["step"])
            self._live.update(self._panel(line))
        elif line["step"] % EVERY == 0 or line["step"] in (1, self.steps) or "held_out" in line:
            speed = f"{line['tokens_per_s']:,.0f} tokens/s  MFU {line['mfu']:.0%}"
            measured = by_source(line.get("held_out"), "  held out: ")
            self.console.print(f"step {line['step']:>5}  loss {line['loss']:.4f}  {speed}{measured}")

    def _panel(self, line: dict[str, Any]) -> Panel:
        now = Text.assemble(
            ("loss ", "dim"), (f"{line['loss']:.4f}", "bold"), ("   bits/byte ", "dim"), f"{line['bits_per_byte']:.3f}",
            ("   gradient ", "dim"), f"{line['grad_norm']:.2f}", ("   rate ", "dim"), f"{line['learning_rate']:.2e}",
        )  # fmt: skip
        speed = Text.assemble(
            f"{line['tokens_per_s']:,.0f}", (" tokens/s   ", "dim"), f"{line['mfu']:.0%}", (" of peak (MFU)   ", "dim"),
            f"{line['tokens'] / 1e6:,.2f}", (" M tokens seen", "dim"),
        )  # fmt: skip
        parts: list[Any] = [
            self._bar,
            now,
            speed,
            Text(sparkline(self._losses, max(self.console.width - 12, 8)), "cyan"),
        ]
        if self._held_out:
            parts.append(Text(by_source(self._held_out, "held out, bits/byte: "), no_wrap=False, overflow="fold"))
        return Panel(Group(*parts), title=self.title, title_align="left", border_style="dim")


def by_source(held_out: dict[str, float] | None, before: str) -> str:
    """Held-out bits per byte by source, `web 1.234  code 0.987`, after `before`; empty if nothing was measured."""
    return before + "  ".join(f"{name} {value:.3f}" for name, value in held_out.items()) if held_out else ""


def sparkline(values: list[float], width: int) -> str:
    """The values as bars. If there are more values than columns, each bar is the mean of a slice of them."""
    if len(values) > width:
        size = len(values) / width
        slices = [values[int(i * size) : max(int((i + 1) * size), int(i * size) + 1)] for i in range(width)]
        values = [sum(some) / len(some) for some in slices]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_BARS[min(int((value - low) / span * len(_BARS)), len(_BARS) - 1)] for value in values)
