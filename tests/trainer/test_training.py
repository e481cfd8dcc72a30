"""The loop learns, resumes bit for bit after a crash, and refuses what does not fit."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from fake_loader import OPTIONS, FakeLoader, index_of, losses
from torch import Tensor

from eyas.trainer import checkpoint
from eyas.trainer.hf import export_hf
from eyas.trainer.loading import load_model
from eyas.trainer.options import BatchRamp
from eyas.trainer.schedule import batches_before
from eyas.trainer.training import train


def test_it_learns_and_leaves_a_usable_model(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    options = OPTIONS.model_copy(update={"steps": 60, "checkpoint_every": 25})
    summary = train(FakeLoader(), options, str(tmp_path), seed=1, progress=seen.append)
    assert summary["first_loss"] == pytest.approx(math.log(40), abs=0.2)
    # One token in four documents is unpredictable (the first, never a target), all others follow a rule.
    assert summary["last_loss"] < 0.4 * summary["first_loss"]
    assert summary["steps"] == len(seen) == 60
    assert summary["tokens"] == 60 * 4 * 29
    keys = {"step", "loss", "bits_per_byte", "learning_rate", "grad_norm", "tokens", "tokens_per_s", "mfu"}
    assert set(seen[0]) == keys
    assert 0 < seen[-1]["mfu"] < 1
    assert seen[0]["bits_per_byte"] == pytest.approx(seen[0]["loss"] / math.log(2) / 4)
    model = load_model(tmp_path)
    assert summary["parameters"] == sum(p.numel() for p in model.parameters())
    assert model.config.context_length == 32
    batch = next(iter(FakeLoader(step=500)))
    assert model.loss(batch.input_ids, batch.segment_ids).item() < 0.4 * summary["first_loss"]
    names = [path.name for path in checkpoint.complete(tmp_path / "checkpoints")]
    assert names == ["step-00000050", "step-00000060"]
    again = train(FakeLoader(), options, str(tmp_path), seed=1)
    assert (again["steps"], again["last_loss"], again["tokens_per_s"]) == (60, summary["last_loss"], None)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_resume_is_bit_for_bit(dtype: str, tmp_path: Path) -> None:
    options = OPTIONS.model_copy(update={"dtype": dtype})
    train(FakeLoader(), options, str(tmp_path / "whole"), seed=1)
    cut = tmp_path / "cut"
    with pytest.raises(RuntimeError, match="power cut"):
        train(FakeLoader(crash_at=10), options, str(cut), seed=1)
    assert len(losses(cut)) == 10
    # What a crash can leave behind: half a line, half a checkpoint.
    with (cut / "metrics.jsonl").open("a") as file:
        file.write('{"step": 11, "lo')
    (cut / "checkpoints" / ".step-00000012.1.tmp").mkdir()
    train(FakeLoader(), options, str(cut), seed=1)
    assert losses(cut) == losses(tmp_path / "whole")
    assert [step for step, _, _ in losses(cut)] == list(range(1, 13))
    assert (cut / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
    assert not list((cut / "checkpoints").glob(".*"))


def test_a_finished_run_can_be_prolonged(tmp_path: Path) -> None:
    train(FakeLoader(), OPTIONS.model_copy(update={"steps": 4}), str(tmp_path), seed=1)
    assert train(FakeLoader(), OPTIONS, str(tmp_path), seed=1)["steps"] == 12
    assert len(losses(tmp_path)) == 12
    with pytest.raises(ValueError, match="already at step 12"):
        train(FakeLoader(), OPTIONS.model_copy(update={"steps": 5}), str(tmp_path), seed=1)


def test_a_longer_training_goes_on_from_before_the_decay(tmp_path: Path) -> None:
    """The last fifth of a training decays: a longer one goes on from the checkpoint before, and ends as if it were new."""
    longer = OPTIONS.model_copy(update={"steps": 20})
    train(FakeLoader(), longer, str(tmp_path / "whole"), seed=1)
    train(FakeLoader(), OPTIONS, str(tmp_path / "first"), seed=1)
    warnings: list[str] = []
    train(FakeLoader(), longer, str(tmp_path / "first"), seed=1, warn=warnings.append)
    assert [("step-00000012" in warning, "begun to decay" in warning) for warning in warnings] == [(True, True)]
    assert losses(tmp_path / "first") == losses(tmp_path / "whole")
    shutil.rmtree(tmp_path / "first/checkpoints/step-00000016")
    with pytest.raises(ValueError, match=r"step-00000020 is of a training of 20 steps, in which step 17"):
        train(FakeLoader(), OPTIONS.model_copy(update={"steps": 30}), str(tmp_path / "first"), seed=1)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_newest_checkpoint_costs_its_steps_only(tmp_path: Path, name: str) -> None:
    train(FakeLoader(), OPTIONS, str(tmp_path), seed=1)
    want = losses(tmp_path)
    for position in (0.02, 0.3, 0.9):
        file = tmp_path / "checkpoints/step-00000012" / name
        data = bytearray(file.read_bytes())
        data[int(len(data) * position)] ^= 1
        file.write_bytes(bytes(data))
        warnings: list[str] = []
        train(FakeLoader(), OPTIONS, str(tmp_path), seed=1, warn=warnings.append)
        assert [str(file) in warning and "checkpoint before it" in warning for warning in warnings] == [True]
        assert losses(tmp_path) == want


def test_micro_batches_change_rounding_only(tmp_path: Path) -> None:
    got = []
    for piece in (1, 4):
        options = OPTIONS.model_copy(update={"micro_batch": piece, "steps": 4, "dtype": "float32"})
        train(FakeLoader(), options, str(tmp_path / str(piece)), seed=1)
        got.append([loss for _, loss, _ in losses(tmp_path / str(piece))])
    assert got[0] == pytest.approx(got[1], rel=1e-3)


def test_other_shards_options_or_seed_are_refused(tmp_path: Path) -> None:
    train(FakeLoader(), OPTIONS.model_copy(update={"steps": 1}), str(tmp_path), seed=1)
    with pytest.raises(ValueError, match="was trained on other shards"):
        train(FakeLoader(index=index_of(recipe="b")), OPTIONS, str(tmp_path), seed=1)
    with pytest.raises(ValueError, match="learning_rate"):
        train(FakeLoader(), OPTIONS.model_copy(update={"learning_rate": 1e-3}), str(tmp_path), seed=1)
    with pytest.raises(ValueError, match="seed"):
        train(FakeLoader(), OPTIONS, str(tmp_path), seed=2)


def test_what_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = str(tmp_path / "out")
    with pytest.raises(ValueError, match="token id 40 is outside"):
        train(FakeLoader(bad_id=True), OPTIONS, out, seed=1)
    with pytest.raises(ValueError, match=r"batch_size.*\(4, 32\)"):
        train(FakeLoader(batch_size=3), OPTIONS, out, seed=1)
    with pytest.raises(ValueError, match="vocab_size"):
        train(FakeLoader(index=index_of(vocab_size=0)), OPTIONS, out, seed=1)
    assert not checkpoint.complete(tmp_path / "out" / "checkpoints")
    monkeypatch.setattr("eyas.trainer.model.HybridLM.loss", lambda self, *_: self.head.weight.sum() * math.nan)
    with pytest.raises(FloatingPointError, match="loss became nan at step 1"):
        train(FakeLoader(), OPTIONS, out, seed=1)


@pytest.mark.parametrize("cut", range(1, 11))
def test_a_kill_at_any_step_changes_nothing(cut: int, tmp_path: Path) -> None:
    """With a ramp and the power schedule, whose state is the step alone."""
    options = OPTIONS.model_copy(
        update={"schedule": "power", "batch_ramp": BatchRamp(start=2, every=3), "steps": 11, "checkpoint_every": 2}
    )
    fresh = FakeLoader(batch_size=2)
    train(fresh, options, str(tmp_path / "whole"), seed=1)
    batches = batches_before(options, cut + 1)
    with pytest.raises(RuntimeError, match="power cut"):
        train(FakeLoader(batch_size=2, crash_at=batches), options, str(tmp_path / "cut"), seed=1)
    train(FakeLoader(batch_size=2), options, str(tmp_path / "cut"), seed=1)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    first, second = (tmp_path / name / "model.safetensors" for name in ("whole", "cut"))
    assert first.read_bytes() == second.read_bytes()


def test_recomputing_changes_nothing_but_memory(tmp_path: Path) -> None:
    for name in ("plain", "recompute"):
        options = OPTIONS.model_copy(update={"recompute": name == "recompute", "steps": 4})
        train(FakeLoader(), options, str(tmp_path / name), seed=1)
    assert losses(tmp_path / "plain") == losses(tmp_path / "recompute")


def test_training_goes_on_from_a_model_of_either_format(tmp_path: Path) -> None:
    train(FakeLoader(), OPTIONS, str(tmp_path / "first"), seed=1)
    model = load_model(tmp_path / "first")
    export_hf(model, tmp_path / "hf")
    for start in ("first", "hf"):
        options = OPTIONS.model_copy(update={"start_from": str(tmp_path / start), "warmup_steps": 0})
        train(FakeLoader(step=900), options, str(tmp_path / f"from-{start}"), seed=2)
    assert losses(tmp_path / "from-hf") == losses(tmp_path / "from-first")
    assert losses(tmp_path / "from-hf")[0][1] < 0.9 * losses(tmp_path / "first")[0][1]
    with pytest.raises(ValueError, match=r"hf: a model of 40 tokens, but the shards were made with 41"):
        train(FakeLoader(index=index_of(vocab_size=41)), options, str(tmp_path / "other"), seed=2)


def test_running_out_of_memory_names_the_options_that_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    monkeypatch.setattr("eyas.trainer.model.HybridLM.loss", full)
    with pytest.raises(ValueError, match=r"no memory left at step 1 with 2 rows at a time.*micro_batch.*recompute"):
        train(FakeLoader(), OPTIONS, str(tmp_path), seed=1)


@pytest.mark.slow
def test_compiled_steps_are_the_eager_ones_up_to_rounding(tmp_path: Path) -> None:
    for name in ("eager", "compiled"):
        options = OPTIONS.model_copy(update={"compile": name == "compiled", "dtype": "float32", "learning_rate": 1e-3})
        train(FakeLoader(), options, str(tmp_path / name), seed=1)
    for (_, a, _), (_, b, _) in zip(losses(tmp_path / "eager"), losses(tmp_path / "compiled"), strict=True):
        assert a == pytest.approx(b, rel=1e-3)
    with pytest.raises(RuntimeError, match="power cut"):
        train(FakeLoader(crash_at=10), options, str(tmp_path / "cut"), seed=1)
    train(FakeLoader(), options, str(tmp_path / "cut"), seed=1)
    assert losses(tmp_path / "cut") == losses(tmp_path / "compiled")
