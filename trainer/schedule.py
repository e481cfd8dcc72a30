"""Learning rate, weight decay and batch of every step, as functions of the step alone.

Two schedules share warm-up and the final exponential decay. `wsd` holds the rate between them, so a run can be prolonged
from any checkpoint, which a cosine forbids. `power` lets rate and weight decay both fall as t^(-1/4): the decay's ratio
to the rate, which sets the norm of the weights, stays, while their product, which sets the noise, falls (Falcon-H1's
Effective Power Scheduler, docs/internals/falcon_h1.md §5, equation 15). A batch may ramp up, and the rate then follows
its square root (equation 19).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from eyas.shards.options import Phase
from eyas.trainer.options import TrainOptions

FINAL = 8.0
"""The rate ends at the peak divided by this (the developers' fine-tuning schedule, docs/internals/falcon_h1.md §5)."""
POWER = 0.25
"""Exponent of the power schedule."""


@dataclass(frozen=True)
class StepPlan:
    """Settings of one step. `decay`: factor on the weight decay, which the optimiser multiplies by the rate."""

    rate: float
    decay: float
    rows: int


def plan_of(options: TrainOptions, step: int) -> StepPlan:
    """The plan of a step, counted from 1."""
    rows = rows_of(options, step)
    power = _power(options, step)
    shape = _warm_up_and_decay(options, step) * power * math.sqrt(rows / options.batch_size)
    return StepPlan(options.learning_rate * shape, power, rows)


def rows_of(options: TrainOptions, step: int) -> int:
    """Rows of a step, all devices together."""
    ramp = options.batch_ramp
    if ramp is None:
        return options.batch_size
    return min(options.batch_size, ramp.start * (1 + (step - 1) // ramp.every))


def batches_before(options: TrainOptions, step: int) -> int:
    """The number of loader batches that all steps before this one take."""
    ramp = options.batch_ramp
    if ramp is None:
        return step - 1
    most = options.batch_size // ramp.start
    stages, within = divmod(step - 1, ramp.every)
    whole = min(stages, most)
    ramped = ramp.every * whole * (whole + 1) // 2
    if stages >= most:
        return ramped + (step - 1 - most * ramp.every) * most
    return ramped + within * (stages + 1)


def loader_mixture(options: TrainOptions) -> list[Phase] | None:
    """The mixture with phases that begin at batches of the loader in place of steps."""
    if options.mixture is None:
        return None
    return [Phase(weights=p.weights, from_step=batches_before(options, p.from_step + 1)) for p in options.mixture]


def _power(options: TrainOptions, step: int) -> float:
    start = max(options.warmup_steps, 1)
    if options.schedule != "power" or step <= start:
        return 1.0
    return float((step / start) ** -POWER)


def _warm_up_and_decay(options: TrainOptions, step: int) -> float:
    if step <= options.warmup_steps:
        return step / (options.warmup_steps + 1)
    decay_steps = min(int(options.steps * options.decay_share), options.steps - options.warmup_steps)
    into_decay = step - (options.steps - decay_steps)
    if into_decay <= 0:
        return 1.0
    return math.exp(-math.log(FINAL) * into_decay / decay_steps)
