"""Bits per byte on held-out documents, source by source: the one measure that does not depend on the tokenizer.

    bits per byte = -log2 p(all tokens of the text) / bytes of the text

A vocabulary of 261,120 entries has fewer and harder tokens than one of 32,768; per byte they compare (The Pile, Gao et al.
2020, §3.1). The first token of a document, begin-of-text where there is one, is given and not predicted.
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
    """Rows of one source; `text_bytes`: of the text they hold, in proportion if not all rows are taken."""

    ids_bl: torch.Tensor
    segments_bl: torch.Tensor
    text_bytes: float


class HeldOut:
    """Held-out documents, packed as shards in a folder. `rows`: so many of each source at most, spread evenly.

    Raises ValueError, naming the file, for shards that are not what their index says.
    """

    def __init__(self, folder: str, rows: int) -> None:
        store = Store(folder)
        self.index = Index.load(store)
        reader = Reader(store, self.index)
        reader.verify()
        self.sources: dict[str, _Rows] = {}
        firsts = np.cumsum([0, *(file.rows for file in self.index.files)])
        for source in self.index.sources:
            mine = [i for i, file in enumerate(self.index.files) if file.source == source]
            numbers = np.concatenate([np.arange(firsts[i], firsts[i + 1]) for i in mine])
            taken = numbers[np.linspace(0, len(numbers) - 1, min(rows, len(numbers))).astype(np.int64)]
            addresses = reader.addresses(taken)
            ids, segments = torch.from_numpy(reader.ids(addresses)), torch.from_numpy(reader.segments(addresses))
            files = [self.index.files[i] for i in mine]
            per_token = sum(file.text_bytes for file in files) / max(sum(file.tokens for file in files), 1)
            self.sources[source] = _Rows(ids, segments, int((segments >= 0).sum()) * per_token)

    @torch.no_grad()
    def bits_per_byte(self, model: HybridLM, precision: AbstractContextManager[None]) -> dict[str, float]:
        """Of each source, and of `all` by bytes. `precision`: the autocast of training."""
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
        found = {source: bits[source] / size[source] for source in bits}
        if found:
            found["all"] = sum(bits.values()) / sum(size.values())
        return found
