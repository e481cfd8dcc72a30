"""No file of Eyas is loaded under two names, whatever imports it and wherever pytest is started."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# `python -m pytest` in the repository's root puts that on the path, where `import corpus` would find the room.
sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != ROOT]


def names_of_files() -> dict[Path, list[str]]:
    """The names under which each loaded file of the repository is known to Python."""
    names: dict[Path, list[str]] = defaultdict(list)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        path = Path(file).resolve() if file else None
        if path is not None and path.is_relative_to(ROOT) and ".venv" not in path.parts:
            names[path].append(name)
    return names


@pytest.fixture(scope="session", autouse=True)
def each_file_is_loaded_once() -> Iterator[None]:
    """Looks at all that the tests of this process have imported."""
    yield
    assert {file: names for file, names in names_of_files().items() if len(names) > 1} == {}
    rooms = ("text_kernels", "corpus", "filters", "synthetic", "tokenizer_train", "shards", "trainer", "pipelines")
    assert [name for name in sys.modules if name.partition(".")[0] in rooms] == []
