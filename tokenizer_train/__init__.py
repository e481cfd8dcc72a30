"""Tokenizers: training of byte-level BPE with split digits and LaTeX commands, encoding, comparison, surgery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyas.lazy import lazy

if TYPE_CHECKING:
    from eyas.tokenizer_train.encoding.encoder import Encoder
    from eyas.tokenizer_train.pretokenizer import Pretokenizer
    from eyas.tokenizer_train.training.bpe import train_bpe

__all__ = ["Encoder", "Pretokenizer", "train_bpe"]

__getattr__ = lazy(
    __name__,
    {
        "Encoder": "eyas.tokenizer_train.encoding.encoder",
        "Pretokenizer": "eyas.tokenizer_train.pretokenizer",
        "train_bpe": "eyas.tokenizer_train.training.bpe",
    },
)
