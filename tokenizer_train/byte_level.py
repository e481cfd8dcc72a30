"""A byte-level BPE model as arrays, read from a tokenizer.json: what the fast encoder runs on.

Every part that changes ids must be understood, or the file is refused with the reason and `tokenizers` itself encodes: a
pattern outside our family, a normaliser other than NFC, a model that is not byte-level BPE. Reading Llama-3's 128,000
tokens takes 0.6 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from text_kernels.jit import kernel
from text_kernels.pretoken_table import IN_SLOT, LENGTH, VALUE, find, keys, new_slots
from text_kernels.pretokens import Rules
from text_kernels.utf8 import buffers
from tokenizer_train.alphabet import BYTE_OF, CHARACTERS, to_bytes
from tokenizer_train.pretokenizer import PRESETS, Pretokenizer


class NotByteLevel(ValueError):
    """The tokenizer has a part that the fast encoder does not know; the message names it."""


class Model(NamedTuple):
    """What a kernel reads."""

    byte_ids: npt.NDArray[np.int32]
    """The id of each byte."""
    pairs: npt.NDArray[np.uint64]
    """An open-addressing table of two numbers a slot: (left << 32 | right) + 1, or 0; rank << 32 | id of the token."""
    slots: npt.NDArray[np.uint64]
    """A `pretoken_table` of the vocabulary, if pretokens are looked up in it before merging; else empty."""
    data: npt.NDArray[np.uint8]
    """Its arena."""


@dataclass(frozen=True)
class ByteLevel:
    """A model and what surrounds it."""

    model: Model
    rules: Rules
    nfc: bool
    """Text is normalised to NFC first."""
    added: tuple[str, ...]
    """Added tokens that are no control tokens: `tokenizers` finds them in text before anything else."""


def read_byte_level(content: dict[str, Any]) -> ByteLevel:
    """The model of a parsed tokenizer.json; NotByteLevel says what is not understood."""
    model = content["model"]
    _check_model(model)
    normalizer = content.get("normalizer")
    if normalizer is not None and normalizer.get("type") != "NFC":
        raise NotByteLevel(f"normalizer {normalizer.get('type')}")
    vocab: dict[str, int] = model["vocab"]
    if any(character not in vocab for character in CHARACTERS):
        raise NotByteLevel("a vocabulary without all 256 bytes")
    return ByteLevel(
        model=Model(
            np.array([vocab[character] for character in CHARACTERS], np.int32),
            _pair_table(model["merges"], vocab),
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


def _pretokenizer(found: dict[str, Any] | None) -> Pretokenizer:
    steps = found.get("pretokenizers", [found]) if found else []
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


def _pair_table(merges: list[Any], vocab: dict[str, int]) -> npt.NDArray[np.uint64]:
    left, right, made = (np.empty(len(merges), np.int64) for _ in range(3))
    for rank, merge in enumerate(merges):
        first, second = merge.split(" ") if isinstance(merge, str) else merge
        left[rank], right[rank], made[rank] = vocab[first], vocab[second], vocab[first + second]
    pairs = np.zeros(2 << max(4, (2 * len(merges)).bit_length()), np.uint64)
    _fill_pairs(left, right, made, pairs)
    return pairs


@kernel
def _fill_pairs(
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    made: npt.NDArray[np.int64],
    pairs: npt.NDArray[np.uint64],
) -> None:
    """Of the same pair twice the later rank holds, as in `tokenizers`."""
    mask = len(pairs) // 2 - 1
    for rank in range(len(left)):
        pair = (np.uint64(left[rank]) << np.uint64(32)) | np.uint64(right[rank])
        at = np.int64((pair * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
        while pairs[2 * at] != 0 and pairs[2 * at] != pair + np.uint64(1):
            at = (at + 1) & mask
        pairs[2 * at] = pair + np.uint64(1)
        pairs[2 * at + 1] = (np.uint64(rank) << np.uint64(32)) | np.uint64(made[rank])


def _vocabulary_table(vocab: dict[str, int]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """Tokens that can be a pretoken: those spelled in the byte-level alphabet."""
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
        at = find(slots, data, data, start, length, first, second, hashed)
        # `fill` would copy the bytes into the arena; they are there.
        slots[at], slots[at + LENGTH] = first, np.uint64(length)
        slots[at + 1] = second if length <= IN_SLOT else np.uint64(start)
        slots[at + VALUE] = np.uint64(ids[row])
