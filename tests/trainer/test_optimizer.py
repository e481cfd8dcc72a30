"""Groups of weights: only matrices decay, and all at the same speed."""

from __future__ import annotations

import re

import pytest
from fake_loader import OPTIONS, SMALL

from eyas.trainer.config import HybridConfig
from eyas.trainer.model import HybridLM
from eyas.trainer.optimizer import make_optimizer


def test_only_matrices_decay() -> None:
    inside = {f"{n}.weight" for n in ("attention.qkv", "attention.out", "ssm.project", "ssm.out")}
    inside |= {"mlp.gate_up.weight", "mlp.down.weight"}
    for tied in (False, True):
        model = HybridLM(HybridConfig.preset("tiny", 40, {**SMALL, "tied_embeddings": tied}))
        optimizer = make_optimizer(model, OPTIONS)
        names = {id(p): re.sub(r"^blocks\.\d+\.", "", n) for n, p in model.named_parameters()}
        decayed: set[str] = set()
        for group in optimizer.param_groups:
            # However fast a group learns, a step shrinks it by the same share, or not at all.
            shrinks = group["factor"] * group["decay"]
            assert shrinks == pytest.approx(OPTIONS.weight_decay) or shrinks == 0
            decayed |= {names[id(p)] for p in group["params"] if shrinks}
        assert decayed == inside | (set() if tied else {"head.weight"})
        assert sum(len(group["params"]) for group in optimizer.param_groups) == len(names)
