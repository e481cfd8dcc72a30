"""Two processes, started by torchrun over gloo, take the steps of one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from shard_sets import packed

from eyas.shards.format import HELD_OUT
from eyas.shards.options import ShardOptions
from eyas.trainer.loading import load_model

SCRIPT = """
import sys
sys.path[:0] = [{tests!r}, {tests!r} + "/../shards"]
from fake_loader import OPTIONS, FakeLoader, index_of
from eyas.trainer.evaluation import HeldOut
from eyas.trainer.parallel import World
from eyas.trainer.training import train

class Shared(FakeLoader):
    def __iter__(self):
        world = World.of_environment()
        for batch in super().__iter__():
            batch.input_ids = batch.input_ids[world.rank :: world.size]
            batch.segment_ids = batch.segment_ids[world.rank :: world.size]
            yield batch

given = dict(dtype="float32", learning_rate=1e-3, micro_batch=1, steps=int(sys.argv[3]), parallel=sys.argv[2])
options = OPTIONS.model_copy(update=dict(given, evaluate_every=4, decay_share=0.0))
train(Shared(index=index_of(vocab_size=300)), options, sys.argv[1], 1, 1, held_out=HeldOut(sys.argv[4], 4))
"""


def run(processes: int, way: str, steps: int, out: Path, folder: Path) -> list[dict[str, Any]]:
    script = folder / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    start = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", "0", "--standalone"]
    command = [sys.executable, *start, str(script), str(out), way, str(steps), str(held_out(folder))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def held_out(folder: Path) -> Path:
    """A few documents to measure on: evaluation and checkpoint fall on the same step."""
    if not (folder / "shards").exists():
        texts = [f"the cat {number} and the dog sat on the mat" for number in range(60)]
        packed(folder, texts, ShardOptions(sequence_length=32, held_out=0.2))
    return folder / "shards" / HELD_OUT


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
    assert [line["loss"] for line in handed] == pytest.approx([line["loss"] for line in one], rel=1e-3)
    measured = [[line["held_out"]["all"] for line in lines if "held_out" in line] for lines in (one, two, handed)]
    assert len(measured[0]) == 3 and measured[1] == pytest.approx(measured[0], rel=1e-3) == measured[2]


@pytest.mark.slow
def test_processes_that_do_not_share_a_folder_are_refused(tmp_path: Path) -> None:
    run(1, "ddp", 4, tmp_path / "rank-0", tmp_path)
    script = tmp_path / "apart.py"
    script.write_text(
        (tmp_path / "script.py")
        .read_text()
        .replace("sys.argv[1], 1, 1", "sys.argv[1] + '/rank-' + os.environ['RANK'], 1, 1")
    )
    script.write_text("import os\n" + script.read_text())
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    given = [str(script), str(tmp_path), "ddp", "8", str(held_out(tmp_path))]
    done = subprocess.run([*start, *given], capture_output=True, text=True, timeout=240, cwd=Path(__file__).parents[2])
    assert done.returncode != 0 and "stand at different steps ([4, 0])" in done.stderr
