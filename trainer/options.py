"""The options of a training, which stand in a recipe under `train:`. Imports no torch, so recipes are checked quickly.

The options are few, because µP multipliers carry the width (docs/internals/falcon_h1.md §4): one learning rate serves
all presets. `trainer/schedule.py` computes the rate and the batch of a step from them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from eyas.corpus.options import Options
from eyas.errors import InputError
from eyas.shards.options import Phase, check_phases
from eyas.trainer.config import PRESETS, HybridConfig
from eyas.trainer.sizing import sized


class BatchRamp(Options):
    """A growing batch: `{start: 64, every: 500}` takes 64 rows, and 64 more after every 500 steps, up to batch_size."""

    start: int = Field(ge=1)
    """Rows of the first steps, and of each addition. batch_size must be a multiple of it."""
    every: int = Field(ge=1)
    """Steps between additions."""


class TrainOptions(Options):
    """Options of `eyas.trainer.train`."""

    preset: str = "tiny"
    """Shape of the model: tiny (7.5M weights at a vocabulary of 8,192), 90m, or a released Falcon-H1: 0.5b, 1.5b,
    1.5b-deep, 3b, 7b, 34b (docs/internals/falcon_h1.md §2). With `start_from` it has no effect."""

    weights: int | None = Field(default=None, ge=10_000)
    """Approximate number of weights, embedding and head included, in place of a preset. `eyas.trainer.sizing` chooses the
    shape."""

    width_per_layer: float = Field(default=28.0, gt=0)
    """Channels per layer of a model sized by `weights`: the dial between deep and wide. It is 28 in Falcon-H1-0.5B, 85 in
    1.5B, 19 in 1.5B-Deep. At the same size a deeper model is better and slower (docs/internals/falcon_h1.md §3)."""

    model: dict[str, bool | int | float] = Field(default_factory=dict)
    """Fields of the model's shape to change, e.g. {layers: 8}. µP multipliers follow. See
    `eyas.trainer.config.HybridConfig`."""

    start_from: str | None = None
    """A folder with a model to continue from, of this project or in transformers' FalconH1 format. Its vocabulary must be
    that of the shards. The training takes its shape, so `weights` and `model` may not be set, and starts a new optimiser.
    If None, weights are drawn from the seed."""

    steps: int = Field(default=200, ge=1)
    """Optimiser steps. The tokens seen are steps x batch_size x the shards' sequence_length."""

    batch_size: int = Field(default=8, ge=1)
    """Rows per step, all devices together."""

    batch_ramp: BatchRamp | None = None
    """Smaller batches at the start. The learning rate follows the square root of the batch
    (docs/internals/falcon_h1.md §5). If None, every step takes batch_size rows."""

    micro_batch: int | None = Field(default=None, ge=1)
    """Rows per forward pass. Gradients of a step's pieces are summed, so the result changes by rounding only. If None, a
    CPU takes 2, because small pieces stay in cache (tiny, rows of 1,024, 2 cores: 5.3k tokens/s against 4.8k with all 8
    rows at once and 4.0k with 1), and other devices take batch_size."""

    mixture: list[Phase] | None = None
    """Shares of tokens by source, which may change at a step: `[{weights: {web: 0.7, code: 0.3}}, {from_step: 800,
    weights: {code: 1}}]`. If None, every row of the shards comes as often as any other."""

    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    """Peak learning rate of AdamW, at a batch of batch_size rows. Multipliers make it independent of width. A published
    training script uses 1.28e-3 at batches of 10^5 and more tokens (docs/internals/falcon_h1.md §5)."""

    head_rate: float = Field(default=8.0, gt=0)
    """Learning rate of the untied output head relative to `learning_rate`. With the released multipliers the head grows
    over billions of tokens (the rates of its Adam groups are not public, docs/internals/falcon_h1.md §4), and a short run
    needs it sooner. Loss of tiny after 60 steps of 4,096 tokens of Python (mean of the last ten, one run each), by
    learning_rate x head_rate: 2e-3 x 8 6.40, 3e-3 x 4 6.35, 1e-3 x 16 6.51, 1e-3 x 8 6.72. 4e-3 x 8 diverges."""

    schedule: Literal["wsd", "power"] = "wsd"
    """The rate between warm-up and decay. wsd holds it. power lets the rate and the weight decay fall as t^(-1/4) from the
    end of the warm-up on (docs/internals/falcon_h1.md §5)."""

    warmup_steps: int = Field(default=20, ge=0)
    """Steps of linear warm-up. A short one is best in the long run: about 0.1 GT in the report
    (docs/internals/falcon_h1.md §5)."""

    decay_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the steps, at the end, over which the rate falls exponentially to 1/8. That is the released models'
    fine-tuning schedule (docs/internals/falcon_h1.md §5). SmolLM3 decays over its last 11 % (§8)."""

    weight_decay: float = Field(default=0.1, ge=0)
    """Decoupled weight decay of matrices. Norms, biases, embeddings and state-space vectors are exempt. 0.1 is the value
    of a published script (docs/internals/falcon_h1.md §5). Embeddings are exempt as in SmolLM3 (§8)."""

    betas: tuple[float, float] = (0.9, 0.95)
    """Adam's averaging rates (docs/internals/falcon_h1.md §5)."""

    clip: float = Field(default=1.0, gt=0)
    """Largest global norm of the gradients: larger ones are scaled down to it (docs/internals/falcon_h1.md §5)."""

    evaluate_every: int | None = Field(default=None, ge=1)
    """Steps between measurements of bits per byte on the documents held out of the shards (`shards: {held_out: 0.02}`).
    If None, only the finished model is measured."""

    evaluate_rows: int = Field(default=64, ge=1)
    """Most rows of each source that a measurement takes, spread over all held-out rows."""

    recompute: bool = False
    """Gradient checkpointing: keep only each block's input and compute the rest again in the backward pass. This costs a
    third more work, and takes tiny with two rows of 4,096 from 1,537 MB to 935."""

    compile: bool | None = None
    """torch.compile for the blocks: 1.1 to 1.2 times the speed on a CPU once 20 to 40 s of compiling are over. If None,
    blocks are compiled on CUDA, and on a CPU that has a C++ compiler if the run is longer than about half an hour."""

    parallel: Literal["ddp", "fsdp"] = "ddp"
    """How several processes share the work (`torchrun --nproc-per-node 8 --no-python eyas train …`). ddp keeps a whole copy
    of the model in each. fsdp splits weights, gradients and optimiser between them (FSDP2)."""

    checkpoint_every: int = Field(default=100, ge=1)
    """Steps between checkpoints. The newest two are kept. The last step always writes one."""

    device: str = "auto"
    """auto (CUDA if there is one, else CPU), cpu, cuda or cuda:N."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the matrix products. Weights and the residual stream stay float32. auto takes bfloat16 if the
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
            raise InputError(f"unknown preset {value!r}: choose one of {', '.join(PRESETS)}")
        return value

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        kind, _, index = value.partition(":")
        if kind not in ("auto", "cpu", "cuda") or (index and not index.isdigit()) or (index and kind != "cuda"):
            raise InputError(f"unknown device {value!r}: write auto, cpu, cuda or cuda:0")
        return value

    @field_validator("betas")
    @classmethod
    def _betas_below_one(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= beta < 1 for beta in value):
            raise InputError(f"betas must lie in [0, 1), not {value}")
        return value

    @model_validator(mode="after")
    def _ramp_fits(self) -> TrainOptions:
        ramp = self.batch_ramp
        if ramp is not None and self.batch_size % ramp.start:
            raise InputError(
                f"batch_ramp.start ({ramp.start}) must divide batch_size ({self.batch_size}): the batch grows by so many rows"
            )
        return self

    @model_validator(mode="after")
    def _shape_fits(self) -> TrainOptions:
        # The vocabulary comes from the shards. Every other mistake in the shape is reported here.
        if self.start_from is not None and (self.model or self.weights):
            raise InputError("start_from takes the shape of its model: leave model and weights out")
        if "vocab_size" in self.model:
            raise InputError("model.vocab_size cannot be set: it is the vocabulary of the shards' tokenizer")
        self.config(vocab_size=1)
        if self.micro_batch is not None and self.micro_batch > self.batch_size:
            raise InputError(f"micro_batch ({self.micro_batch}) must not exceed batch_size ({self.batch_size})")
        return self

    def config(self, vocab_size: int, context_length: int | None = None) -> HybridConfig:
        """The model's shape for a given vocabulary."""
        overrides = dict(self.model)
        if context_length is not None:
            overrides.setdefault("context_length", context_length)
        if self.weights is not None:
            overrides = {**sized(self.weights, vocab_size, self.width_per_layer), **overrides}
        return HybridConfig.preset(self.preset, vocab_size, overrides)

    @property
    def loader_rows(self) -> int:
        """Rows of one batch of the loader. A step takes one such batch or, in a ramp, several."""
        return self.batch_size if self.batch_ramp is None else self.batch_ramp.start
