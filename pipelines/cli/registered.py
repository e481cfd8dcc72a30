"""What `eyas stages` and `eyas sources` share: the list of a registry, and the options of one entry."""

# Tested in tests/pipelines/cli/test_stages.py.

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from eyas.pipelines.cli.console import console, print_table, table

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from eyas.corpus.registry import Registry


def show_registry(registry: Registry, name: str | None, plugins: Sequence[str], as_json: bool) -> None:
    """Prints all entries of a registry, or one of them with its options."""
    from eyas.corpus.registry import add_search_path

    add_search_path(str(Path.cwd()))
    if name is not None:
        _show_entry(name, registry.load(name, plugins), as_json)
        return
    entries = {known: registry.load(known, plugins) for known in sorted(registry.targets(plugins))}
    kinds = any(_kind(cls) for cls in entries.values())
    if as_json:
        listed = [
            {"name": known, **({"kind": _kind(cls)} if kinds else {}), "summary": _summary(cls)}
            for known, cls in entries.items()
        ]
        typer.echo(json.dumps(listed, indent=1))
        return
    rows = table(registry.kind, *(["kind"] if kinds else []), "what it does")
    for known, cls in entries.items():
        rows.add_row(known, *([_kind(cls)] if kinds else []), _summary(cls))
    print_table(console(), rows)


def _show_entry(name: str, cls: type[BaseModel], as_json: bool) -> None:
    properties = {"kind": _kind(cls), "version": getattr(cls, "version", None)}
    given = {key: value for key, value in properties.items() if value is not None}
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


def _kind(cls: type[Any]) -> str | None:
    """`filter`, `mapper` …; None for a source: there is one kind of them."""
    kind: str | None = getattr(cls, "kind_name", None)
    return kind


def _doc(cls: type[Any]) -> str:
    return inspect.cleandoc(cls.__doc__ or "")


def _summary(cls: type[Any]) -> str:
    """The first line of the class's docstring."""
    return _doc(cls).partition("\n")[0]
