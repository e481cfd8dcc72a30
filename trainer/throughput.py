"""Model FLOPs utilisation (MFU): the share of the machine that a training step uses.

MFU is useful operations per second divided by the device's peak (PaLM, Chowdhery et al. 2022, appendix B). The trade: the
peak is measured here in 0.2 s, on plain matrix products of 2,048 rows of the same type, and not taken from a data sheet.
So MFU is a share of the speed possible in practice, on a shared CPU as on a GPU. Operations that gradient checkpointing
repeats count once.
"""

from __future__ import annotations

import time

import torch

from eyas.trainer.config import HybridConfig

SIZE = 2048


def flops_per_token(config: HybridConfig, length: int) -> float:
    """Operations per token of forward and backward pass, if each row of `length` tokens is one document.

    A multiply-add counts as two operations, the backward pass as two forward passes.
    """
    embedding = 0 if config.tied_embeddings else config.vocab_size * config.d_model
    products = 2 * (config.parameters - embedding)
    attention = 2 * 2 * config.d_attention * length / 2
    chunk, channels = min(config.chunk_size, length), config.d_ssm
    scores = 2 * chunk * config.ssm_groups * config.ssm_state + 2 * chunk * channels
    states = 2 * 2 * config.ssm_state * channels
    return 3.0 * (products + config.layers * (attention + scores + states))


def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of a square matrix product on this device: the best of six, the first of which warms up."""
    a = torch.ones(SIZE, SIZE, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(6):
        begun = time.perf_counter()
        torch.matmul(a, a)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - begun)
    return 2 * SIZE**3 / best
