"""Training in several processes: DDP or FSDP2, started by `torchrun`.

    torchrun --nproc-per-node 8 --no-python eyas train runs/web --out model

The batch is global: each rank takes its rows of every batch, gradients are summed over ranks before the step, and the loss
is divided by the number of targets of all ranks. So any number of processes takes the same steps up to rounding. Rank 0
writes. A checkpoint always holds whole tensors, so a run may continue with another number of processes or the other way
of sharing. The trade: to write one, rank 0 gathers one tensor after another.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from eyas.trainer.model import HybridLM


@dataclass(frozen=True)
class World:
    """The rank of this process among all. Without `torchrun` there is one process."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @classmethod
    def of_environment(cls) -> World:
        """The world that `torchrun` describes in the environment."""
        rank, size, local = (int(os.environ.get(name, "0")) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        return cls(rank, size, local) if size > 1 else cls()

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Joins the process group for the time of the context: NCCL between GPUs, gloo between CPUs."""
        if self.size == 1 or dist.is_initialized():
            yield
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        try:
            yield
        finally:
            dist.destroy_process_group()

    def sum(self, *values: float, device: torch.device) -> list[float]:
        """Each value summed over all ranks, in float64."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=device)
        dist.all_reduce(total)
        sums: list[float] = total.tolist()
        return sums

    def gather(self, value: int, device: torch.device) -> list[int]:
        """The value of every rank, in order."""
        if self.size == 1:
            return [value]
        values = torch.zeros(self.size, dtype=torch.int64, device=device)
        values[self.rank] = value
        dist.all_reduce(values)
        gathered: list[int] = values.tolist()
        return gathered

    def wait(self) -> None:
        """Waits until all ranks have called this."""
        if self.size > 1:
            dist.barrier()


class Replica(nn.Module):
    """The loss as a module's forward pass, because DDP hooks into forward passes."""

    def __init__(self, model: HybridLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids_bl: Tensor, segments_bl: Tensor | None, count: int) -> Tensor:
        return self.model.loss(ids_bl, segments_bl, count)


def spread(model: HybridLM, world: World, way: str) -> nn.Module:
    """The model's loss as a module whose gradients are averaged over all ranks. `way`: "ddp" or "fsdp"."""
    replica = Replica(model)
    if world.size == 1:
        return replica
    if way == "ddp":
        return nn.parallel.DistributedDataParallel(replica)
    for block in model.blocks:
        fully_shard(block)
    fully_shard(model)
    register_fsdp_forward_method(model, "loss")
    return replica


def last_piece(module: nn.Module, last: bool) -> AbstractContextManager[None]:
    """A context for one piece of a batch: gradients are summed over ranks once, with the last piece."""
    if isinstance(module, nn.parallel.DistributedDataParallel) and not last:
        unsynchronised: AbstractContextManager[None] = module.no_sync()
        return unsynchronised
    inner = getattr(module, "model", None)
    if isinstance(inner, FSDPModule):
        inner.set_requires_gradient_sync(last)
    return nullcontext()


def share_out_again(model: HybridLM) -> None:
    """Shards the weights after a forward pass without a backward pass, where FSDP leaves those outside of blocks whole."""
    if isinstance(model, FSDPModule):
        model.reshard()


def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor of which this rank may hold a part. Every rank must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def part_like(value: Tensor, like: Tensor) -> Tensor:
    """This rank's part of `value`, split as `like` is, or all of it if `like` is not split."""
    value = value.to(like.device)
    if isinstance(like, DTensor) and value.dim():
        return distribute_tensor(value, like.device_mesh, like.placements)
    return value


def number(value: Any) -> float:
    """A norm as a number. The norm of sharded gradients is itself a sharded tensor."""
    return float(whole(value))
