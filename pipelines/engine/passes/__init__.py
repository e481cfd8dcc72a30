"""The work of each kind of pass: one module per kind, each with a generator of steps that returns the result."""

# Tested in tests/pipelines/engine/passes/test_base.py.

from __future__ import annotations

from eyas.pipelines.engine.passes.base import PassState, PassWork, Result
from eyas.pipelines.engine.planning import Kind


def work_of(kind: Kind) -> PassWork:
    """The work of a kind of pass, imported on demand."""
    from importlib import import_module

    homes = {"corpus": "corpus_stage", "generate": "generator", "join": "joiner"}
    work: PassWork = import_module(f"eyas.pipelines.engine.passes.{homes.get(kind, kind)}").work
    return work


__all__ = ["PassState", "PassWork", "Result", "work_of"]
