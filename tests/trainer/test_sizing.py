"""Shapes from a budget of weights."""

from __future__ import annotations

import pytest

from eyas.trainer.options import TrainOptions


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
