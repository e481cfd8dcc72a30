"""The fused path for GPUs, with stand-ins that keep the packages' documented layouts and compute by the plain twin."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_models import LENGTH, lively, segments
from torch import Tensor

from eyas.trainer import kernels
from eyas.trainer.ssd import ScanMasks, ssd


def conv1d(x: Tensor, weight: Tensor, bias: Tensor, seq_idx: Tensor, activation: str) -> Tensor:
    """causal_conv1d_fn: x (batch, channels, length), channels-last in memory; weight (channels, width)."""
    assert x.stride(0) % 8 == 0 and x.stride(2) % 8 == 0  # state-spaces/mamba#351
    assert x.stride(1) == 1 and seq_idx.dtype == torch.int32 and activation == "silu" and weight.is_contiguous()
    width = weight.shape[1]
    out = torch.zeros_like(x)
    for row, idx in enumerate(seq_idx):
        for t in range(x.shape[2]):
            out[row, :, t] = bias
            for back in range(min(width, t + 1)):
                if idx[t - back] == idx[t]:
                    out[row, :, t] += x[row, :, t - back] * weight[:, width - 1 - back]
    return F.silu(out)


def scan(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk_size: int, D: Tensor, seq_idx: Tensor) -> Tensor:
    """mamba_chunk_scan_combined: x (batch, length, heads, dim), B and C (batch, length, groups, state)."""
    assert seq_idx.dtype == torch.int32
    y, _ = ssd(x, dt, a, b, c, ScanMasks.of(seq_idx.long(), chunk_size))
    return y + x * D[:, None]


@torch.no_grad()
def test_the_fused_path_is_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = lively()
    ids_bl = torch.randint(0, 61, (2, LENGTH))
    want = model(ids_bl, segments())
    fakes: dict[str, dict[str, Any]] = {
        "causal_conv1d": {"causal_conv1d_fn": conv1d},
        "mamba_ssm.ops.triton.ssd_combined": {"mamba_chunk_scan_combined": scan},
    }
    for name, members in fakes.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(kernels, "usable", lambda x: True)
    torch.testing.assert_close(model(ids_bl, segments()), want, atol=1e-5, rtol=1e-4)


def test_without_the_packages_or_a_gpu_the_plain_path_is_taken() -> None:
    assert not kernels.usable(torch.zeros(1))
