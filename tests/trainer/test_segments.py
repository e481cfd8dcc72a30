"""Boundaries of packed documents, and the targets inside of them."""

from __future__ import annotations

import pytest
import torch

from eyas.trainer.segments import Packing, next_token_targets


def test_positions_starts_and_reach_follow_from_segment_ids() -> None:
    packing = Packing.of(torch.tensor([[0, 0, 0, 1, -1, -1], [2, 2, 0, 0, 0, 0]]))
    assert packing.documents == [(0, 0, 3), (0, 3, 4), (0, 4, 6), (1, 0, 2), (1, 2, 6)]
    assert packing.positions_bl.tolist() == [[0, 1, 2, 0, 0, 1], [0, 1, 0, 1, 2, 3]]
    assert packing.reaches(3)[2, 0, :, 0].tolist() == [False, False, True, False, False, False]
    assert Packing.whole_rows(1, 4, torch.device("cpu")).documents == [(0, 0, 4)]
    with pytest.raises(ValueError, match="rows x length"):
        Packing.of(torch.zeros(3))


def test_targets_stay_inside_documents() -> None:
    ids_bl = torch.arange(7)[None]
    targets = next_token_targets(ids_bl, torch.tensor([[0, 0, 1, 2, 2, -1, -1]]))
    assert targets.tolist() == [[1, -100, -100, 4, -100, -100, -100]]
    assert next_token_targets(ids_bl, None).tolist() == [[1, 2, 3, 4, 5, 6, -100]]
