"""Executors run tasks: in this process, or on Ray. Both return entries as tasks finish, in any order.

Ray places tasks and starts them again when a worker dies; it holds no state of a run. A task writes its files, then its
entry, then returns it; no documents travel through the object store. The driver keeps a bounded number
of tasks in flight. An error in a task is returned as text, so it needs no pickling and reads as it was raised.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from eyas.corpus.stage import SharedResource
from eyas.corpus.store import Store
from eyas.corpus.task import E, Entry, Task, TaskContext
from eyas.errors import DEFECT, STORAGE, ClusterError, EyasError, UsageError, exit_code
from eyas.pipelines.engine.costs import Cost, measured
from eyas.pipelines.engine.processes import PATIENCE_SECONDS, Children, Stopped, deferred, is_gone, renew_handlers
from eyas.pipelines.engine.shared_folder import Mark, check_nodes

CONNECT_SECONDS = 10
"""How long a Ray address may take to answer before the run gives up."""
WORKER_RETRIES = 3
"""How often a task is started again after its worker died."""


def cores() -> int:
    """Cores that this process may use: taskset, a container or a batch system may allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class TaskFailed(EyasError, RuntimeError):
    """A task raised: the run stops. `traceback` is the task's own, `exit_code` that of what it raised."""

    def __init__(self, task: str, message: str, trace: str = "", exit_code: int = DEFECT) -> None:
        super().__init__(f"{task}: {message}")
        self.traceback = trace
        self.exit_code = exit_code


class Executor(Protocol):
    """Runs tasks."""

    cpus: int
    costs: list[Cost]
    """What finished tasks took; whoever reads them takes them out."""

    def run(self, step: str, tasks: Sequence[Task[E]], context: TaskContext) -> Iterator[tuple[Task[E], E] | None]:
        """Yields each finished task with its entry, and None now and then while waiting."""

    def close(self) -> None:
        """Releases what was started."""


def execute(step: str, task: Task[E], context: TaskContext) -> E:
    """Runs one task and publishes its entry; from then on its files count as there."""
    entry = {**task.run(context), "key": task.key}
    if task.recorded:
        context.store.write_sealed(entry_path(context.folder, step, task.key), entry)
    return cast("E", entry)


def entry_path(folder: str, step: str, key: str) -> str:
    """Where the entry of a task lies."""
    return f"{folder}/entries/{step}/{key}.json"


class InlineExecutor:
    """One task after another in this process, without Ray: for debugging, and for small inputs."""

    def __init__(self) -> None:
        self.cpus = cores()
        self.costs: list[Cost] = []

    def run(self, step: str, tasks: Sequence[Task[E]], context: TaskContext) -> Iterator[tuple[Task[E], E] | None]:
        """See `Executor`."""
        for task in tasks:
            try:
                cpus = self.cpus if task.all_cpus else 1
                with measured(step, task.key) as cost:
                    self.costs.append(cost)
                    entry = execute(step, task, replace(context, cpus=cpus))
                yield task, entry
            except Exception as error:
                trace = traceback.format_exc()
                raise TaskFailed(f"{step} {task.key}", _message(error), trace, exit_code(error)) from error

    def close(self) -> None:
        """Does nothing: nothing was started."""


@dataclass(frozen=True)
class _Outcome:
    entry: Entry | None
    cost: Cost | None = None
    message: str = ""
    trace: str = ""
    exit_code: int = DEFECT


def _remote_task(search_path: list[str], payload: bytes) -> _Outcome:
    """Runs a task on a Ray worker. It arrives pickled, so that plugins can be found before it is loaded."""
    import pyarrow as pa
    from ray import cloudpickle

    for folder in search_path:
        if folder not in sys.path:
            sys.path.append(folder)
    cost: Cost | None = None
    try:
        step, task, context, mark = cloudpickle.loads(payload)
        if mark is not None:
            mark.require()
        pa.set_cpu_count(context.cpus)
        with measured(step, task.key, _attempts()) as cost:
            entry = execute(step, task, context)
        return _Outcome(entry, cost)
    except Exception as error:
        node = f" (node {socket.gethostname()})" if exit_code(error) == STORAGE else ""
        return _Outcome(None, cost, _message(error) + node, traceback.format_exc(), exit_code(error))


def _attempts() -> int:
    """How often the task at hand was started."""
    from ray._private.worker import global_worker

    number = getattr(global_worker.core_worker, "get_current_task_attempt_number", lambda: 0)()
    return int(number) + 1


def _message(error: BaseException) -> str:
    """The message of an error, which begins with its type if the error is a defect; the type alone if it has no text."""
    text = str(error)
    if isinstance(error, EyasError | OSError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class RayExecutor:
    """Tasks on a local Ray that this object starts and stops, or on the cluster at `address`."""

    def __init__(self, address: str | None, workers: int | None, search_path: Sequence[str] = ()) -> None:
        self._address = address
        self._workers = workers
        self._search_path = list(search_path)
        self._ray: Any = None
        self._remote: Any = None
        self._served: list[Any] = []
        self._mark: Mark | None = None
        self.costs: list[Cost] = []
        self._folder: str | None = None
        self._children = Children()
        self.nodes = 1
        self.cpus = workers or cores()

    def start(self) -> None:
        """Starts or joins Ray; ClusterError if the address does not answer in `CONNECT_SECONDS`."""
        if self._ray is not None:
            return
        if self._address:
            check_address(self._address)
        # One attempt to reach the cluster's head takes Ray about 40 s; by default it makes twenty.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
        # Unset, this makes Ray write a token file into the home folder, and a second cluster then refuses to start.
        # A Ray of our own gets a token that nobody else on this machine knows.
        if self._address:
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        elif "RAY_AUTH_MODE" not in os.environ:
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # Spinning OpenMP threads stall one another when something else wants a core: training then fell from
        # 4,400 tokens/s to 600. Sleeping at barriers costs 12 % on an idle machine.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import ray

        common: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        if self._address:
            try:
                ray.init(address=self._address, **common)
            except ConnectionError as error:
                raise ClusterError(
                    no_answer(self._address, f"something listens there, but it is no Ray: {error}")
                ) from error
            nodes = [node for node in ray.nodes() if node["Alive"]]
            self.cpus = int(max(node["Resources"].get("CPU", 0) for node in nodes))
            self.nodes = len(nodes)
        else:
            with deferred():
                self._start_own(ray, common)
                renew_handlers()
        renew_handlers()
        self._ray = ray
        self._remote = ray.remote(_remote_task)

    def _start_own(self, ray: Any, common: dict[str, Any]) -> None:
        """Starts a Ray that only this machine reaches, whatever RAY_ADDRESS or other Rays say, in a folder of its own."""
        from ray._private import ray_constants

        self._folder = make_ray_folder()  # Ray opens its own folder to everybody: it lies in this one
        # As Ray does on a Mac by default: without this, it takes the machine's address in place of 127.0.0.1, and listens to
        # all the world. No public option says so; test_signals.py notices if a later version asks for another way.
        clusters, ray_constants.ENABLE_RAY_CLUSTER = getattr(ray_constants, "ENABLE_RAY_CLUSTER", True), False
        try:
            # Entries are a few hundred bytes: the smallest store that Ray accepts is more than enough.
            ray.init(
                address="local", num_cpus=self.cpus, include_dashboard=False, object_store_memory=100_000_000,
                _node_ip_address="127.0.0.1", _temp_dir=f"{self._folder}/ray", **common,
            )  # fmt: skip
        except SystemExit as end:
            # Ray's own handler, which is in place until `renew_handlers`, exits with the number of the signal.
            raise Stopped(signal.SIGTERM) from end
        except Exception as error:
            why = (str(error).strip().splitlines() or ["no message"])[0]
            raise ClusterError(
                f"Ray did not start on this machine ({type(error).__name__}: {why}). See that "
                f"/dev/shm and {os.path.dirname(self._folder)} have room (RAY_TMPDIR names another "
                f"folder; its path must be short), or go without Ray: --workers 0"
            ) from error
        finally:
            ray_constants.ENABLE_RAY_CLUSTER = clusters
        self._children.look()

    def check_shared(self, store: Store) -> None:
        """StorageError if a node of the cluster does not see the folder of `store` as this machine does."""
        self._mark = Mark.leave(store)
        with deferred():
            check_nodes(self._ray, self._mark, store)

    def serve(self, resources: Iterable[SharedResource]) -> None:
        """Serves each distinct resource to the workers of all nodes. On one node, workers reach it by themselves."""
        if self.nodes > 1:
            distinct = {resource.key: resource for resource in resources}
            self._served = [distinct[key].serve() for key in sorted(distinct)]

    def run(self, step: str, tasks: Sequence[Task[E]], context: TaskContext) -> Iterator[tuple[Task[E], E] | None]:
        """See `Executor`."""
        # First: Ray reads its environment when it is imported.
        self.start()
        from ray import cloudpickle

        ray = self._ray
        waiting = list(reversed(tasks))
        in_flight: dict[Any, Task[E]] = {}
        gpus = ray.cluster_resources().get("GPU", 0)
        bound = 2 * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        try:
            while waiting or in_flight:
                while waiting and len(in_flight) < bound:
                    task = waiting.pop()
                    cpus = self.cpus if task.all_cpus else 1
                    payload = cloudpickle.dumps((step, task, replace(context, cpus=cpus), self._mark))
                    options = {"num_cpus": cpus, "num_gpus": min(task.gpus, gpus), "max_retries": WORKER_RETRIES}
                    with deferred():
                        remote = self._remote.options(name=f"{step} {task.key}", **options)
                        in_flight[remote.remote(self._search_path, payload)] = task
                with deferred():
                    done, _ = ray.wait(list(in_flight), timeout=0.5)
                if not done:
                    yield None
                for reference in done:
                    task = in_flight.pop(reference)
                    yield task, self._entry(step, task, reference)
        finally:
            with deferred():
                for reference in in_flight:
                    ray.cancel(reference, force=True)

    def _entry(self, step: str, task: Task[E], reference: Any) -> E:
        try:
            with deferred():
                outcome: _Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            message = f"its worker died {WORKER_RETRIES + 1} times: {str(error).splitlines()[0]}"
            raise TaskFailed(f"{step} {task.key}", message, str(error), ClusterError.exit_code) from error
        if outcome.cost is not None:
            self.costs.append(outcome.cost)
        if outcome.entry is None:
            raise TaskFailed(f"{step} {task.key}", outcome.message, outcome.trace, outcome.exit_code)
        return cast("E", outcome.entry)

    def close(self) -> None:
        """Stops the local Ray with all its processes, or leaves the cluster."""
        if self._mark is not None:
            self._mark.remove()
        if self._folder is not None:
            self._children.look()
        started = self._ray is not None
        if self._ray is not None or self._folder is not None:
            import ray

            with deferred():
                ray.shutdown()
            self._ray = None
        if self._folder is not None:
            # A Ray that was stopped while it started does not end its processes.
            self._children.end(PATIENCE_SECONDS if started else 0.5)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def make_ray_folder() -> str:
    """A private folder for a Ray of one's own; those of processes that were killed are deleted."""
    base = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    prefix = f"eyas-ray-{os.getuid()}-"
    for name in os.listdir(base):
        owner = name.removeprefix(prefix).split("-")[0]
        if name.startswith(prefix) and owner.isdigit() and is_gone(int(owner)):
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=base)


def check_address(address: str) -> None:
    """Raises ClusterError unless something listens at a Ray address: `host:port`, `ray://host:port`, or `auto`."""
    if address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(
            f"--ray-address {address}: expected host:port (the head node's port is 6379 unless it was changed)"
        )
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS):
            return
    except OSError as error:
        raise ClusterError(no_answer(address, f"{error}; waited up to {CONNECT_SECONDS} s")) from error


def no_answer(address: str, why: str) -> str:
    """The message for a cluster that cannot be reached."""
    return (
        f"no Ray cluster answers at {address} ({why}). Start one with `ray start --head`, check host and port, "
        f"or leave out --ray-address to run on this machine."
    )
