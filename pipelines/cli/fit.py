"""`eyas fit`: thresholds for each language of a finished run."""

# Tested in tests/end_to_end/test_fit.py.

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import ASK, Verbs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from eyas.filters.languages.fit import Fitted

app = Verbs()


class Method(StrEnum):
    """Ways to choose a language's threshold."""

    QUANTILE = "quantile"
    TAIL = "tail"
    MEAN_STD = "mean_std"


@app.verb(
    "eyas fit runs/quickstart --out thresholds.yaml",
    "eyas fit runs/quickstart --method tail --share 0.1 --reference de",
    panel=ASK,
)
def fit(
    run: options.FinishedRun,
    out: Annotated[
        str | None, typer.Option(help="File to write the thresholds to, for `by_language: FILE`.", metavar="FILE")
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="quantile: the same share fails as in the reference language. tail: --share fails. "
            "mean_std: as far from the mean, in standard deviations, as in the reference language.",
        ),
    ] = Method.QUANTILE,
    share: Annotated[
        float, typer.Option(help="Share of each language's documents that fails each rule (tail).", metavar="SHARE")
    ] = 0.05,
    reference: Annotated[
        str, typer.Option(help="The language that the recipe's thresholds were made for.", metavar="CODE")
    ] = "en",
    min_documents: Annotated[
        int, typer.Option(help="A language with fewer documents keeps the default.", min=1, metavar="N")
    ] = 200,
    as_json: options.Json = False,
    runs: Annotated[str | None, options.moved("--runs", "give the run's folder itself: `eyas fit runs/NAME`")] = None,
    var: Annotated[list[str] | None, options.moved("--var", "a finished run has its variables; leave it out")] = None,
) -> None:
    """Fit thresholds to each language of a finished run, from its scores: no text is read."""
    from eyas.corpus.store import Store
    from eyas.filters.languages.fit import to_yaml
    from eyas.pipelines.analysis.fit import fit_run
    from eyas.pipelines.analysis.what_if import finished
    from eyas.pipelines.engine.planning import plan_of_run

    store = Store(options.run_folder(run, "fit"))
    planned = plan_of_run(store)
    results = finished(planned, store)
    fitted = fit_run(planned, store, results, method.value, share, reference, min_documents)
    if out is not None:
        note = f"eyas fit, method {method}, of the run {planned.recipe.options.name} ({planned.digest[:12]})"
        Path(out).write_text(to_yaml(fitted, note), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in fitted], indent=1))
        return
    terminal = console()
    _print_fitted(terminal, fitted)
    if out is not None:
        terminal.print(f"\nwritten: {out}; use it by `by_language: {out}`")


def _print_fitted(to: Console, fitted: Sequence[Fitted]) -> None:
    rows = table("language", "rule", "default", "threshold", "fails", "would fail", "documents", "")
    for one in fitted:
        shares = (f"{one.before:.1%}", f"{one.after:.1%}", f"{one.documents:,}")
        rows.add_row(one.language, one.rule, f"{one.default:g}", f"{one.threshold:g}", *shares, one.kept or "")
    print_table(to, rows)
