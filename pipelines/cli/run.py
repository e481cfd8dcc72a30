"""`eyas run`: carries a recipe out."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

import os
import subprocess
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console
from eyas.pipelines.cli.help import RUN, Verbs

if TYPE_CHECKING:
    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.pipelines.cli.progress import TerminalObserver
    from eyas.pipelines.cli.run_log import LogObserver
    from eyas.pipelines.engine.engine import Outcome
    from eyas.pipelines.engine.planning import Plan

app = Verbs()
HOOK_SECONDS = 60
"""How long the command after a failure may take."""


class LogFormat(StrEnum):
    """How progress is printed where nobody looks at a terminal."""

    text = "text"
    json = "json"


@app.verb(
    "eyas run pipelines/recipes/quickstart.yaml",
    "eyas run recipe.yaml --workers 8 --runs /data/runs",
    "eyas run recipe.yaml --ray-address 10.0.0.5:6379 --runs s3://bucket/runs",
    "eyas run recipe.yaml --ray-address 10.0.0.5:6379 --runs /nfs/runs --shared-folder",
    "eyas run recipe.yaml --log-format json --on-failure 'mail -s \"$EYAS_RUN failed\" me < /dev/null' > run.log",
    panel=RUN,
)
def run(
    recipe: options.Recipe,
    runs: options.Runs = "runs",
    workers: options.Workers = None,
    ray_address: options.RayAddress = None,
    shared_folder: options.SharedFolder = False,
    var: options.Var = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Go on where another recipe's products would be replaced; they are kept.")
    ] = False,
    quiet: options.Quiet = False,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(
            help="Print a log: lines with times, or an event in JSON per line. Default: text unless on a terminal."
        ),
    ] = None,
    on_failure: Annotated[
        str | None,
        typer.Option(
            help="A shell command to run if the run fails or is stopped; EYAS_RUN, EYAS_EXIT_CODE and EYAS_MESSAGE say more.",
            metavar="COMMAND",
        ),
    ] = None,
) -> None:
    """Run a recipe. What is done already is kept; a run that was killed goes on where it stopped."""
    from eyas.corpus.store import Store
    from eyas.pipelines.api import execute, plan
    from eyas.pipelines.cli.progress import headline

    out = console()
    tables = not quiet and log_format is not LogFormat.json
    place = runs
    try:
        planned = plan(recipe, options.variables(var))
        place = f"{runs.rstrip('/')}/{planned.recipe.options.name}"
        store = Store(place)
        if tables:
            out.print(f"{headline(planned)} → {store.name()}")
        observer = _observer(out, store, planned, quiet, log_format)
        try:
            outcome = execute(
                planned,
                runs,
                workers=workers,
                ray_address=ray_address,
                observer=observer,
                replace=replace,
                shared_folder=shared_folder,
            )
        finally:
            observer.close()
    except BaseException as error:
        if on_failure:
            _run_hook(on_failure, place, error)
        raise
    if tables:
        _print_outcome(out, outcome, store)


def _observer(
    out: Console, store: Store, planned: Plan, quiet: bool, log_format: LogFormat | None
) -> TerminalObserver | LogObserver:
    from eyas.pipelines.cli.progress import TerminalObserver
    from eyas.pipelines.cli.run_log import JsonObserver, LogObserver, QuietObserver

    training = planned.recipe.options.train
    steps = training.steps if training else None
    if quiet:
        return QuietObserver(console(stderr=True), store)
    if log_format is LogFormat.json:
        return JsonObserver(out, store)
    if log_format is LogFormat.text or not out.is_terminal:
        return LogObserver(out, store, steps)
    return TerminalObserver(out, store, steps)


def _print_outcome(out: Console, outcome: Outcome, store: Store) -> None:
    from eyas.pipelines.cli.progress import print_funnel, print_products, print_shares, product_notes
    from eyas.pipelines.engine.alarms import health

    out.print()
    print_funnel(out, outcome)
    out.print()
    print_shares(out, outcome)
    out.print()
    print_products(out, outcome)
    out.print(f"{'report':>10}  {store.name('report.html')}")
    for line in product_notes(outcome):
        out.print(line, markup=False, soft_wrap=True)
    out.print(health(outcome.shares), markup=False, soft_wrap=True)
    kept = len(outcome.plan.passes) - outcome.computed
    out.print(f"\n{outcome.computed} passes computed, {kept} kept from before.")


def _run_hook(command: str, place: str, error: BaseException) -> None:
    """Runs the user's command; whatever it does, the error of the run is what counts."""
    from eyas.errors import exit_code
    from eyas.pipelines.engine.processes import Stopped

    code = 128 + error.number if isinstance(error, Stopped) else exit_code(error)
    known = {"EYAS_RUN": place, "EYAS_EXIT_CODE": str(code), "EYAS_MESSAGE": str(error)[:8000].replace("\0", "")}
    try:
        done = subprocess.run(command, shell=True, env={**os.environ, **known}, timeout=HOOK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        typer.secho(f"--on-failure: {problem}", err=True, fg="yellow")
        return
    if done.returncode:
        typer.secho(f"--on-failure: the command ended with {done.returncode}", err=True, fg="yellow")
