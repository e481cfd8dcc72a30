"""Documents never leak, the cache changes nothing, the fused loss is the plain loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from small_models import CONFIG, LENGTH, ROWS, changed, lively, segments
from torch import Tensor, nn

from eyas.trainer import kernels
from eyas.trainer.config import HybridConfig
from eyas.trainer.layers import Attention, HybridCache, StateSpace
from eyas.trainer.model import HybridLM
from eyas.trainer.segments import Packing, next_token_targets


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_a_document_does_not_see_its_neighbours(dtype: torch.dtype) -> None:
    model = lively()
    ids_bl = torch.randint(0, 61, (2, LENGTH))
    segment_ids_bl = segments()
    for row, documents in enumerate(ROWS):
        for start, stop in documents:
            changed_bl = ids_bl.clone()
            changed_bl[row, stop - 1] = (changed_bl[row, stop - 1] + 1) % 61
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                before, after = model(ids_bl, segment_ids_bl), model(changed_bl, segment_ids_bl)
            differs_bl = (before != after).any(-1)
            assert differs_bl[row, stop - 1]
            differs_bl[row, stop - 1] = False
            assert not differs_bl.any(), (row, start, stop, differs_bl.nonzero().tolist())


@torch.no_grad()
def test_a_packed_document_reads_as_if_alone() -> None:
    model = lively()
    ids_bl = torch.randint(0, 61, (2, LENGTH))
    packed_blv = model(ids_bl, segments())
    for row, documents in enumerate(ROWS):
        for start, stop in documents:
            alone = model(ids_bl[row : row + 1, start:stop])
            torch.testing.assert_close(packed_blv[row : row + 1, start:stop], alone, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_masked_attention_equals_attention_per_document() -> None:
    """The path for GPUs, checked on the CPU."""
    attention = lively().blocks[0].attention
    assert isinstance(attention, Attention)
    q, k, v = (torch.randn(2, heads, 256, 8) for heads in (4, 2, 2))
    packing = Packing.of(torch.randint(0, 2, (2, 256)).cumsum(1) // 20)
    want = attention._attend(q, k, v, packing)
    torch.testing.assert_close(kernels.attend(q, k, v, packing.block_mask), want, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("change", [{}, {"gated_norm": False, "conv_kernel": 2}, {"tied_embeddings": True}])
@torch.no_grad()
def test_cached_logits_equal_uncached(change: dict[str, int]) -> None:
    model = lively(changed(change))
    ids_bl = torch.randint(0, 61, (2, 40))
    want = model(ids_bl)
    cache = HybridCache()
    cuts = [0, 1, 2, 19, 20, 21, 37, 40]
    got = torch.cat([model(ids_bl[:, a:b], cache=cache) for a, b in pairwise(cuts)], 1)
    assert cache.length == 40
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="cache"):
        model(ids_bl, torch.zeros_like(ids_bl), cache=cache)


def test_loss_is_the_mean_over_targets_and_adds_up_over_pieces() -> None:
    model = lively()
    ids_bl, segment_ids_bl = torch.randint(0, 61, (2, LENGTH)), segments()
    targets_bl = next_token_targets(ids_bl, segment_ids_bl)
    logits = model(ids_bl, segment_ids_bl)
    want = F.cross_entropy(logits.flatten(0, 1), targets_bl.flatten(), ignore_index=-100)
    got = model.loss(ids_bl, segment_ids_bl)
    torch.testing.assert_close(got, want)
    count = int((targets_bl >= 0).sum())
    pieces = sum(model.loss(ids_bl[i : i + 1], segment_ids_bl[i : i + 1], count) for i in range(2))
    torch.testing.assert_close(pieces, want)
    padding = torch.full_like(ids_bl, -1)
    nothing = model.loss(ids_bl, padding)
    nothing.backward()
    assert nothing == 0


def remember(seen: dict[str, float], name: str) -> Callable[[nn.Module, object, Tensor], None]:
    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        seen[name] = output.detach().pow(2).mean().sqrt().item()

    return hook


def test_init_is_near_uniform_and_scale_free_of_width() -> None:
    """A coordinate check: µP keeps activations of every width alike, so that one learning rate serves them."""
    sizes = []
    for width in (64, 256):
        torch.manual_seed(1)
        overrides = {"d_model": width, "d_ff": width * 2, "ssm_heads": width // 16, "ssm_head_dim": 16}
        overrides |= {"attention_heads": width // 32, "head_dim": 32, "layers": 2, "ssm_state": 16}
        model = HybridLM(HybridConfig.preset("tiny", 500, overrides))
        ids_bl = torch.randint(0, 500, (2, 64))
        assert model.loss(ids_bl).item() == pytest.approx(math.log(500), abs=0.05)
        seen: dict[str, float] = {}
        for name, module in model.named_modules():
            if name.endswith(("attention", "ssm", "mlp")):
                module.register_forward_hook(remember(seen, name))
        model(ids_bl)
        sizes.append(seen)
    for name in sizes[0]:
        assert 0.5 < sizes[0][name] / sizes[1][name] < 2, (name, sizes[0][name], sizes[1][name])


def test_state_space_init() -> None:
    ssm = HybridLM(changed({"ssm_heads": 64})).blocks[0].ssm
    assert isinstance(ssm, StateSpace)
    rate_h, dt_h = ssm.a_log_h.exp(), F.softplus(ssm.dt_bias_h)
    assert rate_h.min() >= 1 and rate_h.max() <= 16
    assert dt_h.min() >= 0.999e-3 and dt_h.max() <= 1.001e-1 and dt_h.median() < 0.03


def test_counts_agree() -> None:
    for config in (
        CONFIG,
        changed({"tied_embeddings": True, "gated_norm": False}),
    ):
        assert sum(p.numel() for p in HybridLM(config).parameters()) == config.parameters


def test_shape_mistake_is_named() -> None:
    with pytest.raises(ValueError, match="segment_ids"):
        HybridLM(CONFIG)(torch.zeros(2, 5, dtype=torch.int64), torch.zeros(2, 4, dtype=torch.int64))
