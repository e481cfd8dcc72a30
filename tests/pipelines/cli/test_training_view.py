"""A training on the terminal: lines where output is piped, a panel elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from eyas.pipelines.cli.console import console
from eyas.pipelines.cli.training_view import TrainingView, by_source, sparkline


def metrics(step: int, **more: Any) -> dict[str, Any]:
    line = {"step": step, "loss": 9.5 - step / 10, "bits_per_byte": 3.1, "grad_norm": 1.0, "learning_rate": 2e-3}
    return {**line, "tokens_per_s": 12345.6, "mfu": 0.31, "tokens": step * 4096, **more}


def test_a_pipe_gets_a_line_every_ten_steps_and_with_each_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingView(console(), 25, "tiny") as view:
        for step in range(1, 26):
            view.show(metrics(step, **({"held_out": {"web": 1.25}} if step == 13 else {})))
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[1]) for line in lines] == [1, 10, 13, 20, 25]
    assert "12,346 tokens/s" in lines[0] and lines[2].endswith("held out: web 1.250")


def test_a_terminal_gets_a_panel_with_every_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    sources = {f"source-{number}": 1.0 for number in range(9)}
    with TrainingView(console(), 2, "tiny on shards") as view:
        view.show(metrics(1, held_out=sources))
        view.show(metrics(2))
    page = capsys.readouterr().out
    assert "tiny on shards" in page and all(name in page for name in sources)


def test_held_out_by_source() -> None:
    assert by_source({"web": 1.2345, "code": 0.9}, ": ") == ": web 1.234  code 0.900"
    assert by_source(None, ": ") == by_source({}, ": ") == ""


def test_a_sparkline_fits_its_width() -> None:
    assert sparkline([1, 2, 3], 8) == "▁▅█"
    assert len(sparkline([float(n) for n in range(1000)], 40)) == 40
