"""The price of a vocabulary: parameters of its embeddings and arithmetic of its output head, per byte of text.

Training takes about 6 floating-point operations per parameter and token (Kaplan et al. 2020, arXiv:2001.08361). Looking
up an embedding takes none, and the output head is a matrix of vocabulary x width. So a token costs 6 N + 6 V d, where N is
the parameters outside the embeddings, and a byte of text costs that divided by the bytes per token. Attention's quadratic
part, which grows with longer sequences, is left out. At width 1024, a vocabulary of 128,000 costs 29 % on top of N.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from eyas.errors import InputError

FALCON_H1 = {1024: 0.454e9, 2048: 1.287e9, 3072: 6.787e9, 5120: 30.97e9}
"""Parameters outside the embeddings of Falcon-H1 0.5B, 1.5B, 7B and 34B, by width: all parameters less 2 V d."""


@dataclass(frozen=True)
class Price:
    """The price of one tokenizer in a model of one width."""

    label: str
    width: int
    parameters: float
    """N: the model's parameters outside its embeddings."""
    embedding_parameters: int
    """2 V d, because input and output embeddings are not tied."""
    embedding_share: float
    """The embeddings' share of all parameters of the model."""
    flops_per_byte: float
    """6 (N + V d) / bytes per token."""
    relative: float
    """`flops_per_byte` divided by the first tokenizer's."""


def parameters_of(width: int) -> float:
    """N for a model of this width, as Falcon-H1's; between and beyond its widths by a power law."""
    if width in FALCON_H1:
        return FALCON_H1[width]
    known = sorted(FALCON_H1)
    right = next((i for i, w in enumerate(known) if w > width), len(known) - 1)
    a, b = known[max(right - 1, 0)], known[max(right, 1)]
    slope = math.log(FALCON_H1[b] / FALCON_H1[a]) / math.log(b / a)
    return FALCON_H1[a] * math.pow(width / a, slope)


def prices(
    tokenizers: Sequence[tuple[str, int, float]], widths: Sequence[int], parameters: Sequence[float] | None = None
) -> list[Price]:
    """`tokenizers`: label, vocabulary size, bytes per token. `parameters`: N for each width, in order.

    Raises InputError if there is not one N for each width, or a width is no positive number.
    """
    if parameters is not None and len(parameters) != len(widths):
        raise InputError(f"{len(parameters)} numbers of parameters for {len(widths)} widths: give one for each width")
    if any(width <= 0 for width in widths) or any(n <= 0 for n in parameters or ()):
        raise InputError("widths and parameters must be above 0")
    rows = []
    for i, width in enumerate(widths):
        n = parameters[i] if parameters is not None else parameters_of(width)
        costs = [6 * (n + size * width) / max(ratio, 1e-9) for _, size, ratio in tokenizers]
        for (label, size, _), cost in zip(tokenizers, costs, strict=True):
            table = 2 * size * width
            rows.append(Price(label, width, n, table, table / (n + table), cost, cost / costs[0]))
    return rows
