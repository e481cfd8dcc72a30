"""`eyas prompts`: the prompts that `rewrite` and `annotate` can use, and one of them whole, with its example."""

from __future__ import annotations

from typing import Annotated

import typer

PROMPTS_EXAMPLES = """[bold]Examples[/bold]

  eyas prompts

  eyas prompts diverse_qa

  eyas prompts my/prompts/letters"""


def prompts(
    name: Annotated[str | None, typer.Argument(help="A prompt, or the path of a folder: show all of it.")] = None,
) -> None:
    """List the prompts for rewriting, or show one: its gates, its templates, its schema and its example."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from eyas.synthetic.prompts import DIGESTED, Prompt

    console = Console()
    if name is None:
        table = Table(header_style="bold", box=None, pad_edge=False)
        for column in ("prompt", "kind", "version", "what comes out"):
            table.add_column(column, overflow="fold")
        for known in Prompt.builtin():
            card = Prompt.find(known).card
            table.add_row(known, card.kind, str(card.version), Text(card.description))
        console.print(table)
        return
    prompt = Prompt.find(name)
    console.print(f"[bold]{prompt.name}[/bold] ({prompt.folder}), digest {prompt.digest[:12]}", highlight=False)
    for file in (*DIGESTED, "example.md"):
        path = prompt.folder / file
        if path.is_file():
            console.print(f"\n[bold]{file}[/bold]", highlight=False)
            console.print(path.read_text(encoding="utf-8").rstrip(), highlight=False, markup=False, soft_wrap=True)
