"""What a finder of personal data finds in a text, as strings."""

from __future__ import annotations

from eyas.filters.privacy.spans import Finder


def matches(finder: Finder, text: str) -> list[str]:
    """The texts of the spans, which must not overlap."""
    spans = list(finder(text))
    assert all(a.end <= b.start for a, b in zip(spans, spans[1:], strict=False))
    return [text[span.start : span.end] for span in spans]
