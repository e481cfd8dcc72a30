"""Help pages of all commands: nothing is cut off at 80 columns, and the examples are commands that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from harness import Ran

from eyas.pipelines.cli.app import app

Eyas = Callable[..., Ran]
ROOT: Any = typer.main.get_command(app)


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands and groups with their names."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())
LEAVES = [path for path, command in COMMANDS.items() if not hasattr(command, "commands")]
NAMES = [" ".join(path) or "eyas" for path in COMMANDS]


def options(command: Any, hidden: bool = False) -> list[str]:
    """The names of a command's options."""
    return [
        name
        for param in command.params
        if param.param_type_name == "option" and (hidden or not param.hidden)
        for name in [*param.opts, *param.secondary_opts]
    ]


def examples(path: tuple[str, ...]) -> list[list[str]]:
    """The words of each example of a command that calls Eyas."""
    lines = [shlex.split(line, comments=True) for line in (COMMANDS[path].epilog or "").splitlines()]
    calls = []
    for words in lines:
        if "eyas" in words:
            call = words[words.index("eyas") + 1 :]
            ends = [call.index(sign) for sign in ("|", ">", "&&") if sign in call]
            calls.append(call[: min(ends, default=len(call))])
    return calls


@pytest.mark.parametrize("path", COMMANDS, ids=NAMES)
def test_every_option_is_there_whole_at_80_columns(eyas: Eyas, path: tuple[str, ...]) -> None:
    page = eyas(*path, "--help")
    assert page.code == 0 and page.out == eyas(*path, "-h").out
    assert "…" not in page.out
    words = set(re.findall(r"(?<![\w-])--?[\w-]+", page.out.partition("\nExamples:")[0]))
    assert set(options(COMMANDS[path])) <= words
    text, _, given = page.out.partition("\nExamples:\n")
    assert max(map(len, text.splitlines())) <= 80
    assert [line.strip() for line in given.splitlines()] == (COMMANDS[path].epilog or "").splitlines()


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_says_what_it_does_and_has_examples_that_could_run(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert re.fullmatch(r"[A-Z].*\.", (command.help or "").splitlines()[0]), command.help
    for param in command.params:
        assert param.hidden or param.help, param.name
    calls = examples(path)
    assert calls
    for call in calls:
        assert tuple(call[: len(path)]) == path
        typed = {word.partition("=")[0] for word in call if word.startswith("--")}
        assert typed <= set(options(command)), call
        context = command.make_context(" ".join(path), call[len(path) :], resilient_parsing=True)
        required = [param.name for param in command.params if param.required and not context.params[param.name]]
        assert not required, call


def test_examples_that_need_no_run_do_run(eyas: Eyas) -> None:
    for path in (("stages",), ("sources",), ("prompts",), ("schema",)):
        for call in examples(path):
            if not {"my/prompts/letters", "my_stages"} & set(call):  # files of the user's
                ran = eyas(*call)
                assert ran.code == 0 and ran.out, (call, ran.err)


def test_latex_commands_are_shown_as_they_are_typed(eyas: Eyas) -> None:
    assert r"'\frac,\sqrt'" in eyas("tokenizer", "train", "--help").out
    assert r"Let $x \in \mathbb{R}$" in eyas("tokenizer", "encode", "--help").out


def test_headings_are_bold_on_a_terminal_only() -> None:
    context = ROOT.make_context("eyas", [], resilient_parsing=True)
    assert "\x1b[1mRun\x1b[0m" in ROOT.get_help(context)
