"""`eyas tokenizer …`: train, encode, report, surgery."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from eyas.errors import UsageError
from eyas.pipelines.cli.console import examples
from eyas.pipelines.cli.tokenizer_report import EPILOG, report
from eyas.pipelines.cli.tokenizer_surgery import EXAMPLES, surgery

tokenizer_app = typer.Typer(
    help="Train tokenizers, encode with them, compare them, operate on them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
tokenizer_app.command(epilog=EPILOG)(report)
tokenizer_app.command(epilog=EXAMPLES)(surgery)


PathsArgument = Annotated[
    list[str],
    typer.Argument(
        help="Text to learn from: a run's folder, Parquet, JSON lines (plain, gz, zst …), text files, or folders of those.",
        metavar="PATH…",
    ),
]
CutsOption = Annotated[
    str | None,
    typer.Option(help="Cut text as a published model does: falcon-h1, llama-3, qwen, cl100k or gpt-2."),
]
LatexOption = Annotated[
    str | None,
    typer.Option(
        help="LaTeX commands as single tokens: builtin, corpus (the most frequent ones there), none, or a list: "
        "\\\\frac,\\\\sqrt. Default: builtin; none with the pattern of another model than Falcon-H1."
    ),
]
WeightOption = Annotated[
    list[str] | None,
    typer.Option(
        help="How often documents count, by source or language; may be repeated.", metavar="NAME=2 or lang:hi=4"
    ),
]


@tokenizer_app.command(
    epilog=examples(
        "eyas tokenizer train docs/ --out tok --vocab-size 32768",
        "eyas tokenizer train docs/ --out tok --vocab-size 65536 --vocab-size 261120 --reserved 1024 --latex corpus",
        "eyas tokenizer train runs/quickstart more.jsonl.gz --out tok --pretokenizer llama-3 --latex none --weight more=2",
    )
)
def train(
    paths: PathsArgument,
    out: Annotated[str, typer.Option(help="Folder for tokenizer.json and tokenizer_config.json.")],
    vocab_size: Annotated[
        list[int] | None,
        typer.Option(help="Size, exact; may be repeated: one training gives all of them. Default: 32768.", min=300),
    ] = None,
    pretokenizer: CutsOption = None,
    split_digits: Annotated[str | None, typer.Option(help="each, groups_of_3 or none. Default: each.")] = None,
    split_punctuation: Annotated[
        bool | None, typer.Option("--split-punctuation/--join-punctuation", help="Each symbol apart. Default: apart.")
    ] = None,
    split_cjk: Annotated[
        bool | None, typer.Option("--split-cjk", help="Han and kana apart from other letters.")
    ] = None,
    latex: LatexOption = None,
    reserved: Annotated[int, typer.Option(help="Ids kept free for later (Falcon-H1: 1024).", min=0)] = 0,
    min_frequency: Annotated[int, typer.Option(help="Pairs that occur less often are not merged.", min=1)] = 2,
    weight: WeightOption = None,
    memory: Annotated[str, typer.Option(help="What counting and learning may take, about.")] = "4GB",
    train_bytes: Annotated[str, typer.Option(help="Learn from about this much text, spread over all of it.")] = "2GB",
    runs: Annotated[str, typer.Option(help="Folder in which the run's folder lies.")] = "runs",
    workers: Annotated[
        int | None, typer.Option(help="Tasks at a time (default: all cores). 0: without Ray.", min=0)
    ] = None,
    ray_address: Annotated[str | None, typer.Option(help="An existing Ray cluster, host:port.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choice of text, where not all is used.", min=0)] = 0,
) -> None:
    """Train byte-level BPE vocabularies, all sizes at once, exact and in bounded memory."""
    cuts = {"pretokenizer": pretokenizer, "split_digits": split_digits, "split_punctuation": split_punctuation}
    options: dict[str, Any] = {
        "vocab_sizes": sorted(set(vocab_size or [32768])),
        **{name: value for name, value in {**cuts, "split_cjk": split_cjk}.items() if value is not None},
        "latex": _latex(latex or ("builtin" if pretokenizer in (None, "falcon-h1") else "none")),
        "reserved_tokens": reserved,
        "min_frequency": min_frequency,
        "weights": _weights(weight or []),
        "memory": memory,
        "train_bytes": train_bytes,
    }
    _train(paths, out, options, runs, workers, ray_address, seed)


def _latex(given: str) -> dict[str, Any] | None:
    if given == "none":
        return None
    return {"inject": given if given in ("builtin", "corpus") else [name.strip() for name in given.split(",")]}


def _weights(given: list[str]) -> dict[str, dict[str, float]]:
    weights: dict[str, dict[str, float]] = {"source": {}, "lang": {}}
    for item in given:
        name, sign, value = item.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not sign or not name or number < 0:
            raise UsageError(f"--weight {item}: expected NAME=NUMBER for a source, or lang:CODE=NUMBER")
        weights["lang" if name.startswith("lang:") else "source"][name.removeprefix("lang:")] = number
    return weights


def _train(
    paths: list[str],
    out: str,
    options: dict[str, Any],
    runs: str,
    workers: int | None,
    ray_address: str | None,
    seed: int,
) -> None:
    import tempfile
    from pathlib import Path

    from rich.console import Console

    from eyas.corpus.store import Store
    from eyas.pipelines.api import execute, plan
    from eyas.pipelines.cli.progress import TerminalObserver, print_products
    from eyas.pipelines.recipe.tokenizer_recipe import checked, copy_products, recipe_text, run_name

    if "://" not in out and Path(out).is_file():
        raise UsageError(f"--out {out}: is a file; expected a folder")
    checked(options)
    name = run_name(out)
    text = recipe_text(paths, name, seed, options)
    with tempfile.TemporaryDirectory() as scratch:
        recipe = Path(scratch) / "recipe.yaml"
        recipe.write_text(text, encoding="utf-8")
        planned = plan(str(recipe))
        for source in options["weights"]["source"]:
            if source not in (known := [entry.name for entry in planned.recipe.options.sources]):
                raise UsageError(f"--weight {source}=…: no such source; there are {', '.join(known)}")
        console = Console()
        store = Store(f"{runs.rstrip('/')}/{name}")
        observer = TerminalObserver(console, store, None)
        try:
            outcome = execute(planned, runs, workers=workers, ray_address=ray_address, observer=observer)
        finally:
            observer.close()
    print_products(console, outcome)
    for path in copy_products(store, options["vocab_sizes"], out):
        console.print(f"{'written':>10}  {path}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"{'report':>10}  {store.path('report.html')}", highlight=False, markup=False, soft_wrap=True)


@tokenizer_app.command(
    epilog=examples(
        "eyas tokenizer encode tok docs/ --out ids/",
        "eyas tokenizer encode llama3/tokenizer.json runs/quickstart --out ids/",
        "eyas tokenizer encode tok --text 'Let $x \\in \\mathbb{R}$ be 3.14'",
    )
)
def encode(
    tokenizer: Annotated[
        str, typer.Argument(help="tokenizer.json, *.tiktoken, Llama's tokenizer.model, tekken.json, or their folder.")
    ],
    paths: Annotated[list[str] | None, typer.Argument(help="Text, as for `train`.", metavar="PATH…")] = None,
    out: Annotated[str | None, typer.Option(help="Folder for Parquet files with the columns origin and ids.")] = None,
    text: Annotated[str | None, typer.Option(help="Show the tokens of this text instead.")] = None,
    threads: Annotated[int, typer.Option(help="Threads; 0: all cores.", min=0)] = 0,
) -> None:
    """Encode files to ids, or show one text's tokens."""
    from rich.console import Console

    from eyas.tokenizer_train import Encoder

    console = Console()
    if text is None and not (paths and out):
        raise UsageError("eyas tokenizer encode: give PATH… and --out, or --text")
    encoder = Encoder.from_file(tokenizer, threads)
    if encoder.slow_because:
        told = f"`tokenizers` encodes, not Eyas's kernel: {encoder.slow_because}"
        console.print(told, style="yellow", highlight=False, markup=False)
    if text is not None:
        _show_tokens(console, encoder, text)
        return
    assert paths and out
    _encode_files(console, encoder, paths, out)


def _show_tokens(console: Any, encoder: Any, text: str) -> None:
    from rich.text import Text

    from eyas.tokenizer_train.encoding.encode_files import pieces_of

    shown, numbers = Text(), []
    for i, (number, piece) in enumerate(pieces_of(encoder, text)):
        printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in piece)
        shown.append(printable, style="black on bright_cyan" if i % 2 else "black on bright_yellow")
        numbers.append(str(number))
    console.print(shown)
    console.print(" ".join(numbers), highlight=False, soft_wrap=True)
    console.print(f"{len(numbers):,} tokens, {len(text.encode()):,} bytes", style="dim", highlight=False)


def _encode_files(console: Any, encoder: Any, paths: list[str], out: str) -> None:
    from rich.progress import Progress

    from eyas.corpus.show.text import human
    from eyas.tokenizer_train.encoding.encode_files import encode_files

    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("encoding", total=None)
        told = encode_files(encoder, paths, out, lambda done, total: bar.update(task, completed=done, total=total))
    rate = told.bytes / max(told.seconds, 1e-9) / 1e6
    console.print(
        f"{told.documents:,} documents, {human(told.bytes)} → {told.tokens:,} tokens, "
        f"{told.bytes / max(told.tokens, 1):.2f} bytes per token; {rate:.0f} MB/s in the encoder\n{'written':>10}  {out}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if told.unreadable:
        told_what = f"{told.unreadable:,} records were no documents, the first: {told.first_problem}"
        console.print(told_what, style="yellow", highlight=False, markup=False)
