"""Where tasks run: entries that count only with their files, errors that keep their words and code, Ray addresses."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from eyas.corpus.store import Store
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.errors import DEFECT, STORAGE, ClusterError, InputError, UsageError
from eyas.pipelines.engine.executors import (
    InlineExecutor,
    TaskFailed,
    check_address,
    cores,
)


def write(name: str, context: TaskContext) -> Entry:
    """A task that leaves one file."""
    file = context.store.write_json(f"{context.folder}/{name}.json", {"cpus": context.cpus})
    return {"files": [file.to_json()], "cpus": context.cpus}


def fail(error: Exception, context: TaskContext) -> Entry:
    raise error


@pytest.fixture
def context(tmp_path: Path) -> TaskContext:
    return TaskContext(Store(str(tmp_path)), "passes/x", seed=0)


def step(*names: str) -> Step:
    return Step.of("spread texts", [Task(name, partial(write, name)) for name in names])


def test_tasks_run_one_after_another_and_some_with_all_cores(context: TaskContext) -> None:
    tasks = [Task("one", partial(write, "one")), Task("all", partial(write, "all"), all_cpus=True)]
    done = [event for event in InlineExecutor().run("s", tasks, context) if event is not None]
    assert [(task.key, entry["cpus"]) for task, entry in done] == [("one", 1), ("all", cores())]
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    "error, words, code",
    [
        (InputError("line 3: bad"), "s x: line 3: bad", 3),
        (OSError(28, "No space left on device", "/a"), "s x: [Errno 28] No space left on device: '/a'", STORAGE),
        (ZeroDivisionError("division by zero"), "s x: ZeroDivisionError: division by zero", DEFECT),
        (KeyError(), "s x: KeyError", DEFECT),
        (InputError(""), "s x: InputError", 3),
    ],
)
def test_an_error_of_a_task_keeps_its_words_its_traceback_and_its_code(
    context: TaskContext, error: Exception, words: str, code: int
) -> None:
    with pytest.raises(TaskFailed) as raised:
        list(InlineExecutor().run("s", [Task("x", partial(fail, error))], context))
    assert (str(raised.value), raised.value.exit_code) == (words, code)
    assert type(error).__name__ in raised.value.traceback and raised.value.__cause__ is error


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_address_at_which_something_listens_is_taken(port: int) -> None:
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "auto", "local"):
        check_address(address)


@pytest.mark.parametrize("address", ["", "head", "head:", ":6379", "head:ray", "ray://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=f"--ray-address {address}: expected host:port"):
        check_address(address)


def test_a_closed_port_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    with pytest.raises(ClusterError, match=f"no Ray cluster answers at 127.0.0.1:{closed} .*`ray start --head`"):
        check_address(f"127.0.0.1:{closed}")
