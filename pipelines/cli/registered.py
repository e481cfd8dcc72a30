"""What `eyas stages` and `eyas sources` share: the list of a registry, and the options of one entry."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from eyas.pipelines.cli.console import console, print_table, table

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


class Registry(Protocol):
    """Classes of options by name."""

    def targets(self, plugins: Sequence[str] = ()) -> dict[str, str]:
        """Every known name with its `module:Class`."""

    def load(self, name: str, plugins: Sequence[str] = ()) -> type[Any]:
        """The class of a name; InputError with the nearest name if there is none."""


def show_registry(
    what: str,
    registry: Registry,
    name: str | None,
    plugins: Sequence[str],
    as_json: bool,
    kind: Callable[[type[Any]], str] | None = None,
) -> None:
    """Prints all entries of a registry, or one of them with its options.

    what: "stage" or "source". kind: names the kind of a class, where there is more than one.
    """
    from eyas.pipelines.recipe.registry import add_search_path

    add_search_path(str(Path.cwd()))
    if name is not None:
        cls = registry.load(name, plugins)
        _show_entry(name, cls, as_json, kind(cls) if kind else None)
        return
    entries = {known: registry.load(known, plugins) for known in sorted(registry.targets(plugins))}
    if as_json:
        listed = [
            {"name": known, **({"kind": kind(cls)} if kind else {}), "summary": _summary(cls)}
            for known, cls in entries.items()
        ]
        typer.echo(json.dumps(listed, indent=1))
        return
    rows = table(what, *(["kind"] if kind else []), "what it does")
    for known, cls in entries.items():
        rows.add_row(known, *([kind(cls)] if kind else []), _summary(cls))
    print_table(console(), rows)


def _show_entry(name: str, cls: type[BaseModel], as_json: bool, kind: str | None) -> None:
    version = getattr(cls, "version", None)
    facts = {"kind": kind, "version": version}
    given = {key: value for key, value in facts.items() if value is not None}
    options = [_option(option, field) for option, field in cls.model_fields.items()]
    if as_json:
        entry = {"name": name, **given, "description": _doc(cls), "options": options}
        typer.echo(json.dumps(entry, indent=1, default=str))
        return
    out = console()
    remarks = ", ".join(str(value) if key == "kind" else f"{key} {value}" for key, value in given.items())
    out.print(f"{name} ({remarks})" if remarks else name, style="bold", end="")
    out.print(f": {_doc(cls)}\n")
    rows = table("option", "default", "meaning")
    for option in options:
        default = "required" if option["required"] else json.dumps(option["default"], default=str)
        rows.add_row(option["name"], default, " ".join(option["description"].split()))
    print_table(out, rows)


def _option(name: str, field: FieldInfo) -> dict[str, Any]:
    required = field.is_required()
    default = None if required else field.get_default(call_default_factory=True)
    return {"name": name, "required": required, "default": default, "description": field.description or ""}


def _doc(cls: type[Any]) -> str:
    return inspect.cleandoc(cls.__doc__ or "")


def _summary(cls: type[Any]) -> str:
    """The first line of the class's docstring."""
    return _doc(cls).partition("\n")[0]
