"""The registry of stages: those of `eyas.filters` and `eyas.synthetic`, of plugins and of installed packages."""

from __future__ import annotations

from collections.abc import Sequence

from eyas.corpus.registry import Registry
from eyas.corpus.stage import Stage
from eyas.errors import InputError

STAGES = Registry("stage", "STAGES", "eyas.stages", ("eyas.filters", "eyas.synthetic"), "eyas.corpus.stage:Stage")


def targets(plugins: Sequence[str] = ()) -> dict[str, str]:
    """The `module:Class` of every known stage, by name."""
    return STAGES.targets(plugins)


def stage_class(name: str, plugins: Sequence[str] = ()) -> type[Stage]:
    """The class of the stage `name`; `UnknownName` with the nearest name if there is none."""
    cls: type[Stage] = STAGES.load(name, plugins)
    if not cls.kind_name:
        raise InputError(
            f"stage {name!r}: {cls.__name__} derives from Stage itself; derive it from Mapper, Filter, Generator, Joiner or "
            f"CorpusStage"
        )
    return cls
