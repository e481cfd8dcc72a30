"""`metrics.jsonl`: one JSON object per optimiser step, in order, never twice.

Every line is flushed at once, so `tail -f` works. When a run resumes, the log is cut back to the checkpoint, because
later steps run again and must not appear twice.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from eyas.trainer.files import write_text


class MetricsLog:
    """An append-only log of steps."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, metrics: dict[str, Any]) -> None:
        """Add the line of a step."""
        # The file is opened at each step (30 µs), so a step that raises leaves nothing to close.
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")

    def sync(self) -> None:
        """Push all lines to the disk."""
        with self.path.open("a", encoding="utf-8") as file:
            file.flush()
            os.fsync(file.fileno())

    def keep_through(self, step: int) -> None:
        """Drop later steps and a half-written last line."""
        kept = [line for line in self.read() if line["step"] <= step]
        if self.path.exists() or kept:
            write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))

    def read(self) -> list[dict[str, Any]]:
        """All complete lines."""
        if not self.path.exists():
            return []
        lines: list[dict[str, Any]] = []
        for text in self.path.read_text(encoding="utf-8").split("\n"):
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and isinstance(line.get("step"), int):
                lines.append(line)
        return lines
