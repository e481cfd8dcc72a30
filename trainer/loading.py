"""Loading a trained model from a folder, in this project's format or in that of transformers' FalconH1."""

from __future__ import annotations

from pathlib import Path

from eyas.errors import InputError
from eyas.trainer.config import HybridConfig
from eyas.trainer.files import MODEL_FORMAT, load_weights, read_json, read_tensors
from eyas.trainer.hf import from_hf_config, load_hf
from eyas.trainer.model import HybridLM


def config_of(folder: str | Path) -> tuple[HybridConfig, bool]:
    """The shape of the model in a folder, and whether it is in transformers' format."""
    path = Path(folder) / "config.json"
    document = read_json(path)
    if isinstance(document, dict) and document.get("model_type") == "falcon_h1":
        return from_hf_config(document, str(path)), True
    if not isinstance(document, dict) or document.get("format") != MODEL_FORMAT:
        raise InputError(
            f"{path} is not a model of this project: expected format {MODEL_FORMAT!r} or model_type 'falcon_h1'"
        )
    return HybridConfig.from_dict(document["model"]), False


def load_model(folder: str | Path) -> HybridLM:
    """Read a model that `save_model`, `export_hf` or transformers' FalconH1 wrote."""
    config, foreign = config_of(folder)
    if foreign:
        return load_hf(folder)
    model = HybridLM(config)
    path = Path(folder) / "model.safetensors"
    load_weights(model, read_tensors(path), path)
    return model
