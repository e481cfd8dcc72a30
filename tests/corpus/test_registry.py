"""Stages and sources by name: those of Eyas, those of plugins, and messages for what cannot be loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eyas.corpus.registry import Registry, UnknownName, add_search_path
from eyas.corpus.sources import REGISTRY, SOURCES
from eyas.corpus.sources.base import Source
from eyas.errors import InputError

Write = Callable[[str, str], str]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module next to a recipe; forgets it afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    written: list[str] = []

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        add_search_path(str(tmp_path))
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_our_own_are_loaded_by_name(name: str) -> None:
    assert issubclass(REGISTRY.load(name), Source)


def test_an_unknown_name_gets_the_nearest_and_where_to_find_all() -> None:
    with pytest.raises(UnknownName, match=r"unknown source 'parqet'; did you mean 'parquet'\? \(`eyas sources` lists"):
        REGISTRY.load("parqet")


def test_a_plugin_adds_names_and_may_replace_ours(plugin: Write) -> None:
    name = plugin(
        "registry_plugin_good",
        "from eyas.corpus.sources.text_files import TextFiles\n"
        "class Pages(TextFiles):\n    pass\n"
        'SOURCES = {"pages": "registry_plugin_good:Pages", "files": "registry_plugin_good:Pages"}\n',
    )
    assert REGISTRY.load("pages", [name]).__name__ == REGISTRY.load("files", [name]).__name__ == "Pages"
    assert REGISTRY.load("files").__name__ == "TextFiles"
    with pytest.raises(UnknownName):
        REGISTRY.load("pages")


@pytest.mark.parametrize(
    "target, message",
    [
        ("json:JSONDecoder", "json:JSONDecoder is no subclass of eyas.corpus.sources.base.Source"),
        ("json:nothing", "'json:nothing' cannot be loaded: module 'json' has no attribute 'nothing'"),
        ("no_such_module_at_all:X", "'no_such_module_at_all:X' cannot be loaded: No module named"),
        ("json:loads", "json:loads is no subclass"),
    ],
)
def test_what_cannot_be_loaded_is_named(plugin: Write, target: str, message: str) -> None:
    name = plugin("registry_plugin_wrong", f"SOURCES = {{'odd': {target!r}}}")
    registry = Registry(REGISTRY.kind, REGISTRY.dictionary, f"eyas.test.{target}", REGISTRY.homes, REGISTRY.base)
    with pytest.raises(InputError) as raised:
        registry.load("odd", [name])
    assert f"source 'odd': {message}" in str(raised.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero. Name a module that is installed"),
        ("STAGES = ['x']", "declares no stages and no sources: give it STAGES = "),
        ("from corpus import Filter", "`corpus` is `eyas.corpus` since the second edition: `eyas migrate "),
        ("import no_such_module_at_all", "Name a module that is installed or lies next to the recipe."),
    ],
)
def test_a_plugin_that_is_none_says_what_to_do(plugin: Write, text: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        REGISTRY.targets([plugin("registry_plugin_odd", text)])
    assert "plugin 'registry_plugin_odd'" in str(raised.value) and message in str(raised.value)


def test_a_file_next_to_the_recipe_does_not_stand_in_for_a_package(plugin: Write) -> None:
    plugin("json", "raise AssertionError('the file next to the recipe')")
    sys.modules.pop("json.tool", None)
    folder = sys.path[-1]
    add_search_path(folder)
    assert sys.path.count(folder) == 1
    import importlib.util

    spec = importlib.util.find_spec("json.tool")
    assert spec is not None and spec.origin is not None and not spec.origin.startswith(folder)
