"""`eyas ablate`: does one slice of a corpus make a better model than another?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eyas.errors import UsageError
from eyas.pipelines.cli.console import examples

ABLATE_EXAMPLES = examples(
    "eyas ablate runs/web runs/web:raw --out ablations/curated                # does the whole curation help?",
    "eyas ablate runs/web runs/web:dropped:gopher_quality --out ablations/gopher    # does one stage?",
    "eyas ablate runs/latex runs/plain --own-tokenizers --out ablations/latex --held-out papers.parquet",
)
SliceArgument = Annotated[
    str, typer.Argument(help="RUN, RUN:raw, RUN:dropped:STAGE, or Parquet with a column `text`.", metavar="SLICE")
]


def ablate(
    a: SliceArgument,
    b: SliceArgument,
    out: Annotated[str, typer.Option(help="Folder for shards, models and ablation.json; killed, it goes on there.")],
    held_out: Annotated[
        str | None,
        typer.Option(help="A slice to judge on (default: a twentieth of the first slice, kept out of both)."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each slice; their spread is the noise.", min=1)] = 3,
    steps: Annotated[int, typer.Option(help="Optimiser steps of each training.", min=1)] = 200,
    batch_size: Annotated[int, typer.Option(help="Rows per step.", min=1)] = 8,
    sequence_length: Annotated[int, typer.Option(help="Tokens in a row.", min=16, max=1 << 20)] = 512,
    preset: Annotated[str, typer.Option(help="Shape of the model.")] = "tiny",
    tokenizer: Annotated[
        str | None, typer.Option(help="tokenizer.json for both (default: that of the first slice's run).")
    ] = None,
    own_tokenizers: Annotated[bool, typer.Option(help="Each slice with its own run's tokenizer.")] = False,
    more: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other option of `train:` in a recipe; may be repeated.", metavar="OPTION=YAML"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON only.")] = False,
) -> None:
    """Train the same small model on two slices at an equal token budget, and compare bits per byte on held-out text."""

    from rich.console import Console

    from eyas.pipelines.analysis.ablation import ablate as run
    from eyas.pipelines.analysis.slices import Slice
    from eyas.pipelines.cli.model import training_options
    from eyas.pipelines.engine.executors import cores

    slices = [Slice.parse(a), Slice.parse(b)]
    judge = Slice.parse(held_out) if held_out else None
    given = {"preset": preset, "steps": steps, "batch_size": batch_size, "checkpoint_every": max(steps // 2, 1)}
    options = training_options(given, more)
    console = Console(stderr=True)
    with console.status("") as status:
        last = ""

        def told(what: str, line: dict[str, Any] | None) -> None:
            nonlocal last
            text = what if line is None else f"{what}: step {line['step']}/{steps}, loss {line['loss']:.3f}"
            status.update(text)
            if what != last and not console.is_terminal:
                console.print(what, highlight=False)
            last = what

        paths = _tokenizers(slices, tokenizer, own_tokenizers)
        threads = cores()
        result = run(slices, judge, paths, options, sequence_length, list(range(seeds)), Path(out), threads, told)
    if as_json:
        typer.echo((Path(out) / "ablation.json").read_text(encoding="utf-8"), nl=False)
        return
    _show(result)


def _tokenizers(slices: list[Any], given: str | None, own: bool) -> list[str]:
    found = []
    for one in slices if own else [slices[0], slices[0]]:
        path = given or (f"{one.run}/tokenizer/tokenizer.json" if one.run else None)
        if path is None:
            raise UsageError(f"{one.name} is not of a run, so it has no tokenizer: give one by --tokenizer FILE")
        if not Path(path).is_file():
            raise UsageError(f"{path}: no such file; give a tokenizer by --tokenizer FILE")
        found.append(path)
    return found


def _show(result: Any) -> None:
    import statistics

    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in ("slice", "tokens", "seen", "bits per byte, held out", "by seed"):
        table.add_column(column, overflow="fold", justify="left" if column in ("slice", "by seed") else "right")
    for side in (result.a, result.b):
        spread = f" ± {statistics.stdev(side.bits_per_byte):.4f}" if len(side.bits_per_byte) > 1 else ""
        table.add_row(
            side.name,
            f"{side.tokens:,}",
            f"{side.epochs:.2f} x",
            f"{statistics.fmean(side.bits_per_byte):.4f}{spread}",
            "  ".join(f"{value:.4f}" for value in side.bits_per_byte),
        )
    console.print(table)
    noise = (
        f" ± {result.interval:.4f} (95 %, paired by seed)" if len(result.seeds) > 1 else " (one seed: noise unknown)"
    )
    console.print(
        f"difference {result.difference:+.4f}{noise} on {result.held_out_bytes:,} bytes, after {result.budget:,} tokens "
        f"each: [bold]{result.verdict}[/bold]",
        highlight=False,
    )
