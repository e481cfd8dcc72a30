"""Files of models: written whole or not at all, and damage is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fake_loader import SMALL

from eyas.trainer.config import HybridConfig
from eyas.trainer.files import load_weights, read_json, read_tensors, weights, write_tensors, write_text
from eyas.trainer.model import HybridLM


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for value in (1.0, 2.0):
        write_tensors(path, {"a": torch.full((3,), value)})
    write_text(tmp_path / "x.json", "{}")
    assert read_tensors(path)["a"].tolist() == [2.0] * 3
    assert read_json(tmp_path / "x.json") == {}
    assert {file.name for file in tmp_path.iterdir()} == {"x.safetensors", "x.json"}


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"nonsense")
    for read in (read_tensors, read_json):
        with pytest.raises(ValueError, match="gone is missing"):
            read(tmp_path / "gone")
        with pytest.raises(ValueError, match="bad is damaged"):
            read(tmp_path / "bad")


def test_weights_that_do_not_fit_are_named() -> None:
    model = HybridLM(HybridConfig.preset("tiny", 40, {**SMALL, "tied_embeddings": True}))
    tensors = dict(weights(model))
    assert "embedding.weight" in tensors and "head.weight" not in tensors
    load_weights(model, tensors, Path("x"))
    with pytest.raises(ValueError, match=r"x lacks weights: embedding\.weight \(1 in all\)"):
        load_weights(model, {name: t for name, t in tensors.items() if name != "embedding.weight"}, Path("x"))
    with pytest.raises(ValueError, match="x has unknown weights: more"):
        load_weights(model, {**tensors, "more": torch.zeros(1)}, Path("x"))
    with pytest.raises(ValueError, match=r"final_norm\.weight has shape \(3,\)"):
        load_weights(model, {**tensors, "final_norm.weight": torch.zeros(3)}, Path("x"))
