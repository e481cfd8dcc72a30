"""`eyas schema`: the JSON Schema of recipes."""

# Tested in tests/end_to_end/test_run.py.

from __future__ import annotations

import json

import typer

from eyas.pipelines.cli.help import LEARN, Verbs

app = Verbs()


@app.verb("eyas schema > recipe.schema.json", panel=LEARN)
def schema() -> None:
    """Print the JSON Schema of recipes, for editors that complete and check YAML."""
    from eyas.pipelines.recipe.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=1))
