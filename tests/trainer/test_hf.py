"""Exact interchange with transformers' FalconH1ForCausalLM, both directions."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from eyas.trainer.config import HybridConfig, Multipliers
from eyas.trainer.hf import export_hf, from_hf_config, load_hf, to_hf_config
from eyas.trainer.layers import HybridCache
from eyas.trainer.loading import load_model
from eyas.trainer.model import HybridLM

BASE = HybridConfig(
    vocab_size=97, d_model=32, d_ff=48, layers=2, attention_heads=4, kv_heads=2, head_dim=12,
    ssm_heads=4, ssm_head_dim=8, ssm_state=16, chunk_size=8,
)  # fmt: skip
ODD = Multipliers(1.7, 0.6, 0.9, 1.3, 0.8, 1.2, 0.7, 0.5, 0.4, 1.1, 0.9, 0.6, 1.4, 0.85)
SHAPES = {
    "gated": BASE,
    "ungated": HybridConfig.from_dict({**BASE.to_dict(), "multipliers": None, "gated_norm": False}),
    "groups": dataclasses.replace(BASE, ssm_groups=2, ssm_state=8, multipliers=ODD, rope_theta=1e4),
    "one_kv": dataclasses.replace(BASE, kv_heads=1, conv_kernel=3, chunk_size=5, multipliers=ODD),
    "tied": dataclasses.replace(BASE, tied_embeddings=True, multipliers=ODD),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("length", [1, 7, 37])
def test_logits_equal_transformers(name: str, length: int, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    model = HybridLM(SHAPES[name]).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # norms and skips away from their init of one
            parameter.add_(0.05 * torch.randn_like(parameter))
    export_hf(model, tmp_path / "a")
    theirs = transformers.FalconH1ForCausalLM.from_pretrained(tmp_path / "a", dtype=torch.float32).eval()
    ids = torch.randint(0, 97, (2, length))
    with torch.no_grad():
        ours_blv, theirs_blv = model(ids), theirs(ids, use_cache=False).logits
    assert ours_blv.std() > 0.01
    torch.testing.assert_close(ours_blv, theirs_blv, atol=1e-4, rtol=1e-4)

    theirs.save_pretrained(tmp_path / "b")
    back = load_hf(tmp_path / "b").eval()
    assert back.config.multipliers == model.config.multipliers
    with torch.no_grad():
        assert torch.equal(back(ids), ours_blv)
    assert torch.equal(load_model(tmp_path / "b").embedding.weight, model.embedding.weight)


def test_config_round_trip_and_refusals() -> None:
    for config in SHAPES.values():
        assert from_hf_config(json.loads(json.dumps(to_hf_config(config)))) == config
    for change in (
        {"attention_bias": True},
        {"hidden_act": "gelu"},
        {"mamba_norm_before_gate": True},
        {"time_step_limit": [0.001, 0.1]},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}},
        {"model_type": "mamba2"},
    ):
        with pytest.raises(ValueError, match=next(iter(change)).split("_")[0]):
            from_hf_config(to_hf_config(BASE) | change)
    document = to_hf_config(BASE)
    del document["mamba_d_ssm"]
    with pytest.raises(ValueError, match="mamba_d_ssm"):
        from_hf_config(document)


def test_damaged_folder_is_named(tmp_path: Path) -> None:
    export_hf(HybridLM(BASE), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        load_hf(tmp_path)


def test_tokenizer_travels_along(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models

    vocab = {"<|begin_of_text|>": 0, "<|end_of_text|>": 1, "a": 2, "b": 3}
    (tmp_path / "tok").mkdir()
    Tokenizer(models.WordLevel(vocab, unk_token="a")).save(str(tmp_path / "tok" / "tokenizer.json"))
    export_hf(HybridLM(BASE), tmp_path / "out", tmp_path / "tok")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["eos_token_id"] == 1
    with pytest.raises(ValueError, match="not the tokenizer"):
        export_hf(HybridLM(dataclasses.replace(BASE, vocab_size=3)), tmp_path / "small", tmp_path / "tok")


@pytest.mark.parametrize("name", ["gated", "ungated", "groups"])
def test_cached_logits_equal_transformers_cached_logits(name: str, tmp_path: Path) -> None:
    """A prompt at once, then token by token, on both sides."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(5)
    model = HybridLM(SHAPES[name]).eval()
    export_hf(model, tmp_path)
    theirs = transformers.FalconH1ForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ids = torch.randint(0, 97, (1, 19))
    cache, past = HybridCache(), None
    with torch.no_grad():
        whole = model(ids)
        for start, stop in [(0, 11), *((at, at + 1) for at in range(11, 19))]:
            ours = model(ids[:, start:stop], cache=cache)
            reply = theirs(ids[:, start:stop], past_key_values=past, use_cache=True)
            past = reply.past_key_values
            torch.testing.assert_close(ours, reply.logits, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(ours, whole[:, start:stop], atol=1e-4, rtol=1e-4)


def test_a_cache_holds_a_constant_state_and_only_keys_grow() -> None:
    model = HybridLM(BASE).eval()
    cache = HybridCache()
    sizes = []
    with torch.no_grad():
        for _ in range(3):
            model(torch.randint(0, 97, (1, 16)), cache=cache)
            layer = cache.layers[0]
            assert layer.state_bhpn is not None and layer.conv_bkc is not None and layer.key_bhld is not None
            sizes.append((layer.state_bhpn.numel(), layer.conv_bkc.numel(), layer.key_bhld.numel()))
    assert sizes[0][:2] == sizes[2][:2] and sizes[2][2] == 3 * sizes[0][2]
