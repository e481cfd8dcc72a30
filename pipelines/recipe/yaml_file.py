"""Reads YAML 1.2 with positions: every value can be traced to its line, and a duplicate key is an error.

PyYAML takes duplicate keys silently, reads `on:` as True and `1e-3` as a string; ruamel.yaml does none of that.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from eyas.corpus.secrets import refuse_secret
from eyas.errors import InputError, nearest

Location = tuple[str | int, ...]
MOST_CHARACTERS, MOST_NODES, MOST_DEPTH = 200_000, 20_000, 40
"""Bounds of a YAML file: the longest of our recipes has 4,000 characters, 150 values and 6 levels."""
_VARIABLE = re.compile(r"\$\{([^}]*)\}")

_OTHER_ERRORS: Final = (TypeError, ValueError, LookupError, AttributeError, RecursionError)
"""What ruamel raises, without a place, where a key is a map, a number has two points or a month is the thirteenth."""


class RecipeError(InputError):
    """A recipe is wrong. The message has one line per problem, each with file and line number."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class YamlFile:
    """A parsed file: plain `data`, and the line of every value in it."""

    def __init__(self, path: str, text: str | None = None) -> None:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        self.path = path
        text = _read(path) if text is None else text
        self.text = text
        try:
            _check_bounds(path, text)
            self._tree = YAML(typ="rt").load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark
            line = mark.line + 1 if mark else 1
            # ruamel appends advice on its own API after the first line.
            problem = str(error.problem).strip().splitlines()[0]
            if mark and "${" in "".join(text.splitlines()[mark.line : mark.line + 1]):
                problem += '; within {…} or […] a variable must be quoted: "${name}"'
            raise RecipeError([f"{path}:{line}: {problem}"]) from error
        except YAMLError as error:
            raise RecipeError([f"{path}: {error}"]) from error
        except RecipeError:
            raise
        except _OTHER_ERRORS as error:
            line = _line_of_other_error(text)
            raise RecipeError([f"{path}:{line}: no YAML that can be read ({type(error).__name__}: {error})"]) from error
        if not isinstance(self._tree, Mapping):
            raise RecipeError([f"{path}:1: expected keys such as `name:` and `sources:`, found {_kind(self._tree)}"])
        self.data: dict[str, Any] = _plain(self._tree)

    def line(self, location: Location) -> int:
        """The line (from 1) of the value at `location`, or of the nearest thing around it that exists."""
        node: Any = self._tree
        line = 1
        for step in location:
            try:
                tree: Any = node
                if isinstance(node, Mapping) and step in node:
                    line = tree.lc.key(step)[0] + 1
                elif isinstance(node, Sequence) and not isinstance(node, str) and isinstance(step, int):
                    line = tree.lc.item(step)[0] + 1
                else:
                    break
                node = node[step]
            except (AttributeError, KeyError, IndexError):
                break
        return line

    def problem(self, location: Location, message: str) -> str:
        """`file:line: place: message`."""
        place = ""
        for step in location:
            place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
        return f"{self.path}:{self.line(location)}: {place}: {message}" if place else f"{self.path}:1: {message}"

    def secrets(self) -> list[str]:
        """A problem for each address that holds a password, a key or a signature."""
        problems = []
        for location, text in _strings(self.data, ()):
            try:
                refuse_secret(text)
            except InputError as error:
                problems.append(self.problem(location, str(error)))
        return problems

    def substitute(self, variables: Mapping[str, str]) -> list[str]:
        """Replaces `${name}` in every string; returns a problem for each unknown name."""
        problems: list[str] = []

        def visit(value: Any, location: Location) -> Any:
            if isinstance(value, dict):
                return {key: visit(item, (*location, key)) for key, item in value.items()}
            if isinstance(value, list):
                return [visit(item, (*location, i)) for i, item in enumerate(value)]
            if not isinstance(value, str):
                return value

            def replace(match: re.Match[str]) -> str:
                name = match.group(1)
                if name not in variables:
                    message = (
                        f"unknown variable ${{{name}}}{nearest(name, variables)}; set it under `variables:` or by --var"
                    )
                    problems.append(self.problem(location, message))
                    return match.group(0)
                return variables[name]

            return _VARIABLE.sub(replace, value)

        self.data = visit(self.data, ())
        return problems


def _strings(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """All strings in a value, with their places."""
    if isinstance(value, str):
        yield location, value
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _strings(item, (*location, key))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RecipeError([f"{path}: no such file"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError([f"{path}: cannot be read: {error}"]) from error


def _check_bounds(path: str, text: str) -> None:
    """RecipeError if a text is larger, deeper or, with its aliases written out, longer than any recipe, or holds
    what is no text: parsing a comment of 2 MB takes a minute, and nine levels of aliases never end."""
    from ruamel.yaml import YAML
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent, ScalarEvent

    if len(text) > MOST_CHARACTERS:
        raise RecipeError([f"{path}:1: {len(text):,} characters; a recipe may have {MOST_CHARACTERS:,}"])
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    count = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, NodeEvent):
            count += sizes.get(event.anchor, 1) if isinstance(event, AliasEvent) else 1
        if isinstance(event, ScalarEvent) and event.value.encode(errors="replace").decode() != event.value:
            raise RecipeError([f"{path}:{line}: {event.value[:40]!r} holds half of a character, which is no text"])
        if isinstance(event, CollectionStartEvent):
            open_nodes.append((event.anchor, count))
        elif isinstance(event, CollectionEndEvent) and open_nodes:
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = count - before + 1
        if len(open_nodes) > MOST_DEPTH:
            raise RecipeError([f"{path}:{line}: more than {MOST_DEPTH} levels of lists and maps within one another"])
        if count > MOST_NODES:
            raise RecipeError([f"{path}:{line}: more than {MOST_NODES:,} values, aliases (`*name`) written out"])


def _line_of_other_error(text: str) -> int:
    """The line that ends the shortest beginning of `text` that ruamel cannot read for one of `_OTHER_ERRORS`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    def fails(line: int) -> bool:
        try:
            YAML(typ="rt").load("\n".join(lines[:line]))
        except YAMLError:
            return False
        except _OTHER_ERRORS:
            return True
        return False

    lines = text.splitlines()
    return bisect.bisect_left(range(1, len(lines)), True, key=fails) + 1


def _plain(node: Any) -> Any:
    """ruamel's annotated containers and scalars as plain Python values."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    for base in (bool, int, float, str):
        if isinstance(node, base):
            return base(node)
    return node


def _kind(value: Any) -> str:
    return "nothing" if value is None else "a list" if isinstance(value, list) else f"the text {str(value)[:40]!r}"
