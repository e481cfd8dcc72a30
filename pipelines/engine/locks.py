"""Locks: one run at a time in a folder, on a local disk and on object stores.

On a local disk a lock is a flock of `.lock`, which ends with its process. On other stores it is an object
`.lock/00000001.json` that is created under the condition that no object of this name exists; of two runs that try, the
store lets one win; so it is in a folder that several machines mount (`.lock-shared/`). Whoever takes over a lock that was
released, or left by a dead process, creates the next number under the same condition, so that only one can. The owner writes
its object again every ten seconds; another machine believes that an owner is dead once it has not done so for
`SILENT_SECONDS` by the waiting machine's own clock, for clocks differ.

A store that does not honour the condition would let all of them win. That is tried out first, and such a store is refused
unless the recipe says `lock: none`.
"""

# Tested in tests/end_to_end/test_locks.py.

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from eyas.corpus.store import Store
from eyas.errors import StorageError
from eyas.pipelines.engine.processes import started

LOCK, SHARED_LOCK = ".lock", ".lock-shared"
BEAT_SECONDS = 10.0
SILENT_SECONDS = 35.0
"""After so long without a sign of life, the owner of a lock on another machine counts as dead."""


@contextmanager
def locked(store: Store, kind: str = "auto", warn: Callable[[str], None] = print) -> Iterator[Lock]:
    """Keeps other runs out of the folder of `store`. StorageError if one is at work there, or the store cannot keep locks.

    kind: `none` takes no lock, which is reported.
    """
    if kind == "none":
        warn(f"lock: none: nothing keeps another run out of {store.name()}; two at once would write into each other")
        yield Lock()
    elif store.local and not store.shared:
        with _flock(store):
            yield Lock()
    else:
        # A flock may hold within one machine only, as the server of a shared folder has it.
        with _flock(store) if store.local else nullcontext():
            lock = _ObjectLock(store, warn)
            lock.take()
            try:
                yield lock
            finally:
                lock.release()


class Lock:
    """A lock that is held."""

    def check(self) -> None:
        """StorageError if another run has taken it over in the meantime."""


@contextmanager
def _flock(store: Store) -> Iterator[None]:
    path = store.path(LOCK)
    made = not os.path.isdir(store.root)
    os.makedirs(store.root, exist_ok=True)
    try:
        # Not through a link, which may lead to somebody else's file; and without emptying what is there.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(f"{path}: cannot be opened as a lock ({error.strerror}); it must be a plain file") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError(f"another `eyas` is at work in {store.name()}; wait for it, or stop it") from error
        yield
    finally:
        if made and os.listdir(store.root) == [LOCK]:
            # Nothing came of it: what was refused leaves no folder.
            os.unlink(path)
            os.rmdir(store.root)
        os.close(descriptor)


class _ObjectLock(Lock):
    def __init__(self, store: Store, warn: Callable[[str], None]) -> None:
        self._store, self._warn = store, warn
        self._me = {"token": secrets.token_hex(8), "host": socket.gethostname(), "pid": os.getpid()}
        self._me["started"] = started(os.getpid())
        self._folder = SHARED_LOCK if store.local else LOCK
        self._number = 0
        self._lost = False
        self._done = threading.Event()
        self._beats: threading.Thread | None = None

    def take(self) -> None:
        """Waits for nobody who lives."""
        self._check_conditions()
        number = self._newest()
        if number and not self._is_over(number):
            raise StorageError(self._refusal(number))
        if not self._create(number + 1) or self._newest() != number + 1:
            raise StorageError(self._refusal(self._newest()))
        self._number = number + 1
        for old in self._numbers():
            if old < self._number:
                self._store.fs.rm_file(self._path(old))
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()

    def release(self) -> None:
        """Ends the signs of life, and says that the lock is free."""
        self._done.set()
        if self._beats is not None:
            self._beats.join()
        if not self._lost:
            self._store.fs.pipe_file(self._path(self._number), self._record(released=True))

    def check(self) -> None:
        if self._lost:
            raise StorageError(
                f"another run has taken over {self._store.url}: this process gave no sign of life for {SILENT_SECONDS:.0f} s"
            )

    def _check_conditions(self) -> None:
        """Whether a second creation of the same object is refused."""
        if self._store.local:
            os.makedirs(self._store.path(self._folder), exist_ok=True)
        probe = f"{self._store.path(self._folder)}/probe-{self._me['token']}"
        self._store.fs.pipe_file(probe, b"1", mode="create")
        try:
            second = self._try_create(probe, b"2")
        finally:
            self._store.fs.rm_file(probe)
        if second:
            raise StorageError(
                f"{self._store.url}: this store lets two writers create the same object, so it can keep no lock, and two "
                f"runs would write into each other. Use another store, or see to it yourself that only one run works there "
                f"and say `lock: none` in the recipe"
            )

    def _try_create(self, path: str, data: bytes) -> bool:
        try:
            self._store.fs.pipe_file(path, data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            # S3 answers 412 where the object exists, and 409 where another is creating it at this moment.
            if "PreconditionFailed" in repr(error.__cause__ or error) or "ConditionalRequestConflict" in repr(error):
                return False
            raise
        return True

    def _create(self, number: int) -> bool:
        return self._try_create(self._path(number), self._record())

    def _path(self, number: int) -> str:
        return f"{self._store.path(self._folder)}/{number:08d}.json"

    def _record(self, released: bool = False) -> bytes:
        return json.dumps({**self._me, "time": time.time(), "released": released}).encode()

    def _numbers(self) -> list[int]:
        names = [name.removesuffix(".json") for name in self._store.list(self._folder)]
        return sorted(int(name) for name in names if name.isdigit())

    def _newest(self) -> int:
        return max(self._numbers(), default=0)

    def _read(self, number: int) -> dict[str, Any]:
        """The record of a lock; empty if it is gone or damaged."""
        self._store.fs.invalidate_cache()
        try:
            record: dict[str, Any] = json.loads(self._store.fs.cat_file(self._path(number)))
        except (FileNotFoundError, ValueError):
            return {}
        return record

    def _is_over(self, number: int) -> bool:
        """Whether a lock was released, or its owner is dead; for one on another machine, that takes a while to see."""
        record = self._read(number)
        if record.get("released"):
            return True
        if record.get("host") == self._me["host"] and isinstance(record.get("pid"), int):
            return started(record["pid"]) != record.get("started")
        self._warn(
            f"{self._store.url} is locked by {self._owner(record)}; waiting {SILENT_SECONDS:.0f} s for a sign of life"
        )
        deadline = time.monotonic() + SILENT_SECONDS
        while time.monotonic() < deadline:
            time.sleep(min(BEAT_SECONDS / 2, 1.0))
            now = self._read(number)
            if now.get("released"):
                return True
            if now != record:
                return False
        return True

    def _refusal(self, number: int) -> str:
        owner = self._owner(self._read(number))
        return f"another `eyas` is at work in {self._store.url} ({owner}); wait for it, or stop it"

    @staticmethod
    def _owner(record: dict[str, Any]) -> str:
        return f"process {record.get('pid', '?')} on {record.get('host', '?')}"

    def _beat(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            try:
                if self._newest() != self._number:
                    self._lost = True
                    return
                self._store.fs.pipe_file(self._path(self._number), self._record())
            except OSError as error:
                # The next beat may get through; if none does, another run may take over, which `check` then says.
                self._warn(f"{self._store.url}: no sign of life could be written ({error})")
