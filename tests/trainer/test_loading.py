"""Models are loaded from folders of either format."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fake_loader import SMALL

from eyas.trainer.config import HybridConfig
from eyas.trainer.files import save_model
from eyas.trainer.hf import export_hf
from eyas.trainer.loading import config_of, load_model
from eyas.trainer.model import HybridLM


def test_both_formats_give_the_same_model(tmp_path: Path) -> None:
    model = HybridLM(HybridConfig.preset("tiny", 40, SMALL))
    save_model(model, tmp_path / "ours")
    export_hf(model, tmp_path / "theirs")
    assert config_of(tmp_path / "ours") == (model.config, False)
    assert config_of(tmp_path / "theirs") == (model.config, True)
    for folder in ("ours", "theirs"):
        loaded = load_model(tmp_path / folder)
        for (name, a), (_, b) in zip(loaded.named_parameters(), model.named_parameters(), strict=True):
            assert torch.equal(a, b), name


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"config\.json is missing"):
        load_model(tmp_path)
    for content in ("[]", '{"format": "other"}', '{"model_type": "llama"}'):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(ValueError, match=r"config\.json is not a model of this project"):
            load_model(tmp_path)
