"""Files of models: written so that a crash leaves either the old file or the new one, never half of one.

safetensors holds the tensors (no pickle, since a model file must not be able to run code) and JSON the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eyas.errors import InputError
from eyas.trainer.model import HybridLM
from eyas.trainer.parallel import part_like, whole

MODEL_FORMAT = "eyas-hybrid-lm-1"


def fsync(path: Path) -> None:
    """Push a file's bytes, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    fsync(temporary)
    os.replace(temporary, path)
    fsync(path.parent)


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Replace a safetensors file in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # transformers refuses a file without this metadata.
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, metadata={"format": "pt"})
    fsync(temporary)
    os.replace(temporary, path)
    fsync(path.parent)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file. Raises InputError, naming the file, if it is missing or damaged."""
    if not path.is_file():
        raise InputError(f"{path} is missing")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged or not a safetensors file: {error}") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises InputError, naming the file, if it is missing or damaged."""
    if not path.is_file():
        raise InputError(f"{path} is missing")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights(model: HybridLM) -> dict[str, Tensor]:
    """The model's weights by name. A tied head appears once, as the embedding."""
    return dict(sorted(model.named_parameters()))


def load_weights(model: HybridLM, tensors: dict[str, Tensor], source: Path) -> None:
    """Copy tensors into the model. Raises InputError, naming `source`, for a missing, extra or misshapen tensor."""
    wanted = weights(model)
    for what, names in (("lacks", set(wanted) - set(tensors)), ("has unknown", set(tensors) - set(wanted))):
        if names:
            raise InputError(f"{source} {what} weights: {', '.join(sorted(names)[:5])} ({len(names)} in all)")
    for name, parameter in wanted.items():
        if parameter.shape != tensors[name].shape:
            raise InputError(
                f"{source}: {name} has shape {tuple(tensors[name].shape)}, the config requires {tuple(parameter.shape)}"
            )
        with torch.no_grad():
            parameter.copy_(part_like(tensors[name].to(parameter.dtype), parameter))


def save_model(model: HybridLM, folder: str | Path, write: bool = True) -> None:
    """Write `model.safetensors` and `config.json` (this project's own format) into a folder.

    write: false on the ranks that only contribute their part of the weights.
    """
    folder = Path(folder)
    tensors = {name: whole(parameter.detach()) for name, parameter in weights(model).items()}
    if not write:
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / "model.safetensors", tensors)
    # The config comes last: a folder with a config holds a finished model.
    document = {"format": MODEL_FORMAT, "model": model.config.to_dict()}
    write_text(folder / "config.json", json.dumps(document, indent=2) + "\n")
