"""How much of the machine a training step uses: model FLOPs utilisation (MFU; PaLM, Chowdhery et al. 2022, appendix B).

Useful operations of a step per second, over what the device does in plain matrix products of the same type. The trade: the
peak is measured here, on a product of 2,048 rows, in 0.2 s, and not taken from a data sheet: a share of what is possible in
practice, on a shared CPU as on a GPU. What gradient checkpointing computes twice counts once.
"""

from __future__ import annotations

import time

import torch

from eyas.trainer.config import HybridConfig

SIZE = 2048


def flops_per_token(config: HybridConfig, length: int) -> float:
    """Operations per token of forward and backward pass, rows of `length` taken as one document each.

    A multiply-add counts as two; the backward pass as twice the forward pass.
    """
    embedding = 0 if config.tied_embeddings else config.vocab_size * config.d_model
    products = 2 * (config.parameters - embedding)
    attention = 2 * 2 * config.d_attention * length / 2
    chunk, channels = min(config.chunk_size, length), config.d_ssm
    scores = 2 * chunk * config.ssm_groups * config.ssm_state + 2 * chunk * channels
    states = 2 * 2 * config.ssm_state * channels
    return 3.0 * (products + config.layers * (attention + scores + states))


def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of a square matrix product on this device: the best of five, after one that warms up."""
    a = torch.ones(SIZE, SIZE, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(6):
        begun = time.perf_counter()
        torch.matmul(a, a)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - begun)
    return 2 * SIZE**3 / best
