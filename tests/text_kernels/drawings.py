"""Reads the worked examples that module docstrings draw: rows of a name and as many columns each."""

from __future__ import annotations


def drawing(docstring: str | None, *names: str) -> dict[str, list[str]]:
    """The columns of each named row."""
    assert docstring is not None
    lines = [line.split() for line in docstring.splitlines() if line.startswith("    ")]
    rows = {line[0]: line[1:] for line in lines if line and line[0] in names}
    assert set(rows) == set(names)
    return rows
