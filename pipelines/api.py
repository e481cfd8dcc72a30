"""`run` and `plan` as Python functions: they do what the commands do, without output."""

from __future__ import annotations

import os
from collections.abc import Mapping

from eyas.corpus.store import Store
from eyas.errors import Alarm, UsageError
from eyas.pipelines.engine.engine import Engine, Outcome
from eyas.pipelines.engine.executors import Executor, InlineExecutor, RayExecutor
from eyas.pipelines.engine.observer import Observer
from eyas.pipelines.engine.planning import Plan, make_plan
from eyas.pipelines.engine.requirements import require
from eyas.pipelines.recipe.recipe import Recipe, load


def plan(recipe: str, variables: Mapping[str, str] | None = None) -> Plan:
    """The plan for a recipe file; raises `RecipeError` or another `InputError` if there is something wrong."""
    return make_plan(load(recipe, variables))


def run(
    recipe: str,
    runs: str = "runs",
    *,
    workers: int | None = None,
    ray_address: str | None = None,
    variables: Mapping[str, str] | None = None,
    observer: Observer | None = None,
    replace: bool = False,
    shared_folder: bool = False,
) -> Outcome:
    """Runs a recipe file into the folder `runs/<name>` and writes its report.

    workers: tasks at a time (default: all cores); 0 runs everything in this process, without Ray. replace: whether products
    of another recipe may be replaced. shared_folder: whether `runs` is a folder that all nodes of the cluster mount.
    """
    planned = plan(recipe, variables)
    return execute(
        planned,
        runs,
        workers=workers,
        ray_address=ray_address,
        observer=observer,
        replace=replace,
        shared_folder=shared_folder,
    )


def execute(
    planned: Plan,
    runs: str,
    *,
    workers: int | None = None,
    ray_address: str | None = None,
    observer: Observer | None = None,
    replace: bool = False,
    shared_folder: bool = False,
) -> Outcome:
    """Runs a plan; see `run`."""
    store = Store(f"{runs.rstrip('/')}/{planned.recipe.options.name}", shared=shared_folder)
    if shared_folder and not store.local:
        raise UsageError(f"--shared-folder is for a folder that the nodes mount; {runs} is an object store as it is")
    observer = observer or Observer()
    for warning in require(planned, store):
        observer.warned(warning)
    if os.environ.get("RAY_ADDRESS") and not ray_address and workers != 0:
        observer.warned(
            f"RAY_ADDRESS={os.environ['RAY_ADDRESS']} is ignored: this run starts a Ray of its own. To run on that cluster: "
            f"--ray-address {os.environ['RAY_ADDRESS']}"
        )
    executor = make_executor(planned.recipe, store, workers, ray_address)
    from eyas.pipelines.report.page import REPORT, write_report

    engine = Engine(planned, store, executor, observer, replace, write_report)
    try:
        return engine.run()
    except Alarm as alarm:
        # The report of the run so far shows the documents that rang the alarm.
        raise Alarm(f"{alarm}\nThe report: {store.name(REPORT)}") from alarm
    finally:
        executor.close()


def make_executor(recipe: Recipe, store: Store, workers: int | None, ray_address: str | None) -> Executor:
    """The executor for these options; UsageError if it cannot work with this store."""
    resources = [resource for named in recipe.stages if (resource := named.stage.shared_resource(store)) is not None]
    if workers == 0:
        if ray_address:
            raise UsageError("--workers 0 runs without Ray: it cannot be combined with --ray-address")
        return InlineExecutor()
    if workers and ray_address:
        raise UsageError("--workers is for a Ray of one's own; on a cluster, its resources decide how many tasks run")
    executor = RayExecutor(ray_address, workers, [recipe.folder])
    if ray_address:
        executor.start()
        executor.serve(resources)
        if executor.nodes > 1 and store.local:
            try:
                _check_shared(executor, store, ray_address)
            except BaseException:
                executor.close()
                raise
    return executor


def _check_shared(executor: RayExecutor, store: Store, ray_address: str) -> None:
    if not store.shared:
        raise UsageError(
            f"the cluster at {ray_address} has {executor.nodes} nodes, but the run folder {store.name()} is a local path "
            f"that only this machine sees. Put runs on storage that every node reaches: --runs s3://bucket/runs. If all "
            f"nodes mount this path (NFS), say --shared-folder"
        )
    executor.check_shared(store)
