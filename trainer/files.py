"""Writing model files so that a crash leaves either the old file or the new one, never half of one.

safetensors holds the tensors (no pickle: a model file must not be able to run code) and JSON the rest.
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
from eyas.trainer.config import HybridConfig
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
    # The metadata is what transformers asks of a file before it loads it.
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, metadata={"format": "pt"})
    fsync(temporary)
    os.replace(temporary, path)
    fsync(path.parent)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, or a ValueError that names it."""
    if not path.is_file():
        raise InputError(f"{path} is missing")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged or not a safetensors file: {error}") from error


def read_json(path: Path) -> Any:
    """A JSON file, or a ValueError that names it."""
    if not path.is_file():
        raise InputError(f"{path} is missing")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights(model: HybridLM) -> dict[str, Tensor]:
    """The model's weights by name; a tied head is stored once, as the embedding."""
    found = dict(model.named_parameters())
    return {name: found[name] for name in sorted(found)}


def load_weights(model: HybridLM, tensors: dict[str, Tensor], source: Path) -> None:
    """Copy tensors into the model; a missing, extra or misshapen one is a ValueError naming `source`."""
    wanted = weights(model)
    for what, names in (("lacks", set(wanted) - set(tensors)), ("has unknown", set(tensors) - set(wanted))):
        if names:
            raise InputError(f"{source} {what} weights: {', '.join(sorted(names)[:5])} ({len(names)} in all)")
    for name, parameter in wanted.items():
        if parameter.shape != tensors[name].shape:
            raise InputError(
                f"{source}: {name} has shape {tuple(tensors[name].shape)}, the config asks for {tuple(parameter.shape)}"
            )
        with torch.no_grad():
            parameter.copy_(part_like(tensors[name].to(parameter.dtype), parameter))


def save_model(model: HybridLM, folder: str | Path, write: bool = True) -> None:
    """Write `model.safetensors` and `config.json` (this project's own format) into a folder.

    write: false on the ranks that only give their part of the weights.
    """
    folder = Path(folder)
    tensors = {name: whole(parameter.detach()) for name, parameter in weights(model).items()}
    if not write:
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / "model.safetensors", tensors)
    # Last: a folder with a config is a finished model.
    document = {"format": MODEL_FORMAT, "model": model.config.to_dict()}
    write_text(folder / "config.json", json.dumps(document, indent=2) + "\n")


def config_of(folder: str | Path) -> tuple[HybridConfig, bool]:
    """The shape of the model in a folder, and whether it is in transformers' format."""
    folder = Path(folder)
    document = read_json(folder / "config.json")
    if isinstance(document, dict) and document.get("model_type") == "falcon_h1":
        from eyas.trainer.hf import from_hf_config

        return from_hf_config(document, str(folder / "config.json")), True
    if not isinstance(document, dict) or document.get("format") != MODEL_FORMAT:
        raise InputError(
            f"{folder / 'config.json'} is not a model of this project: expected format {MODEL_FORMAT!r} "
            "or model_type 'falcon_h1'"
        )
    return HybridConfig.from_dict(document["model"]), False


def load_model(folder: str | Path) -> HybridLM:
    """Read a model that `save_model` (or `export_hf`, or transformers' FalconH1) wrote."""
    folder = Path(folder)
    config, foreign = config_of(folder)
    if foreign:
        from eyas.trainer.hf import load_hf

        return load_hf(folder)
    model = HybridLM(config)
    path = folder / "model.safetensors"
    load_weights(model, read_tensors(path), path)
    return model
