"""Reads a tokenizer.json into the arrays that the fast encoder runs on.

If a part that changes ids is not understood, the file is refused with the reason, and `tokenizers` itself encodes. Such
parts are a pattern outside our family, a normaliser other than NFC, and a model that is not byte-level BPE. Reading
Llama-3's 128,000 tokens takes 0.6 s.
"""
# Tested in tests/tokenizer_train/encoding/test_encoder.py.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.errors import InputError
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.pretokens.rules import Rules
from eyas.text_kernels.pretokens.table import IN_SLOT, LENGTH, VALUE, find, keys, new_slots, place
from eyas.text_kernels.utf8 import buffers
from eyas.tokenizer_train.alphabet import BYTE_OF, CHARACTERS, to_bytes
from eyas.tokenizer_train.encoding.pair_table import RANK_BITS, SYMBOL_BITS, pair_table, rank_of
from eyas.tokenizer_train.pretokenizer import PRESETS, Pretokenizer

MOST_TOKENS: Final = 2**SYMBOL_BITS - 1
MOST_MERGES: Final = 2**RANK_BITS


class NotByteLevel(InputError):
    """The tokenizer has a part that the fast encoder does not know; the message names it."""


class Model(NamedTuple):
    """A byte-level BPE model as the kernels read it."""

    byte_ids: npt.NDArray[np.int32]
    """The id of each byte."""
    byte_pairs: npt.NDArray[np.int32]
    """The rank of each pair of bytes, at first << 8 | second; NO_RANK: the pair is not merged."""
    pairs: npt.NDArray[np.uint64]
    moves: npt.NDArray[np.uint16]
    """`pairs` and `moves` are a `pair_table`."""
    merged_ids: npt.NDArray[np.int32]
    """By rank: the id of the token that the merge makes."""
    slots: npt.NDArray[np.uint64]
    """A hash table of the vocabulary, if pretokens are looked up in it before merging (`ignore_merges`); else empty."""
    data: npt.NDArray[np.uint8]
    """The table's arena."""


@dataclass(frozen=True)
class ByteLevel:
    """A model with its pretokenizer, normalizer and added tokens."""

    model: Model
    rules: Rules
    nfc: bool
    """Whether text is normalised to NFC first."""
    added: tuple[str, ...]
    """Added tokens that are no control tokens. `tokenizers` takes them out of the text before it cuts."""


def read_byte_level(content: dict[str, Any]) -> ByteLevel:
    """The model of a parsed tokenizer.json; NotByteLevel names the part that is not understood."""
    model = content["model"]
    _check_model(model)
    normalizer = content.get("normalizer")
    if normalizer is not None and normalizer.get("type") != "NFC":
        raise NotByteLevel(f"normalizer {normalizer.get('type')}")
    vocab: dict[str, int] = model["vocab"]
    if any(character not in vocab for character in CHARACTERS):
        raise NotByteLevel("a vocabulary without all 256 bytes")
    if max(vocab.values()) > MOST_TOKENS or len(model["merges"]) > MOST_MERGES:
        raise NotByteLevel(f"more than {MOST_TOKENS:,} tokens, or {MOST_MERGES:,} merges")
    return ByteLevel(
        model=Model(
            np.array([vocab[character] for character in CHARACTERS], np.int32),
            *_pair_tables(model["merges"], vocab),
            *(_vocabulary_table(vocab) if model.get("ignore_merges") else (new_slots(0), np.zeros(0, np.uint8))),
        ),
        rules=_pretokenizer(content.get("pre_tokenizer")).rules,
        nfc=normalizer is not None,
        added=tuple(t["content"] for t in content.get("added_tokens", []) if not t["special"]),
    )


def _check_model(model: dict[str, Any]) -> None:
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        raise NotByteLevel(f"a model of type {model.get('type')}")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(name):
            raise NotByteLevel(f"{name}: {model[name]}")


def _pretokenizer(content: dict[str, Any] | None) -> Pretokenizer:
    steps = content.get("pretokenizers", [content]) if content else []
    if steps and steps[-1]["type"] == "ByteLevel" and not steps[-1].get("add_prefix_space"):
        if len(steps) == 1 and steps[0].get("use_regex", True):
            return PRESETS["gpt-2"]
        if len(steps) == 2 and steps[0]["type"] == "Split" and not steps[1].get("use_regex", True):
            how = (steps[0]["behavior"], steps[0].get("invert", False))
            known = Pretokenizer.of_pattern(steps[0]["pattern"].get("Regex", ""))
            # The family's patterns match every character, so what is between matches is nothing.
            if known is not None and how in (("Isolated", False), ("Removed", True)):
                return known
    patterns = [step.get("pattern", step["type"]) for step in steps]
    raise NotByteLevel(f"a pre-tokenizer whose pattern has no kernel: {patterns}")


def _pair_tables(
    merges: list[Any], vocab: dict[str, int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint64], npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    """`byte_pairs`, `pairs`, `moves` and `merged_ids` of a `Model`."""
    left, right, merged_ids = (np.empty(len(merges), np.int32) for _ in range(3))
    for rank, merge in enumerate(merges):
        first, second = merge.split(" ") if isinstance(merge, str) else merge
        left[rank], right[rank], merged_ids[rank] = vocab[first], vocab[second], vocab[first + second]
    pairs, moves = pair_table(left, right)
    byte_ids = np.array([vocab[character] for character in CHARACTERS], np.int32)
    byte_pairs = np.empty(1 << 16, np.int32)
    _fill_byte_pairs(byte_ids, pairs, moves, byte_pairs)
    return byte_pairs, pairs, moves, merged_ids


@kernel
def _fill_byte_pairs(
    byte_ids: npt.NDArray[np.int32],
    pairs: npt.NDArray[np.uint64],
    moves: npt.NDArray[np.uint16],
    byte_pairs: npt.NDArray[np.int32],
) -> None:
    for first in range(256):
        for second in range(256):
            byte_pairs[first << 8 | second] = rank_of(pairs, moves, byte_ids[first], byte_ids[second])


def _vocabulary_table(vocab: dict[str, int]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """A hash table of the tokens that can be a pretoken, those spelled in the byte-level alphabet, and its arena."""
    tokens = {to_bytes(spelled): number for spelled, number in vocab.items() if all(c in BYTE_OF for c in spelled)}
    data, offsets = buffers(pa.array(tokens, pa.large_binary()).view(pa.large_string()))
    slots = new_slots(max(4, (2 * len(tokens)).bit_length()))
    _fill_vocabulary(data, offsets, np.array(list(tokens.values()), np.int64), slots)
    return slots, data


@kernel
def _fill_vocabulary(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    ids: npt.NDArray[np.int64],
    slots: npt.NDArray[np.uint64],
) -> None:
    for row in range(len(ids)):
        start, length = offsets[row], offsets[row + 1] - offsets[row]
        if length == 0:
            continue
        first, second, hashed = keys(data, start, length)
        at = find(slots, data, data, start, length, first, second, place(slots, hashed))
        # `fill` would copy the bytes into the arena, where they are already.
        slots[at], slots[at + LENGTH] = first, np.uint64(length)
        slots[at + 1] = second if length <= IN_SLOT else np.uint64(start)
        slots[at + VALUE] = np.uint64(ids[row])
