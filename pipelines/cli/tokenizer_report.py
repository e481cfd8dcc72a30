"""`eyas tokenizer report`: compares tokenizers on a corpus, on the terminal, as a page and as JSON."""

# Tested in tests/tokenizer_train/report/test_report.py.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.errors import UsageError
from eyas.pipelines.cli import options
from eyas.pipelines.cli.console import console, print_table, table
from eyas.pipelines.cli.help import Verbs

if TYPE_CHECKING:
    from rich.console import Console

app = Verbs()

Tokenizers = Annotated[
    list[str],
    typer.Argument(
        help="1 to 8 tokenizers: tokenizer.json, *.tiktoken, Llama's tokenizer.model, tekken.json, or their folder. "
        "Prices are relative to the first.",
        metavar="TOKENIZER",
    ),
]
Corpus = Annotated[
    list[str],
    typer.Option(
        help="Text to measure on: a run's folder, Parquet files, JSON lines (plain or compressed) with text and, if "
        "there, lang, kind, prog_lang; or a folder of these. May be repeated.",
        metavar="PATH",
    ),
]
JsonOut = Annotated[str | None, typer.Option("--json-out", help="File for the same numbers as JSON.", metavar="FILE")]
Width = Annotated[
    list[int] | None,
    typer.Option(
        help="Width of a model to compute the price for; may be repeated. Default: Falcon-H1's.", min=1, metavar="N"
    ),
]
Parameters = Annotated[
    list[float] | None,
    typer.Option(
        help="Parameters of that model outside its embeddings, such as 9e7, one for each --width. Default: a "
        "Falcon-H1 of that width.",
        metavar="N",
    ),
]
MaxBytes = Annotated[
    str, typer.Option(help="Text per group: such as a language or a programming language.", metavar="SIZE")
]
ReadBytes = Annotated[
    str,
    typer.Option(help="Input to read, as bytes on disk. Of a larger corpus, random pieces are read.", metavar="SIZE"),
]
Languages = Annotated[int, typer.Option(help="How many languages get a group of their own.", min=0, metavar="N")]
ProgrammingLanguages = Annotated[
    int, typer.Option(help="How many programming languages get a group of their own.", min=0, metavar="N")
]


@app.verb(
    "eyas tokenizer report runs/quickstart/tokenizer --corpus runs/quickstart",
    "eyas tokenizer report ours/tokenizer.json llama3/ cl100k.tiktoken --corpus docs/ --out compared.html",
    "eyas tokenizer report a/ b/ --corpus docs/ --corpus more.parquet --max-bytes 20MB --json-out compared.json",
    "eyas tokenizer report a/ b/ --corpus docs/ --width 768 --parameters 9e7 --json | jq .summary",
)
def report(
    tokenizers: Tokenizers,
    corpus: Corpus,
    out: Annotated[str, typer.Option(help="File for the page.", metavar="FILE")] = "tokenizers.html",
    as_json: options.Json = False,
    json_out: JsonOut = None,
    width: Width = None,
    parameters: Parameters = None,
    max_bytes: MaxBytes = "2MB",
    read_bytes: ReadBytes = "4GB",
    languages: Languages = 24,
    programming_languages: ProgrammingLanguages = 16,
) -> None:
    """Compare tokenizers on a corpus: bytes per token, fertility, numbers, LaTeX, wasted tokens, price."""
    from eyas.tokenizer_train.report.report import WIDTHS, middle
    from eyas.tokenizer_train.report.sample import Limits

    if as_json:
        _refuse_json_files(tokenizers)
    sizes = (_size("--max-bytes", max_bytes), _size("--read-bytes", read_bytes))
    limits = Limits(*sizes, languages, programming_languages)
    # Standard output is for JSON alone, if it is wanted there.
    terminal = console(stderr=as_json)
    widths = width or WIDTHS
    with _Bar(terminal) as bar:
        rows, numbers = _measured(tokenizers, corpus, out, json_out, as_json, widths, parameters, limits, bar)
    if as_json:
        typer.echo(numbers)
    else:
        show(terminal, rows, middle(widths))
    for name, path in (("page", out), ("numbers", json_out)):
        if path is not None:
            terminal.print(f"{name:>10}  {path}")


def _refuse_json_files(tokenizers: list[str]) -> None:
    """`--json FILE` wrote a file once: FILE would be taken for a tokenizer now."""
    from pathlib import Path

    for name in tokenizers:
        if name.endswith(".json") and "://" not in name and not Path(name).exists():
            raise UsageError(
                f"{name}: no such tokenizer. --json prints to standard output; to write a file, use --json-out {name}"
            )


def _measured(
    tokenizers: list[str],
    corpus: list[str],
    out: str,
    json_out: str | None,
    as_json: bool,
    widths: Any,
    parameters: list[float] | None,
    limits: Any,
    bar: _Bar,
) -> tuple[list[dict[str, Any]], str]:
    """The rows of the summary, and the JSON that is to be printed."""
    import tempfile

    from eyas.tokenizer_train.report.report import report as measure

    with tempfile.TemporaryDirectory() as scratch:
        printed = f"{scratch}/numbers.json"
        target = json_out or (printed if as_json else None)
        rows = measure(
            tokenizers,
            corpus,
            out=out,
            json_out=target,
            widths=widths,
            parameters=parameters,
            limits=limits,
            progress=bar,
        )
        if not as_json:
            return rows, ""
        from eyas.corpus.store import Store

        folder, _, name = str(target).rpartition("/")
        with Store(folder or ".").open(name) as file:
            return rows, file.read().decode()


def show(to: Console, rows: list[dict[str, Any]], width: int) -> None:
    """Prints the summary as a table."""
    figures = ("tokens", "English", "others", "code", "maths", "all", "price", "changed")
    summary = table("tokenizer", *figures, right=figures, title="bytes per token: higher is better")
    for row in rows:
        kinds = [row[kind] for kind in ("english", "other_languages", "code", "mathematics", "all")]
        ratios = ["–" if ratio is None else f"{ratio:.2f}" for ratio in kinds]
        rest = (f"{row['relative_price']:.2f}×", f"{row['changed']:,}")
        summary.add_row(row["name"], f"{row['vocab_size']:,}", *ratios, *rest)
    print_table(to, summary)
    note = f"price: training arithmetic per byte at width {width}, first = 1; changed: texts that do not come back"
    to.print(note, style="dim")


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
    """Progress: a bar on a terminal, and a line per step where output is piped."""

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
        """Shows how much of a step is done."""
        if what != self._step and not self._console.is_terminal:
            self._console.print(f"{what} …")
        if what != self._step:
            self._progress.reset(self._task, description=what, total=max(total, 1))
        self._step = what
        self._progress.update(self._task, completed=done, total=max(total, 1))
