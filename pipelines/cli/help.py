"""Help pages: plain text that no terminal width cuts, commands by panel, and examples as a user types them.

Typer's own pages by Rich cut long option names off at 80 columns, fold examples in two and take 0.3 s longer to import.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

RUN, ASK, BUILD, LEARN, KEEP = "Run", "Ask", "Build", "Learn", "Keep"
"""Panels of `eyas --help`, in the order of a user's day."""

_WIDEST = 100
"""Columns of a help page at most: longer lines are hard to read."""
_TYPE = re.compile(r" <[^<>]+>")
_CLAUSE = re.compile(r"[.:;](?:\s|$)")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": _WIDEST}
"""Settings of the outermost command; those below it inherit them."""

Function = TypeVar("Function", bound=Callable[..., Any])


_NAMED = re.compile(r"\{(eyas(?:\.\w+)+)\.(\w+)\}")


def _value(name: re.Match[str]) -> str:
    """A constant that a help text names in braces: its module is imported only when the page is shown."""
    return str(getattr(import_module(name.group(1)), name.group(2)))


class _Page:
    """The parts of a help page that commands and groups share."""

    get_params: Callable[[Any], list[Any]]
    epilog: str | None

    def write_parameters(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options: each name whole, however narrow the terminal."""
        rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                name, text = record[0], _NAMED.sub(_value, record[1])
                argument = param.param_type_name == "argument"
                rows["Arguments" if argument else "Options"].append((_TYPE.sub("", name) if argument else name, text))
        for heading, some in rows.items():
            _section(formatter, heading, some)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The examples, a line each: what is copied from the page can be run."""
        if self.epilog:
            with formatter.section(typer.style("Examples", bold=True)):
                for line in self.epilog.splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class Command(_Page, TyperCommand):
    """A command with our help page."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`RUN` for what must be given, `[RUN]` for what may be."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options."""
        self.write_parameters(ctx, formatter)


class Group(_Page, TyperGroup):
    """A group whose commands are listed by panel."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Commands first: they are what a reader looks for; then options."""
        self.format_commands(ctx, formatter)
        self.write_parameters(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One section for each panel, in the order in which commands were added, with the first clause of their help."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                does = _CLAUSE.split((command.help or "").strip(), maxsplit=1)[0]
                panels.setdefault(command.rich_help_panel or "Commands", []).append((name, does))
        width = max((len(name) for rows in panels.values() for name, _ in rows), default=0)
        for panel, rows in panels.items():
            rows = [(name.ljust(width), does) for name, does in rows]
            _section(formatter, panel, rows)


def _section(formatter: Any, heading: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(typer.style(heading, bold=True)):
            formatter.write_dl(rows, col_max=26)


class Verbs(typer.Typer):
    """Commands of one file. Without a name they join the commands of the app that they are added to."""

    def __init__(self, name: str | None = None, help: str | None = None, panel: str | None = None) -> None:
        self.panel = panel
        super().__init__(
            name=name,
            cls=Group,
            help=help,
            context_settings=CONTEXT,
            no_args_is_help=True,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
        )

    def verb(self, *examples: str, panel: str | None = None) -> Callable[[Function], Function]:
        """Adds a function as a command; `examples`: command lines at the end of its help page."""
        return self.command(cls=Command, epilog="\n".join(examples), rich_help_panel=panel)
