"""`eyas train`, `export`, `generate`, `ablate`: as a user types them; a kill in the middle, two processes, bad input."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from harness import Ran

from eyas.pipelines.api import run

Eyas = Callable[..., Ran]
SMALL = "model={layers: 1, d_model: 64}"
RECIPE = """
name: small
seed: 3
sources:
  - name: one
    jsonl: {path: PLACE/one}
  - name: two
    jsonl: {path: PLACE/two}
stages:
  - gopher_quality: {min_doc_words: 8, max_doc_words: 50, min_stop_words: null}
tokenizer: {vocab_sizes: [700]}
shards: {sequence_length: 64, held_out: 0.1}
train:
  preset: tiny
  steps: 6
  batch_size: 4
  batch_ramp: {start: 2, every: 2}
  model: {layers: 1, d_model: 64}
  evaluate_every: 3
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two sources with a trained model."""
    place = tmp_path_factory.mktemp("model-cli")
    chance = np.random.default_rng(0)
    words = ["".join(chance.choice(list("abcdefgh"), 4)) for _ in range(300)]
    for name in ("one", "two"):
        (place / name).mkdir()
        texts = [f"{name} " + " ".join(chance.choice(words, chance.integers(3, 60))) for _ in range(300)]
        (place / name / "docs.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    (place / "r.yaml").write_text(RECIPE.replace("PLACE", str(place)))
    run(str(place / "r.yaml"), str(place / "runs"), workers=0)
    return place / "runs/small"


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_measures_held_out_text_by_source_and_reports_it(finished: Path) -> None:
    lines = [json.loads(line) for line in (finished / "model/metrics.jsonl").read_text().splitlines()]
    assert [set(line["held_out"]) for line in lines if "held_out" in line] == [{"one", "two", "all"}] * 2
    report = (finished / "report.html").read_text()
    assert "Bits per byte on documents held out" in report and "MFU" in report


def test_a_step_of_a_ramp_is_explained_with_its_own_rows(eyas: Eyas, finished: Path) -> None:
    rows = []
    for step in (1, 3, 4):
        told = eyas("explain", finished, "--step", step, "--json")
        assert told.code == 0, told.err
        rows.append(json.loads(told.out)["rows"])
    assert [len(one) for one in rows] == [2, 4, 4]


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_bytes(eyas: Eyas, finished: Path, tmp_path: Path) -> None:
    options = [
        "train",
        str(finished),
        "--steps",
        "40",
        "--batch-size",
        "4",
        "--set",
        SMALL,
        "--set",
        "checkpoint_every=5",
    ]
    done = eyas(*options, "--out", tmp_path / "whole")
    assert done.code == 0, done.err
    assert "held out, bits/byte: one " in done.out
    started = [sys.executable, "-m", "eyas.pipelines.cli.app", *options, "--out", str(tmp_path / "cut")]
    process = subprocess.Popen(started, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
    metrics = tmp_path / "cut" / "metrics.jsonl"
    while process.poll() is None and (not metrics.exists() or metrics.read_text().count("\n") < 12):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = eyas(*options, "--out", tmp_path / "cut")
    assert again.code == 0, again.err
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert models[0] == models[1]


def test_what_is_trained_is_exported_loaded_and_trained_on(eyas: Eyas, finished: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    told = eyas("export", "hf", finished, tmp_path / "hf")
    assert told.code == 0, told.err
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert type(model).__name__ == "FalconH1ForCausalLM"
    assert model.config.vocab_size >= len(tokenizer)
    told = eyas(
        "train", finished, "--start-from", tmp_path / "hf", "--steps", 2, "--batch-size", 2, "--out", tmp_path / "on"
    )
    assert told.code == 0, told.err
    told = eyas(
        "export", "gguf", tmp_path / "on", tmp_path / "on.gguf", "--type", "q4_0", "--tokenizer", finished / "tokenizer"
    )
    assert told.code == 0 and (tmp_path / "on.gguf").read_bytes()[:4] == b"GGUF", told.err


def test_ablate_prints_the_difference_and_its_noise(eyas: Eyas, finished: Path, tmp_path: Path) -> None:
    told = eyas(
        "ablate", finished, f"{finished}:dropped:gopher_quality", "--out", tmp_path / "a", "--steps", 2, "--seeds", 2,
        "--sequence-length", 64, "--batch-size", 2, "--set", SMALL,
    )  # fmt: skip
    assert told.code == 0, told.err
    assert "(95 %, paired by seed)" in " ".join(told.out.split())
    assert json.loads((tmp_path / "a/ablation.json").read_text())["seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--set", "scedule=power"], "Options of a training: preset"),
        (["--set", "schedule"], "expected OPTION=VALUE"),
        (["--preset", "8b"], "choose one of tiny, 90m, 0.5b, 1.5b, 1.5b-deep, 3b, 7b, 34b"),
        (
            ["--set", "model={attention_heads: 3, kv_heads: 2}"],
            "attention_heads (3) must be a multiple of kv_heads (2)",
        ),
        (["--set", "model={ssm_groups: 3}"], "ssm_heads (4) must be a multiple of ssm_groups (3)"),
        (["--set", "model={chunk_size: 0}"], "chunk_size must be a whole number of at least 1"),
        (["--start-from", "/nowhere"], "/nowhere/config.json is missing"),
    ],
)
def test_bad_options_are_said_in_words(eyas: Eyas, finished: Path, tmp_path: Path, given: list[str], said: str) -> None:
    told = eyas("train", finished, "--out", tmp_path / "model", *given)
    assert told.code == (3 if "--start-from" in given else 2)
    assert said in " ".join(told.err.split()), told.err
    assert "Traceback" not in told.err


@pytest.mark.slow
def test_two_processes_train_through_the_command_line(finished: Path, tmp_path: Path) -> None:
    options = ["train", str(finished), "--steps", "6", "--batch-size", "4", "--set", SMALL, "--set", "dtype=float32"]
    for processes in (1, 2):
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [*start, "-m", "eyas.pipelines.cli.app", *options, "--out", str(tmp_path / str(processes))]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
    assert losses(tmp_path / "2") == pytest.approx(losses(tmp_path / "1"), rel=2e-3)
