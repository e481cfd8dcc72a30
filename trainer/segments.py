"""Where documents start and stop inside packed rows, computed once per batch.

A packed row holds several documents. Three places must know their boundaries: attention, the short convolution and
the state-space scan. If one does not, text leaks from a document into its neighbour (transformers' Falcon-H1 misses
two, docs/internals/falcon_h1.md §6). All three read this one object, and every boundary is an exact zero or a separate
call, never a large negative number: a change in one document leaves its neighbours' logits bit-identical
(tests/trainer/test_model.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from eyas.errors import InputError
from eyas.trainer import kernels


@dataclass(frozen=True)
class Packing:
    """Geometry of a batch of rows. `runs_bl` numbers the documents of each row from 0, padding included."""

    runs_bl: Tensor
    packed: bool

    @classmethod
    def whole_rows(cls, batch: int, length: int, device: torch.device) -> Packing:
        """One document per row."""
        return cls(torch.zeros(batch, length, dtype=torch.int64, device=device), packed=False)

    @classmethod
    def of(cls, segment_ids_bl: Tensor) -> Packing:
        """From segment ids. Each contiguous run of one id is a document of its own, and so is a run of padding."""
        if segment_ids_bl.dim() != 2:
            raise InputError(f"segment_ids must be rows x length, got shape {tuple(segment_ids_bl.shape)}")
        change_bl = torch.zeros_like(segment_ids_bl, dtype=torch.int64)
        change_bl[:, 1:] = segment_ids_bl[:, 1:] != segment_ids_bl[:, :-1]
        return cls(change_bl.cumsum(1), packed=True)

    @cached_property
    def starts_bl(self) -> Tensor:
        """Index in the row of the first token of each token's document."""
        length = self.runs_bl.shape[1]
        index_bl = torch.arange(length, device=self.runs_bl.device).expand_as(self.runs_bl)
        first_bl = torch.ones_like(self.runs_bl, dtype=torch.bool)
        first_bl[:, 1:] = self.runs_bl[:, 1:] != self.runs_bl[:, :-1]
        return torch.where(first_bl, index_bl, torch.zeros_like(index_bl)).cummax(1).values

    @cached_property
    def positions_bl(self) -> Tensor:
        """Position of each token in its own document, from 0, as rotary embeddings need it."""
        return torch.arange(self.runs_bl.shape[1], device=self.runs_bl.device) - self.starts_bl

    @cached_property
    def documents(self) -> list[tuple[int, int, int]]:
        """(row, start, stop) of every document, in order. This waits for the device, so only the CPU path uses it."""
        spans: list[tuple[int, int, int]] = []
        for row, starts in enumerate(self.starts_bl.tolist()):
            edges = [*sorted(set(starts)), len(starts)]
            spans.extend((row, start, stop) for start, stop in pairwise(edges))
        return spans

    @cached_property
    def block_mask(self) -> Any:
        """The mask of flex attention, which the GPU path uses."""
        return kernels.documents_mask(self.runs_bl)

    def reaches(self, taps: int) -> Tensor:
        """Whether the token 0, 1 … taps - 1 places back is in the same document. Shape taps, B, L, 1."""
        back_t = torch.arange(taps, device=self.runs_bl.device)
        return (self.positions_bl >= back_t[:, None, None])[..., None]


def next_token_targets(input_ids_bl: Tensor, segment_ids_bl: Tensor | None) -> Tensor:
    """The token to predict at each position, or -100 if there is none.

    There is none at the end of a row, at the last token of a document, and on padding (segment -1).
    """
    targets_bl = torch.full_like(input_ids_bl, -100)
    targets_bl[:, :-1] = input_ids_bl[:, 1:]
    if segment_ids_bl is not None:
        inside_bl = (segment_ids_bl[:, 1:] == segment_ids_bl[:, :-1]) & (segment_ids_bl[:, :-1] >= 0)
        targets_bl[:, :-1].masked_fill_(~inside_bl, -100)
    return targets_bl
