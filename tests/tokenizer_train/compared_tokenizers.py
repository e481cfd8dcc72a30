"""Small tokenizers of three kinds for the tests of the comparison, and plain counts of how they cut text."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hostile import TRAINING
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from eyas.text_kernels.words.words import words
from eyas.tokenizer_train.formats import byte_level
from eyas.tokenizer_train.report.loaded import LoadedTokenizer

KINDS = ("bytes", "spaces", "nfkc")


SPLIT = r"[^\s\p{L}\p{N}]|\p{L}+|\p{N}|\s+"


@lru_cache
def loaded(kind: str) -> LoadedTokenizer:
    """`bytes`: GPT-2's kind; `spaces`: Llama-2's, a space before every text; `nfkc`: one that changes texts."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=kind == "spaces", unk_token=None))
    special = [f"<0x{byte:02X}>" for byte in range(256)] if kind == "spaces" else []
    if kind == "spaces":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
    else:
        tokenizer.normalizer = normalizers.NFKC() if kind == "nfkc" else None
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    alphabet = [] if kind == "spaces" else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=alphabet, special_tokens=special, show_progress=False, limit_alphabet=300
    )
    tokenizer.train_from_iterator(TRAINING[:300], trainer)
    if kind == "spaces":
        # Bytes to fall back on are part of the vocabulary, not control tokens: only a trainer cannot say so.
        content = re.sub(r'"added_tokens": ?\[.*?\]', '"added_tokens":[]', tokenizer.to_str(), flags=re.DOTALL)
        tokenizer = Tokenizer.from_str(content)
    return LoadedTokenizer.of(tokenizer, kind)


def column(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def is_content(word: str) -> bool:
    splitter = pre_tokenizers.Split(Regex(r"[\p{L}\p{N}]"), "removed")
    return "".join(piece for piece, _ in splitter.pre_tokenize_str(word)) != word


def naive_words(text: str) -> list[tuple[int, int]]:
    """Byte spans of the words that hold a letter or number."""
    start, end, _ = words(column([text]))
    raw = text.encode()
    return [(a, b) for a, b in zip(start.tolist(), end.tolist(), strict=True) if is_content(raw[a:b].decode())]


def naive_tokens(one: LoadedTokenizer, text: str) -> list[tuple[int, int]] | None:
    """Byte spans of the tokens; None if they are not the text's bytes."""
    pieces = [one.tokens[i] or b"" for i in one.tokenizer.encode(text, add_special_tokens=False).ids]
    if one.adds_space and pieces and pieces[0][:1] == b" ":
        pieces[0] = pieces[0][1:]
    if b"".join(pieces) != text.encode():
        return None
    ends = np.cumsum([0, *map(len, pieces)]).tolist()
    return list(pairwise(ends))


def naive_cut(tokens: list[tuple[int, int]], raw: bytes, start: int, end: int) -> tuple[int, bool]:
    touched = [(a, b) for a, b in tokens if a < end and b > start]
    alone = len(touched) == 1 and raw[slice(*touched[0])].lstrip(b" \t\n\v\f\r") == raw[start:end]
    return len(touched), alone


def with_tokens(more: list[bytes], pattern: str) -> LoadedTokenizer:
    every = [bytes([byte]) for byte in range(256)] + more
    return LoadedTokenizer.of(byte_level(dict(enumerate(every)), pattern), "made")


LATEX = with_tokens(
    [b"in", b"\\in", b"fr", b"ac", b"frac", b"\\frac", b" \\frac"], r" ?\\[A-Za-z]+|[A-Za-z]+|[^A-Za-z]"
)
