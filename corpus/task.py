"""Tasks and steps: how work that spans partitions is described to the engine.

A task is a name and a function; the engine runs it somewhere, once or (after a crash) again, and keeps the small JSON
entry it returns. All tasks of a step may run at once; the next step starts when they are done. A task
must write the same bytes however often it runs: names come from its key, never from time or chance.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NotRequired, TypedDict

from typing_extensions import TypeVar

from eyas.corpus.store import Store

Entry = dict[str, Any]
"""What a task returns: a small JSON object with its `files`. Numbers in the entries of a corpus stage's tasks are counts,
which the engine adds up. The engine's own passes declare their entries (`eyas.pipelines.engine.passes.records`)."""
Json = dict[str, Any]
"""The JSON form of a class that has `to_json` and `from_json` of its own: a file, a part, books."""


class TaskEntry(TypedDict):
    """The entry of a task of the engine's own passes; each kind of task extends it."""

    files: list[Json]
    """`FileEntry` of each file that it published."""
    key: NotRequired[str]
    """The key of the task, which the engine adds."""


E = TypeVar("E", bound=Mapping[str, Any], default=Entry)
R = TypeVar("R")


@dataclass(frozen=True)
class TaskContext:
    """What a running task knows of its run."""

    store: Store
    folder: str
    """The folder of this pass within the store; work files go below it."""
    seed: int
    cpus: int = 1
    """Cores this task may use."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """Artifacts of earlier passes (a trained classifier): the name of each, and its folder within the store."""


@dataclass(frozen=True)
class Task(Generic[E]):
    """One unit of work. `run` must be picklable: a function of a module, a partial of one, or a stage's method."""

    key: str
    run: Callable[[TaskContext], E]
    bytes: int = 0
    """Text bytes it will go through, for the progress bar."""
    all_cpus: bool = False
    """Whether it uses every core of a machine by itself (training, an embedded language model)."""
    gpus: float = 0
    """GPUs it takes where there are any."""
    recorded: bool = True
    """Whether its entry is kept, so that it is not run again."""


@dataclass(frozen=True)
class Step(Generic[E]):
    """Tasks that may run at the same time."""

    name: str
    tasks: tuple[Task[E], ...]

    @classmethod
    def of(cls, name: str, tasks: Iterable[Task[E]]) -> Step[E]:
        """A step of `tasks`, whose keys must differ."""
        items = tuple(tasks)
        assert len({task.key for task in items}) == len(items), f"step {name}: two tasks share a key"
        return cls(name, items)


Steps = Generator[Step[Any], list[Any], R]
"""A pass at work: it yields steps, is sent the entries of each, and returns an R."""


def entries_of(step: Step[E]) -> Generator[Step[Any], list[Any], list[E]]:
    """Yields `step` to the engine and returns the entries of its tasks, in their order: `yield from entries_of(step)`."""
    entries: list[E] = yield step
    return entries


def as_generator(plan: Iterable[Step]) -> Generator[Step, list[Entry], None]:
    """`plan` as a generator, to which the entries of each step can be sent; a plan that is a list ignores them."""
    if isinstance(plan, Generator):
        yield from plan
    else:
        for step in plan:  # noqa: UP028 -- `yield from` a list cannot be sent anything
            yield step


def next_step(plan: Generator[Step, list[Entry], None], entries: list[Entry] | None) -> Step | None:
    """The step after the one that returned `entries`; the first step if `entries` is None; None at the end."""
    try:
        return next(plan) if entries is None else plan.send(entries)
    except StopIteration:
        return None
