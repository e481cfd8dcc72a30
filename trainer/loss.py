"""Cross entropy computed from hidden states, a slice of positions at a time.

Logits are the largest tensor of a training step: 8 x 1,024 positions x 8,192 entries take 268 MB in fp32, and autograd
would hold them twice. Here the logits of a slice exist only until they have given its loss and its gradient, which is
computed in the forward pass: the arithmetic is the same, with a few MB at a time. The trade: the result can be
differentiated once, not twice. The idea is Liger Kernel's fused linear cross entropy (arXiv 2410.10989); this one is
plain torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Logits in memory at once: 4 MB of fp32, about a core's share of the cache.
LOGITS_AT_ONCE = 1 << 20


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_nd: Tensor, weight_vd: Tensor, targets_n: Tensor, scale: float, want: bool) -> Tensor:
        """Sum over positions of cross entropy, times `scale`, and if `want` its gradient."""
        work = _work_dtype(hidden_nd)
        weight = weight_vd.to(work)
        step = max(1, LOGITS_AT_ONCE // weight_vd.shape[0])
        total = hidden_nd.new_zeros((), dtype=torch.float64 if work == torch.float64 else torch.float32)
        grad_hidden_nd = torch.empty_like(hidden_nd) if want else None
        grad_weight_vd = torch.zeros_like(weight_vd) if want else None
        with torch.autocast(hidden_nd.device.type, enabled=False):
            for start in range(0, hidden_nd.shape[0], step):
                hidden = hidden_nd[start : start + step].to(work)
                target_m1 = targets_n[start : start + step, None]
                logp_mv = torch.matmul(hidden, weight.T).to(total.dtype).log_softmax(-1)
                total -= logp_mv.gather(1, target_m1).sum()
                if grad_hidden_nd is None or grad_weight_vd is None:
                    continue
                grad_mv = logp_mv.exp_()
                grad_mv.scatter_add_(1, target_m1, grad_mv.new_full((), -1.0).expand(target_m1.shape))
                grad_work = grad_mv.mul_(scale).to(work)
                grad_hidden_nd[start : start + step] = torch.matmul(grad_work, weight)
                grad_weight_vd += torch.matmul(grad_work.T, hidden)
        if want:
            ctx.save_for_backward(grad_hidden_nd, grad_weight_vd)
        return total * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        grad_hidden_nd, grad_weight_vd = ctx.saved_tensors
        return grad_hidden_nd * grad, grad_weight_vd * grad, None, None, None


def linear_cross_entropy(hidden_nd: Tensor, weight_vd: Tensor, targets_n: Tensor, count: int | None = None) -> Tensor:
    """Cross entropy of `hidden_nd @ weight_vd.T` summed over positions with a target, divided by `count`.

    Positions whose target is negative are left out. `count` defaults to the number of targets here. A batch that is
    processed in pieces passes the number of all its targets.
    """
    kept_n = targets_n >= 0
    if not bool(kept_n.all()):
        hidden_nd, targets_n = hidden_nd[kept_n], targets_n[kept_n]
    divisor = targets_n.numel() if count is None else count
    scale, want = 1.0 / max(divisor, 1), torch.is_grad_enabled()
    loss: Tensor = _LinearCrossEntropy.apply(hidden_nd, weight_vd, targets_n, scale, want)  # type: ignore[no-untyped-call]
    return loss


def _work_dtype(hidden: Tensor) -> torch.dtype:
    if torch.is_autocast_enabled(hidden.device.type):
        return torch.get_autocast_dtype(hidden.device.type)
    return hidden.dtype
