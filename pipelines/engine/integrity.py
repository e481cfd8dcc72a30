"""What an earlier run left is read again before it is reused: each file must have the sha256 of its entry.

A flipped bit on a disk would otherwise become other products, silently. Files are read in parallel, about 1 GB/s for each
core where the disk keeps up; on a cluster the nodes share the reading. What does not hold is reported by name and
made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from eyas.corpus.sealed import DamagedFile
from eyas.corpus.store import FileEntry, Store
from eyas.corpus.task import E, Entry, Step, Task, TaskContext
from eyas.pipelines.engine.executors import Executor, RayExecutor, cores, entry_path

CHUNK_BYTES = 1_000_000_000
"""Bytes that one task of a cluster reads."""


@dataclass
class Verified:
    """How much was read again, and what was found."""

    files: int = 0
    bytes: int = 0
    seconds: float = 0.0


def damaged(store: Store, files: Sequence[FileEntry], executor: Executor) -> set[str]:
    """The paths of those files that are not there, or do not hold the bytes that their entries state."""
    distinct = list({file.path: file for file in files}.values())
    if isinstance(executor, RayExecutor) and executor.nodes > 1:
        tasks = [
            Task(f"verify-{number:05d}", partial(_damaged, chunk), sum(file.bytes for file in chunk), recorded=False)
            for number, chunk in enumerate(_chunks(distinct))
        ]
        events = executor.run("verify", tasks, TaskContext(store, "", 0))
        return {path for event in events if event is not None for path in event[1]["damaged"]}
    with ThreadPoolExecutor(cores()) as pool:
        return {file.path for file, whole in zip(distinct, pool.map(store.verify, distinct), strict=True) if not whole}


def _damaged(files: Sequence[FileEntry], context: TaskContext) -> Entry:
    return {"damaged": [file.path for file in files if not context.store.verify(file)]}


def _chunks(files: Sequence[FileEntry]) -> Iterator[list[FileEntry]]:
    chunk: list[FileEntry] = []
    size = 0
    for file in files:
        chunk.append(file)
        size += file.bytes
        if size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def finished_entries(
    store: Store, folder: str, step: Step[E], executor: Executor, report: Callable[[str], None]
) -> dict[str, E]:
    """Entries that an earlier run left of a step, by the key of their task, if all their files are there and whole.

    report: receives the path of each file that is damaged; its task is to be run again.
    """
    names = set(store.list(f"{folder}/entries/{step.name}"))
    keys = [task.key for task in step.tasks if f"{task.key}.json" in names]
    entries: dict[str, Any] = {}
    for key in keys:
        path = entry_path(folder, step.name, key)
        try:
            entry = store.read_json(path)
        except DamagedFile:
            report(path)
            continue
        # One of another version may lack its files; one whose files are gone is made again without a word.
        files = entry.get("files") if isinstance(entry, dict) else None
        if files is not None and all(store.holds(FileEntry.from_json(file)) for file in files):
            entries[key] = entry
    files_of = {key: [FileEntry.from_json(file) for file in entry["files"]] for key, entry in entries.items()}
    broken = damaged(store, [file for files in files_of.values() for file in files], executor)
    for path in sorted(broken):
        report(path)
    return {key: entry for key, entry in entries.items() if broken.isdisjoint(file.path for file in files_of[key])}


def made_again(store: Store, path: str) -> str:
    """The sentence about a damaged file."""
    return f"{store.name(path)}: damaged, its bytes are not those that were written; it is made again"
