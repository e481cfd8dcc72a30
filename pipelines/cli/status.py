"""`eyas status`: how far a run is, from another shell or machine."""

# Tested in tests/end_to_end/test_journal.py.

from __future__ import annotations

import json
import time
from dataclasses import asdict

import typer

from eyas.corpus.show.text import plain
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console
from eyas.pipelines.cli.help import RUN, Verbs

app = Verbs()


@app.verb(
    "eyas status runs/quickstart",
    "eyas status s3://bucket/runs/web --json | jq .state",
    panel=RUN,
)
def status(run: options.Run, as_json: options.Json = False) -> None:
    """Show how far a run is: running, finished, failed, stopped, or dead (its process is gone)."""
    from eyas.corpus.store import Store
    from eyas.pipelines.cli.run_log import status_line
    from eyas.pipelines.engine.journal import status_of

    store = Store(run)
    found = status_of(store)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    out = console()
    ago = max(time.time() - found.updated, 0.0)
    out.print(f"{found.name}: {found.state}, process {found.pid} on {found.host}, last written {ago:,.0f} s ago")
    if found.number:
        out.print(f"  pass {found.number} of {found.passes}: {found.label}")
    if found.state in ("running", "dead") and found.step:
        out.print(f"  {status_line(found)}")
    if found.message:
        out.print(plain(f"  {found.message}"))
    if found.state == "dead":
        out.print("  its process is gone; run the same command again to go on from there")
