"""The chunked scan against its slow twin, one step per token."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eyas.trainer.ssd import ScanMasks, ssd


def slow_scan(
    x_blhp: Tensor, dt_blh: Tensor, a_h: Tensor, b_blgn: Tensor, c_blgn: Tensor, runs_bl: Tensor, state_bhpn: Tensor
) -> tuple[Tensor, Tensor]:
    """The definition: state = exp(dt·a)·state + dt·x⊗b, y = state·c, a fresh state at each document."""
    batch, length, heads, _ = x_blhp.shape
    share = heads // b_blgn.shape[2]
    y_blhp = torch.zeros_like(x_blhp)
    final_bhpn = state_bhpn.clone()
    for row in range(batch):
        for head in range(heads):
            state_pn = state_bhpn[row, head]
            for t in range(length):
                if t and runs_bl[row, t] != runs_bl[row, t - 1]:
                    state_pn = torch.zeros_like(state_pn)
                dt = dt_blh[row, t, head]
                drive_pn = dt * torch.outer(x_blhp[row, t, head], b_blgn[row, t, head // share])
                state_pn = torch.exp(dt * a_h[head]) * state_pn + drive_pn
                y_blhp[row, t, head] = state_pn @ c_blgn[row, t, head // share]
            final_bhpn[row, head] = state_pn
    return y_blhp, final_bhpn


def example(length: int, groups: int = 2, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    batch, heads, head_dim, n_state = 2, 4, 3, 5
    wide = torch.float64
    return {
        "x_blhp": torch.randn(batch, length, heads, head_dim, dtype=wide),
        "dt_blh": torch.rand(batch, length, heads, dtype=wide) + 0.01,
        "a_h": -torch.rand(heads, dtype=wide) * 3,
        "b_blgn": torch.randn(batch, length, groups, n_state, dtype=wide),
        "c_blgn": torch.randn(batch, length, groups, n_state, dtype=wide),
    }


@pytest.mark.parametrize("chunk", [1, 3, 8, 64])
@pytest.mark.parametrize("length", [1, 8, 19])
@pytest.mark.parametrize("documents", [1, 4])
@pytest.mark.parametrize("groups", [1, 2])
def test_equals_the_slow_twin(chunk: int, length: int, documents: int, groups: int) -> None:
    inputs = example(length, groups)
    runs_bl = torch.arange(length).mul(documents).div(length, rounding_mode="floor").expand(2, -1).clone()
    runs_bl[1] = (torch.arange(length) > length // 3).long() if documents > 1 else 0
    state_bhpn = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    want_y, want_state = slow_scan(**inputs, runs_bl=runs_bl, state_bhpn=state_bhpn)
    y, state = ssd(**inputs, masks=ScanMasks.of(runs_bl, chunk), state_bhpn=state_bhpn)
    torch.testing.assert_close(y, want_y)
    torch.testing.assert_close(state, want_state)


def test_a_cut_row_continues_from_its_state() -> None:
    inputs = example(20)
    whole = ScanMasks.of(torch.zeros(2, 20, dtype=torch.int64), 8)
    want, _ = ssd(**inputs, masks=whole)
    state = None
    parts = []
    for start, stop in ((0, 7), (7, 8), (8, 20)):
        piece = {k: v if k == "a_h" else v[:, start:stop] for k, v in inputs.items()}
        masks = ScanMasks.of(torch.zeros(2, stop - start, dtype=torch.int64), 8)
        y, state = ssd(**piece, masks=masks, state_bhpn=state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, 1), want)


def test_boundaries_are_exact_even_beside_extreme_decay() -> None:
    inputs = {k: v.float() for k, v in example(32).items()}
    runs_bl = torch.tensor([0] * 5 + [1] * 20 + [2] * 7).expand(2, -1)
    masks = ScanMasks.of(runs_bl, 8)
    y, _ = ssd(**inputs, masks=masks)
    changed = {k: v.clone() for k, v in inputs.items()}
    changed["dt_blh"][:, :5] = 1e4
    changed["x_blhp"][:, :5] = 1e6
    y_changed, _ = ssd(**changed, masks=masks)
    assert torch.isfinite(y_changed).all()
    assert torch.equal(y[:, 5:], y_changed[:, 5:])


def test_gradients() -> None:
    inputs = {k: v.requires_grad_() for k, v in example(7, seed=1).items()}
    runs_bl = torch.tensor([[0, 0, 1, 1, 1, 1, 2], [0, 0, 0, 0, 0, 1, 1]])
    masks = ScanMasks.of(runs_bl, 3)
    state = torch.randn(2, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    names = list(inputs)

    def scan(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        return ssd(**dict(zip(names, tensors[:-1], strict=True)), masks=masks, state_bhpn=tensors[-1])

    assert torch.autograd.gradcheck(scan, (*inputs.values(), state), fast_mode=True)
