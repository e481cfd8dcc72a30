"""Two processes, started by torchrun over gloo, take the steps of one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.files import load_model

SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_trainer_training import FakeLoader, OPTIONS, train
from trainer.parallel import World

class Shared(FakeLoader):
    def __iter__(self):
        world = World.of_environment()
        for batch in super().__iter__():
            batch.input_ids = batch.input_ids[world.rank :: world.size]
            batch.segment_ids = batch.segment_ids[world.rank :: world.size]
            yield batch

given = dict(dtype="float32", learning_rate=1e-3, micro_batch=1, steps=int(sys.argv[3]), parallel=sys.argv[2])
options = OPTIONS.model_copy(update=given)
train(Shared(), options, sys.argv[1], seed=1, threads=1)
"""


def run(processes: int, way: str, steps: int, out: Path, folder: Path) -> list[dict[str, Any]]:
    script = folder / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    start = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", "0", "--standalone"]
    command = [sys.executable, *start, str(script), str(out), way, str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["ddp", "fsdp"])
def test_two_processes_equal_one_and_go_on_from_each_other(way: str, tmp_path: Path) -> None:
    one = run(1, way, 12, tmp_path / "one", tmp_path)
    two = run(2, way, 12, tmp_path / "two", tmp_path)
    assert [line["tokens"] for line in two] == [line["tokens"] for line in one]
    for name in ("loss", "grad_norm"):
        torch.testing.assert_close(
            torch.tensor([line[name] for line in two]), torch.tensor([line[name] for line in one]), rtol=1e-4, atol=1e-4
        )
    left, right = load_model(tmp_path / "one"), load_model(tmp_path / "two")
    for (name, a), (_, b) in zip(left.named_parameters(), right.named_parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3, msg=name)
    # A checkpoint of two processes goes on in one.
    run(2, way, 4, tmp_path / "handed", tmp_path)
    handed = run(1, way, 12, tmp_path / "handed", tmp_path)
    assert [line["step"] for line in handed] == list(range(1, 13))
    # The rate decays over the last fifth of the steps, so the first four differ by plan, not by sharing.
    assert handed[-1]["loss"] < handed[0]["loss"]
