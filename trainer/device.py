"""What the machine offers: a device, a type for its matrix products, a compiler, and memory enough."""

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
"""Work of a run from which compiling pays on a CPU: about 20 minutes at 400 GFLOP/s, of which it saves two."""


def pick_device(name: str, world: World | None = None) -> torch.device:
    """`auto` is CUDA where there is one, each local rank its own."""
    world = world or World()
    if name in ("auto", "cuda"):
        found = torch.device("cuda", world.local_rank) if torch.cuda.is_available() else torch.device("cpu")
        if name == "auto" or found.type == "cuda":
            return found
    device = torch.device(name)
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise InputError(f"device {name!r} is not there: torch sees {torch.cuda.device_count()} CUDA device(s)")
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 where the hardware multiplies it: 430 against 195 GFLOP/s on two AVX512-BF16 cores."""
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Young in torch: where it is missing, float32 is the safe answer.
        features: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        native = bool(features.get("avx512_bf16") or features.get("amx_tile") or features.get("amx_bf16"))
    return torch.bfloat16 if native else torch.float32


def pick_compile(options: TrainOptions, config: HybridConfig, length: int, device: torch.device) -> bool:
    """Whether to compile the blocks; ValueError if that is asked for and there is no C++ compiler."""
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
    """ValueError if weights, gradients and moments alone are more than is free. `shares`: processes that split them."""
    needed = config.parameters * BYTES_PER_WEIGHT / shares
    if shares > 1:
        needed += config.parameters * 4  # every process first makes the whole model, then keeps its part
    free = _free_bytes(device)
    if free is not None and needed > free:
        raise InputError(
            f"a model of {config.parameters / 1e9:,.2f} billion weights needs {needed / 1e9:,.1f} GB for weights, gradients "
            f"and Adam's moments before the first row, and {device} has {free / 1e9:,.1f} GB free: take a smaller preset, or "
            f"share it out to more processes with parallel: fsdp"
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
