"""The verbs of Eyas: recipe, plan, engine, command line, report. `from pipelines import run, plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyas.pipelines.verbs import plan, run

__all__ = ["plan", "run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from eyas.pipelines import verbs

        return getattr(verbs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
