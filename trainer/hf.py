"""Exchange with transformers' FalconH1ForCausalLM: same weights, same logits.

Both directions are exact copies: fused projections are cut or joined by rows, the convolution is
transposed, nothing is rounded. fp32 logits agree with transformers' torch path to 1e-4 on odd
lengths, gated norm and two groups (tests/trainer/test_hf.py). Features of transformers that this model lacks
(biases, other activations, clamped time steps, rope scaling) are refused by name.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eyas.errors import InputError
from eyas.trainer.config import HybridConfig, Multipliers
from eyas.trainer.files import load_weights, read_json, read_tensors, weights, write_tensors, write_text
from eyas.trainer.model import HybridLM

# Config fields whose value this model fixes, and transformers' default, which holds if a file lacks the field.
_FIXED: dict[str, tuple[Any, Any]] = {
    "hidden_act": ("silu", "silu"),
    "attention_bias": (False, False),
    "mlp_bias": (False, False),
    "projectors_bias": (False, False),
    "mamba_proj_bias": (False, False),
    "mamba_conv_bias": (True, True),
    "attention_dropout": (0.0, 0.0),
}
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
BEGIN, END, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|pad|>"
_SPECIAL = {"bos_token": BEGIN, "eos_token": END, "pad_token": PAD}


def to_hf_config(config: HybridConfig) -> dict[str, Any]:
    """The `config.json` that transformers reads for this shape."""
    m = config.multipliers
    return {
        "architectures": ["FalconH1ForCausalLM"],
        "model_type": "falcon_h1",
        "dtype": "float32",
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.tied_embeddings,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.attention_heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.context_length,
        "initializer_range": 0.02,
        "rms_norm_eps": config.norm_eps,
        # Two spellings: transformers 4 reads rope_theta, 5 reads rope_parameters.
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "mamba_d_ssm": config.d_ssm,
        "mamba_n_heads": config.ssm_heads,
        "mamba_d_head": config.ssm_head_dim,
        "mamba_n_groups": config.ssm_groups,
        "mamba_d_state": config.ssm_state,
        "mamba_d_conv": config.conv_kernel,
        "mamba_expand": 2,
        "mamba_chunk_size": config.chunk_size,
        "mamba_norm_before_gate": False,
        "mamba_rms_norm": config.gated_norm,
        **{name: fixed for name, (fixed, _) in _FIXED.items()},
        "embedding_multiplier": m.embedding,
        "lm_head_multiplier": m.lm_head,
        "key_multiplier": m.key,
        "attention_in_multiplier": m.attention_in,
        "attention_out_multiplier": m.attention_out,
        "ssm_in_multiplier": m.ssm_in,
        "ssm_out_multiplier": m.ssm_out,
        "ssm_multipliers": [m.ssm_z, m.ssm_x, m.ssm_b, m.ssm_c, m.ssm_dt],
        "mlp_multipliers": [m.mlp_gate, m.mlp_down],
    }


def from_hf_config(document: dict[str, Any], source: str = "config.json") -> HybridConfig:
    """The shape described by a FalconH1 `config.json`. Raises InputError for features that this model lacks."""
    if document.get("model_type") != "falcon_h1":
        raise InputError(f"{source}: model_type is {document.get('model_type')!r}, expected 'falcon_h1'")
    for name, (fixed, default) in _FIXED.items():
        if document.get(name, default) != fixed:
            raise InputError(f"{source}: {name} = {document[name]!r} is not supported, only {fixed!r}")
    gated = bool(document.get("mamba_rms_norm", False))
    if gated and document.get("mamba_norm_before_gate", True):
        raise InputError(f"{source}: mamba_norm_before_gate = true is not supported: released models gate first")
    low, high = document.get("time_step_limit") or (0.0, float("inf"))
    high = float("inf") if isinstance(high, dict) else high  # transformers 5 writes {"__float__": "Infinity"}
    if (low, high) != (0.0, float("inf")):
        raise InputError(f"{source}: time_step_limit = {(low, high)} is not supported, only no limit (0, inf)")
    rope = document.get("rope_parameters") or document.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default":
        raise InputError(f"{source}: rope_type {rope['rope_type']!r} is not supported, only 'default'")
    try:
        return _shape_of(document, float(rope.get("rope_theta", document.get("rope_theta", 1e4))), gated)
    except KeyError as error:
        raise InputError(f"{source}: field {error.args[0]!r} is missing") from error


def _shape_of(document: dict[str, Any], rope_theta: float, gated: bool) -> HybridConfig:
    heads = document["num_attention_heads"]
    d_ssm, ssm_heads = document["mamba_d_ssm"], document["mamba_n_heads"]
    z, x, b, c, dt = document.get("ssm_multipliers") or [1.0] * 5
    gate, down = document.get("mlp_multipliers") or [1.0] * 2
    same_name = ("embedding", "lm_head", "key", "attention_in", "attention_out", "ssm_in", "ssm_out")
    plain = {name: document.get(f"{name}_multiplier", 1.0) for name in same_name}
    return HybridConfig(
        vocab_size=document["vocab_size"],
        d_model=document["hidden_size"],
        d_ff=document["intermediate_size"],
        layers=document["num_hidden_layers"],
        attention_heads=heads,
        kv_heads=document.get("num_key_value_heads") or heads,
        head_dim=document.get("head_dim") or document["hidden_size"] // heads,
        ssm_heads=ssm_heads,
        ssm_head_dim=d_ssm // ssm_heads,
        ssm_state=document["mamba_d_state"],
        ssm_groups=document.get("mamba_n_groups", 1),
        conv_kernel=document.get("mamba_d_conv", 4),
        chunk_size=document.get("mamba_chunk_size", 256),
        rope_theta=rope_theta,
        norm_eps=float(document.get("rms_norm_eps", 1e-5)),
        gated_norm=gated,
        tied_embeddings=bool(document.get("tie_word_embeddings", False)),
        context_length=document.get("max_position_embeddings", 8192),
        multipliers=Multipliers(**plain, ssm_z=z, ssm_x=x, ssm_b=b, ssm_c=c, ssm_dt=dt, mlp_gate=gate, mlp_down=down),
    )


# Names of weights, ours under `blocks.N.` and theirs under `model.layers.N.`. Several of theirs are rows of one of ours.
_BLOCK: dict[str, tuple[str, ...]] = {
    "mixer_norm.weight": ("input_layernorm.weight",),
    "mlp_norm.weight": ("pre_ff_layernorm.weight",),
    "attention.qkv.weight": ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"),
    "attention.out.weight": ("self_attn.o_proj.weight",),
    "ssm.project.weight": ("mamba.in_proj.weight",),
    "ssm.conv_weight_kc": ("mamba.conv1d.weight",),
    "ssm.conv_bias_c": ("mamba.conv1d.bias",),
    "ssm.dt_bias_h": ("mamba.dt_bias",),
    "ssm.a_log_h": ("mamba.A_log",),
    "ssm.skip_h": ("mamba.D",),
    "ssm.norm.weight": ("mamba.norm.weight",),
    "ssm.out.weight": ("mamba.out_proj.weight",),
    "mlp.gate_up.weight": ("feed_forward.gate_proj.weight", "feed_forward.up_proj.weight"),
    "mlp.down.weight": ("feed_forward.down_proj.weight",),
}
_TOP = {
    "embedding.weight": "model.embed_tokens.weight",
    "final_norm.weight": "model.final_layernorm.weight",
    "head.weight": "lm_head.weight",
}


def _their_names(ours: str) -> list[str]:
    if ours in _TOP:
        return [_TOP[ours]]
    _, layer, rest = ours.split(".", 2)
    return [f"model.layers.{layer}.{name}" for name in _BLOCK[rest]]


def export_hf(model: HybridLM, folder: str | Path, tokenizer_dir: str | Path | None = None) -> None:
    """Write a folder that `FalconH1ForCausalLM.from_pretrained` loads, with the tokenizer if there is one.

    tokenizer_dir: a folder with `tokenizer.json`, whose special tokens become the config's ids.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config
    rows = {
        "attention.qkv.weight": [config.d_attention, config.d_kv, config.d_kv],
        "mlp.gate_up.weight": [config.d_ff, config.d_ff],
    }
    tensors: dict[str, Tensor] = {}
    for name, tensor in weights(model).items():
        theirs = _their_names(name)
        if name.endswith("conv_weight_kc"):
            tensor = tensor.T[:, None, :]
        parts = torch.split(tensor, rows[name.split(".", 2)[2]]) if len(theirs) > 1 else (tensor,)
        # Rows of one weight share storage, which safetensors refuses, hence the clone.
        tensors.update({n: part.detach().clone() for n, part in zip(theirs, parts, strict=True)})
    document = to_hf_config(config)
    if tokenizer_dir is not None:
        document.update(_copy_tokenizer(Path(tokenizer_dir), folder, config.vocab_size))
    write_tensors(folder / "model.safetensors", tensors)
    write_text(folder / "config.json", json.dumps(document, indent=2) + "\n")


def _copy_tokenizer(source: Path, folder: Path, vocab_size: int) -> dict[str, int]:
    """Copy the tokenizer's files, describe it to AutoTokenizer, and return its special ids."""
    from tokenizers import Tokenizer

    path = source if source.is_file() else source / "tokenizer.json"
    if not path.is_file():
        raise InputError(f"{source} holds no tokenizer.json")
    tokenizer = Tokenizer.from_file(str(path))
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    if size > vocab_size:
        raise InputError(
            f"{path} has {size} entries, the model only {vocab_size}: not the tokenizer it was trained with"
        )
    for name in _TOKENIZER_FILES:
        if (path.parent / name).is_file() and path.parent.resolve() != folder.resolve():
            shutil.copyfile(path.parent / name, folder / name)
    ids = {role: tokenizer.token_to_id(token) for role, token in _SPECIAL.items()}
    known = {role: number for role, number in ids.items() if number is not None}
    if not (folder / "tokenizer_config.json").is_file():
        document: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
        document.update({role: _SPECIAL[role] for role in known})
        write_text(folder / "tokenizer_config.json", json.dumps(document, indent=2) + "\n")
    return {f"{role}_id": number for role, number in known.items()}


def load_hf(folder: str | Path) -> HybridLM:
    """Read a local folder in transformers' FalconH1 format (one safetensors file or an index of several)."""
    folder = Path(folder)
    config = from_hf_config(read_json(folder / "config.json"), str(folder / "config.json"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = [folder / name for name in sorted(set(read_json(index)["weight_map"].values()))]
    else:
        files = [folder / "model.safetensors"]
    theirs: dict[str, Tensor] = {}
    for path in files:
        theirs.update(read_tensors(path))
    if config.tied_embeddings:
        theirs.pop("lm_head.weight", None)
    model = HybridLM(config)
    ours: dict[str, Tensor] = {}
    for name in weights(model):
        names = _their_names(name)
        missing = [n for n in names if n not in theirs]
        if missing:
            raise InputError(f"{folder} lacks weights: {', '.join(missing)}")
        tensor = torch.cat([theirs.pop(n) for n in names]) if len(names) > 1 else theirs.pop(names[0])
        ours[name] = tensor[:, 0, :].T if name.endswith("conv_weight_kc") else tensor
    if theirs:
        raise InputError(f"{folder} has weights this model does not know: {', '.join(sorted(theirs)[:5])}")
    load_weights(model, ours, folder)
    return model
