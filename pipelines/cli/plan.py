"""`eyas plan`: what a run of a recipe would do."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from eyas.corpus.show.text import plain
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import RUN, Verbs

if TYPE_CHECKING:
    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.pipelines.engine.planning import Plan

app = Verbs()


@app.verb("eyas plan recipe.yaml", "eyas plan recipe.yaml --json | jq .passes", panel=RUN)
def plan(
    recipe: options.Recipe,
    runs: options.Runs = "runs",
    var: options.Var = None,
    as_json: options.Json = False,
    what_if: Annotated[
        list[str] | None, options.moved("--what-if", "use `eyas what-if RUN STAGE.OPTION=VALUE` on a finished run")
    ] = None,
) -> None:
    """Show what `run` would do: which passes are computed, which are kept from an earlier run."""
    from eyas.corpus.store import Store
    from eyas.pipelines.api import plan as make_plan
    from eyas.pipelines.cli.progress import headline
    from eyas.pipelines.engine.engine import load_result
    from eyas.pipelines.engine.forecasts import forecasts
    from eyas.pipelines.engine.requirements import require

    planned = make_plan(recipe, options.variables(var))
    store = Store(f"{runs.rstrip('/')}/{planned.recipe.options.name}")
    warnings = require(planned, store)
    done = {p.digest: load_result(store, p) is not None for p in planned.passes}
    if as_json:
        data = planned.to_json()
        for entry in data["passes"]:
            entry["done"] = done[entry["digest"]]
        data["forecasts"] = dict(forecasts(planned, store))
        typer.echo(json.dumps(data, indent=1))
        return
    out = console()
    out.print(headline(planned))
    _print_passes(out, planned, store, done)
    _print_notes(out, planned, store)
    for warning in warnings:
        out.print(plain(f"note: {warning}"), style="yellow", markup=False, soft_wrap=True)
    out.print(f"\n{sum(not one for one in done.values())} of {len(done)} passes will be computed.")


def _print_passes(out: Console, planned: Plan, store: Store, done: dict[str, bool]) -> None:
    from rich.text import Text

    passes = table("pass", "does", "digest", "state")
    for number, p in enumerate(planned.passes, 1):
        if done[p.digest]:
            state = Text("kept", "dim")
        elif store.exists(f"{p.folder}/entries"):
            state = Text("resumed", "yellow")
        else:
            state = Text("computed", "green")
        passes.add_row(str(number), p.label, p.digest[:12], state)
    print_table(out, passes)


def _print_notes(out: Console, planned: Plan, store: Store) -> None:
    """What the options of each stage mean, and what the stage will cost."""
    from eyas.pipelines.engine.forecasts import forecasts

    expected = {label: [line] for label, line in forecasts(planned, store)}
    for named in planned.recipe.stages:
        notes = [*named.stage.notes(), *expected.get(named.label, [])]
        if notes:
            out.print(f"\n{named.label}", style="bold")
            for line in notes:
                out.print(f"  {line}")
