"""`eyas plan`: what a run of a recipe would do."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from eyas.corpus.show.text import human, plain
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import RUN, Verbs

if TYPE_CHECKING:
    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.pipelines.engine.planning import Plan
    from eyas.pipelines.engine.products import Replacement

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
    from eyas.pipelines.engine.forecasts import forecasts
    from eyas.pipelines.engine.planning import needed
    from eyas.pipelines.engine.products import replacements
    from eyas.pipelines.engine.requirements import require
    from eyas.pipelines.engine.results import load_result

    planned = make_plan(recipe, options.variables(var))
    store = Store(f"{runs.rstrip('/')}/{planned.recipe.options.name}")
    done = {p.digest: load_result(store, p) is not None for p in planned.passes}
    to_run = needed(planned.passes, {digest for digest, is_done in done.items() if is_done})
    replaced = replacements(store, planned)
    if as_json:
        data = planned.to_json()
        for entry in data["passes"]:
            entry["done"] = done[entry["digest"]]
            entry["will_run"] = entry["digest"] in to_run
        data["replaces"] = [_replacement(one) for one in replaced]
        data["forecasts"] = dict(forecasts(planned, store))
        typer.echo(json.dumps(data, indent=1))
        require(planned, store)
        return
    out = console()
    out.print(headline(planned))
    _print_passes(out, planned, store, done, to_run)
    _print_replacements(out, replaced)
    _print_notes(out, planned, store)
    # Last, for it raises what is missing: whoever reads that has seen what the run would do.
    for warning in require(planned, store):
        out.print(plain(f"note: {warning}"), style="yellow", markup=False, soft_wrap=True)
    out.print(f"\n{len(to_run)} of {len(done)} passes will be computed.")


def _replacement(one: Replacement) -> dict[str, object]:
    from eyas.pipelines.engine.products import previous

    record = one.record
    kept = previous(one.product, record.digest) if one.named else one.product
    return {
        "product": one.product,
        "bytes": record.bytes,
        "seconds": record.seconds,
        "recipe": record.recipe,
        "in_recipe": one.named,
        "kept_in": kept,
    }


def _print_replacements(out: Console, replaced: Sequence[Replacement]) -> None:
    """What is there and would be replaced, or is not named any more."""
    from eyas.pipelines.engine.products import previous

    if not replaced:
        return
    rows = table("there now", "size", "took", "what becomes of it", right=("size", "took"))
    for one in replaced:
        record = one.record
        fate = (
            f"replaced; kept in {previous(one.product, record.digest)}/" if one.named else "not in this recipe; stays"
        )
        rows.add_row(one.product, human(record.bytes), f"{record.seconds:,.1f} s", fate)
    out.print()
    print_table(out, rows)


def _print_passes(out: Console, planned: Plan, store: Store, done: dict[str, bool], to_run: Collection[str]) -> None:
    from rich.text import Text

    passes = table("pass", "does", "digest", "state")
    for number, p in enumerate(planned.passes, 1):
        if done[p.digest]:
            state = Text("kept", "dim")
        elif p.digest not in to_run:
            state = Text("not needed", "dim")
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
        asked = [f"only {named.only}"] if named.only is not None else []
        notes = [*asked, *named.stage.notes(), *expected.get(named.label, [])]
        if notes:
            out.print(f"\n{named.label}", style="bold")
            for line in notes:
                out.print(f"  {line}")
