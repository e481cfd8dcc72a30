"""The cost ledger: what each task took, in `cost.parquet` of the run's folder.

CPU seconds and bytes are the operating system's own counts of the process that ran the task, before and after. They are kept
apart from a task's entry, because they differ from run to run and results must not. A run that is killed with SIGKILL
loses the rows of the pass at hand.
"""

# Tested in tests/end_to_end/test_journal.py.

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field

import pyarrow as pa

from eyas.corpus.sealed import DamagedFile
from eyas.corpus.store import REQUESTS, Store

COST = "cost.parquet"
_billed = 0.0
SCHEMA = pa.schema(
    [
        ("session", pa.string()),
        ("pass", pa.string()),
        ("digest", pa.string()),
        ("step", pa.string()),
        ("task", pa.string()),
        ("node", pa.string()),
        ("started", pa.timestamp("ms", tz="UTC")),
        ("wall_s", pa.float64()),
        ("cpu_s", pa.float64()),
        ("peak_bytes", pa.int64()),
        ("read_bytes", pa.int64()),
        ("written_bytes", pa.int64()),
        ("requests", pa.int64()),
        ("attempts", pa.int64()),
    ]
)


@dataclass
class Cost:
    """What a task, or the driver, took. Bytes are those that the process read and wrote, sockets included where it reads them
    as files; requests are calls to the run's store."""

    step: str
    task: str
    node: str = field(default_factory=socket.gethostname)
    started: float = field(default_factory=time.time)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    requests: int = 0
    attempts: int = 1


@contextmanager
def measured(step: str, task: str, attempts: int = 1) -> Iterator[Cost]:
    """What is done within the block, in this process and its children that end within it."""
    cost = Cost(step, task, attempts=attempts)
    cpu, transferred, requests, began = cpu_seconds(), _transferred(), REQUESTS.count, time.perf_counter()
    _forget_peak()
    try:
        yield cost
    finally:
        cost.wall_s = time.perf_counter() - began
        cost.cpu_s = cpu_seconds() - cpu
        now = _transferred()
        cost.read_bytes, cost.written_bytes = now[0] - transferred[0], now[1] - transferred[1]
        cost.requests = REQUESTS.count - requests
        cost.peak_bytes = _peak()


def cpu_seconds() -> float:
    """CPU seconds of this process, all its threads, and its children that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def unbilled_cpu() -> float:
    """CPU seconds of this process that no earlier call has returned: at first, all since it began."""
    global _billed
    before, _billed = _billed, cpu_seconds()
    return _billed - before


def _transferred() -> tuple[int, int]:
    """Bytes read and written so far; zeros where the system does not count."""
    with suppress(OSError), open("/proc/self/io", "rb") as file:
        counts = dict(line.split(b": ") for line in file.read().splitlines())
        return int(counts[b"rchar"]), int(counts[b"wchar"])
    return 0, 0


def _forget_peak() -> None:
    """Lets the peak of memory begin anew, where the system allows it: a worker runs many tasks."""
    with suppress(OSError), open("/proc/self/clear_refs", "wb") as file:
        file.write(b"5")


def _peak() -> int:
    with suppress(OSError), open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class CostLedger:
    """The costs of one call of `eyas run`, added to those of earlier calls."""

    def __init__(self, store: Store, session: str, warn: Callable[[str], None]) -> None:
        self._store, self._session, self._warn = store, session, warn
        self._rows: list[dict[str, object]] = []

    def add(self, label: str, digest: str, costs: Sequence[Cost]) -> None:
        """Adds what tasks of a pass took."""
        for cost in costs:
            row = {**asdict(cost), "started": int(cost.started * 1000)}
            self._rows.append({"session": self._session, "pass": label, "digest": digest[:16], **row})

    def write(self) -> None:
        """Writes what was added since the last call."""
        if not self._rows:
            return
        rows = pa.Table.from_pylist(self._rows, schema=SCHEMA)
        try:
            before = read_costs(self._store)
        except DamagedFile as error:
            before = SCHEMA.empty_table()
            with self._store.create(f"{COST}.damaged") as output:
                output.sink.write(self._store.fs.cat_file(self._store.path(COST)))
            self._warn(
                f"{error}. It is kept as {COST}.damaged, and the costs of earlier calls are not counted any more"
            )
        self._store.write_table(COST, pa.concat_tables([before, rows]))
        self._rows.clear()


def read_costs(store: Store) -> pa.Table:
    """The costs of all calls so far; none if there is no ledger of them. `DamagedFile` if it is not what was written."""
    if not store.exists(COST):
        return SCHEMA.empty_table()
    costs = store.read_table(COST)
    if not costs.schema.equals(SCHEMA):
        raise DamagedFile(f"{store.name(COST)}: damaged, or of another version: it has other columns")
    return costs


def session_name() -> str:
    """A name for one call of `eyas run`: when it began, and by which process."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S')}-{os.getpid()}"
