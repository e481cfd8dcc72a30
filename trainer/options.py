"""What a recipe may say under `train:`. Imports no torch, so that a recipe is checked in milliseconds.

Few knobs, because µP multipliers carry the width (falcon_h1.md §3.5): one learning rate serves all
presets. What a step is taken with is worked out in `schedule.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from eyas.corpus.options import Options
from eyas.errors import InputError
from eyas.shards.options import Phase, check_phases
from eyas.trainer.config import PRESETS, HybridConfig
from eyas.trainer.schedule import batches_before
from eyas.trainer.sizing import sized


class BatchRamp(Options):
    """A batch that grows: `{start: 64, every: 500}` takes 64 rows, 64 more after every 500 steps, up to batch_size."""

    start: int = Field(ge=1)
    """Rows of the first steps, and of each addition. batch_size must be a multiple."""
    every: int = Field(ge=1)
    """Steps between additions."""


class TrainOptions(Options):
    """Options of `eyas.trainer.train`."""

    preset: str = "tiny"
    """Shape of the model: tiny (7.5M weights at a vocabulary of 8,192), 90m, or a released Falcon-H1 (falcon_h1.md
    §3.2): 0.5b, 1.5b, 1.5b-deep, 3b, 7b, 34b. Not looked at with `start_from`."""

    weights: int | None = Field(default=None, ge=10_000)
    """Instead of a preset: so many weights, about, embedding and head included, shared out by `eyas.trainer.sizing`."""

    width_per_layer: float = Field(default=28.0, gt=0)
    """The dial of `weights` between deep and wide: channels per layer. 28 in Falcon-H1-0.5B, 85 in 1.5B, 19 in 1.5B-Deep
    (deeper is better at the same size, and slower: falcon_h1.md §3.1)."""

    model: dict[str, bool | int | float] = Field(default_factory=dict)
    """Fields of the model's shape to change, e.g. {layers: 8}; µP multipliers follow. See `HybridConfig`."""

    start_from: str | None = None
    """A folder with a model to go on from, of this project or in transformers' FalconH1 format; its vocabulary must be
    that of the shards. Its shape is taken, so `weights` and `model` may not be set; the
    optimiser starts anew. None: weights are drawn from the seed."""

    steps: int = Field(default=200, ge=1)
    """Optimiser steps. The tokens seen are steps x batch_size x the shards' sequence_length."""

    batch_size: int = Field(default=8, ge=1)
    """Rows per step, all devices together."""

    batch_ramp: BatchRamp | None = None
    """Begins with smaller batches; the learning rate follows the square root of the batch (falcon_h1.md §3.6). None: every
    step takes batch_size rows."""

    micro_batch: int | None = Field(default=None, ge=1)
    """Rows per forward pass; gradients of a step's pieces are summed. None: 2 on a CPU, where small
    pieces stay in cache (tiny, rows of 1,024, 2 cores: 5.3k tokens/s against 4.8k with all 8 rows at once and
    4.0k with 1); else batch_size. Does not change the result beyond rounding."""

    mixture: list[Phase] | None = None
    """Shares of tokens by source, which may change at a step: `[{weights: {web: 0.7, code: 0.3}}, {from_step: 800,
    weights: {code: 1}}]`. None: every row of the shards as often as any other."""

    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    """Peak learning rate of AdamW, at a batch of batch_size rows. Multipliers make it independent of width. Falcon-side
    scripts use 1.28e-3 at batches of 10^5 and more tokens (falcon_h1.md §3.6)."""

    head_rate: float = Field(default=8.0, gt=0)
    """Learning rate of the untied output head relative to `learning_rate`. The released multipliers leave the
    head to grow over billions of tokens (its Adam groups' rates are not public, falcon_h1.md §3.5); short
    runs want it quicker. Loss of tiny after 60 steps of 4,096 tokens of Python (mean of the last ten, one run each),
    learning_rate x head_rate: 2e-3 x 8 6.40, 3e-3 x 4 6.35, 1e-3 x 16 6.51, 1e-3 x 8 6.72; 4e-3 x 8 diverges."""

    schedule: Literal["wsd", "power"] = "wsd"
    """Between warm-up and decay: wsd holds the rate; power lets the rate and the weight decay fall as t^(-1/4) from the end
    of the warm-up on (falcon_h1.md §3.6)."""

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

    evaluate_every: int | None = Field(default=None, ge=1)
    """Steps between measurements of bits per byte on the documents held out of the shards (`shards: {held_out: 0.02}`).
    None: once, with the finished model."""

    evaluate_rows: int = Field(default=64, ge=1)
    """Rows of each source that such a measurement takes at most, spread over all that were held out."""

    recompute: bool = False
    """Gradient checkpointing: keep only each block's input and compute the rest again in the backward pass. A third more
    work; tiny with two rows of 4,096: 935 MB instead of 1,537."""

    compile: bool | None = None
    """torch.compile for the blocks: 1.1 to 1.2 times the speed on a CPU once 20 to 40 s of compiling are over. None: on
    CUDA, and on a CPU that has a C++ compiler if the run is longer than about half an hour."""

    parallel: Literal["ddp", "fsdp"] = "ddp"
    """With several processes (`torchrun --nproc-per-node 8 --no-python eyas train …`): ddp keeps a whole copy of the model
    in each, fsdp shares weights, gradients and optimiser out (FSDP2)."""

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
        # The vocabulary comes from the shards; any other mistake in the shape shows here.
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
        """Rows of one batch of the loader, of which a step takes one or, in a ramp, several."""
        return self.batch_size if self.batch_ramp is None else self.batch_ramp.start

    @property
    def loader_mixture(self) -> list[Phase] | None:
        """The mixture with phases that begin at batches of the loader, not at steps."""
        if self.mixture is None:
            return None
        return [Phase(weights=p.weights, from_step=batches_before(self, p.from_step + 1)) for p in self.mixture]
