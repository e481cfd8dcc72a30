"""Steps of tasks: a plan that listens to entries, one that does not, and keys that must differ."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import pytest

from eyas.corpus.task import Entry, Step, Task, TaskContext, as_generator, entries_of, next_step


def nothing(context: TaskContext) -> Entry:
    return {"files": []}


def step(name: str, *keys: str) -> Step:
    return Step.of(name, [Task(key, nothing) for key in keys])


def names_of(plan: Iterable[Step], entries: list[list[Entry]]) -> list[str]:
    """The steps that come of a plan if its steps return `entries`."""
    running, names, returned = as_generator(plan), [], None
    for number in range(100):
        following = next_step(running, returned)
        if following is None:
            return names
        names.append(following.name)
        returned = entries[number] if number < len(entries) else []
    raise AssertionError("the plan does not end")


def test_a_list_of_steps_ignores_what_they_return() -> None:
    assert names_of([step("a"), step("b")], [[{"changed": 1}], []]) == ["a", "b"]
    assert names_of([], []) == []


def test_a_generator_decides_by_what_its_steps_return() -> None:
    def plan() -> Generator[Step, list[Entry], None]:
        rounds = 0
        while True:
            entries = yield step(f"round {rounds}", "x")
            rounds += 1
            if not sum(entry["changed"] for entry in entries):
                return

    assert names_of(plan(), [[{"changed": 2}, {"changed": 1}], [{"changed": 1}], [{"changed": 0}]]) == [
        "round 0",
        "round 1",
        "round 2",
    ]


def test_entries_of_hands_back_what_the_engine_sends() -> None:
    running = entries_of(step("a", "x", "y"))
    assert [task.key for task in next(running).tasks] == ["x", "y"]
    with pytest.raises(StopIteration) as end:
        running.send([{"files": [], "key": "x"}, {"files": [], "key": "y"}])
    assert [entry["key"] for entry in end.value.value] == ["x", "y"]


def test_two_tasks_of_a_step_cannot_share_a_key() -> None:
    with pytest.raises(AssertionError, match="step spread: two tasks share a key"):
        step("spread", "part-00000", "part-00001", "part-00000")
