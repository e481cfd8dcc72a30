"""Crash-safe checkpoints: a folder per step, complete or absent.

    checkpoints/step-00000200/model.safetensors  optimizer.safetensors  state.json

Everything is written into a hidden folder, fsynced, and renamed: a folder with its proper name is
whole. `state.json` carries a sha256 of each tensor file, so silent damage on the disk becomes an error that
names the file, not a strange loss curve. The trade: the disk holds three times the weights, twice (the
newest two checkpoints are kept), and each costs one pass of sha256 (about 1 GB/s). No file is a pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eyas.errors import InputError
from eyas.trainer.files import fsync, load_weights, read_json, read_tensors, sha256, weights, write_tensors, write_text
from eyas.trainer.model import HybridLM
from eyas.trainer.parallel import part_like, whole

FORMAT = "eyas-checkpoint-1"
KEEP = 2
_FILES = ("model.safetensors", "optimizer.safetensors")


class DamagedCheckpoint(InputError):
    """A file of a checkpoint is missing, or does not hold what was written."""


def save(
    folder: Path,
    step: int,
    model: HybridLM,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
    write: bool = True,
) -> None:
    """Write the checkpoint of a step under `folder` and drop all but the newest two.

    state: the rest of the run's state, as JSON. write: false on the ranks that only contribute their part.
    """
    tensors = {name: whole(parameter.detach()) for name, parameter in weights(model).items()}
    moments = _optimizer_tensors(model, optimizer)
    if not write:
        return
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{step:08d}"
    temporary = folder / f".{name}.{os.getpid()}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    write_tensors(temporary / _FILES[0], tensors)
    write_tensors(temporary / _FILES[1], moments)
    document = {"format": FORMAT, "step": step, "sha256": {n: sha256(temporary / n) for n in _FILES}, **state}
    write_text(temporary / "state.json", json.dumps({**document, "seal": seal_of(document)}, indent=2) + "\n")
    fsync(temporary)
    final = folder / name
    # A damaged checkpoint of the same step was refused before this point, so only a leftover can exist here.
    shutil.rmtree(final, ignore_errors=True)
    os.replace(temporary, final)
    fsync(folder)
    for old in complete(folder)[:-KEEP]:
        shutil.rmtree(old)


def complete(folder: Path) -> list[Path]:
    """Complete checkpoints under a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if re.fullmatch(r"step-\d{8,}", path.name) and path.is_dir())


def clear_unfinished(folder: Path) -> None:
    """Remove checkpoints that a crash left half-written."""
    if folder.is_dir():
        for path in folder.glob(".step-*.tmp"):
            shutil.rmtree(path, ignore_errors=True)


def read_state(path: Path) -> dict[str, Any]:
    """The JSON part of a checkpoint. Raises InputError, naming the file, if it is missing, damaged or of another format."""
    try:
        state = read_json(path / "state.json")
    except InputError as error:
        raise DamagedCheckpoint(f"{error} {_advice(path)}") from error
    if isinstance(state, dict) and state.get("seal", seal_of(state)) != seal_of(state):
        raise DamagedCheckpoint(f"{path / 'state.json'} is damaged: its seal does not hold. {_advice(path)}")
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(f"{path / 'state.json'} is not a checkpoint of this project ({FORMAT}). {_advice(path)}")
    return state


def load(path: Path, state: dict[str, Any], model: HybridLM, optimizer: torch.optim.Optimizer) -> None:
    """Copy a checkpoint's tensors into model and optimiser. Raises InputError, naming the file, if one is damaged."""
    tensors = []
    for name in _FILES:
        file = path / name
        if not file.is_file():
            raise DamagedCheckpoint(f"{file} is missing. {_advice(path)}")
        if sha256(file) != state["sha256"].get(name):
            raise DamagedCheckpoint(f"{file} is damaged: its sha256 is not the one in state.json. {_advice(path)}")
        tensors.append(read_tensors(file))
    load_weights(model, tensors[0], path / _FILES[0])
    _restore_optimizer(model, optimizer, tensors[1])


def seal_of(state: dict[str, Any]) -> str:
    """A sha256 of all other entries of a state, by which a flipped bit is noticed."""
    text = json.dumps({name: value for name, value in state.items() if name != "seal"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _advice(path: Path) -> str:
    return f"Delete the folder {path} to continue from the checkpoint before it."


def _optimizer_tensors(model: HybridLM, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's moments and step counts, named `<weight>/<moment>`: readable, and independent of the order of groups."""
    moments: dict[str, Tensor] = {}
    for name, parameter in weights(model).items():
        if optimizer.state and parameter not in optimizer.state:
            raise RuntimeError(f"{name} is not what the optimiser updates: its moments would be lost")
        for key, value in optimizer.state.get(parameter, {}).items():
            moments[f"{name}/{key}"] = whole(value)
    return moments


def _restore_optimizer(model: HybridLM, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = weights(model)
    for full, value in tensors.items():
        name, key = full.rsplit("/", 1)
        parameter = parameters[name]
        # Fused Adam needs its step count on the weights' device, plain Adam on the CPU. Both take float32.
        fused = any(group.get("fused") for group in optimizer.param_groups)
        if key == "step":
            optimizer.state[parameter][key] = value.to(parameter.device if fused else "cpu")
        else:
            optimizer.state[parameter][key] = part_like(value, parameter)
