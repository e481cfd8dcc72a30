"""`eyas prompts`: the prompts that `rewrite` and `annotate` can use, and one of them whole, with its example."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import LEARN, Verbs

app = Verbs()


@app.verb("eyas prompts", "eyas prompts diverse_qa", "eyas prompts my/prompts/letters", panel=LEARN)
def prompts(
    name: Annotated[
        str | None, typer.Argument(help="A prompt, or the folder of one: show all of it.", metavar="NAME")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the prompts for rewriting, or show one: its gates, templates, schema and example."""
    from eyas.synthetic.prompts import DIGESTED, Prompt

    if name is None:
        _list_prompts(as_json)
        return
    prompt = Prompt.find(name)
    files = {
        file: (prompt.folder / file).read_text(encoding="utf-8").rstrip()
        for file in (*DIGESTED, "example.md")
        if (prompt.folder / file).is_file()
    }
    if as_json:
        described = {"name": prompt.name, "folder": str(prompt.folder), "digest": prompt.digest, "files": files}
        typer.echo(json.dumps(described, indent=1))
        return
    out = console()
    out.print(f"{prompt.name} ({prompt.folder}), digest {prompt.digest[:12]}", style="bold")
    for file, text in files.items():
        out.print(f"\n{file}", style="bold")
        out.print(text)


def _list_prompts(as_json: bool) -> None:
    from eyas.synthetic.prompts import Prompt

    cards = {known: Prompt.find(known).card for known in Prompt.builtin()}
    if as_json:
        listed = [
            {"name": known, "kind": card.kind, "version": card.version, "description": card.description}
            for known, card in cards.items()
        ]
        typer.echo(json.dumps(listed, indent=1))
        return
    rows = table("prompt", "kind", "version", "what comes out")
    for known, card in cards.items():
        rows.add_row(known, card.kind, str(card.version), " ".join(card.description.split()))
    print_table(console(), rows)
