"""Bits per byte on held-out documents, source by source: the one measure that does not depend on the tokenizer.

    bits per byte = -log2 p(all tokens of the text) / bytes of the text

A vocabulary of 261,120 entries has fewer and harder tokens than one of 32,768, so losses per token do not compare, and
losses per byte do (The Pile, Gao et al. 2020, section 3.1). The first token of a document (begin-of-text, if the shards
have one) is given and not predicted.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch

from eyas.corpus.store import Store
from eyas.shards.format import Index
from eyas.shards.reader import Reader
from eyas.trainer.model import HybridLM
from eyas.trainer.segments import next_token_targets

ROWS_AT_ONCE = 2


@dataclass(frozen=True)
class _Rows:
    """Rows of one source. `text_bytes`: bytes of their text, estimated from the tokens if only some rows are taken."""

    ids_bl: torch.Tensor
    segments_bl: torch.Tensor
    text_bytes: float


class HeldOut:
    """Held-out documents, packed as shards in a folder. `rows`: most rows of each source, spread evenly.

    Raises InputError, naming the file, if shards differ from their index.
    """

    def __init__(self, folder: str, rows: int) -> None:
        store = Store(folder)
        self.index = Index.load(store)
        reader = Reader(store, self.index)
        reader.verify()
        self.sources: dict[str, _Rows] = {}
        firsts = np.cumsum([0, *(file.rows for file in self.index.files)])
        for source in self.index.sources:
            of_source = [i for i, file in enumerate(self.index.files) if file.source == source]
            numbers = np.concatenate([np.arange(firsts[i], firsts[i + 1]) for i in of_source])
            chosen = numbers[np.linspace(0, len(numbers) - 1, min(rows, len(numbers))).astype(np.int64)]
            addresses = reader.addresses(chosen)
            ids, segments = torch.from_numpy(reader.ids(addresses)), torch.from_numpy(reader.segments(addresses))
            files = [self.index.files[i] for i in of_source]
            per_token = sum(file.text_bytes for file in files) / max(sum(file.tokens for file in files), 1)
            self.sources[source] = _Rows(ids, segments, int((segments >= 0).sum()) * per_token)

    @torch.no_grad()
    def bits_per_byte(self, model: HybridLM, precision: AbstractContextManager[None]) -> dict[str, float]:
        """Bits per byte of each source, and of `all` weighted by bytes. `precision`: the autocast of training."""
        device = next(model.parameters()).device
        was_training = model.training
        model.eval()
        bits: dict[str, float] = {}
        with precision:
            for source, rows in self.sources.items():
                nats = 0.0
                for start in range(0, len(rows.ids_bl), ROWS_AT_ONCE):
                    pieces = (rows.ids_bl, rows.segments_bl)
                    ids_bl, segments_bl = (t[start : start + ROWS_AT_ONCE].to(device) for t in pieces)
                    targets = int((next_token_targets(ids_bl, segments_bl) >= 0).sum())
                    nats += float(model.loss(ids_bl, segments_bl, 1)) if targets else 0.0
                bits[source] = nats / math.log(2)
        model.train(was_training)
        size = {source: rows.text_bytes for source, rows in self.sources.items()}
        rates = {source: bits[source] / size[source] for source in bits}
        if rates:
            rates["all"] = sum(bits.values()) / sum(size.values())
        return rates
