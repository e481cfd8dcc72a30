"""Options of shards and mixtures: impossible values are refused."""

from __future__ import annotations

import pytest

from eyas.shards.options import Phase, ShardOptions, check_phases


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_are_above_zero(weight: float) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        Phase(weights={"web": weight})


def test_phases_begin_at_zero_and_follow_each_other() -> None:
    check_phases([Phase(weights={"web": 1.0}), Phase(from_step=3, weights={"code": 1.0})])
    for steps, message in (([], "at least one phase"), ([1], r"steps \[1\]"), ([0, 2, 2], r"steps \[0, 2, 2\]")):
        with pytest.raises(ValueError, match=message):
            check_phases([Phase(from_step=step, weights={"web": 1.0}) for step in steps])


@pytest.mark.parametrize("option", [{"sequence_length": 8}, {"held_out": 0.5}, {"packing": "greedy"}, {"rows": 1}])
def test_shard_options_that_cannot_be_are_refused(option: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        ShardOptions.model_validate(option)
