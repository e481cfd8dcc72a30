"""The command lines that pages and help pages show, and how a shell would take them apart."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if path.name not in ("log.md", "changelog.md")
)
"""The log and the changelog describe former states."""

# Every fence is matched with its own end, whatever language it is of.
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_CONTINUED = re.compile(r" *\\\n\s*")
# A line is a command if it has a prompt, or if it begins with `eyas`.
_COMMAND = re.compile(r"^\s*(?:[\w-]*\$ +(?P<typed>.*\beyas [a-z].*)|(?P<bare>(?:\S+/)?eyas [a-z].*))$", re.MULTILINE)


def command_blocks(page: Path) -> list[str]:
    """The blocks of a page in which a reader looks for commands, each command on one line."""
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [_CONTINUED.sub(" ", block) for language, block in blocks if language in ("", "console", "bash", "sh")]


def code_blocks(page: str, language: str) -> list[str]:
    """The code blocks of a language in a page of docs/."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.DOTALL)


@cache
def click_commands() -> dict[tuple[str, ...], Any]:
    """Each command of the command line, by its words after `eyas`."""
    import typer.main

    from eyas.pipelines.cli.app import app

    tree: dict[tuple[str, ...], Any] = {}

    def visit(command: Any, path: tuple[str, ...]) -> None:
        tree[path] = command
        for name, inner in getattr(command, "commands", {}).items():
            visit(inner, (*path, name))

    visit(typer.main.get_command(app), ())
    return tree


def documented_lines() -> dict[str, list[str]]:
    """Every command line of Eyas in the pages and in the examples of help pages, with the places that show it."""
    places: dict[str, list[str]] = {}
    for page in PAGES:
        for match in _COMMAND.finditer("\n".join(command_blocks(page))):
            line = _without_comment(match["typed"] or match["bare"])
            places.setdefault(line, []).append(str(page.relative_to(ROOT)))
    for path, command in click_commands().items():
        for example in (command.epilog or "").splitlines():
            line = _without_comment(example)
            if re.search(r"\beyas [a-z]", line):
                places.setdefault(line, []).append(" ".join(("eyas", *path, "--help")))
    return places


def _without_comment(line: str) -> str:
    return re.split(r"\s+# ", line)[0].strip().removeprefix(".venv/bin/")


@dataclass
class Simple:
    """One command of a line: its words, what it is piped into, the file that takes its output."""

    words: list[str] = field(default_factory=list)
    filter: list[str] = field(default_factory=list)
    output: str | None = None

    @property
    def eyas(self) -> list[str] | None:
        """The words after `eyas`, whatever starts it, such as `torchrun`; None if it is another program."""
        places = [number for number, word in enumerate(self.words) if word.rpartition("/")[2] == "eyas"]
        return self.words[places[0] + 1 :] if places else None


def commands_of(line: str) -> list[Simple]:
    """The commands of a line, separated by `&&`."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>&")
    lexer.whitespace_split, lexer.commenters = True, ""
    commands, target = [Simple()], "words"
    for token in lexer:
        if token == "&&":
            commands.append(Simple())
            target = "words"
        elif token == "|":
            target = "filter"
        elif token == ">":
            target = "output"
        elif target == "output":
            commands[-1].output = token
        else:
            getattr(commands[-1], target).append(token)
    return commands
