"""The encoder: Arrow text in, Arrow lists of ids out.

Control tokens are never recognised in text: a scraped page that spells <|end_of_text|> is encoded as the characters it
is. Ids come as uint16 where the vocabulary allows, else uint32: half the bytes of every shard up to 65,536 tokens.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from tokenizer_train.options import BOS, EOS, PAD

_BATCH = 1024


class Encoder:
    """Encodes text with a tokenizer.json. `bos`, `eos`, `pad`: ids of those control tokens, None if it has none."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self.vocab_size: int = tokenizer.get_vocab_size(with_added_tokens=True)
        self.bos: int | None = tokenizer.token_to_id(BOS)
        self.eos: int | None = tokenizer.token_to_id(EOS)
        self.pad: int | None = tokenizer.token_to_id(PAD)

    @classmethod
    def from_file(cls, path: str | Path) -> Encoder:
        """Loads a tokenizer.json, or the one in a folder; ValueError if it is none."""
        file = Path(path)
        file = file / "tokenizer.json" if file.is_dir() else file
        return cls.from_bytes(file.read_bytes(), str(file))

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "tokenizer.json") -> Encoder:
        """The same from the file's content."""
        try:
            return cls(Tokenizer.from_str(data.decode()))
        except Exception as error:  # tokenizers raises bare Exception
            raise ValueError(f"{name}: not a tokenizer.json that `tokenizers` can read: {error}") from error

    @property
    def id_type(self) -> pa.DataType:
        """The narrowest type for ids."""
        return pa.uint16() if self.vocab_size <= 1 << 16 else pa.uint32()

    def encode(self, text: pa.LargeStringArray) -> pa.LargeListArray:
        """The ids of each text, without control tokens: LargeList<uint16 or uint32>, as long as `text`."""
        dtype = np.uint16 if self.id_type == pa.uint16() else np.uint32
        values, lengths = [], [0]
        for start in range(0, len(text), _BATCH):
            for found in self._tokenizer.encode_batch_fast(
                text[start : start + _BATCH].to_pylist(), add_special_tokens=False
            ):
                ids = np.array(found.ids, dtype)
                values.append(ids)
                lengths.append(len(ids))
        flat = np.concatenate(values) if values else np.zeros(0, dtype)
        return pa.LargeListArray.from_arrays(pa.array(np.cumsum(lengths, dtype=np.int64)), pa.array(flat))

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD, control tokens are left out."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))
