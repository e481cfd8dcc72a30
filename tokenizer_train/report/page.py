"""The page of a comparison: the values that the template shows, and its plots.

The page answers in this order: which tokenizer needs fewer tokens, in which language; how it cuts numbers and LaTeX; which
tokens it wastes; what it costs in a model. About 400 KB for four tokenizers and 43 groups.
"""
# Tested in tests/tokenizer_train/report/test_report.py.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eyas.corpus.show.page import templates
from eyas.corpus.show.svg import COOL, HOT, SOFT, inline_svg
from eyas.tokenizer_train.report.comparison import ALL, TokenizerFigures
from eyas.tokenizer_train.report.digit_groups import LONGEST, DigitGroups, describe
from eyas.tokenizer_train.report.examples import examples, tokens
from eyas.tokenizer_train.report.latex_cuts import LatexCuts
from eyas.tokenizer_train.report.measured import Measured, middle
from eyas.tokenizer_train.report.price import FALCON_H1, Price, prices
from eyas.tokenizer_train.report.tables import MEASURES, Measure, heat, tables

TEMPLATE = "tokenizer.html.jinja"
COLOURS = (HOT, COOL, "#6b5aa8", "#8a7a1f", "#b03060", "#3c6fb4", "#4f8a3c", SOFT)
"""One for each of at most eight tokenizers."""
_MARKERS = "osD^vPX*"
_COMMANDS = 30
_SHOWN_TOKENS = 60
_DIGITS = "12345678"
_PRICE = Measure("price", "Price", "lower", "", lambda figures: None, lambda value: f"{value:.2f}×", 0.5)


def render(measured: Measured) -> str:
    """The page as HTML."""
    return templates("eyas.tokenizer_train.report", big=big).get_template(TEMPLATE).render(**context(measured))


def big(number: float) -> str:
    """A number of parameters: 67 M, 1.3 B."""
    if number < 1e6:
        return f"{number / 1e3:,.0f} K"
    return f"{number / 1e6:,.0f} M" if number < 1e9 else f"{number / 1e9:,.1f} B"


def context(measured: Measured) -> dict[str, Any]:
    """Everything that the template shows."""
    comparison, sample = measured.comparison, measured.sample
    tokenizers = comparison.tokenizers
    loaded = [one.loaded for one in tokenizers]
    return {
        "labels": [one.label for one in loaded],
        "paths": [one.path for one in loaded],
        "colours": COLOURS,
        "corpora": measured.corpora,
        "limits": measured.limits,
        "groups": [
            (g, sample.documents[g.name], sample.bytes[g.name], sample.of_bytes[g.name]) for g in comparison.groups
        ],
        "unreadable": sample.unreadable,
        "all": [one.groups[ALL] for one in tokenizers],
        "several": len(tokenizers) > 1,
        "summary": _summary(measured),
        "middle": middle(measured.widths),
        "tables": tables(comparison),
        "language_plot": _ratio_plot(measured, "language"),
        "code_plot": _ratio_plot(measured, "code"),
        "rules": [describe(one.digits) for one in tokenizers],
        "numbers": [_numbers([one.digits[i] for one in tokenizers]) for i in range(LONGEST)],
        "latex": _latex(tokenizers) if any(one.latex.occurrences for one in tokenizers) else None,
        "infty": [_alone(one, r"\infty") for one in tokenizers],
        "use": [_use(one) for one in tokenizers],
        "overlap": [
            comparison.overlap[i : i + len(tokenizers)] for i in range(0, len(tokenizers) ** 2, len(tokenizers))
        ],
        "widths": [_width(measured, width) for width in measured.widths],
        "price_plot": _price_plot(measured) if len(tokenizers) > 1 else "",
        "examples": examples(sample, loaded),
    }


def _summary(measured: Measured) -> list[dict[str, Any]]:
    """Rows of the first table. Tokenizers are its rows, so colours compare along its columns."""
    rows = measured.summary()
    columns = {
        name: heat([row[name] for row in rows], MEASURES[0])
        for name in ("english", "other_languages", "code", "mathematics")
    }
    columns["relative_price"] = heat([row["relative_price"] for row in rows], _PRICE)
    summary = []
    for one, row in zip(measured.comparison.tokenizers, rows, strict=True):
        latex = one.latex
        seen = latex.occurrences
        summary.append(
            {
                "name": row["name"],
                "vocab_size": row["vocab_size"],
                "rule": describe(one.digits),
                "latex": sum(command.whole for command in latex.commands.values()) / seen if seen else None,
                "changed": row["changed"],
                "documents": one.groups[ALL].documents,
            }
        )
    return [{**row, **{name: cells[i] for name, cells in columns.items()}} for i, row in enumerate(summary)]


def _ratio_plot(measured: Measured, kind: str) -> str:
    """A plot of bytes per token by group, with a mark for each tokenizer; empty for fewer than two groups."""
    groups = [group for group in measured.comparison.groups if group.kind == kind]
    if len(groups) < 2:
        return ""
    tokenizers = measured.comparison.tokenizers
    groups.sort(key=lambda group: tokenizers[0].groups[group.name].bytes_per_token)
    places = np.arange(len(groups))

    def draw(axes: Any) -> None:
        values = np.array([[one.groups[group.name].bytes_per_token for group in groups] for one in tokenizers])
        axes.hlines(places, values.min(axis=0), values.max(axis=0), color="#d8cfc0", linewidth=2, zorder=1)
        for i, one in enumerate(tokenizers):
            style = {"s": 34, "color": COLOURS[i % len(COLOURS)], "marker": _MARKERS[i % len(_MARKERS)]}
            axes.scatter(
                values[i], places, label=_plain(one.loaded.label), zorder=2 + len(tokenizers) - i, alpha=0.9, **style
            )
        axes.set_yticks(places, [_plain(group.title) for group in groups])
        axes.set_ylim(-0.7, len(groups) - 0.3)
        axes.set_xlim(left=0)
        axes.set_xlabel("bytes per token (further right is better)")
        _legend(axes)

    return inline_svg(draw, 9, 0.9 + 0.24 * len(groups))


def _legend(axes: Any) -> None:
    """The legend above the plot, where it hides no mark."""
    names = axes.get_legend_handles_labels()[1]
    columns = max(min(4, 100 // (max(map(len, names)) + 5)), 1)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, borderaxespad=0.2)


def _plain(text: str) -> str:
    """A name for a plot. matplotlib would set text between dollars as mathematics, and its font lacks most scripts."""
    text = text if len(text) <= 40 else "…" + text[-39:]
    return "".join(c if c.isascii() or c == "…" or (c.isalpha() and ord(c) < 0x250) else "?" for c in text).replace(
        "$", r"\$"
    )


def _numbers(groups: Sequence[DigitGroups]) -> dict[str, Any]:
    """One length of numbers: each tokenizer's most frequent cut, shown on the digits 1234…"""
    cells = []
    for one in groups:
        places = np.cumsum([0, *one.cut])
        pieces = [_DIGITS[a:b] for a, b in zip(places, places[1:], strict=False)]
        cells.append({"pieces": pieces, "group": one})
    return {"digits": groups[0].digits, "tried": groups[0].numbers, "cells": cells}


def _alone(one: TokenizerFigures, text: str) -> list[dict[str, Any]]:
    """The tokens of a text that stands alone."""
    return tokens(one.loaded, one.loaded.ids([text])[0])


def _latex(tokenizers: Sequence[TokenizerFigures]) -> dict[str, Any]:
    """The shares of commands, and the most frequent commands as each tokenizer cuts them."""
    facts = [one.latex.to_json(one.loaded) for one in tokenizers]
    first = max((one.latex for one in tokenizers), key=lambda latex: latex.occurrences)
    return {
        "facts": facts,
        "rows": [
            {"command": name, "count": command.count, "cells": [_command(one, name) for one in tokenizers]}
            for name, command in first.ranked()[:_COMMANDS]
        ],
        "traps": [_traps(one.latex) for one in tokenizers],
    }


def _command(one: TokenizerFigures, name: str) -> dict[str, Any]:
    seen = one.latex.commands.get(name)
    return {"tokens": _alone(one, name), "whole": seen.whole / seen.count if seen and seen.count else None}


def _traps(latex: LatexCuts) -> list[str]:
    """Commands that begin with another command's token, the most frequent first."""
    return [name for name, command in latex.ranked() if 2 * command.other > command.count][:8]


def _use(one: TokenizerFigures) -> dict[str, Any]:
    """The use of one vocabulary: counts, and the first tokens of each list."""
    use, loaded = one.use, one.loaded
    lists = {}
    for name, ids in (("unreachable", sorted(use.unreachable)), ("unused", use.unused), ("rare", use.rare)):
        shown = tokens(loaded, [int(i) for i in ids[:_SHOWN_TOKENS]])
        if name == "unreachable":
            shown = [{**entry, "why": use.unreachable[entry["id"]].why} for entry in shown]
        lists[name] = {"count": len(ids), "share": len(ids) / max(use.tokens, 1), "tokens": shown}
    return {"label": loaded.label, "tokens": use.tokens, "control": use.control, "partial": use.partial, **lists}


def _width(measured: Measured, width: int) -> dict[str, Any]:
    """One width: the price of each tokenizer in a model of this width."""
    at_width: list[Price] = [price for price in measured.prices if price.width == width]
    return {
        "width": width,
        "parameters": at_width[0].parameters,
        "prices": list(zip(at_width, heat([price.relative for price in at_width], _PRICE), strict=True)),
    }


def _price_plot(measured: Measured) -> str:
    """A plot of relative price by width for models shaped like Falcon-H1: it shows where a larger vocabulary pays."""
    tokenizers = measured.comparison.tokenizers
    ratios = [(one.loaded.label, one.loaded.vocab_size, one.groups[ALL].bytes_per_token) for one in tokenizers]
    widths = np.unique(np.geomspace(256, 8192, 60).astype(int))

    def draw(axes: Any) -> None:
        lines = prices(ratios, [int(width) for width in widths])
        for i, one in enumerate(tokenizers):
            label = one.loaded.label
            axes.plot(
                widths,
                [price.relative for price in lines if price.label == label],
                color=COLOURS[i % len(COLOURS)],
                label=_plain(label),
                linewidth=1.8,
            )
        for width in FALCON_H1:
            axes.axvline(width, color="#d8cfc0", linewidth=1, linestyle=":", zorder=0)
        axes.set_xscale("log")
        axes.set_xticks([256, 512, *FALCON_H1, 8192], [str(w) for w in (256, 512, *FALCON_H1, 8192)])
        axes.minorticks_off()
        axes.set_xlabel("width of the model (dotted: Falcon-H1 0.5B, 1.5B, 7B, 34B)")
        axes.set_ylabel("price per byte, first = 1")
        _legend(axes)

    return inline_svg(draw, 9, 3.4)
