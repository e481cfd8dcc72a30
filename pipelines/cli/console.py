"""What all commands share on the terminal: a console that prints text as it is, and the examples of a help page."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """The examples at the end of a command's help."""
    return "[bold]Examples[/bold]\n\n" + "\n\n".join(f"  {line}" for line in lines)
