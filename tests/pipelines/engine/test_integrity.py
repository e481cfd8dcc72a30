"""Entries of finished tasks count only with their files, and only if these hold what was written."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from eyas.corpus.store import Store
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.pipelines.engine.executors import InlineExecutor, entry_path, execute
from eyas.pipelines.engine.integrity import damaged, finished_entries


def write(name: str, context: TaskContext) -> Entry:
    """A task that leaves one file."""
    file = context.store.write_json(f"{context.folder}/{name}.json", {"cpus": context.cpus})
    return {"files": [file.to_json()], "cpus": context.cpus}


@pytest.fixture
def context(tmp_path: Path) -> TaskContext:
    return TaskContext(Store(str(tmp_path)), "passes/x", seed=0)


def step(*names: str) -> Step:
    return Step.of("spread texts", [Task(name, partial(write, name)) for name in names])


def test_a_finished_task_is_known_by_its_entry_and_its_files(context: TaskContext) -> None:
    entry = execute("spread texts", step("a").tasks[0], context)
    assert entry["key"] == "a"
    assert finished_entries(context.store, context.folder, step("a", "b"), InlineExecutor(), print) == {"a": entry}
    assert (
        finished_entries(context.store, context.folder, Step.of("another", step("a").tasks), InlineExecutor(), print)
        == {}
    )


@pytest.mark.parametrize("damage", ["gone", "shorter", "no object", "no files"])
def test_an_entry_without_its_files_does_not_count(context: TaskContext, damage: str) -> None:
    execute("spread texts", step("a").tasks[0], context)
    file = Path(context.store.path("passes/x/a.json"))
    if damage == "gone":
        file.unlink()
    elif damage == "shorter":
        file.write_bytes(file.read_bytes()[:-1])
    else:
        context.store.write_json(entry_path(context.folder, "spread texts", "a"), [] if damage == "no object" else {})
    assert finished_entries(context.store, context.folder, step("a"), InlineExecutor(), print) == {}


def test_each_flipped_bit_of_an_entry_or_a_file_is_noticed(context: TaskContext) -> None:
    for path in (entry_path(context.folder, "spread texts", "a"), "passes/x/a.json"):
        for position in range(0, 1000, 7):
            execute("spread texts", step("a").tasks[0], context)
            file = Path(context.store.path(path))
            data = bytearray(file.read_bytes())
            if position // 8 >= len(data):
                break
            data[position // 8] ^= 1 << position % 8
            file.write_bytes(bytes(data))
            reports: list[str] = []
            assert finished_entries(context.store, context.folder, step("a"), InlineExecutor(), reports.append) == {}
            assert reports == [path]


def test_files_that_are_gone_or_changed_are_damaged(context: TaskContext) -> None:
    store = context.store
    files = [store.write_json(f"{name}.json", {"name": name}) for name in ("a", "b", "c")]
    assert damaged(store, files, InlineExecutor()) == set()
    Path(store.path("a.json")).unlink()
    Path(store.path("c.json")).write_text('{\n "name": "d"\n}\n')
    assert damaged(store, files * 2, InlineExecutor()) == {"a.json", "c.json"}
