"""Converts what the first edition left: imports of plugins, and the folders of its runs.

Its recipes, indexes, shards, checkpoints and models are read as they are. What differs is the name that a plugin imports
(`from corpus import Filter` is now `from eyas.corpus import Filter`) and a few keys of a run's manifests, which both
editions read; a converted run says so in its plan.json.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from eyas.corpus.registry import FIRST_EDITION
from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.pipelines.engine.planning import RUN_FORMAT, check_format
from eyas.pipelines.recipe.yaml_file import YamlFile

_ROOMS = "|".join(FIRST_EDITION)
_FROM = re.compile(rf"^([ \t]*)from ({_ROOMS})(?=[. ])", re.MULTILINE)
_IMPORT = re.compile(rf"^([ \t]*)import ({_ROOMS})((?:\.\w+)*)([ \t]+as[ \t]+\w+)?[ \t]*$", re.MULTILINE)
_CHEAP = re.compile(r"^([ \t]+)cheap(?=\s*[:=])", re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """A file that needs converting, and what changes in it."""

    path: str
    what: str


def migrate(path: str, write: bool) -> list[Change]:
    """What must change below `path`, a plugin, a recipe, or a run's folder; `write` does it.

    Raises InputError for what is none of them, or is of a newer Eyas.
    """
    if path.endswith(".py"):
        return _plugin(Path(path), write)
    if path.endswith((".yaml", ".yml")):
        return _recipe(Path(path), write)
    store = Store(path)
    if not store.exists("plan.json"):
        raise InputError(
            f"{path}: expected a plugin (.py), a recipe (.yaml), or the folder of a run, which has a plan.json"
        )
    return _run(store, write)


def _plugin(path: Path, write: bool) -> list[Change]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    converted = _FROM.sub(r"\1from eyas.\2", text)
    converted = _IMPORT.sub(_imported, converted)
    imports = converted != text
    renamed = _CHEAP.sub(r"\1scores_all", converted)
    what = [*(["imports"] if imports else []), *(["`cheap` is called `scores_all`"] if renamed != converted else [])]
    if write and what:
        path.write_text(renamed, encoding="utf-8")
    return [Change(str(path), ", ".join(what))] if what else []


def _imported(statement: re.Match[str]) -> str:
    """`import corpus.stage` binds `corpus`, by which the file goes on: so must what replaces it."""
    indent, room, module, alias = statement.group(1), statement.group(2), statement.group(3), statement.group(4)
    if alias:
        return f"{indent}import eyas.{room}{module}{alias}"
    binding = f"{indent}from eyas import {room}"
    return f"{indent}import eyas.{room}{module}\n{binding}" if module else binding


def _recipe(path: Path, write: bool) -> list[Change]:
    plugins = YamlFile(str(path)).data.get("plugins") or []
    files = [path.parent / (str(name).replace(".", "/") + ".py") for name in plugins]
    return [change for file in files if file.is_file() for change in _plugin(file, write)]


def _run(store: Store, write: bool) -> list[Change]:
    plan = store.read_json("plan.json")
    check_format(plan, store.path("plan.json"))
    if plan.get("format") == RUN_FORMAT:
        return []
    changes = []
    for planned in plan["passes"]:
        path = f"{planned['folder']}/manifest.json"
        manifest = store.read_json(path) if store.exists(path) else {}
        parts = [part for part in manifest.get("parts", []) if "alive" in part]
        for part in parts:
            part["kept"] = part.pop("alive")
        if parts:
            changes.append(Change(store.path(path), "`alive` is called `kept`"))
            if write:
                store.write_json(path, manifest)
    # Last: a conversion that was interrupted begins again.
    for path in ("manifest.json", "plan.json"):
        if store.exists(path):
            changes.append(Change(store.path(path), f"format {RUN_FORMAT}"))
            if write:
                store.write_json(path, {"format": RUN_FORMAT, **store.read_json(path)})
    return changes
