"""Shapes, the µP law against the published columns, options."""

from __future__ import annotations

import dataclasses
import json

import pytest
from pydantic import ValidationError

from eyas.trainer.config import PRESETS, HybridConfig
from eyas.trainer.options import TrainOptions

# docs/internals/falcon_h1.md §4: Megatron-Bridge provider, its tests, Hugging Face configs.
PUBLISHED = {
    "embedding": (5.65685, 5.65685, 5.65685, 5.65685),
    "lm_head": (0.0390625, 0.03125, 0.0130208, 0.0078125),
    "key": (0.390625, 0.1767767, 0.0306904, 0.0110485),
    "attention_in": (1, 1, 1, 1),
    "attention_out": (0.9375, 0.5, 0.1041667, 0.0375),
    "ssm_in": (1.25, 1.0, 0.4166667, 0.25),
    "ssm_out": (0.2357023, 0.2357023, 0.1178511, 0.0883883),
    "mlp_gate": (0.8838835, 0.7071068, 0.2946278, 0.1767767),
    "mlp_down": (0.5859375, 0.3125, 0.0325521, 0.0111607),
    "ssm_z": (0.35355,) * 4,
    "ssm_x": (0.25,) * 4,
    "ssm_b": (0.3535534, 0.1767767, 0.1767767, 0.1767767),
    "ssm_c": (0.5,) * 4,
    "ssm_dt": (0.35355,) * 4,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_mup_law_gives_the_published_columns(name: str) -> None:
    for preset, value in zip(("0.5b", "1.5b-deep", "7b", "34b"), PUBLISHED[name], strict=True):
        assert getattr(HybridConfig.preset(preset).multipliers, name) == pytest.approx(value, rel=1e-5, abs=6e-8)


@pytest.mark.parametrize(
    ("preset", "billions"),
    [
        ("0.5b", 0.521),
        ("1.5b", 1.555),
        ("1.5b-deep", 1.555),
        ("3b", 3.149),
        ("7b", 7.586),
        ("34b", 33.64),
        ("90m", 0.091),
    ],
)
def test_parameter_counts_are_the_released_ones(preset: str, billions: float) -> None:
    assert HybridConfig.preset(preset).parameters / 1e9 == pytest.approx(billions, rel=2e-3)


def test_tiny_has_the_reports_channel_shares() -> None:
    tiny = HybridConfig.preset("tiny")
    assert (tiny.d_ssm, tiny.d_attention, tiny.d_ff) == (2 * 128, 1 * 128, 5 * 128)
    assert 2e6 < tiny.parameters < 8e6


def test_json_round_trip() -> None:
    for name in PRESETS:
        config = HybridConfig.preset(name, 1000, {"layers": 3, "rope_theta": 1e4})
        assert HybridConfig.from_json(config.to_json()) == config
    assert json.loads(config.to_json())["multipliers"]["ssm_c"] == 0.5
    with pytest.raises(ValueError, match="layer_count"):
        HybridConfig.from_dict({**config.to_dict(), "layer_count": 3})
    with pytest.raises(ValueError, match="d_model"):
        HybridConfig.from_dict({"vocab_size": 8})


def test_multipliers_follow_overrides() -> None:
    assert HybridConfig.preset("tiny", overrides={"d_model": 512}).multipliers.ssm_in == 2.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attention_heads": 3, "kv_heads": 2}, "attention_heads.*kv_heads"),
        ({"ssm_groups": 3}, "ssm_heads.*ssm_groups"),
        ({"head_dim": 33}, "head_dim.*even"),
        ({"layers": 0}, "layers"),
        ({"d_model": 2.5}, "d_model"),
        ({"norm_eps": -1.0}, "norm_eps"),
        ({"gated_norm": 1}, "gated_norm"),
        ({"depth": 3}, "depth.*layers"),
    ],
)
def test_mistakes_are_named(change: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        HybridConfig.preset("tiny", overrides=change)
    with pytest.raises(ValidationError, match=words):
        TrainOptions(model=change)


def test_shapes_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        HybridConfig.preset("tiny").layers = 3  # type: ignore[misc]
