"""Registries of stages and sources by name; a class is imported when its name is first used.

Names come from three places, each as `"name": "module:Class"`: the dictionaries `STAGES` and `SOURCES` of Eyas' own
packages, the same dictionaries of modules that a recipe names under `plugins:`, and the entry points `eyas.stages` and
`eyas.sources` of installed packages.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from eyas.errors import InputError, nearest

FIRST_EDITION = ("corpus", "filters", "pipelines", "shards", "synthetic", "text_kernels", "tokenizer_train", "trainer")
"""Names that were packages of their own before they became packages of `eyas`."""
DICTIONARIES = ("STAGES", "SOURCES")


class UnknownName(InputError):
    """No stage or source has this name; the message holds the nearest one."""


@dataclass(frozen=True)
class Registry:
    """Classes of one kind by name. kind: their name in messages."""

    kind: str
    dictionary: str
    """The name of the dictionary that modules declare."""
    group: str
    """The group of entry points that installed packages declare."""
    homes: tuple[str, ...]
    """Eyas' own modules that declare the dictionary."""
    base: str
    """The class that all must derive from, `module:Class`."""

    def targets(self, plugins: Sequence[str] = ()) -> dict[str, str]:
        """Every known name with its `module:Class`."""
        known: dict[str, str] = {}
        for home in self.homes:
            known.update(getattr(import_module(home), self.dictionary))
        known.update({point.name: point.value for point in entry_points(group=self.group)})
        for plugin in plugins:
            known.update(getattr(_plugin(plugin), self.dictionary, {}))
        return known

    def load(self, name: str, plugins: Sequence[str] = ()) -> type[Any]:
        """The class called `name`; `UnknownName` with the nearest name if there is none."""
        return _load(self, name, tuple(plugins))


@cache
def _load(registry: Registry, name: str, plugins: tuple[str, ...]) -> type[Any]:
    known = registry.targets(plugins)
    if name not in known:
        raise UnknownName(f"unknown {registry.kind} {name!r}{nearest(name, known)} (`eyas {registry.kind}s` lists all)")
    try:
        loaded = _attribute(known[name])
    except (ImportError, AttributeError) as error:
        raise InputError(f"{registry.kind} {name!r}: {known[name]!r} cannot be loaded: {error}") from error
    base = _attribute(registry.base)
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        raise InputError(f"{registry.kind} {name!r}: {known[name]} is no subclass of {base.__module__}.{base.__name__}")
    return loaded


def _attribute(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _plugin(name: str) -> Any:
    """The module of a plugin. InputError if it cannot be imported, or declares neither stages nor sources."""
    try:
        module = import_module(name)
    except Exception as error:  # a user's module may raise anything while it is imported
        raise InputError(
            f"plugin {name!r} cannot be imported: {type(error).__name__}: {error}. {_advice(name, error)}"
        ) from error
    if not any(isinstance(getattr(module, dictionary, None), dict) for dictionary in DICTIONARIES):
        raise InputError(
            f'plugin {name!r} declares no stages and no sources: give it STAGES = {{"my_stage": "{name}:MyStage"}} or '
            f'SOURCES = {{"my_source": "{name}:MySource"}}'
        )
    return module


def _advice(plugin: str, error: Exception) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing in FIRST_EDITION:
        return (
            f"`{missing}` is `eyas.{missing}` since the second edition: `eyas migrate {plugin}.py` rewrites the import."
        )
    return "Name a module that is installed or lies next to the recipe."


def add_search_path(folder: str) -> None:
    """Lets plugins that lie next to the recipe be imported."""
    if folder not in sys.path:
        # At the end: a file `rich.py` next to a recipe must not stand in for the package that Eyas imports.
        sys.path.append(folder)
