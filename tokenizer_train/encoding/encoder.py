"""The encoder: Arrow text in, Arrow lists of ids out, the ids of `tokenizers`.

Byte-level BPE with a pattern that has a kernel (ours, GPT-2's, Llama-3's, Qwen's) runs on `encode_kernel`; anything else
runs on `tokenizers`, and `Encoder.slow_because` gives the reason. Control tokens are never recognised in text: a scraped
page that spells <|end_of_text|> is encoded as the characters it is. Ids are uint16 up to 65,536 tokens, which halves every
shard, and uint32 above. One core encodes 110 MB/s once words have been met, 45 before.
"""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from eyas.errors import InputError
from eyas.text_kernels.utf8 import buffers
from eyas.tokenizer_train.encoding.byte_level import ByteLevel, NotByteLevel, read_byte_level
from eyas.tokenizer_train.encoding.fast_encoder import FastEncoder
from eyas.tokenizer_train.encoding.nfc import normalise
from eyas.tokenizer_train.formats import in_words, parsed, read_tokenizer, token_bytes
from eyas.tokenizer_train.options import BOS, EOS, PAD

_BATCH = 1024
_CHUNK_BYTES = 4_000_000
"""Bytes of text that a thread encodes at a time."""

MOST_IDS: Final = 1 << 24
"""The largest published vocabularies have 262,000 tokens."""


class Encoder:
    """Encodes text with a tokenizer.json. `bos`, `eos`, `pad`: ids of those control tokens, None if it has none.

    `threads`: 0 uses all cores. Only one thread at a time may use an encoder. The tokenizer belongs to the encoder from then
    on: it neither truncates nor pads, leaves no merges out at random (BPE dropout), and takes control tokens in text as
    characters.
    """

    def __init__(self, tokenizer: Tokenizer, threads: int = 0) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        if getattr(tokenizer.model, "dropout", None):
            # Made for training: it leaves merges out at random, so that no two calls give the same ids.
            tokenizer.model.dropout = None
        self._threads = threads or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
        self.vocab_size: int = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1
        """One more than the largest id: rows of an embedding matrix. Some published vocabularies have gaps."""
        if self.vocab_size > MOST_IDS:
            raise InputError(
                f"the tokenizer has the id {self.vocab_size - 1:,}, and {tokenizer.get_vocab_size():,} tokens; ids below "
                f"{MOST_IDS:,} are read, because tables have a row for each"
            )
        self.bos: int | None = tokenizer.token_to_id(BOS)
        self.eos: int | None = tokenizer.token_to_id(EOS)
        self.pad: int | None = tokenizer.token_to_id(PAD)
        self.slow_because: str | None = None
        """Why `tokenizers` encodes instead of our kernel; None if our kernel does."""
        self._fast: ByteLevel | None = None
        self._bytes: list[bytes] | None = None
        self._workers: list[FastEncoder] = []
        """One for each thread."""
        try:
            self._fast = read_byte_level(json.loads(tokenizer.to_str()))
        except NotByteLevel as reason:
            self.slow_because = str(reason)

    @classmethod
    def from_file(cls, path: str | Path, threads: int = 0) -> Encoder:
        """Loads any file that `formats.read_tokenizer` reads, such as a tokenizer.json, or its folder; else InputError."""
        return cls(read_tokenizer(path), threads)

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "tokenizer.json", threads: int = 0) -> Encoder:
        """Loads the content of a tokenizer.json; `name` is its name in error messages."""
        return cls(parsed(data, name), threads)

    @property
    def id_type(self) -> pa.DataType:
        """The narrowest type for ids."""
        return pa.uint16() if self.vocab_size <= 1 << 16 else pa.uint32()

    def encode(self, text: pa.LargeStringArray) -> pa.LargeListArray:
        """The ids of each text, without control tokens: LargeList<uint16 or uint32>, as long as `text`."""
        if self._fast is None:
            return self._encode_slowly(text)
        composed = normalise(text) if self._fast.nfc else text
        special = self._with_added_tokens(text, composed)
        if special is None or not pc.any(special).as_py():
            return self._encode_fast(composed)
        rows = np.flatnonzero(special.to_numpy(zero_copy_only=False))
        rest = np.flatnonzero(~special.to_numpy(zero_copy_only=False))
        parts = [self._encode_fast(composed.take(rest)), self._encode_slowly(text.take(rows))]
        back = np.argsort(np.concatenate([rest, rows]), kind="stable")
        return pa.concat_arrays(parts).take(pa.array(back))

    def _with_added_tokens(self, text: pa.LargeStringArray, composed: pa.LargeStringArray) -> pa.BooleanArray | None:
        """Which texts hold an added token. `tokenizers` looks for some before it normalises, for others after."""
        assert self._fast is not None
        if not self._fast.added:
            return None
        pattern = "|".join(map(re.escape, self._fast.added))
        holds = pc.match_substring_regex(text, pattern)
        return holds if composed is text else pc.or_(holds, pc.match_substring_regex(composed, pattern))

    def _encode_fast(self, text: pa.LargeStringArray) -> pa.LargeListArray:
        assert self._fast is not None
        data, offsets = buffers(text)
        bounds = _chunks(offsets, self._threads)
        workers = min(self._threads, len(bounds) - 1)
        while len(self._workers) < workers:
            self._workers.append(FastEncoder(self._fast))
        if workers <= 1:
            encoded = [
                self._workers[0].encode(data, offsets[a : b + 1], self._dtype)
                for a, b in zip(bounds, bounds[1:], strict=False)
            ]
        else:
            # Worker w takes chunks w, w + workers … Results do not depend on that, because ids do not depend on caches.
            def share(worker: int) -> list[tuple[npt.NDArray[Any], npt.NDArray[np.int64]]]:
                return [
                    self._workers[worker].encode(data, offsets[bounds[i] : bounds[i + 1] + 1], self._dtype)
                    for i in range(worker, len(bounds) - 1, workers)
                ]

            with ThreadPoolExecutor(workers) as pool:
                shares = list(pool.map(share, range(workers)))
            encoded = [shares[i % workers][i // workers] for i in range(len(bounds) - 1)]
        ends = np.zeros(len(text) + 1, np.int64)
        if encoded:
            np.cumsum(np.concatenate([lengths for _, lengths in encoded]), out=ends[1:])
        flat = np.empty(int(ends[-1]), self._dtype)
        starts = np.cumsum([0, *(len(ids) for ids, _ in encoded)]).tolist()

        def put(i: int) -> None:
            flat[starts[i] : starts[i + 1]] = encoded[i][0]

        # All threads write, because new pages of memory take a tenth of the whole time.
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            list(pool.map(put, range(len(encoded))))
        return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(flat))

    @property
    def _dtype(self) -> Any:
        return np.uint16 if self.id_type == pa.uint16() else np.uint32

    def _encode_slowly(self, text: pa.LargeStringArray) -> pa.LargeListArray:
        dtype = self._dtype
        values, lengths = [], [0]
        for start in range(0, len(text), _BATCH):
            with in_words("the tokenizer cannot encode a text"):
                encodings = self._tokenizer.encode_batch_fast(
                    text[start : start + _BATCH].to_pylist(), add_special_tokens=False
                )
            for encoding in encodings:
                ids = np.array(encoding.ids, dtype)
                values.append(ids)
                lengths.append(len(ids))
        flat = np.concatenate(values) if values else np.zeros(0, dtype)
        return pa.LargeListArray.from_arrays(pa.array(np.cumsum(lengths, dtype=np.int64)), pa.array(flat))

    def control_id(self, name: str) -> int:
        """The id of a control token; InputError if the tokenizer has none of this name."""
        number = self._tokenizer.token_to_id(name)
        known = self._tokenizer.get_added_tokens_decoder()
        if number is None or number not in known or not known[number].special:
            raise InputError(
                f"{name!r} stands in the documents as a control token, but the tokenizer has no such token: name it under "
                f"`tokenizer: {{special_tokens: […]}}`, or choose one that it has ({', '.join(_special(known))})"
            )
        return int(number)

    def token_bytes(self, number: int) -> bytes:
        """The bytes of an id; for a control token, its name as UTF-8. KeyError if there is no such id."""
        if self._bytes is None:
            named = self._tokenizer.get_added_tokens_decoder()
            self._bytes = [
                named[i].content.encode() if token is None and i in named else token or b""
                for i, token in enumerate(token_bytes(self._tokenizer))
            ]
        if not 0 <= number < len(self._bytes):
            raise KeyError(f"id {number}: the vocabulary has {len(self._bytes):,} ids")
        return self._bytes[number]

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`. Bytes that are not UTF-8 become U+FFFD, and control tokens are left out."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def _special(known: dict[int, Any]) -> list[str]:
    return [token.content for _, token in sorted(known.items()) if token.special][:20]


def _chunks(offsets: npt.NDArray[np.int64], threads: int) -> list[int]:
    """Documents at which chunks begin, and the end. Chunks have about `_CHUNK_BYTES` at most, and suffice for all threads."""
    total = int(offsets[-1] - offsets[0])
    size = max(min(_CHUNK_BYTES, -(-total // max(threads, 1))), 1)
    wanted = int(offsets[0]) + np.arange(0, total, size)
    bounds = np.unique(np.searchsorted(offsets[:-1], wanted)).tolist()
    return [*bounds, len(offsets) - 1] if len(offsets) > 1 else []
