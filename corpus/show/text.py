"""Formats for people: text without control characters, and sizes in decimal units."""

from __future__ import annotations


def plain(text: str) -> str:
    """`text` with each unprintable character replaced, so that no terminal obeys it."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def human(size: float) -> str:
    """Bytes in decimal units: 12.3 MB."""
    units = ["B", "KB", "MB", "GB", "TB"]
    while abs(size) >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"
