"""Tables of figures for the page: a row for each group, a column for each tokenizer.

The best of each row is bold, and the background shows how far the others are off. Colours compare along a row only. Down a
column they would mislead: a Devanagari letter has three bytes and a Latin one has one, so 5 bytes per token are few for
Hindi and many for English.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eyas.tokenizer_train.report.comparison import ALL, Comparison, Figures

_COOL, _PAPER, _HOT = (203, 229, 227), (255, 253, 250), (246, 199, 160)
_MIDDLE = 0.3


def ratio(value: float) -> str:
    """As 3.45."""
    return f"{value:.2f}"


def three(value: float) -> str:
    """As 0.345."""
    return f"{value:.3f}"


def percent(value: float) -> str:
    """As 34.5 %."""
    return f"{100 * value:.1f} %"


@dataclass(frozen=True)
class Measure:
    """One figure of every group. `far` is the distance from the row's best that gets the full colour."""

    id: str
    title: str
    better: str
    """`higher` or `lower`."""
    explained: str
    value: Callable[[Figures], float | None]
    form: Callable[[float], str]
    far: float
    relative: bool = True
    """Whether distances are relative (0.3: 30 % more tokens); otherwise they are differences."""


MEASURES = (
    Measure(
        "bytes",
        "Bytes per token",
        "higher",
        "How much text a token holds, in bytes of UTF-8. It needs no notion of a word, and it is what training and "
        "generation pay for: half the bytes per token is twice the tokens for the same text.",
        lambda figures: figures.bytes_per_token if figures.tokens else None,
        ratio,
        0.5,
    ),
    Measure(
        "fertility",
        "Tokens per word (fertility)",
        "lower",
        "Tokens by words, punctuation and white space included among the tokens. A word is a run of letters and numbers; "
        "each Han character and each kana counts as one, since Chinese and Japanese write no spaces.",
        lambda figures: figures.tokens_per_word if figures.words else None,
        ratio,
        0.5,
    ),
    Measure(
        "cut",
        "Words that are cut",
        "lower",
        "Share of words that span two tokens or more (also called continued words), in texts that come back byte by byte.",
        lambda figures: figures.cut_share,
        percent,
        0.25,
        relative=False,
    ),
    Measure(
        "whole",
        "Words that are one token",
        "higher",
        "Share of words that are a token of their own, white space before the word at most. What is missing to 100 % "
        "together with the words that are cut lies within larger tokens, as do a word and its bracket in code.",
        lambda figures: figures.whole_share,
        percent,
        0.25,
        relative=False,
    ),
    Measure(
        "renyi",
        "Rényi efficiency",
        "higher",
        "How evenly a text uses the vocabulary: the Rényi entropy (α = 2.5) of the token distribution by the logarithm of "
        "the vocabulary's size. Zouhar et al. (2023) found it to go with translation quality better than compression "
        "does; Cognetta et al. (2024) built counterexamples. A large vocabulary on text of one language cannot score high.",
        lambda figures: figures.renyi if figures.tokens else None,
        three,
        0.3,
    ),
)


def tables(comparison: Comparison) -> list[dict[str, Any]]:
    """One table for each measure, with the rows by kind of text."""
    return [_table(comparison, measure) for measure in MEASURES]


def _table(comparison: Comparison, measure: Measure) -> dict[str, Any]:
    titles = {"language": "languages", "math": "mathematics", "code": "programming languages"}
    sections = []
    for kind, title in titles.items():
        rows = [_row(comparison, measure, group.name, group.title) for group in comparison.groups if group.kind == kind]
        if rows:
            sections.append({"title": title, "rows": rows})
    sections.append({"title": "all of the above", "rows": [_row(comparison, measure, ALL, "all")]})
    return {"measure": measure, "sections": sections}


def _row(comparison: Comparison, measure: Measure, name: str, title: str) -> dict[str, Any]:
    row = [tokenizer.groups[name] for tokenizer in comparison.tokenizers]
    cells = heat([measure.value(figures) for figures in row], measure)
    return {"title": title, "cells": cells, "error": max(figures.relative_error for figures in row)}


def heat(values: Sequence[float | None], measure: Measure) -> list[dict[str, Any]]:
    """A cell for each value: its text, whether it is the best as shown, and its background."""
    known = [value for value in values if value is not None]
    best = (max if measure.better == "higher" else min)(known, default=0.0)
    shown_best = measure.form(best)
    cells = []
    for value in values:
        if value is None:
            cells.append({"shown": "–", "best": False, "colour": "transparent"})
            continue
        shown = measure.form(value)
        off = abs(value - best)
        if measure.relative:
            worse, better = (best, value) if measure.better == "higher" else (value, best)
            off = worse / better - 1 if better else 0.0
        several = len(known) > 1
        colour = shade(off / measure.far) if several else "transparent"
        cells.append({"shown": shown, "best": several and shown == shown_best, "colour": colour})
    return cells


def shade(distance: float) -> str:
    """The background for a distance from the best: cool at 0, white at 0.3, warm from 1 on."""
    distance = min(max(distance, 0.0), 1.0)
    low = distance < _MIDDLE
    a, b = (_COOL, _PAPER) if low else (_PAPER, _HOT)
    part = distance / _MIDDLE if low else (distance - _MIDDLE) / (1 - _MIDDLE)
    return "rgb({},{},{})".format(*(round(x + (y - x) * part) for x, y in zip(a, b, strict=True)))
