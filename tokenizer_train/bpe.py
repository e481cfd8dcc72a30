"""Byte-level BPE: train once to the largest size, cut every smaller vocabulary out of it, inject LaTeX, write files.

BPE is greedy, so vocabularies nest: the merges of a smaller one are the first merges of a larger one, and four
sizes cost one training. The layout of ids: special tokens, 256 bytes, merges, injected commands at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tokenizer_train.latex import commands
from tokenizer_train.options import BOS, EOS, PAD, TokenizerOptions
from tokenizer_train.pretokenizer import Pretokenizer


class VocabularyTooLarge(ValueError):
    """The text does not hold enough pairs for the vocabulary that was asked for."""


@dataclass(frozen=True)
class Merges:
    """What training finds: `merges[i]` is a pair of tokens in byte-level characters, most frequent first."""

    alphabet: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]


def train_bpe(texts: Iterable[str], options: TokenizerOptions) -> Merges:
    """Learns the merges for the largest of `options.vocab_sizes` from `texts`.

    Raises `VocabularyTooLarge` if the texts give fewer merges than needed, naming the largest possible size.
    """
    fixed = len(options.special_tokens) + len(commands(options.latex))
    largest = max(options.vocab_sizes)
    if min(options.vocab_sizes) - fixed < 256:
        raise ValueError(
            f"vocab_sizes: {min(options.vocab_sizes)} has no room for 256 bytes, "
            f"{len(options.special_tokens)} special tokens and {len(commands(options.latex))} LaTeX commands"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = Pretokenizer.of(options).for_training().to_tokenizers()
    trainer = trainers.BpeTrainer(
        # The commands' room is used too: where punctuation is not split, merges may make commands, and others must follow.
        vocab_size=largest - len(options.special_tokens),
        min_frequency=options.min_frequency,
        max_token_length=options.max_token_length,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        special_tokens=[],
    )
    tokenizer.train_from_iterator(_batched(texts), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    alphabet = tuple(sorted(pre_tokenizers.ByteLevel.alphabet()))
    found = Merges(alphabet, tuple((left, right) for left, right in model["merges"]))
    vocab, merges = vocabulary(found, options, largest)
    if len(vocab) < largest:
        raise VocabularyTooLarge(
            f"tokenizer: the curated text gives a vocabulary of {len(vocab):,} at most, {largest:,} was asked for. "
            f"Lower `vocab_sizes`, lower `min_frequency` (now {options.min_frequency}), or curate more text."
        )
    return Merges(alphabet, tuple(merges))


def _batched(texts: Iterable[str], size: int = 256) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def vocabulary(found: Merges, options: TokenizerOptions, size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary of exactly `size` tokens and the merges it needs."""
    injected = commands(options.latex)
    tokens = dict.fromkeys([*options.special_tokens, *found.alphabet])
    # Two pairs can make the same token (a+bc, ab+c), and a pair an injected command: it has one id, and the next merge
    # takes the room.
    distinct = {*tokens, *injected}
    merges: list[tuple[str, str]] = []
    for left, right in found.merges:
        if len(distinct) == size:
            break
        merges.append((left, right))
        tokens.setdefault(left + right)
        distinct.add(left + right)
    for command in injected:
        tokens.setdefault(command)
    return {token: number for number, token in enumerate(tokens)}, merges


def build(found: Merges, options: TokenizerOptions, size: int) -> Tokenizer:
    """The tokenizer of `size` tokens, as `tokenizers` runs it.

    `ignore_merges` makes a pretoken that is in the vocabulary one token without looking at merges: that is how an
    injected command, which no merge makes, comes out whole, and an unknown command falls back to BPE.
    """
    vocab, merges = vocabulary(found, options, size)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = Pretokenizer.of(options).to_tokenizers()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(options.special_tokens))
    return tokenizer


def tokenizer_config() -> dict[str, Any]:
    """What `transformers.AutoTokenizer` wants beside tokenizer.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "bos_token": BOS,
        "eos_token": EOS,
        "clean_up_tokenization_spaces": False,
    }
