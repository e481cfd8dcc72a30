"""The console of all commands: text is printed as it is, and tables fold only where a person looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNBOUNDED = 1 << 20
"""Columns of a table that is not shown on a terminal: more than any row needs."""


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console that neither marks up, highlights nor wraps text: paths and messages stay whole in a pipe."""
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True, stderr=stderr, quiet=quiet)


def table(*columns: str, right: tuple[str, ...] = (), title: str | None = None) -> Table:
    """An empty table without lines; `right`: columns of figures."""
    from rich.table import Table

    empty = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name in columns:
        empty.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return empty


def print_table(to: Console, shown: Table) -> None:
    """Prints a table: folded to the width of a terminal; in a file or a pipe each row is one whole line."""
    if to.is_terminal:
        to.print(shown, soft_wrap=False)
        return
    for line in to.render_lines(shown, to.options.update(width=_UNBOUNDED), pad=False):
        to.print("".join(segment.text for segment in line).rstrip())
