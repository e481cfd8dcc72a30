"""A tokenizer loaded for comparison: its encoder, and the bytes of all its tokens in one array.

From these bytes, kernels find where tokens begin and end in a text without a Python string per token: 0.1 s for 20 MB of
text. The trade: a vocabulary whose tokens have no bytes of their own (WordPiece, Unigram without byte fallback) cannot
be compared, and `token_bytes` refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Tokenizer

from eyas.errors import InputError
from eyas.tokenizer_train.encoding.encoder import Encoder
from eyas.tokenizer_train.formats import read_tokenizer, token_bytes

_COMMON_NAMES = {"tokenizer.json", "tokenizer.model", "tokenizer", "package", "models", "data", "resources"}
"""Parts of a path that do not distinguish tokenizers."""


@dataclass(frozen=True)
class LoadedTokenizer:
    """One tokenizer. `tokens[i]`: the bytes of id i, None for control tokens and ids that are no token."""

    label: str
    path: str
    encoder: Encoder
    tokenizer: Tokenizer
    tokens: list[bytes | None]
    data: npt.NDArray[np.uint8]
    """The bytes of all tokens, one after another."""
    offsets: npt.NDArray[np.int64]
    """Token i is `data[offsets[i]:offsets[i + 1]]`."""
    adds_space: bool
    """Whether a space is put before every text, as Llama-2 does."""

    @classmethod
    def read(cls, path: str | Path, label: str) -> LoadedTokenizer:
        """Reads any format of `formats.read_tokenizer`; InputError with the path for anything else."""
        tokenizer = read_tokenizer(path)
        try:
            return cls.of(tokenizer, label, str(path))
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error

    @classmethod
    def of(cls, tokenizer: Tokenizer, label: str, path: str = "") -> LoadedTokenizer:
        """Loads a tokenizer in memory."""
        tokens = [_spaces(tokenizer, number, token) for number, token in enumerate(token_bytes(tokenizer))]
        lengths = np.array([len(token or b"") for token in tokens], np.int64)
        data = np.frombuffer(b"".join(token or b"" for token in tokens), np.uint8)
        encoder = Encoder(tokenizer)
        probe = encoder.encode(pa.array(["a"], pa.large_string())).to_pylist()[0]
        adds_space = b"".join(tokens[token] or b"" for token in probe) == b" a"
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return cls(label, path, encoder, tokenizer, tokens, data, offsets, adds_space)

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, control tokens included."""
        return self.encoder.vocab_size

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of a few texts."""
        ids: list[list[int]] = self.encoder.encode(pa.array(texts, pa.large_string())).to_pylist()
        return ids

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """The bytes of each id; b"" for control tokens."""
        return [self.tokens[token] or b"" for token in ids]


def _spaces(tokenizer: Tokenizer, number: int, token: bytes | None) -> bytes | None:
    """Gemma's runs of spaces are added tokens, spelled with U+2581. The decoder gives what they stand for."""
    if token is None or "\u2581".encode() not in token:
        return token
    return str(tokenizer.decode([number], skip_special_tokens=False)).encode()


def labels(paths: Sequence[str]) -> list[str]:
    """A short name for each path, all different: its last distinctive part, and as many parts before it as needed."""
    parts = {path: _distinctive_parts(path) for path in paths}
    by_path = {path: _tail(own_parts, 2 if own_parts[-1].isdigit() else 1) for path, own_parts in parts.items()}
    for length in range(2, max(map(len, parts.values()), default=0) + 1):
        names = list(by_path.values())
        for path, name in list(by_path.items()):
            if names.count(name) > 1:
                by_path[path] = _tail(parts[path], length)
    return _numbered([by_path[path] for path in paths])


def _numbered(names: Sequence[str]) -> list[str]:
    """Adds a number to a name that still occurs twice: a path was given twice, or holds hidden characters."""
    numbered: list[str] = []
    for name in names:
        number, new = 1, name
        while new in numbered:
            number += 1
            new = f"{name} ({number})"
        numbered.append(new)
    return numbered


def _distinctive_parts(path: str) -> list[str]:
    parts = [part for part in Path(path).parts if part not in ("/", ".", "..")]
    kept = [part for part in parts if part not in _COMMON_NAMES] or parts or [path]
    for ending in (".json", ".tiktoken", ".model"):
        kept[-1] = kept[-1].removesuffix(ending) or kept[-1]
    return ["".join(c if c.isprintable() else "\ufffd" for c in part) for part in kept]


def _tail(parts: Sequence[str], length: int) -> str:
    return "/".join(parts[-length:])
