"""The fused cross entropy against the plain one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from eyas.trainer import loss
from eyas.trainer.loss import linear_cross_entropy


def test_fused_cross_entropy_and_its_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "LOGITS_AT_ONCE", 40)  # several slices, the last one short
    torch.manual_seed(0)
    hidden = torch.randn(11, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 9, (11,))
    targets[3] = -100
    want = F.cross_entropy(hidden @ weight.T, targets, ignore_index=-100)
    got = linear_cross_entropy(hidden, weight, targets)
    torch.testing.assert_close(got, want)
    for ours, theirs in zip(
        torch.autograd.grad(3 * got, (hidden, weight)), torch.autograd.grad(3 * want, (hidden, weight)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    assert torch.autograd.gradcheck(lambda h, w: linear_cross_entropy(h, w, targets), (hidden, weight))
