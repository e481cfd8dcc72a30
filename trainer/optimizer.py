"""AdamW in three groups of weights: with weight decay, without, and the head."""

from __future__ import annotations

import torch

from eyas.trainer.model import HybridLM
from eyas.trainer.options import TrainOptions
from eyas.trainer.schedule import StepPlan


def make_optimizer(model: HybridLM, options: TrainOptions) -> torch.optim.AdamW:
    """AdamW, in which only matrices of the blocks and the untied head decay. A group's `factor` scales its rate."""
    head = None if model.config.tied_embeddings else model.head.weight
    matrices: list[torch.nn.Parameter] = []
    exempt: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        matrix = parameter.dim() == 2 and "embedding" not in name and "conv" not in name
        if parameter is not head:
            (matrices if matrix else exempt).append(parameter)
    groups = [
        {"params": matrices, "decay": options.weight_decay, "factor": 1.0},
        {"params": exempt, "decay": 0.0, "factor": 1.0},
    ]
    if head is not None:
        # AdamW multiplies decay by the rate, so this division lets the head shrink no faster than the rest.
        decay = options.weight_decay / options.head_rate
        groups.append({"params": [head], "decay": decay, "factor": options.head_rate})
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=options.betas, fused=True)


def set_plan(optimizer: torch.optim.Optimizer, plan: StepPlan) -> None:
    """Give every group the rate and the weight decay of a step."""
    for group in optimizer.param_groups:
        group["lr"] = plan.rate * group["factor"]
        group["weight_decay"] = plan.decay * group["decay"]
