"""What a training leaves for reports, as types of the JSON on disk. Imports no torch."""

# Tested in tests/trainer/test_training.py.

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Sample(TypedDict):
    """A prompt and what the model made of it."""

    prompt: str
    text: str


class ModelSummary(TypedDict):
    """What a training came to."""

    steps: int
    first_loss: float
    last_loss: float
    last_bits_per_byte: float | None
    held_out: dict[str, float] | None
    tokens: int
    tokens_per_s: float | None
    mfu: float | None
    parameters: int
    device: str
    dtype: str
    processes: int
    compiled: bool
    fused_kernels: bool
    order_hash: NotRequired[str]
    sources: NotRequired[list[dict[str, Any]]]
    repeated_too_soon: NotRequired[list[str]]
    samples: NotRequired[list[Sample]]
