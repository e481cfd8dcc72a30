"""The shape of a model from a budget of weights and one dial between deep and wide. Imports no torch.

Channels of a block are shared out SSM : attention : MLP = 2 : 1 : 5, the flat optimum of the report's sweep
(docs/internals/falcon_h1.md §3): a model of width d has d state-space channels, d/2 of attention and 5d/2 of MLP. The
dial is the width per layer: 28 in Falcon-H1-0.5B, 85 in 1.5B, 19 in 1.5B-Deep, which is better at the same weights and
a quarter slower.
"""

from __future__ import annotations

from typing import Final

from eyas.errors import InputError
from eyas.trainer.config import HybridConfig, Override

HEAD: Final = 64
LAYERS: Final = range(1, 129)


def sized(weights: int, vocab_size: int, width_per_layer: float) -> dict[str, Override]:
    """Fields of the `HybridConfig` whose number of weights is nearest to `weights`.

    Widths are multiples of 64, so that every head is whole (in attention, the number of heads is rounded). Raises
    InputError if even the smallest shape has twice as many weights.
    """
    best: tuple[float, dict[str, Override]] | None = None
    for layers in LAYERS:
        wanted_width = width_per_layer * layers
        for width in range(_rounded(0.7 * wanted_width), _rounded(1.4 * wanted_width) + HEAD, HEAD):
            fields = _fields(width, layers)
            difference = abs(HybridConfig(vocab_size=vocab_size, **fields).parameters - weights)  # type: ignore[arg-type]
            # Of two shapes of about the same size, the one nearer to the dial is better.
            error = difference / weights + 0.2 * abs(width / wanted_width - 1)
            if best is None or error < best[0]:
                best = error, fields
    assert best is not None
    smallest = HybridConfig(vocab_size=vocab_size, **best[1]).parameters  # type: ignore[arg-type]
    if smallest > 2 * weights:
        raise InputError(
            f"weights: {weights:,} are too few for a vocabulary of {vocab_size:,}: the smallest shape has {smallest:,}"
        )
    return best[1]


def _rounded(width: float) -> int:
    return max(int(width // HEAD) * HEAD, HEAD)


def _fields(width: int, layers: int) -> dict[str, Override]:
    heads = max(round(width / 2 / HEAD), 1)
    # A key head serves up to four query heads, as in the released models; their number must divide the query heads.
    share = next(share for share in (4, 3, 2, 1) if heads % share == 0)
    return {
        "d_model": width,
        "d_ff": width * 5 // 2,
        "layers": layers,
        "attention_heads": heads,
        "kv_heads": heads // share,
        "head_dim": HEAD,
        "ssm_heads": width // HEAD,
        "ssm_head_dim": HEAD,
        "ssm_state": 64 if width < 512 else 128,
    }
