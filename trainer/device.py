"""Choices that depend on the machine: the device, the type of matrix products, compiling, and whether memory suffices."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from eyas.errors import InputError
from eyas.trainer.config import HybridConfig
from eyas.trainer.options import TrainOptions
from eyas.trainer.parallel import World
from eyas.trainer.throughput import flops_per_token

BYTES_PER_WEIGHT = 16
"""Weight, gradient and Adam's two moments, in float32."""
COMPILE_FROM_FLOPS = 5e14
"""Work of a run above which compiling pays on a CPU: about 20 minutes at 400 GFLOP/s, of which it saves two."""


def pick_device(name: str, world: World | None = None) -> torch.device:
    """The device of this name. `auto` is CUDA if there is one, else the CPU; each local rank has a CUDA device of its own."""
    world = world or World()
    if name in ("auto", "cuda"):
        available = torch.device("cuda", world.local_rank) if torch.cuda.is_available() else torch.device("cpu")
        if name == "auto" or available.type == "cuda":
            return available
    device = torch.device(name)
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise InputError(f"there is no device {name!r}: torch sees {torch.cuda.device_count()} CUDA device(s)")
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The type of matrix products. `auto` is bfloat16 if the hardware multiplies it, else float32.

    Two cores with AVX512-BF16 reach 430 GFLOP/s in bfloat16 and 195 in float32.
    """
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # An older torch lacks this function; float32 is then the safe choice.
        features: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        native = bool(features.get("avx512_bf16") or features.get("amx_tile") or features.get("amx_bf16"))
    return torch.bfloat16 if native else torch.float32


def pick_compile(options: TrainOptions, config: HybridConfig, length: int, device: torch.device) -> bool:
    """Whether to compile the blocks. Raises InputError if the options require it and there is no C++ compiler."""
    compiler = device.type == "cuda" or any(shutil.which(name) for name in ("g++", "clang++"))
    if options.compile is not None:
        if options.compile and not compiler:
            raise InputError(
                "train.compile: torch.compile needs a C++ compiler (g++ or clang++) on PATH; there is none"
            )
        return options.compile
    work = flops_per_token(config, length) * options.steps * options.batch_size * length
    return compiler and (device.type == "cuda" or work > COMPILE_FROM_FLOPS)


def check_memory(config: HybridConfig, device: torch.device, shares: int) -> None:
    """Raises InputError if weights, gradients and moments exceed the free memory. `shares`: processes that split them."""
    needed = config.parameters * BYTES_PER_WEIGHT / shares
    if shares > 1:
        needed += config.parameters * 4  # every process builds the whole model before it keeps its part
    free = _free_bytes(device)
    if free is not None and needed > free:
        raise InputError(
            f"a model of {config.parameters / 1e9:,.2f} billion weights needs {needed / 1e9:,.1f} GB for weights, gradients "
            f"and Adam's moments before the first row, and {device} has {free / 1e9:,.1f} GB free: take a smaller preset, or "
            f"split it between more processes with parallel: fsdp"
        )


def out_of_memory(error: RuntimeError) -> bool:
    """Whether the error says that an allocation failed, on a GPU or a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def _free_bytes(device: torch.device) -> float | None:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    table = Path("/proc/meminfo")
    if not table.is_file():
        return None
    for line in table.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) * 1024
    return None
