"""The structure of the code: who imports whom, what lies where, and where each module is tested."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("text_kernels", "corpus", "filters", "synthetic", "tokenizer_train", "shards", "trainer", "pipelines")
FLOORS = {
    "eyas.lazy": 0, "eyas.errors": 0, "eyas.text_kernels": 1, "eyas.corpus": 2, "eyas.filters": 3, "eyas.synthetic": 3,
    "eyas.tokenizer_train": 3, "eyas.shards": 4, "eyas.trainer": 5, "eyas.pipelines.recipe": 6,
    "eyas.pipelines.engine": 7, "eyas.pipelines.analysis": 8, "eyas.pipelines.report": 8, "eyas.pipelines.api": 9,
    "eyas.pipelines.cli": 10,
}  # fmt: skip
"""An import goes to the same package or to a lower floor; packages on one floor do not know each other."""


@cache
def modules() -> dict[str, Path]:
    """Every module of Eyas by its name."""
    found = {
        "eyas" if path.stem == "__init__" else f"eyas.{path.stem}": path for path in (ROOT / "src/eyas").glob("*.py")
    }
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(["eyas", *(parts[:-1] if parts[-1] == "__init__" else parts)])] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """What a file imports: at load, within functions, and for type checkers only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports() -> dict[str, set[str]]:
    """Which modules of Eyas each module imports."""
    graph: dict[str, set[str]] = defaultdict(set)
    for module, path in modules().items():
        for name in imported(path):
            while name and name not in modules():
                name = name.rpartition(".")[0]
            if name and name != module:
                graph[module].add(name)
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, by Tarjan's algorithm."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in sorted(graph.get(module, ())):
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            at = stack.index(module)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1:
                groups.append(sorted(group))

    for module in sorted(graph):
        if module not in number:
            visit(module)
    return groups


def package_of(module: str) -> str | None:
    """The entry of `FLOORS` that a module belongs to; None for the packages around them."""
    return max((name for name in FLOORS if f"{module}.".startswith(f"{name}.")), key=len, default=None)


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_no_module_imports_itself_by_a_detour() -> None:
    assert circles(imports()) == []


def test_imports_point_down() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in imports().items()
        if (here := package_of(module)) is not None
        for other in others
        if (there := package_of(other)) is not None and there != here and FLOORS[there] >= FLOORS[here]
    ]
    assert upward == []


def test_trainer_and_shards_know_none_of_the_rooms_between() -> None:
    allowed = {"eyas.shards": {"eyas.tokenizer_train"}, "eyas.trainer": set()}
    between = {"eyas.filters", "eyas.synthetic", "eyas.tokenizer_train"}
    known = {
        room: {
            package_of(other) for module, others in imports().items() if package_of(module) == room for other in others
        }
        for room in allowed
    }
    assert {room: known[room] & between for room in allowed} == allowed


def test_pipelines_has_no_loose_file() -> None:
    loose = {path.name for path in (ROOT / "pipelines").iterdir() if path.is_file()}
    assert loose == {"__init__.py", "api.py"}


def test_importing_eyas_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import eyas; print(time.perf_counter() - start);"
        "print([name for name in ('numba', 'ray', 'torch', 'pyarrow', 'pydantic') if name in sys.modules])"
    )
    seconds, heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.splitlines()
    assert heavy == "[]"
    assert float(seconds) < 1.0  # on an idle machine 0.01 s; this one may be busy


def test_every_name_that_eyas_exports_is_there() -> None:
    import eyas

    assert {name for name in eyas.__all__ if not hasattr(eyas, name)} == set()
    assert set(eyas.__all__) & set(ROOMS) == set()
    with pytest.raises(AttributeError, match="it offers"):
        eyas.no_such_name  # noqa: B018


def test_each_module_has_a_test_of_its_name_or_says_where_it_is_tested() -> None:
    problems = []
    for module, path in modules().items():
        place = path.relative_to(ROOT)
        if path.name == "__init__.py" and not re.search(r"^(def|class) ", path.read_text(), re.MULTILINE):
            continue
        said = re.search(r"^# Tested in (\S+\.py)\.$", path.read_text(), re.MULTILINE)
        folder = "" if place.parts[0] == "src" else f"{place.parent}/"
        test = ROOT / (said.group(1) if said else f"tests/{folder}test_{path.stem}.py")
        if not test.is_file():
            problems.append(f"{place}: {test.relative_to(ROOT)} is not there; add it, or `# Tested in tests/….py.`")
        elif not test.is_relative_to(ROOT / "tests/end_to_end") and not _exercises(test, module):
            problems.append(f"{place}: {test.relative_to(ROOT)} does not import it, nor run its command")
    assert not problems, "\n".join(problems)


@cache
def helpers() -> dict[str, Path]:
    """Modules of the tests' own, by name."""
    return {
        path.stem: path for path in (ROOT / "tests").rglob("*.py") if not path.stem.startswith(("test_", "conftest"))
    }


def _exercises(test: Path, module: str) -> bool:
    """Whether a test imports a module, or one that imports it, at any distance."""
    reached: set[str] = set()
    todo: list[str] = []
    # The test itself, and the helpers that lie beside tests.
    for file in (test, *(helper for name in imported(test) if (helper := helpers().get(name.partition(".")[0])))):
        todo += [name for name in imported(file) if name.startswith("eyas")]
        # A plugin's or a registry's module is named as text.
        text = file.read_text(encoding="utf-8")
        todo += re.findall(r"eyas(?:\.[a-z_0-9]+)+", text)
        # A command is run by its name: `eyas("what-if", …)`.
        todo += [f"eyas.pipelines.cli.{verb.replace('-', '_')}" for verb in re.findall(r'"([a-z][a-z-]*)"', text)]
    while todo:
        name = todo.pop()
        while name and name not in modules():
            name = name.rpartition(".")[0]
        if name.partition(".")[0] == "eyas" and name not in reached:
            reached.add(name)
            todo += imports().get(name, ())
    return module in reached
