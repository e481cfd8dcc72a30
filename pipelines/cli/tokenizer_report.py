"""`eyas tokenizer report`: compares tokenizers on a corpus, on the terminal, as a page and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

EPILOG = "[bold]Examples[/bold]\n\n" + "\n\n".join(
    f"  {line}"
    for line in (
        "eyas tokenizer report runs/quickstart/tokenizer --corpus runs/quickstart",
        "eyas tokenizer report ours/tokenizer.json llama3/ cl100k.tiktoken --corpus docs/ --out compared.html",
        "eyas tokenizer report a/ b/ --corpus docs/ --corpus more.parquet --max-bytes 20MB --json compared.json",
        "eyas tokenizer report a/ b/ --corpus docs/ --width 768 --parameters 9e7",
    )
)
"""The end of the command's help."""


TokenizersArgument = Annotated[
    list[str],
    typer.Argument(
        help="1 to 8 tokenizers: tokenizer.json, *.tiktoken, Llama's tokenizer.model, tekken.json, or their folder. "
        "Prices are relative to the first.",
        metavar="TOKENIZER…",
    ),
]
CorpusOption = Annotated[
    list[str],
    typer.Option(
        help="What to measure on: a run's folder, Parquet files, JSON lines (plain, gz, zst …) with text and, if there, "
        "lang, kind, prog_lang; or a folder of these. May be repeated.",
        metavar="PATH",
    ),
]
WidthOption = Annotated[
    list[int] | None,
    typer.Option(help="Width of a model to compute the price for; may be repeated. Default: Falcon-H1's.", min=1),
]
ParametersOption = Annotated[
    list[float] | None,
    typer.Option(
        help="Parameters of that model outside its embeddings (9e7), one for each --width. Default: a Falcon-H1 of that "
        "width."
    ),
]
JsonOption = Annotated[str | None, typer.Option("--json", help="Write the same numbers there as JSON.", metavar="FILE")]


def report(
    tokenizers: TokenizersArgument,
    corpus: CorpusOption,
    out: Annotated[str, typer.Option(help="The page.", metavar="FILE")] = "tokenizers.html",
    as_json: JsonOption = None,
    width: WidthOption = None,
    parameters: ParametersOption = None,
    max_bytes: Annotated[str, typer.Option(help="Text per group (language, programming language …).")] = "2MB",
    read_bytes: Annotated[
        str, typer.Option(help="Input to read, as bytes on disk; of a larger corpus, pieces drawn by lot.")
    ] = "4GB",
    languages: Annotated[int, typer.Option(help="So many languages get a group of their own.", min=0)] = 24,
    programming_languages: Annotated[int, typer.Option(help="The same for programming languages.", min=0)] = 16,
) -> None:
    """Compare tokenizers on a corpus: bytes per token, fertility, numbers, LaTeX, wasted tokens, price."""
    from rich.console import Console

    from eyas.tokenizer_train.report import report as made
    from eyas.tokenizer_train.report.sample import Limits

    limits = Limits(
        _size("--max-bytes", max_bytes), _size("--read-bytes", read_bytes), languages, programming_languages
    )
    console = Console()
    with _Bar(console) as bar:
        rows = made.report(
            tokenizers,
            corpus,
            out=out,
            json_out=as_json,
            widths=width or made.WIDTHS,
            parameters=parameters,
            limits=limits,
            progress=bar,
        )
    show(console, rows, made.middle(width or made.WIDTHS))
    for name, path in (("page", out), ("numbers", as_json)):
        if path is not None:
            console.print(f"{name:>10}  {path}", highlight=False, markup=False, soft_wrap=True)


def show(console: Console, rows: list[dict[str, Any]], width: int) -> None:
    """The summary as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="bytes per token: higher is better", title_justify="left", header_style="bold", box=None)
    table.add_column("tokenizer", overflow="fold")
    names = ("tokens", "English", "others", "code", "maths", "all", "price", "changed")
    for name in names:
        table.add_column(name, justify="right")
    for row in rows:
        kinds = [row[kind] for kind in ("english", "other_languages", "code", "mathematics", "all")]
        ratios = ["–" if ratio is None else f"{ratio:.2f}" for ratio in kinds]
        rest = (f"{row['relative_price']:.2f}×", f"{row['changed']:,}")
        table.add_row(Text(row["name"]), f"{row['vocab_size']:,}", *ratios, *rest)
    console.print(table)
    told = f"price: training arithmetic per byte at width {width}, first = 1; changed: texts that do not come back"
    console.print(told, style="dim", highlight=False, soft_wrap=True)


def _size(option: str, text: str) -> int:
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        size = int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as error:
        raise UsageError(f"{option} {text}: expected a number of bytes, such as 2MB or 500KB") from error
    if size <= 0:
        raise UsageError(f"{option} {text}: must be above 0")
    return size


class _Bar:
    """A bar on a terminal; a line per step where output is piped."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %", markup=False),
            TimeRemainingColumn(),
        )
        self._console = console
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("starting", total=None)
        self._step = ""

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Shows how far a step is."""
        if what != self._step and not self._console.is_terminal:
            self._console.print(f"{what} …", highlight=False, markup=False)
        if what != self._step:
            self._progress.reset(self._task, description=what, total=max(total, 1))
        self._step = what
        self._progress.update(self._task, completed=done, total=max(total, 1))
