"""Operations per token against torch's own count, and the measured peak."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from eyas.trainer.config import HybridConfig
from eyas.trainer.model import HybridLM
from eyas.trainer.throughput import flops_per_token, peak_flops


def test_operations_are_those_that_torch_counts() -> None:
    config = HybridConfig.preset("tiny", 500, {"layers": 2, "chunk_size": 32})
    ids_bl = torch.zeros(1, 64, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        HybridLM(config)(ids_bl).sum().backward()
    # Attention is counted in full there, and its causal half here; products for masks are not counted here.
    assert flops_per_token(config, 64) * 64 == pytest.approx(counter.get_total_flops(), rel=0.2)


def test_the_peak_is_a_plausible_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyas.trainer.throughput.SIZE", 128)
    assert 1e6 < peak_flops(torch.device("cpu"), torch.float32) < 1e16
