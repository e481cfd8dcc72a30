"""Reference pages of recipes, sources and stages in Markdown, written from the options' own declarations."""

# Tested in tests/test_docs.py.

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from eyas.corpus.sources import REGISTRY
from eyas.pipelines.recipe.recipe import recipe_model
from eyas.pipelines.recipe.registry import stage_class, targets

_PARTS = ("tokenizer", "shards", "train")
GENERATED = "<!-- Written by `make docs` from the code; change it there. -->\n\n"


def recipe_reference() -> str:
    """All keys of a recipe but those of its stages, which have a page of their own."""
    model = recipe_model()
    formats = list(REGISTRY.targets())
    page = f"# Recipe reference\n\n{GENERATED}"
    page += "A recipe is a YAML file. `eyas schema` prints the same as JSON Schema, for editors.\n"
    page += "A key that is not listed here is an error, which names the line and the nearest key.\n\n## Top level\n\n"
    page += _table(model, links={key: f"#{key}" for key in ("sources", *_PARTS)})
    page += "| `stages` | list | `[]` | What happens to the documents, in order: see the "
    page += "[stage reference](stage_reference.md). |\n"
    page += "\n## sources\n\nEach entry has a `name` and one of the formats "
    page += ", ".join(f"[`{name}`](#sources-{name})" for name in formats) + ".\n\n"
    entry = _models(model.model_fields["sources"].annotation)[0]
    page += _table(entry, only=("name",))
    for name in formats:
        page += "\n" + _section(f"sources: {name}", REGISTRY.load(name))
    for key in _PARTS:
        page += "\n" + _section(key, _models(model.model_fields[key].annotation)[0])
    return page


def stage_reference() -> str:
    """All stages with their options."""
    page = f"# Stage reference\n\n{GENERATED}"
    page += "`eyas stages` lists them on the terminal, those of plugins included, and `eyas stages NAME` shows one.\n\n"
    page += "| stage | kind | what it does |\n|---|---|---|\n"
    for name in sorted(targets()):
        cls = stage_class(name)
        page += f"| [`{name}`](#{name}) | {cls.kind_name} | {_cell(_doc(cls).partition(chr(10))[0])} |\n"
    for name in sorted(targets()):
        cls = stage_class(name)
        page += f"\n## {name}\n\n*{cls.kind_name}, version {cls.version}*\n\n{_sentences(_doc(cls))}\n\n{_table(cls)}"
        page += "".join(f"\n{part}" for part in _nested(cls, "###"))
    return page


def _section(title: str, model: type[BaseModel]) -> str:
    """A heading, the docstring, the options, and those of models within."""
    return f"## {title}\n\n{_sentences(_doc(model))}\n\n{_table(model)}" + "".join(
        f"\n{part}" for part in _nested(model, "###")
    )


def _nested(model: type[BaseModel], heading: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            yield f"{heading} {name}: {inner.__name__}\n\n{_sentences(_doc(inner))}\n\n{_table(inner)}"
            yield from _nested(inner, heading)


def _table(model: type[BaseModel], only: tuple[str, ...] = (), links: dict[str, str] | None = None) -> str:
    page = "| option | type | default | meaning |\n|---|---|---|---|\n"
    for name, field in model.model_fields.items():
        if only and name not in only:
            continue
        target = (links or {}).get(name)
        option = f"[`{name}`]({target})" if target else f"`{name}`"
        page += (
            f"| {option} | {_cell(_type(field.annotation))} | {_default(field)} | {_cell(field.description or '')} |\n"
        )
    return page


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is PydanticUndefined else _cell(f"`{json.dumps(_plain(value), ensure_ascii=False)}`")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, ByteSize) else value


def _type(annotation: Any) -> str:
    """An annotation as a reader of YAML says it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(one) for one in arguments)
    if origin in (list, tuple, frozenset, set):
        items = [_type(one) for one in arguments if one is not Ellipsis]
        return f"list of {items[0]}" if items else "list"
    if origin is dict:
        return f"{_type(arguments[0])}: {_type(arguments[1])}"
    names = {bool: "true or false", int: "integer", float: "number", str: "text", ByteSize: "size", type(None): "null"}
    if annotation in names:
        return names[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "options"
    return getattr(annotation, "__name__", str(annotation))


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models within an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for item in typing.get_args(annotation) for model in _models(item)]


def _doc(cls: type[Any]) -> str:
    return inspect.cleandoc(cls.__doc__ or "")


def _sentences(text: str) -> str:
    """Paragraphs as they are, the lines of each joined: a page is read at any width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _cell(text: str) -> str:
    """Text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
