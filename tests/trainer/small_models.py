"""Small models and packed rows that several tests of the trainer share."""

from __future__ import annotations

import torch

from eyas.trainer.config import HybridConfig
from eyas.trainer.model import HybridLM

CONFIG = HybridConfig(
    vocab_size=61, d_model=32, d_ff=48, layers=2, attention_heads=4, kv_heads=2, head_dim=8,
    ssm_heads=4, ssm_head_dim=8, ssm_state=16, ssm_groups=2, chunk_size=16,
)  # fmt: skip
# Boundaries inside, at and next to the edges of chunks; documents shorter than the convolution; padding.
ROWS = [[(0, 11), (11, 12), (12, 14), (14, 32), (32, 50)], [(0, 16), (16, 17), (17, 45)]]
LENGTH = 50


def changed(change: dict[str, int]) -> HybridConfig:
    """CONFIG with other fields, and the multipliers of the new shape."""
    return HybridConfig.from_dict({**CONFIG.to_dict(), "multipliers": None, **change})


def segments() -> torch.Tensor:
    segment_ids_bl = torch.full((2, LENGTH), -1)
    for row, documents in enumerate(ROWS):
        for index, (start, stop) in enumerate(documents):
            segment_ids_bl[row, start:stop] = index
    return segment_ids_bl


def lively(config: HybridConfig = CONFIG) -> HybridLM:
    """A model whose weights are large enough for a leak to show."""
    torch.manual_seed(0)
    model = HybridLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "conv" not in name:
                parameter.mul_(4)
            if name.endswith("dt_bias_h"):
                parameter.fill_(-3.0)  # a long memory
    return model
