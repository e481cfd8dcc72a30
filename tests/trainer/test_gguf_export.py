"""The GGUF file, loaded by llama.cpp itself: the same next-token probabilities as ours."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch
from shard_sets import tokenizer

from eyas.trainer.config import HybridConfig
from eyas.trainer.gguf_export import export_gguf
from eyas.trainer.model import HybridLM

pytest.importorskip("gguf")
xllamacpp = pytest.importorskip("xllamacpp")

IDS = [1, 5, 77, 250, 33, 33, 102, 14, 299, 8, 61]
SHAPES: dict[str, dict[str, int | float]] = {
    "gated": {},
    "plain": {"gated_norm": False, "tied_embeddings": True},
    "groups": {"ssm_groups": 2, "ssm_heads": 8},
}


def lively(change: dict[str, int | float]) -> HybridLM:
    torch.manual_seed(0)
    model = HybridLM(HybridConfig.preset("tiny", 300, {"layers": 2, "d_model": 128, "d_ff": 256, **change})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def likeliest(file: Path) -> dict[int, float]:
    """Log-probabilities of the next token after IDS, of the 12 likeliest, as llama.cpp has them."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx, parameters.n_parallel, parameters.port, parameters.verbosity = 256, 1, 0, -1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    body = {"prompt": IDS, "n_predict": 1, "temperature": 0, "n_probs": 12, "cache_prompt": False}
    request = urllib.request.Request(
        f"{server.listening_address}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:
        answer: dict[str, Any] = json.load(reply)
    del server
    return {top["id"]: top["logprob"] for top in answer["completion_probabilities"][0]["top_logprobs"]}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("kind", "within"), [("f32", 2e-3), ("bf16", 2e-2), ("q4_0", 0.35)])
def test_llama_cpp_gives_the_same_probabilities(shape: str, kind: Any, within: float, tmp_path: Path) -> None:
    model = lively(SHAPES[shape])
    (tmp_path / "tokenizer.json").write_bytes(tokenizer())
    export_gguf(model, tmp_path / "model.gguf", kind, tmp_path)
    with torch.no_grad():
        ours_v = model(torch.tensor([IDS]))[0, -1].log_softmax(-1)
    theirs = likeliest(tmp_path / "model.gguf")
    assert len(theirs) == 12
    for token, value in theirs.items():
        assert value == pytest.approx(float(ours_v[token]), abs=within), (token, value, float(ours_v[token]))
    assert max(theirs, key=lambda token: theirs[token]) == int(ours_v.argmax()) or kind == "q4_0"


def test_four_bits_are_a_quarter_of_the_size(tmp_path: Path) -> None:
    model = lively({"layers": 6})
    sizes = {}
    for kind in ("bf16", "q4_0"):
        export_gguf(model, tmp_path / f"{kind}.gguf", kind)  # type: ignore[arg-type]
        sizes[kind] = (tmp_path / f"{kind}.gguf").stat().st_size
    assert sizes["q4_0"] < 0.45 * sizes["bf16"]


def test_a_tokenizer_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = HybridLM(HybridConfig.preset("tiny", 200, {"layers": 1}))
    (tmp_path / "tokenizer.json").write_bytes(tokenizer())
    with pytest.raises(ValueError, match="not the tokenizer it was trained with"):
        export_gguf(model, tmp_path / "model.gguf", "bf16", tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "Unigram"}}')
    with pytest.raises(ValueError, match="BPE only"):
        export_gguf(model, tmp_path / "model.gguf", "bf16", tmp_path)
    assert not (tmp_path / "model.gguf").exists()
