"""Tokenizers: byte-level BPE with digits and punctuation split and LaTeX injected, an encoder, fertility."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyas.tokenizer_train.bpe import train_bpe
    from eyas.tokenizer_train.encoder import Encoder
    from eyas.tokenizer_train.pretokenizer import Pretokenizer

__all__ = ["Encoder", "Pretokenizer", "train_bpe"]
_HOMES = {"Encoder": "encoder", "Pretokenizer": "pretokenizer", "train_bpe": "bpe"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command line asks only for the options.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"tokenizer_train.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
