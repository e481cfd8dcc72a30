"""Export to GGUF, llama.cpp's format: one file with weights and tokenizer, which runs anywhere that llama.cpp does.

llama.cpp's falcon-h1 knows no µP multipliers. They are folded into the weights, which is exact, because each of ours
scales a linear map. `bf16` keeps matrices in bfloat16, `q4_0` in blocks of 32 four-bit numbers with a common scale: 0.28
of the size. The convolution, norms and state-space vectors stay in float32 (the convolution must not be quantised,
docs/internals/falcon_h1.md §5), and embedding and head take 8 bits at least. The trade: llama.cpp has fixed rules for
cutting text, and those of Llama-3 for falcon-h1 (docs/internals/falcon_h1.md §7): where our tokenizer splits more, text
may be cut into other tokens than in training.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from eyas.errors import InputError
from eyas.trainer.hf import BEGIN, END, PAD
from eyas.trainer.layers import ScaledLinear
from eyas.trainer.model import Block, HybridLM

Kind = Literal["f32", "bf16", "q8_0", "q4_0"]
BLOCK = 32
"""Weights that share a scale in the quantised types. The length of a row must be a multiple of it."""


def export_gguf(model: HybridLM, file: str | Path, kind: Kind = "bf16", tokenizer: str | Path | None = None) -> None:
    """Writes the model as a GGUF file, with its tokenizer (a tokenizer.json) if given, else for token ids only.

    Raises InputError if llama.cpp does not read tokenizers of this kind, or if the tokenizer is larger than the model.
    """
    import gguf

    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    writer = gguf.GGUFWriter(temporary, "falcon-h1")
    _describe(writer, model)
    writer.add_file_type(getattr(gguf.LlamaFileType, {"f32": "ALL_F32"}.get(kind, f"MOSTLY_{kind.upper()}")))
    if tokenizer is None:
        writer.add_tokenizer_model("none")
    else:
        _add_tokenizer(writer, Path(tokenizer), model.config.vocab_size)
    for name, tensor in tensors(model):
        values = tensor.detach().float().cpu().contiguous().numpy()
        wanted = _type_of(gguf, name, values, kind)
        writer.add_tensor(name, gguf.quants.quantize(values, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    temporary.replace(path)


def tensors(model: HybridLM) -> Iterator[tuple[str, Tensor]]:
    """Name and values of every tensor of the file, multipliers folded in."""
    config, m = model.config, model.config.multipliers
    yield "token_embd.weight", model.embedding.weight * m.embedding
    # A tied head is written too, because the two carry different multipliers.
    yield "output.weight", model.head.weight * m.lm_head
    yield "output_norm.weight", model.final_norm.weight
    for index, module in enumerate(model.blocks):
        block = cast(Block, module)
        attention, ssm, mlp = block.attention, block.ssm, block.mlp
        q, k, v = torch.split(_folded(attention.qkv), [config.d_attention, config.d_kv, config.d_kv])
        gate, up = _folded(mlp.gate_up).chunk(2)
        named: dict[str, Tensor] = {
            "attn_norm.weight": block.mixer_norm.weight,
            "attn_q.weight": q,
            "attn_k.weight": k,
            "attn_v.weight": v,
            "attn_output.weight": _folded(attention.out),
            "ssm_in.weight": _folded(ssm.project),
            "ssm_conv1d.weight": ssm.conv_weight_kc.T,
            "ssm_conv1d.bias": ssm.conv_bias_c,
            "ssm_dt.bias": ssm.dt_bias_h,
            "ssm_a": -ssm.a_log_h.exp()[:, None],
            "ssm_d": ssm.skip_h[:, None],
            "ssm_out.weight": _folded(ssm.out),
            "ffn_norm": block.mlp_norm.weight,
            "ffn_gate.weight": gate,
            "ffn_up.weight": up,
            "ffn_down.weight": _folded(mlp.down),
        }
        if ssm.norm is not None:
            named["ssm_norm.weight"] = ssm.norm.weight.view(config.ssm_groups, -1)
        yield from ((f"blk.{index}.{name}", tensor) for name, tensor in named.items())


def _folded(linear: ScaledLinear) -> Tensor:
    return linear.weight * linear.scale_o


def _describe(writer: Any, model: HybridLM) -> None:
    config = model.config
    writer.add_context_length(config.context_length)
    writer.add_embedding_length(config.d_model)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_vocab_size(config.vocab_size)
    writer.add_head_count(config.attention_heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_ssm_conv_kernel(config.conv_kernel)
    writer.add_ssm_state_size(config.ssm_state)
    writer.add_ssm_group_count(config.ssm_groups)
    writer.add_ssm_inner_size(config.d_ssm)
    writer.add_ssm_time_step_rank(config.ssm_heads)


def _type_of(gguf: Any, name: str, values: np.ndarray, kind: Kind) -> Any:
    types = gguf.GGMLQuantizationType
    if values.ndim == 1 or "ssm_a" in name or "ssm_d" in name or "conv1d" in name or "norm" in name or kind == "f32":
        return types.F32
    if kind == "bf16" or values.shape[-1] % BLOCK:
        return types.BF16
    if kind == "q8_0" or name in ("token_embd.weight", "output.weight"):
        return types.Q8_0
    return types.Q4_0


def _add_tokenizer(writer: Any, path: Path, vocab_size: int) -> None:
    """Adds tokens in the order of their ids, their kinds, and merges. Ids that the tokenizer lacks are marked unused."""
    import gguf

    file = path / "tokenizer.json" if path.is_dir() else path
    document = json.loads(file.read_text(encoding="utf-8"))
    model = document["model"]
    if model.get("type") != "BPE":
        raise InputError(f"{file}: a tokenizer of type {model.get('type')!r}; llama.cpp's falcon-h1 reads BPE only")
    kinds = gguf.TokenType
    tokens = [f"<|unused_{number}|>" for number in range(vocab_size)]
    types = [int(kinds.UNUSED)] * vocab_size
    entries = [(token, number, int(kinds.NORMAL)) for token, number in model["vocab"].items()]
    entries += [
        (added["content"], added["id"], int(kinds.CONTROL if added["special"] else kinds.USER_DEFINED))
        for added in document.get("added_tokens", [])
    ]
    for token, number, kind in entries:
        if number >= vocab_size:
            raise InputError(
                f"{file}: token {number}, but the model has only {vocab_size}: not the tokenizer it was trained with"
            )
        tokens[number], types[number] = token, kind
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("falcon-h1")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    roles = {BEGIN: writer.add_bos_token_id, END: writer.add_eos_token_id, PAD: writer.add_pad_token_id}
    for token, add in roles.items():
        if token in tokens:
            add(tokens.index(token))
    writer.add_add_bos_token(BEGIN in tokens)
