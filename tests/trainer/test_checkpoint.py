"""Checkpoints: complete or absent, damage is named, and the older one serves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fake_loader import OPTIONS, FakeLoader, losses

from eyas.trainer import checkpoint
from eyas.trainer.training import train


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_checkpoint_is_named(name: str, damage: str, tmp_path: Path) -> None:
    train(FakeLoader(), OPTIONS.model_copy(update={"steps": 1}), str(tmp_path), seed=1)
    path = tmp_path / "checkpoints" / "step-00000001" / name
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 0x40
        path.write_bytes(data)
    if name == "state.json" and damage == "flip":
        path.write_text('{"format": "something else"}')
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        train(FakeLoader(), OPTIONS, str(tmp_path), seed=1)


def test_a_failed_write_leaves_the_older_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    train(FakeLoader(), OPTIONS.model_copy(update={"steps": 4}), str(tmp_path), seed=1)
    with monkeypatch.context() as patch:
        patch.setattr("eyas.trainer.checkpoint.write_text", full)
        with pytest.raises(OSError, match="no space"):
            train(FakeLoader(), OPTIONS.model_copy(update={"steps": 8}), str(tmp_path), seed=1)
    assert [p.name for p in checkpoint.complete(tmp_path / "checkpoints")] == ["step-00000004"]
    assert train(FakeLoader(), OPTIONS, str(tmp_path), seed=1)["steps"] == 12


def test_the_older_checkpoint_serves_once_the_damaged_one_is_deleted(tmp_path: Path) -> None:
    train(FakeLoader(), OPTIONS, str(tmp_path), seed=1)
    want = losses(tmp_path)
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000012")
    train(FakeLoader(), OPTIONS, str(tmp_path), seed=1)
    assert losses(tmp_path) == want
