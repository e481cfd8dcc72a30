"""Rate, weight decay and batch of every step."""

from __future__ import annotations

import pytest

from eyas.trainer.options import TrainOptions
from eyas.trainer.schedule import batches_before, loader_mixture, plan_of


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
        falls = (step / 10) ** -0.25  # docs/internals/falcon_h1.md §5, equation 15
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
    assert [phase.from_step for phase in loader_mixture(mixed) or []] == [0, 5]
    with pytest.raises(ValueError, match=r"batch_ramp\.start \(5\) must divide batch_size \(12\)"):
        TrainOptions(batch_size=12, batch_ramp={"start": 5, "every": 3})
