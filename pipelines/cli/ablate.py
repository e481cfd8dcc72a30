"""`eyas ablate`: does one slice of a corpus make a better model than another?"""

# Tested in tests/end_to_end/test_model_cli.py.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.errors import UsageError
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import ASK, Verbs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyas.pipelines.analysis.ablation import Ablation
    from eyas.pipelines.analysis.slices import Slice

app = Verbs()

_SLICE = "RUN (what it kept), RUN:raw (what it read), RUN:dropped:STAGE, or Parquet with a column `text`."


@app.verb(
    "eyas ablate runs/web runs/web:raw --out ablations/curated                     # does the whole curation help?",
    "eyas ablate runs/web runs/web:dropped:gopher_quality --out ablations/gopher   # does one stage help?",
    "eyas ablate runs/latex runs/plain --own-tokenizers --out ablations/latex --held-out papers.parquet",
    panel=ASK,
)
def ablate(
    a: Annotated[str, typer.Argument(help=f"The first slice: {_SLICE}", metavar="SLICE_A")],
    b: Annotated[str, typer.Argument(help="The second slice, of the same forms.", metavar="SLICE_B")],
    out: Annotated[
        str,
        typer.Option(
            help="Folder for shards, models and ablation.json. An ablation that was killed goes on there.",
            metavar="FOLDER",
        ),
    ],
    held_out: Annotated[
        str | None,
        typer.Option(
            help="A slice to judge on. Default: a twentieth of the first slice, kept out of both.", metavar="SLICE"
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Trainings of each slice. Their spread is the noise.", min=1, metavar="N")
    ] = 3,
    steps: options.Steps = 200,
    batch_size: options.BatchSize = 8,
    sequence_length: options.SequenceLength = 512,
    preset: options.Preset = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="tokenizer.json for both slices. Default: that of the first slice's run.", metavar="FILE"),
    ] = None,
    own_tokenizers: Annotated[
        bool, typer.Option("--own-tokenizers", help="Cut each slice with the tokenizer of its own run.")
    ] = False,
    more: options.Set = None,
    as_json: options.Json = False,
) -> None:
    """Train the same small model on two slices at an equal token budget and compare bits per byte on held-out text."""
    from eyas.pipelines.analysis.ablation import ablate as run
    from eyas.pipelines.analysis.slices import Slice
    from eyas.pipelines.engine.executors import cores

    slices = [Slice.parse(a), Slice.parse(b)]
    judge = Slice.parse(held_out) if held_out else None
    given = {"preset": preset, "steps": steps, "batch_size": batch_size, "checkpoint_every": max(steps // 2, 1)}
    training = options.training_options(given, more)
    paths = _tokenizers(slices, tokenizer, own_tokenizers)
    terminal = console(stderr=True)
    with terminal.status("") as status:
        last = ""

        def show(what: str, line: dict[str, Any] | None) -> None:
            nonlocal last
            status.update(what if line is None else f"{what}: step {line['step']}/{steps}, loss {line['loss']:.3f}")
            if what != last and not terminal.is_terminal:
                terminal.print(what)
            last = what

        seeds_used = list(range(seeds))
        result = run(slices, judge, paths, training, sequence_length, seeds_used, Path(out), cores(), show)
    if as_json:
        typer.echo((Path(out) / "ablation.json").read_text(encoding="utf-8"), nl=False)
        return
    _show(result)


def _tokenizers(slices: Sequence[Slice], given: str | None, own: bool) -> list[str]:
    paths = []
    for one in slices if own else [slices[0], slices[0]]:
        path = given or (f"{one.run}/tokenizer/tokenizer.json" if one.run else None)
        if path is None:
            raise UsageError(f"{one.name} is not of a run, so it has no tokenizer: give one by --tokenizer FILE")
        if not Path(path).is_file():
            raise UsageError(f"{path}: no such file; give a tokenizer by --tokenizer FILE")
        paths.append(path)
    return paths


def _show(result: Ablation) -> None:
    import statistics

    from rich.text import Text

    figures = ("tokens", "seen", "bits per byte, held out")
    rows = table("slice", *figures, "by seed", right=figures)
    for side in (result.a, result.b):
        spread = f" ± {statistics.stdev(side.bits_per_byte):.4f}" if len(side.bits_per_byte) > 1 else ""
        rows.add_row(
            side.name,
            f"{side.tokens:,}",
            f"{side.epochs:.2f} x",
            f"{statistics.fmean(side.bits_per_byte):.4f}{spread}",
            "  ".join(f"{value:.4f}" for value in side.bits_per_byte),
        )
    terminal = console()
    print_table(terminal, rows)
    noise = (
        f" ± {result.interval:.4f} (95 %, paired by seed)" if len(result.seeds) > 1 else " (one seed: noise unknown)"
    )
    measured = f"on {result.held_out_bytes:,} bytes, after {result.budget:,} tokens each"
    terminal.print(Text.assemble(f"difference {result.difference:+.4f}{noise} {measured}: ", (result.verdict, "bold")))
