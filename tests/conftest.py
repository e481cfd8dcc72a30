"""No file of Eyas is loaded under two names, whatever imports it and wherever pytest is started."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("text_kernels", "corpus", "filters", "synthetic", "tokenizer_train", "shards", "trainer", "pipelines")

# `python -m pytest` in the repository's root puts that on the path, where `import corpus` would find the room.
sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != ROOT]


def names_of_files() -> dict[Path, list[str]]:
    """The names under which each loaded file of the repository is known to Python."""
    names: dict[Path, list[str]] = defaultdict(list)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        path = Path(file).resolve() if file else None
        if (
            path is not None
            and path.is_relative_to(ROOT)
            and path.relative_to(ROOT).parts[0] in (*ROOMS, "src", "benchmarks")
        ):
            names[path].append(name)
    return names


@pytest.fixture(scope="session", autouse=True)
def each_file_is_loaded_once() -> Iterator[None]:
    """Looks at all that the tests of this process have imported."""
    yield
    assert {file: names for file, names in names_of_files().items() if len(names) > 1} == {}
    assert [name for name in sys.modules if name.partition(".")[0] in ROOMS] == []


@pytest.fixture(autouse=True)
def path_is_restored() -> Iterator[None]:
    """A command puts the folder of a recipe, or the working directory, on the path, where a later test would find it."""
    before = list(sys.path)
    yield
    sys.path[:] = before
