"""`eyas run`: carries a recipe out."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

from typing import Annotated

import typer

from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console
from eyas.pipelines.cli.help import RUN, Verbs

app = Verbs()


@app.verb(
    "eyas run pipelines/recipes/quickstart.yaml",
    "eyas run recipe.yaml --workers 8 --runs /data/runs",
    "eyas run recipe.yaml --ray-address 10.0.0.5:6379 --runs s3://bucket/runs",
    panel=RUN,
)
def run(
    recipe: options.Recipe,
    runs: options.Runs = "runs",
    workers: options.Workers = None,
    ray_address: options.RayAddress = None,
    var: options.Var = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Go on where another recipe's products would be replaced; they are kept.")
    ] = False,
) -> None:
    """Run a recipe. What is done already is kept; a run that was killed goes on where it stopped."""
    from eyas.corpus.store import Store
    from eyas.pipelines.api import execute, plan
    from eyas.pipelines.cli.progress import (
        TerminalObserver,
        headline,
        print_funnel,
        print_products,
        print_shares,
        product_notes,
    )
    from eyas.pipelines.engine.alarms import health

    out = console()
    planned = plan(recipe, options.variables(var))
    store = Store(f"{runs.rstrip('/')}/{planned.recipe.options.name}")
    out.print(f"{headline(planned)} → {store.root}")
    training = planned.recipe.options.train
    observer = TerminalObserver(out, store, training.steps if training else None)
    try:
        outcome = execute(planned, runs, workers=workers, ray_address=ray_address, observer=observer, replace=replace)
    finally:
        observer.close()
    out.print()
    print_funnel(out, outcome)
    out.print()
    print_shares(out, outcome)
    out.print()
    print_products(out, outcome)
    out.print(f"{'report':>10}  {store.path('report.html')}")
    for line in product_notes(outcome):
        out.print(line, markup=False, soft_wrap=True)
    out.print(health(outcome.shares), markup=False, soft_wrap=True)
    kept = len(planned.passes) - outcome.computed
    out.print(f"\n{outcome.computed} passes computed, {kept} kept from before.")
