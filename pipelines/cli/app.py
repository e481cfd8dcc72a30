"""The command line: the verbs in the order of a user's day, and the exit codes.

A verb is a file of this folder and a line of `VERBS`. Each imports what it needs when it is called, so that `eyas --help`
answers at once.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

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
    status,
    tokenizer,
    train,
    what_if,
)
from eyas.pipelines.cli.help import CONTEXT, Group
from eyas.pipelines.engine.processes import Stopped, end_children, stop_on_signals, stopped_by

VERBS = (
    # Run
    check,
    plan,
    run,
    status,
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
    stop_on_signals()
    try:
        app()
    except BaseException as error:
        # What is raised after a signal is its consequence.
        if (number := error.number if isinstance(error, Stopped) else stopped_by()) is not None:
            sys.exit(_stopped(number))
        if isinstance(error, SystemExit) and error.code == INTERRUPTED:
            sys.exit(_stopped(signal.SIGINT))
        if not isinstance(error, Exception):
            raise
        if os.environ.get("EYAS_TRACEBACK"):
            raise
        sys.exit(_print_error(error))


def _stopped(number: int) -> int:
    """Says that a signal stopped the command, and leaves no process behind; returns the exit code."""
    code = 128 + number
    by = "" if code == INTERRUPTED else f" by {signal.Signals(number).name}"
    typer.secho(f"eyas: stopped{by}; run the same command again to go on from here", err=True)
    end_children()
    return code


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


def entry() -> NoReturn:
    """`main` as a process of its own, which ends without taking libraries down.

    Ray, Arrow, OpenMP and llama.cpp have native threads that may still run while the interpreter destroys what they use: that
    ended some runs, after the right message, with code 134 or 139, and costs half a second.
    """
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    if isinstance(code, str):
        typer.secho(code, err=True)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a reader that has gone, as in `eyas … | head`
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    entry()
