"""The quickstart recipe, smaller, rewriting and training included: killed in the middle, and undisturbed."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Ran, digests

RECIPE = Path(__file__).parents[2] / "pipelines/recipes/quickstart.yaml"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The recipe on a tenth of the text, with four rewrites and a few training steps."""
    text = RECIPE.read_text()
    for old, new in (
        ("max_bytes: 12MB", "max_bytes: 1MB"),
        ("max_bytes: 30MB", "max_bytes: 4MB"),
        ("partition_bytes: 8MB", "partition_bytes: 1MB"),
        ("max_documents: 16", "max_documents: 4"),
        ("vocab_sizes: [4096, 8192]", "vocab_sizes: [1024, 2048]"),
        ("steps: 50", "steps: 12, learning_rate: 4.0e-3, warmup_steps: 2"),
        ("checkpoint_every: 20", "checkpoint_every: 4"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (tmp_path / "small.yaml").write_text(text)
    return tmp_path / "small.yaml"


@pytest.mark.slow
def test_killed_while_rewriting_and_while_training(
    small: Path, start: Callable[..., subprocess.Popen[str]], eyas: Callable[..., Ran], tmp_path: Path
) -> None:
    undisturbed = start("run", small, "--workers", "1", "--runs", tmp_path / "undisturbed")
    out, _ = undisturbed.communicate(timeout=600)
    assert undisturbed.returncode == 0, out
    run = tmp_path / "killed/quickstart"
    for sign in ("passes/*/entries/generate/*.json", "model/metrics.jsonl"):
        process = start("run", small, "--workers", "2", "--runs", tmp_path / "killed")
        while not list(run.glob(sign)):
            assert process.poll() is None, process.communicate()[0]
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (run / "manifest.json").exists()
    last = start("run", small, "--workers", "2", "--runs", tmp_path / "killed")
    out, _ = last.communicate(timeout=600)
    assert last.returncode == 0, out
    assert digests(run) == digests(tmp_path / "undisturbed/quickstart")
    losses = [json.loads(line)["loss"] for line in (run / "model/metrics.jsonl").read_text().splitlines()]
    assert len(losses) == 12 and losses[-1] < losses[0] - 0.5
    said = eyas("generate", run, "The function", "--max-tokens", "20")
    assert said.code == 0 and said.out.startswith("The function") and len(said.out) > 20
    assert "loss" in (run / "report.html").read_text()
