"""Runs recipes: recipe, plan, engine, analysis, report, command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyas.lazy import lazy

if TYPE_CHECKING:
    from eyas.pipelines.api import plan, run

__all__ = ["plan", "run"]

__getattr__ = lazy(__name__, {"plan": "eyas.pipelines.api", "run": "eyas.pipelines.api"})
