"""`eyas check`: finds out before a run what would stop it."""

# Tested in tests/end_to_end/test_check.py.

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from eyas.corpus.show.text import human, plain
from eyas.errors import FAULTS_FOUND, EyasError
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console
from eyas.pipelines.cli.help import RUN, Verbs

if TYPE_CHECKING:
    from eyas.corpus.store import Store
    from eyas.pipelines.engine.planning import Plan
    from eyas.pipelines.engine.requirements import Finding

app = Verbs()

_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


@app.verb(
    "eyas check recipe.yaml",
    "eyas check recipe.yaml --runs s3://bucket/runs --ray-address head:6379",
    panel=RUN,
)
def check(
    recipe: options.Recipe,
    runs: options.Runs = "runs",
    workers: options.Workers = None,
    ray_address: options.RayAddress = None,
    shared_folder: options.SharedFolder = False,
    var: options.Var = None,
    as_json: options.Json = False,
) -> None:
    """Find out what would stop a run: inputs, columns, names, packages, models, disk; the first records try every stage."""
    from eyas.corpus.store import Store
    from eyas.pipelines.api import plan

    out = console()
    planned = plan(recipe, options.variables(var))
    store = Store(f"{runs.rstrip('/')}/{planned.recipe.options.name}", shared=shared_folder)
    found: list[Finding] = []
    for finding in _findings(planned, store, workers, ray_address):
        found.append(finding)
        if not as_json:
            sign, style = _SIGNS[finding.level]
            out.print(plain(f"{sign} {finding.topic:>8}  {finding.message}"), style=style, markup=False, soft_wrap=True)
    errors = sum(finding.level == "error" for finding in found)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=1))
    else:
        warnings = sum(finding.level == "warning" for finding in found)
        out.print(f"\n{errors} errors, {warnings} warnings" + ("" if errors else ": `eyas run` can start"))
    if errors:
        raise typer.Exit(FAULTS_FOUND)


def _findings(planned: Plan, store: Store, workers: int | None, ray_address: str | None) -> Iterator[Finding]:
    from eyas.pipelines.engine.requirements import Finding, needed_bytes, requirements
    from eyas.pipelines.engine.trial import try_out

    sizes: dict[str, int] = {}
    for partition in planned.partitions:
        sizes[partition.source] = sizes.get(partition.source, 0) + partition.bytes
    yield Finding("recipe", "ok", f"{len(planned.recipe.stages)} stages, {len(planned.passes)} passes")
    for name, size in sizes.items():
        yield Finding("sources", "ok", f"{name}: {human(size)}")
    try:
        store.check_writable()
        yield Finding("runs", "ok", f"{store.name()} can be written")
    except EyasError as error:
        yield Finding("runs", "error", str(error))
    wrong = list(requirements(planned, store))
    yield from wrong
    for topic, text in (
        ("columns", "every field and column that is named is there, with a type that its stage can work with"),
        ("packages", "all that the recipe needs are installed"),
        ("stages", "all languages, labels and files that options name are known"),
        ("model", "fits the vocabulary"),
        ("disk", f"about {human(needed_bytes(planned))} needed"),
    ):
        if not any(finding.topic == topic for finding in wrong):
            yield Finding(topic, "ok", text)
    if any(finding.level == "error" for finding in wrong):
        return  # what follows would fail for the same reasons
    yield from try_out(planned)
    yield from _workers(planned, store, workers, ray_address)


def _workers(planned: Plan, store: Store, workers: int | None, ray_address: str | None) -> Iterator[Finding]:
    from eyas.pipelines.api import make_executor
    from eyas.pipelines.engine.executors import RayExecutor
    from eyas.pipelines.engine.requirements import Finding
    from eyas.pipelines.engine.trial import on_workers

    if ray_address is None and workers == 0:
        return
    try:
        executor = make_executor(planned.recipe, store, workers, ray_address)
    except EyasError as error:
        yield Finding("workers", "error", str(error))
        return
    try:
        nodes = executor.nodes if isinstance(executor, RayExecutor) else 1
        yield from on_workers(planned, store, executor, 2 * nodes)
    finally:
        executor.close()
