"""Converts plugins and run folders of the first edition.

Its recipes, indexes, shards, checkpoints and models are read as they are. Two things differ: the names that a plugin
imports (`from corpus import Filter` is now `from eyas.corpus import Filter`), and a few keys of a run's manifests, of which
both forms are read. The plan.json of a converted run has a `format`.
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

_PACKAGES = "|".join(FIRST_EDITION)
_FROM = re.compile(rf"^([ \t]*)from ({_PACKAGES})(?=[. ])", re.MULTILINE)
_IMPORT = re.compile(rf"^([ \t]*)import ({_PACKAGES})((?:\.\w+)*)([ \t]+as[ \t]+\w+)?[ \t]*$", re.MULTILINE)
_CHEAP = re.compile(r"^([ \t]+)cheap(?=\s*[:=])", re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """A file that needs converting, and what changes in it."""

    path: str
    what: str


def migrate(path: str, write: bool) -> list[Change]:
    """The changes that `path` needs: a plugin, a recipe, or the folder of a run. write: whether to make them.

    Raises InputError for anything else, and for a run of a newer Eyas.
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
    renamed = _CHEAP.sub(r"\1scores_all", converted)
    changed = ["imports"] if converted != text else []
    changed += ["`cheap` is called `scores_all`"] if renamed != converted else []
    if write and changed:
        path.write_text(renamed, encoding="utf-8")
    return [Change(str(path), ", ".join(changed))] if changed else []


def _imported(statement: re.Match[str]) -> str:
    """The statement that replaces an import, and binds the same name: `import corpus.stage` binds `corpus`."""
    indent, package, module, alias = statement.group(1), statement.group(2), statement.group(3), statement.group(4)
    if alias:
        return f"{indent}import eyas.{package}{module}{alias}"
    binding = f"{indent}from eyas import {package}"
    return f"{indent}import eyas.{package}{module}\n{binding}" if module else binding


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
    # These come last, so that a conversion that was interrupted begins again.
    for path in ("manifest.json", "plan.json"):
        if store.exists(path):
            changes.append(Change(store.path(path), f"format {RUN_FORMAT}"))
            if write:
                store.write_json(path, {"format": RUN_FORMAT, **store.read_json(path)})
    return changes
