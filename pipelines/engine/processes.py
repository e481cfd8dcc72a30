"""Signals and child processes: Ctrl-C and SIGTERM end in one sentence, with no process left behind.

The command line calls `stop_on_signals`; programs that import Eyas keep their own handlers. Ray puts handlers of its own
in place when it starts, in C++, which print a native stack trace: `renew_handlers` takes them back.
"""

# Tested in tests/end_to_end/test_signals.py.

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_SECONDS = 5.0
"""How long children may take to end by themselves."""

_installed = False
_deferring = 0
_pending: int | None = None


class Stopped(BaseException):
    """SIGINT or SIGTERM came. It is no Exception, so that nothing but the end of the command catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def stop_on_signals() -> None:
    """From now on SIGINT and SIGTERM raise `Stopped`, once; another one ends the process and its children at once."""
    global _installed, _pending
    _installed, _pending = True, None
    renew_handlers()


def renew_handlers() -> None:
    """Takes the handlers back from whoever has put others in their place, if `stop_on_signals` was called."""
    if _installed and _pending is None:
        for number in SIGNALS:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    global _pending
    for other in SIGNALS:
        signal.signal(other, _end_at_once)
    _pending = number
    if not _deferring:
        raise Stopped(number)


@contextmanager
def deferred() -> Iterator[None]:
    """Holds `Stopped` back to the end of the block. An exception that a handler raises within Ray's C++ becomes a
    SystemError there, or a crash at exit."""
    global _deferring
    _deferring += 1
    try:
        yield
    finally:
        _deferring -= 1
    if _pending is not None and not _deferring:
        raise Stopped(_pending)


def stopped_by() -> int | None:
    """The signal that came, if one did: whatever is raised after it is its consequence."""
    return _pending


def _end_at_once(number: int, frame: FrameType | None) -> None:
    kill(descendants(os.getpid()))
    os._exit(128 + number)


def descendants(parent: int) -> list[int]:
    """Processes that come from `parent`, the deepest last; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for pid, its_parent in _parents():
        children.setdefault(its_parent, []).append(pid)
    found, waiting = [], [parent]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _parents() -> Iterator[tuple[int, int]]:
    """Each process and its parent."""
    if not os.path.isdir("/proc"):
        return
    for name in os.listdir("/proc"):
        if name.isdigit():
            # A process may end between two looks at it.
            with suppress(OSError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    yield int(name), int(file.read().rpartition(b")")[2].split()[1])


def started(pid: int) -> str | None:
    """When a process began, in clock ticks since the machine did: with its number, a name for good. None: it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def is_gone(pid: int) -> bool:
    """Whether there is no process of this number; never so where nothing tells (there is no /proc)."""
    return os.path.isdir("/proc") and started(pid) is None


def kill(pids: list[int]) -> None:
    """Kills processes."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def end_children() -> None:
    """Ends all processes below this one."""
    children = Children()
    children.look()
    children.end()


class Children:
    """The processes below this one, to be gone when it ends: those that still live after a while are killed."""

    def __init__(self) -> None:
        self._seen: dict[int, str | None] = {}

    def look(self) -> None:
        """Notes the children there are: once their parent has ended, nothing tells whose they were."""
        for pid in descendants(os.getpid()):
            self._seen.setdefault(pid, started(pid))

    def end(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Waits so long for those that were noted, and kills the rest."""
        deadline = time.monotonic() + seconds
        while (alive := self._alive()) and time.monotonic() < deadline:
            time.sleep(0.05)
        kill(alive)

    def _alive(self) -> list[int]:
        return [pid for pid, began in self._seen.items() if began is not None and started(pid) == began]
