"""Shapes, the µP law against the published columns, options."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from eyas.trainer.config import PRESETS, HybridConfig
from eyas.trainer.options import TrainOptions
from eyas.trainer.schedule import batches_before, plan_of

# falcon_h1.md §3.5: Megatron-Bridge provider, its tests, Hugging Face configs.
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


def test_options_refuse_what_they_do_not_know() -> None:
    for bad in (
        {"preset": "huge"},
        {"learning_rat": 1e-3},
        {"device": "gpu"},
        {"steps": 0},
        {"micro_batch": 9, "batch_size": 8},
        {"model": {"vocab_size": 5}},
        {"betas": [0.9, 1.0]},
    ):
        with pytest.raises(ValidationError):
            TrainOptions.model_validate(bad)
    assert all(field.description for field in TrainOptions.model_fields.values())
    assert TrainOptions(model={"gated_norm": False, "layers": 2}).config(9).gated_norm is False
    assert json.loads(TrainOptions().model_dump_json())["preset"] == "tiny"


def test_schedule_warms_up_holds_and_decays() -> None:
    options = TrainOptions(steps=100, warmup_steps=10, decay_share=0.2, learning_rate=0.1)
    rates = [plan_of(options, step).rate for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.1 / 11)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:80] == [0.1] * 70
    assert rates[79:] == sorted(rates[79:], reverse=True)
    assert rates[-1] == pytest.approx(0.1 / 8)
    assert plan_of(TrainOptions(steps=5, decay_share=0), 5).rate > 0


def test_the_power_schedule_lets_rate_and_decay_fall_together() -> None:
    options = TrainOptions(steps=2000, warmup_steps=10, decay_share=0.1, learning_rate=0.1, schedule="power")
    plans = [plan_of(options, step) for step in range(1, 2001)]
    assert plans[9].rate == pytest.approx(0.1 * 10 / 11)
    for step in (11, 160, 1800):
        falls = (step / 10) ** -0.25  # falcon_h1.md §3.6, equation 15
        assert plans[step - 1].rate == pytest.approx(0.1 * falls)
        assert plans[step - 1].decay == pytest.approx(falls)
    assert plans[-1].rate == pytest.approx(0.1 * 200**-0.25 / 8)


def test_a_ramp_grows_the_batch_and_the_rate_by_its_root() -> None:
    options = TrainOptions(steps=40, warmup_steps=0, decay_share=0, batch_size=12, batch_ramp={"start": 4, "every": 3})
    rows = [plan_of(options, step).rows for step in range(1, 12)]
    assert rows == [4, 4, 4, 8, 8, 8, 12, 12, 12, 12, 12]
    assert plan_of(options, 1).rate == pytest.approx(options.learning_rate * (4 / 12) ** 0.5)
    assert plan_of(options, 9).rate == pytest.approx(options.learning_rate)
    for step in range(1, 41):
        assert batches_before(options, step) * 4 == sum(plan_of(options, s).rows for s in range(1, step))
    mixed = TrainOptions(
        batch_size=12, batch_ramp={"start": 4, "every": 3},
        mixture=[{"weights": {"a": 1.0}}, {"from_step": 4, "weights": {"b": 1.0}}],
    )  # fmt: skip
    assert [phase.from_step for phase in mixed.loader_mixture or []] == [0, 5]
    with pytest.raises(ValueError, match=r"batch_ramp\.start \(5\) must divide batch_size \(12\)"):
        TrainOptions(batch_size=12, batch_ramp={"start": 5, "every": 3})


def test_shapes_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        HybridConfig.preset("tiny").layers = 3  # type: ignore[misc]


def test_import_costs_no_torch() -> None:
    code = (
        "import sys, eyas.trainer, eyas.trainer.options; from eyas.trainer import TrainOptions, HybridConfig;"
        "HybridConfig.preset('tiny'); assert 'torch' not in sys.modules;"
        "import eyas.trainer.training, eyas.trainer.generation; from eyas.trainer import train, generate;"
        "assert callable(train) and callable(generate)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("weights", [8_000_000, 27_000_000, 150_000_000, 600_000_000])
def test_a_budget_gives_a_shape_of_that_size_and_the_dial_makes_it_deep_or_wide(weights: int) -> None:
    shapes = {dial: TrainOptions(weights=weights, width_per_layer=dial).config(8192) for dial in (19, 28, 85)}
    for dial, shape in shapes.items():
        assert shape.parameters == pytest.approx(weights, rel=0.15)
        assert abs(shape.d_ssm - 2 * shape.d_attention) <= 64 and shape.d_ff * 2 == 5 * shape.d_ssm
        assert shape.d_model / shape.layers == pytest.approx(dial, rel=0.5), (shape.d_model, shape.layers)
    assert shapes[19].layers >= shapes[28].layers > shapes[85].layers
    with pytest.raises(ValueError, match="too few for a vocabulary of 200,000"):
        TrainOptions(weights=1_000_000).config(200_000)
