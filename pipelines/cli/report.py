"""`eyas report`: the report of a finished run, written again."""

# Tested in tests/end_to_end/test_what_if.py.

from __future__ import annotations

import typer

from eyas.pipelines.cli import options
from eyas.pipelines.cli.help import RUN, Verbs

app = Verbs()


@app.verb("eyas report runs/quickstart", panel=RUN)
def report(run: options.FinishedRun) -> None:
    """Write the report of a finished run again: report.html, one page that needs no network."""
    from eyas.corpus.store import Store
    from eyas.pipelines.report.page import rewrite_report

    typer.echo(rewrite_report(Store(run)))
