"""The command line: the verbs in the order of a user's day, and the exit codes.

A verb is a file of this folder and a line of `VERBS`. Each imports what it needs when it is called, so that `eyas --help`
answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from eyas.corpus.show.text import plain
from eyas.errors import DEFECT, INTERRUPTED, EyasError, InputError, UsageError, exit_code
from eyas.pipelines.cli import (
    ablate,
    check,
    clean,
    explain,
    export,
    fit,
    generate,
    migrate,
    pack,
    plan,
    prompts,
    report,
    run,
    schema,
    shards,
    sources,
    stages,
    tokenizer,
    train,
    what_if,
)
from eyas.pipelines.cli.help import CONTEXT, Group

VERBS = (
    # Run
    check,
    plan,
    run,
    report,
    # Ask
    explain,
    what_if,
    fit,
    ablate,
    # Build
    tokenizer,
    shards,
    pack,
    train,
    generate,
    export,
    # Learn
    stages,
    sources,
    prompts,
    schema,
    # Keep
    clean,
    migrate,
)
"""The verbs as `eyas --help` lists them. Each file names its panel."""

app = typer.Typer(
    name="eyas",
    cls=Group,
    context_settings=CONTEXT,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for verb in VERBS:
    app.add_typer(verb.app, rich_help_panel=verb.app.panel)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"eyas {version('eyas')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """From raw text to a trained hybrid language model: one YAML recipe, one run."""


def main() -> None:
    """Runs the command line. Errors for users end in words and in the exit codes of `eyas.errors`."""
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.secho("\nstopped; run the same command again to go on from here", err=True)
        raise
    except Exception as error:
        if os.environ.get("EYAS_TRACEBACK"):
            raise
        sys.exit(_print_error(error))


def _print_error(error: Exception) -> int:
    """Prints an error, with what to do about it; returns its exit code."""
    code = exit_code(error)
    message = str(error) or type(error).__name__
    if code == DEFECT:
        message = message if isinstance(error, EyasError) else f"{type(error).__name__}: {message}"
        message = f"a defect of Eyas, not of your input: {message}"
    typer.secho(f"eyas: {plain(message)}", err=True, fg="red")
    if code == DEFECT:
        typer.secho("EYAS_TRACEBACK=1 shows the traceback; please report it with this message.", err=True, dim=True)
    elif code not in (UsageError.exit_code, InputError.exit_code):
        typer.secho("(EYAS_TRACEBACK=1 shows the traceback)", err=True, dim=True)
    return code


if __name__ == "__main__":
    main()
