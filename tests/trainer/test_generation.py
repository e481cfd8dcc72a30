"""Streamed text is valid UTF-8, reproducible, and the same as without a cache."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from eyas.trainer.config import HybridConfig
from eyas.trainer.files import save_model
from eyas.trainer.generation import _as_text, generate, sample
from eyas.trainer.hf import export_hf
from eyas.trainer.model import HybridLM

SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>"]


@pytest.fixture
def tokenizer_dir(tmp_path: Path) -> Path:
    """A byte-level tokenizer without merges: every byte is a token, so characters come in pieces."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({char: i + 2 for i, char in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    (tmp_path / "tokenizer").mkdir()
    tokenizer.save(str(tmp_path / "tokenizer" / "tokenizer.json"))
    return tmp_path / "tokenizer"


def build(vocab_size: int = 258) -> HybridLM:
    torch.manual_seed(0)
    overrides = {"d_model": 32, "d_ff": 48, "layers": 2, "head_dim": 16, "ssm_heads": 2, "ssm_head_dim": 16}
    return HybridLM(HybridConfig.preset("tiny", vocab_size, overrides)).eval()


def test_text_streams_from_both_formats(tmp_path: Path, tokenizer_dir: Path) -> None:
    save_model(build(), tmp_path / "ours")
    export_hf(build(), tmp_path / "theirs", tokenizer_dir)
    texts = []
    for model_dir, tokenizer in (
        (tmp_path / "ours", tokenizer_dir),
        (tmp_path / "theirs", tokenizer_dir / "tokenizer.json"),
    ):
        pieces = list(generate(model_dir, tokenizer, "Grüße, 世界", 60, temperature=1.0, top_k=0, seed=5))
        "".join(pieces).encode("utf-8")
        assert len(pieces) > 10
        texts.append("".join(pieces))
    assert texts[0] == texts[1]
    other = "".join(generate(tmp_path / "ours", tokenizer_dir, "Grüße, 世界", 60, temperature=1.0, top_k=0, seed=6))
    assert other != texts[0]
    assert list(generate(tmp_path / "ours", tokenizer_dir, "x", 0)) == []
    assert "".join(generate(tmp_path / "ours", tokenizer_dir, "", 5))  # BOS alone is a prompt


def test_characters_are_never_split(tokenizer_dir: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tokenizer_dir / "tokenizer.json"))
    text = "naïve 世界 🦅 ok"
    pieces = list(_as_text(iter(tokenizer.encode(text, add_special_tokens=False).ids), tokenizer))
    assert pieces == list(text)
    cut = tokenizer.encode("a🦅", add_special_tokens=False).ids[:-1]
    assert "".join(_as_text(iter(cut), tokenizer)).startswith("a\ufffd")


def test_cached_sampling_equals_reading_everything_again() -> None:
    model = build()
    prompt = [5, 6, 7, 8]
    got = list(sample(model, prompt, 20, temperature=0, top_k=0, seed=0))
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(20):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    assert got == ids[4:]
    assert list(sample(model, prompt, 20, temperature=1, top_k=1, seed=0)) == got
    assert list(sample(model, prompt, 20, 0, 0, 0, end=got[3]))[:4] == got[:3]
    assert max(sample(model, prompt, 50, 5.0, 0, 0, known=9)) < 9


def test_mistakes_surface_at_the_call(tmp_path: Path, tokenizer_dir: Path) -> None:
    save_model(build(100), tmp_path / "small")
    with pytest.raises(ValueError, match="258 entries, the model 100"):
        generate(tmp_path / "small", tokenizer_dir, "x")
    with pytest.raises(ValueError, match=r"config\.json is missing"):
        generate(tmp_path / "nowhere", tokenizer_dir, "x")
    save_model(build(), tmp_path / "good")
    with pytest.raises(ValueError, match="does not exist"):
        generate(tmp_path / "good", tmp_path / "no.json", "x")
    with pytest.raises(ValueError, match="negative"):
        generate(tmp_path / "good", tokenizer_dir, "x", temperature=-1)
    (tmp_path / "good" / "config.json").write_text('{"format": "other"}')
    with pytest.raises(ValueError, match="not a model of this project"):
        generate(tmp_path / "good", tokenizer_dir, "x")
