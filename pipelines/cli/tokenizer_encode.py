"""`eyas tokenizer encode`: files as ids, or the tokens of one text."""

# Tested in tests/end_to_end/test_tokenizer_cli.py.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eyas.errors import UsageError
from eyas.pipelines.cli.console import console
from eyas.pipelines.cli.help import Verbs

if TYPE_CHECKING:
    from rich.console import Console

    from eyas.tokenizer_train import Encoder

app = Verbs()


@app.verb(
    "eyas tokenizer encode tok docs/ --out ids/",
    "eyas tokenizer encode llama3/tokenizer.json runs/quickstart --out ids/",
    "eyas tokenizer encode tok --text 'Let $x \\in \\mathbb{R}$ be 3.14'",
)
def encode(
    tokenizer: Annotated[
        str,
        typer.Argument(
            help="tokenizer.json, *.tiktoken, Llama's tokenizer.model, tekken.json, or their folder.",
            metavar="TOKENIZER",
        ),
    ],
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Text to encode: a run's folder, Parquet, JSON lines, text files, or folders of those.", metavar="PATH"
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(help="Folder for Parquet files with the columns origin and ids.", metavar="FOLDER"),
    ] = None,
    text: Annotated[str | None, typer.Option(help="A text whose tokens to show instead.", metavar="TEXT")] = None,
    threads: Annotated[int, typer.Option(help="Threads. 0: one for each core.", min=0, metavar="N")] = 0,
) -> None:
    """Encode files to ids, or show one text's tokens."""
    from eyas.tokenizer_train import Encoder

    terminal = console()
    if text is None and not (paths and out):
        raise UsageError("eyas tokenizer encode: give PATH… and --out, or --text")
    encoder = Encoder.from_file(tokenizer, threads)
    if encoder.slow_because:
        terminal.print(f"`tokenizers` encodes, not Eyas's kernel: {encoder.slow_because}", style="yellow")
    if text is not None:
        _show_tokens(terminal, encoder, text)
        return
    assert paths and out
    _encode_files(terminal, encoder, paths, out)


def _show_tokens(to: Console, encoder: Encoder, text: str) -> None:
    from rich.text import Text

    from eyas.tokenizer_train.encoding.encode_files import pieces_of

    shown, numbers = Text(), []
    for i, (number, piece) in enumerate(pieces_of(encoder, text)):
        printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in piece)
        shown.append(printable, style="black on bright_cyan" if i % 2 else "black on bright_yellow")
        numbers.append(str(number))
    to.print(shown)
    to.print(" ".join(numbers))
    to.print(f"{len(numbers):,} tokens, {len(text.encode()):,} bytes", style="dim")


def _encode_files(to: Console, encoder: Encoder, paths: list[str], out: str) -> None:
    from rich.progress import Progress

    from eyas.corpus.show.text import human
    from eyas.tokenizer_train.encoding.encode_files import encode_files

    with Progress(console=to, disable=not to.is_terminal) as bar:
        task = bar.add_task("encoding", total=None)
        encoded = encode_files(encoder, paths, out, lambda done, total: bar.update(task, completed=done, total=total))
    rate = encoded.bytes / max(encoded.seconds, 1e-9) / 1e6
    to.print(
        f"{encoded.documents:,} documents, {human(encoded.bytes)} → {encoded.tokens:,} tokens, "
        f"{encoded.bytes / max(encoded.tokens, 1):.2f} bytes per token; {rate:.0f} MB/s in the encoder\n"
        f"{'written':>10}  {out}"
    )
    if encoded.unreadable:
        to.print(
            f"{encoded.unreadable:,} records were no documents, the first: {encoded.first_problem}", style="yellow"
        )
