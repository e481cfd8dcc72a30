"""Generation: text from a trained model, one piece at a time.

Each token costs one step of the recurrence and one attention over the past: state and keys are kept,
and the prompt is read once. The trade: a batch of one, fp32, sampling by temperature and top-k only. It serves
to look at a model, not to serve it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eyas.errors import InputError
from eyas.trainer.layers import HybridCache
from eyas.trainer.loading import load_model
from eyas.trainer.model import HybridLM

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
# A code point has at most four bytes, hence four byte-level tokens. More pending tokens are invalid UTF-8.
LONGEST_CHARACTER = 4


def generate(
    model_dir: str | Path,
    tokenizer_dir_or_file: str | Path,
    prompt: str,
    max_tokens: int = 128,
    temperature: float = 0.8,
    top_k: int = 50,
    seed: int = 0,
) -> Iterator[str]:
    """Continue a prompt. Yields pieces of text whose concatenation is the continuation.

    Stops after `max_tokens`, or at `<|end_of_text|>`. With temperature 0 the likeliest token is taken; with top_k 0
    all tokens are candidates. The same seed gives the same text. Raises InputError, at the call, if the model,
    the tokenizer or a setting does not fit.
    """
    if max_tokens < 0 or temperature < 0 or top_k < 0:
        raise InputError("max_tokens, temperature and top_k must not be negative")
    model = load_model(model_dir).eval()
    tokenizer = _load_tokenizer(Path(tokenizer_dir_or_file), model.config.vocab_size)
    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    begin = tokenizer.token_to_id(BEGIN)
    if begin is not None:
        ids = [begin, *ids]
    if not ids:
        raise InputError(f"the prompt is empty and the tokenizer has no {BEGIN}: nothing to start from")
    end = tokenizer.token_to_id(END)
    # The generator is a function of its own, so mistakes surface here and not at the first piece.
    tokens = sample(model, ids, max_tokens, temperature, top_k, seed, tokenizer.get_vocab_size(), end)
    return _as_text(tokens, tokenizer)


@torch.inference_mode()
def sample(
    model: HybridLM,
    prompt: list[int],
    max_tokens: int,
    temperature: float,
    top_k: int,
    seed: int,
    known: int | None = None,
    end: int | None = None,
) -> Iterator[int]:
    """Token ids that continue a prompt, below `known` if it is given: a tokenizer may be smaller than the model."""
    generator = torch.Generator().manual_seed(seed)
    cache = HybridCache()
    fresh = prompt
    for _ in range(max_tokens):
        logits_v = model(torch.tensor([fresh]), cache=cache)[0, -1, :known].float()
        token = _pick(logits_v, temperature, top_k, generator)
        if token == end:
            return
        yield token
        fresh = [token]


def _pick(logits_v: Tensor, temperature: float, top_k: int, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logits_v.argmax())
    if 0 < top_k < len(logits_v):
        best_k, ids_k = logits_v.topk(top_k)
    else:
        best_k, ids_k = logits_v, torch.arange(len(logits_v))
    choice = torch.multinomial((best_k / temperature).softmax(-1), 1, generator=generator)
    return int(ids_k[choice])


def _as_text(tokens: Iterator[int], tokenizer: Tokenizer) -> Iterator[str]:
    """Decode as far as characters are complete. The tokenizer must be byte-level, so that tokens decode on their own."""
    pending: list[int] = []
    for token in tokens:
        pending.append(token)
        text = tokenizer.decode(pending, skip_special_tokens=True)
        if text.endswith("\ufffd") and len(pending) < LONGEST_CHARACTER:
            continue
        pending = []
        if text:
            yield text
    if pending:
        yield tokenizer.decode(pending, skip_special_tokens=True)


def _load_tokenizer(path: Path, vocab_size: int) -> Tokenizer:
    from tokenizers import Tokenizer

    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file} does not exist: give the tokenizer's folder or its tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises bare Exception
        raise InputError(f"{file} is not a tokenizer: {error}") from error
    if tokenizer.get_vocab_size() > vocab_size:
        raise InputError(
            f"{file} has {tokenizer.get_vocab_size()} entries, the model {vocab_size}: "
            "not the tokenizer it was trained with"
        )
    return tokenizer
