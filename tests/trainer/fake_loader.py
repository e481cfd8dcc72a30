"""A loader of rows by rule, without files, and the small model that the training tests share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eyas.shards.format import Index, IndexedFile, ShardMeta
from eyas.shards.loader import Batch, ShardLoader
from eyas.trainer.options import TrainOptions

SMALL: dict[str, int | float] = {
    "d_model": 32, "d_ff": 48, "layers": 2, "head_dim": 16, "ssm_heads": 2, "ssm_head_dim": 16, "ssm_state": 8,
    "chunk_size": 8,
}  # fmt: skip
OPTIONS = TrainOptions(
    model=SMALL, steps=12, batch_size=4, checkpoint_every=4, warmup_steps=3, learning_rate=1e-2, device="cpu"
)


def index_of(vocab_size: int = 40, recipe: str = "") -> Index:
    """An index of rows of 32 tokens: 1,000 tokens made of 4,000 bytes. Another `recipe` is another digest."""
    meta = ShardMeta(32, vocab_size, pad=0, bos=None, eos=None, tokenizer="", recipe=recipe)
    return Index(meta, (IndexedFile("train-00000.arrow", "s", 40, 80, 1000, 4000, 0, ""),))


class FakeBatch(Batch):
    def __init__(self, input_ids: Tensor, segment_ids: Tensor) -> None:
        self.input_ids, self.segment_ids = input_ids, segment_ids


@dataclass
class FakeLoader(ShardLoader):
    """Rows of two documents, each a repeated pattern of four tokens: learnable, and a function of the step."""

    index: Index = field(default_factory=index_of)
    batch_size: int = 4
    step: int = 0
    crash_at: int | None = None
    bad_id: bool = False

    def __iter__(self) -> Iterator[FakeBatch]:
        while True:
            if self.step == self.crash_at:
                raise RuntimeError("power cut")
            self.step += 1
            generator = torch.Generator().manual_seed(self.step)
            starts = torch.randint(0, 8, (self.batch_size, 2), generator=generator) * 4
            half = self.index.sequence_length // 2
            ids = (starts[:, :, None] + torch.arange(half) % 4).flatten(1)
            if self.bad_id:
                ids[0, 0] = self.index.vocab_size
            segments = torch.arange(2).repeat_interleave(half).expand(self.batch_size, -1).clone().int()
            segments[:, -3:] = -1
            yield FakeBatch(ids, segments)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step = state["step"]


def losses(folder: Path) -> list[tuple[int, float, float]]:
    """(step, loss, gradient norm) of every line of a run's metrics."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"], line["grad_norm"]) for line in lines]
