"""What a recipe may say under `train:`. Imports no torch, so that a recipe is checked in milliseconds.

Few knobs, because µP multipliers carry the width (falcon_h1.md §3.5): one learning rate serves all
presets. The schedule is WSD (warm up, hold, decay), so a run can be prolonged from its last
checkpoint, which a cosine forbids.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shards.options import Phase, check_phases
from trainer.config import PRESETS, HybridConfig


class TrainOptions(BaseModel):
    """Options of `trainer.train`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    preset: str = "tiny"
    """Shape of the model: tiny (7.5M weights at a vocabulary of 8,192), 90m, 0.5b, 1.5b-deep, 7b or 34b.
    The last four are the released Falcon-H1 shapes (falcon_h1.md §3.2)."""

    model: dict[str, bool | int | float] = Field(default_factory=dict)
    """Fields of the model's shape to change, e.g. {layers: 8}; µP multipliers follow. See `HybridConfig`."""

    steps: int = Field(default=200, ge=1)
    """Optimiser steps. The tokens seen are steps x batch_size x the shards' sequence_length."""

    batch_size: int = Field(default=8, ge=1)
    """Rows per step, all devices together."""

    micro_batch: int | None = Field(default=None, ge=1)
    """Rows per forward pass; gradients of a step's pieces are summed. None: 2 on a CPU, where small
    pieces stay in cache (tiny, rows of 1,024, 2 cores: 5.3k tokens/s against 4.8k with all 8 rows at once and
    4.0k with 1); else batch_size. Does not change the result beyond rounding."""

    mixture: list[Phase] | None = None
    """Shares of tokens by source, which may change at a step: `[{weights: {web: 0.7, code: 0.3}}, {from_step: 800,
    weights: {code: 1}}]`. None: every row of the shards as often as any other."""

    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    """Peak learning rate of AdamW. Multipliers make it independent of width. Falcon-side scripts use 1.28e-3 at
    batches of 10^5 and more tokens (falcon_h1.md §3.6)."""

    head_rate: float = Field(default=8.0, gt=0)
    """Learning rate of the untied output head relative to `learning_rate`. The released multipliers leave the
    head to grow over billions of tokens (its Adam groups' rates are not public, falcon_h1.md §3.5); short
    runs want it quicker. Loss of tiny after 60 steps of 4,096 tokens of Python (mean of the last ten, one run each),
    learning_rate x head_rate: 2e-3 x 8 6.40, 3e-3 x 4 6.35, 1e-3 x 16 6.51, 1e-3 x 8 6.72; 4e-3 x 8 diverges."""

    warmup_steps: int = Field(default=20, ge=0)
    """Steps of linear warm-up. Short is best in the long run: about 0.1 GT in the report (falcon_h1.md §3.6)."""

    decay_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the steps, at the end, over which the rate falls exponentially to 1/8 (the released models'
    fine-tuning schedule, falcon_h1.md §3.6; SmolLM3 decays over its last 11 %)."""

    weight_decay: float = Field(default=0.1, ge=0)
    """Decoupled weight decay of matrices; norms, biases, embeddings and state-space vectors are exempt
    (0.1: falcon_h1.md §3.6; not on embeddings: SmolLM3, §4.2)."""

    betas: tuple[float, float] = (0.9, 0.95)
    """Adam's averaging rates (falcon_h1.md §3.6)."""

    clip: float = Field(default=1.0, gt=0)
    """Gradients with a larger global norm are scaled down to it (falcon_h1.md §3.6)."""

    checkpoint_every: int = Field(default=100, ge=1)
    """Steps between checkpoints. The newest two are kept; there is always one at the last step."""

    device: str = "auto"
    """auto (CUDA, else CPU), cpu, cuda or cuda:N."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the matrix products; weights and the residual stream stay float32. auto: bfloat16 where the
    hardware has it (CUDA from Ampere, CPUs with AMX or AVX512-BF16), else float32."""

    @field_validator("mixture")
    @classmethod
    def _phases_follow(cls, value: list[Phase] | None) -> list[Phase] | None:
        if value is not None:
            check_phases(value)
        return value

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, value: str) -> str:
        if value not in PRESETS:
            raise ValueError(f"unknown preset {value!r}: choose one of {', '.join(PRESETS)}")
        return value

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        kind, _, index = value.partition(":")
        if kind not in ("auto", "cpu", "cuda") or (index and not index.isdigit()) or (index and kind != "cuda"):
            raise ValueError(f"unknown device {value!r}: write auto, cpu, cuda or cuda:0")
        return value

    @field_validator("betas")
    @classmethod
    def _betas_below_one(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= beta < 1 for beta in value):
            raise ValueError(f"betas must lie in [0, 1), not {value}")
        return value

    @model_validator(mode="after")
    def _shape_fits(self) -> TrainOptions:
        # The vocabulary comes from the shards; any other mistake in the shape shows here.
        if "vocab_size" in self.model:
            raise ValueError("model.vocab_size cannot be set: it is the vocabulary of the shards' tokenizer")
        self.config(vocab_size=1)
        if self.micro_batch is not None and self.micro_batch > self.batch_size:
            raise ValueError(f"micro_batch ({self.micro_batch}) must not exceed batch_size ({self.batch_size})")
        return self

    def config(self, vocab_size: int, context_length: int | None = None) -> HybridConfig:
        """The model's shape for a given vocabulary."""
        overrides = dict(self.model)
        if context_length is not None:
            overrides.setdefault("context_length", context_length)
        return HybridConfig.preset(self.preset, vocab_size, overrides)

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 1: warm-up, plateau, exponential decay to 1/8."""
        if step <= self.warmup_steps:
            return self.learning_rate * step / (self.warmup_steps + 1)
        decay_steps = int(self.steps * self.decay_share)
        into_decay = step - (self.steps - decay_steps)
        if into_decay <= 0:
            return self.learning_rate
        return self.learning_rate * math.exp(-math.log(8) * into_decay / decay_steps)
