"""Learns merges from a table of pretokens and counts: the merges of `tokenizers`' BpeTrainer, one for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.tokenizer_train.training.merge_loop import merge_loop
from eyas.tokenizer_train.training.merge_start import (
    make_merges,
    make_pairs,
    make_scratch,
    make_sizes,
    make_tokens,
    make_words,
)
from eyas.tokenizer_train.training.merge_state import ENTRIES, EXHAUSTED, MERGES, PLACES, TOKENS, Pairs, Scratch, Tokens

_NO_LIMIT = 1 << 40


@dataclass(frozen=True)
class Learned:
    """Merges in order. The same pair may come again (`merge_loop`); its last rank is the one that holds."""

    tokens: list[bytes]
    """By id: special tokens (their UTF-8), the 256 bytes, then what merges made."""
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    made: npt.NDArray[np.int64]
    """By merge: the ids of the pair, and of the token that it makes, which may have existed before."""
    counts: npt.NDArray[np.uint64]
    """By merge: how often the pair occurred."""
    exhausted: bool
    """No pair was left that occurs `min_frequency` times."""


def learn_merges(
    pretokens: pa.LargeBinaryArray,
    counts: npt.NDArray[np.uint64],
    most_tokens: int,
    special_tokens: Sequence[str] = (),
    min_frequency: int = 0,
    max_token_length: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Learned:
    """Learns until there are `most_tokens` tokens, special ones and 256 bytes included, or no pair is left.

    `pretokens` are distinct. Pairs that occur less often than `min_frequency` are not merged. Tokens are shorter than
    `max_token_length` bytes, but any two bytes may be one token (both as in `tokenizers`). `progress` gets the number of
    tokens.
    """
    tokens, alphabet, known = make_tokens(special_tokens, max(most_tokens, 256 + len(special_tokens)))
    sizes = make_sizes(tokens, known)
    words = make_words(pretokens, counts, alphabet)
    pairs = make_pairs(words, tokens, sizes, min_frequency)
    most_merges = 2 * most_tokens
    merges = make_merges(most_merges)
    largest = int(pairs.length[: sizes[ENTRIES]].max(initial=0))
    scratch = make_scratch(len(tokens.length), largest + 1024)
    limit = _NO_LIMIT if max_token_length is None else max_token_length
    while True:
        stop = min(most_tokens, int(sizes[TOKENS]) + 1000) if progress else most_tokens
        needed = merge_loop(
            words, pairs, tokens, merges, scratch, sizes, stop, most_merges, np.uint64(min_frequency), limit
        )
        if needed > 0:
            _make_room(pairs, scratch, sizes, needed)
        elif needed < 0:
            _grow(tokens.data, len(tokens.data) - needed)
        else:
            if progress:
                progress(int(sizes[TOKENS]))
            if sizes[EXHAUSTED] or sizes[TOKENS] >= most_tokens or sizes[MERGES] >= most_merges:
                break
    count = int(sizes[MERGES])
    pair = merges.pair[:count]
    return Learned(
        tokens=[
            *(name.encode() for name in special_tokens),
            *_token_bytes(tokens, len(special_tokens), int(sizes[TOKENS])),
        ],
        left=(pair >> np.uint64(32)).astype(np.int64),
        right=(pair & np.uint64(0xFFFFFFFF)).astype(np.int64),
        made=merges.token[:count].astype(np.int64),
        counts=merges.frequency[:count].copy(),
        exhausted=bool(sizes[EXHAUSTED]),
    )


def _token_bytes(tokens: Tokens, start: int, stop: int) -> list[bytes]:
    data = tokens.data[: tokens.offsets[stop]].tobytes()
    ends = tokens.offsets[start : stop + 1].tolist()
    return [data[start:end] for start, end in zip(ends, ends[1:], strict=False)]


def _make_room(pairs: Pairs, scratch: Scratch, sizes: npt.NDArray[np.int64], needed: int) -> None:
    """Makes room for `needed` more entries and places."""
    for array in pairs:
        used = int(sizes[PLACES if array is pairs.places else ENTRIES])
        _grow(array, used + needed)
    for by_place in (scratch.before.neighbours, scratch.after.neighbours, scratch.word_counts):
        _grow(by_place, needed)


def _grow(array: npt.NDArray[Any], wanted: int) -> None:
    """Resizes in place, an eighth beyond `wanted`: the system moves large arrays by pages, not by bytes."""
    if len(array) < wanted:
        array.resize(wanted + wanted // 8, refcheck=False)
