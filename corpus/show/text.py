"""Text and figures for people: scraped text that no terminal obeys, and sizes in decimal units."""

from __future__ import annotations


def plain(text: str) -> str:
    """The text without control characters."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def human(size: float) -> str:
    """Bytes in decimal units: 12.3 MB."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if abs(size) < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError
