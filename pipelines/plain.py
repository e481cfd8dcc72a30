"""Scraped text on a terminal, which must not obey it; and the examples at the end of a command's help."""

from __future__ import annotations


def plain(text: str) -> str:
    """Without control characters."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def examples(*lines: str) -> str:
    """The examples at the end of a command's help."""
    return "[bold]Examples[/bold]\n\n" + "\n\n".join(f"  {line}" for line in lines)
