"""Draws plots as SVG to be written into a page: no script, no network, and the same bytes for the same figures."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

HOT, COOL, SOFT = "#b4541f", "#2f6f73", "#6d655b"
"""The colours of all reports."""


def inline_svg(draw: Callable[[Any], None], width: float, height: float) -> str:
    """An `<svg>` element, 10 to 25 KB, of what `draw` draws on matplotlib axes of `width` by `height` inches."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "eyas", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    svg = out.getvalue()
    return svg[svg.index("<svg") :]
