"""The log of steps: cut back to a checkpoint, and a half-written line is dropped."""

from __future__ import annotations

from pathlib import Path

from eyas.trainer.metrics import MetricsLog


def test_lines_after_the_checkpoint_and_half_lines_are_dropped(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.keep_through(3)
    assert log.read() == [] and not log.path.exists()
    for step in range(1, 6):
        log.append({"step": step, "loss": 1 / step})
    with log.path.open("a") as file:
        file.write('{"step": 6, "lo')
    log.sync()
    assert [line["step"] for line in log.read()] == [1, 2, 3, 4, 5]
    log.keep_through(3)
    assert log.path.read_text().splitlines() == [f'{{"step": {step}, "loss": {1 / step}}}' for step in (1, 2, 3)]
