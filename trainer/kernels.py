"""Fused GPU kernels of others, used where they are installed: `causal_conv1d`, `mamba_ssm`, and torch's flex attention.

Each takes the boundaries of packed documents, so that what the plain torch path promises holds here: nothing leaks. The
trade: the kernels' rounding is not that of the plain path, so which of the two ran is part of a run's summary. Neither
package is a dependency: without them, or on a CPU, `installed` is false and the plain path is taken.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from eyas.trainer.segments import Packing


@cache
def installed() -> bool:
    """Whether both packages are there; they are only ever used together."""
    return find_spec("mamba_ssm") is not None and find_spec("causal_conv1d") is not None


def usable(x: Tensor) -> bool:
    """Whether the fused state-space path can take this tensor."""
    return x.is_cuda and installed()


def conv_silu(x_blc: Tensor, weight_kc: Tensor, bias_c: Tensor, runs_bl: Tensor) -> Tensor:
    """SiLU of the depthwise causal convolution, never across documents. `runs_bl`: as in `Packing`."""
    fused: Any = import_module("causal_conv1d").causal_conv1d_fn
    # The kernel wants channels before positions, and, where documents are told, memory in the other order: as it lies, if
    # its strides are multiples of eight (state-spaces/mamba#351).
    if x_blc.stride(1) % 8:
        x_blc = x_blc.contiguous()
    y_bcl: Tensor = fused(
        x_blc.transpose(1, 2), weight_kc.T.contiguous(), bias_c, seq_idx=runs_bl.int(), activation="silu"
    )
    return y_bcl.transpose(1, 2)


def scan(
    x_blhp: Tensor,
    dt_blh: Tensor,
    a_h: Tensor,
    b_blgn: Tensor,
    c_blgn: Tensor,
    skip_h: Tensor,
    chunk: int,
    packing: Packing,
) -> Tensor:
    """The scan of `eyas.trainer.ssd` with the skip added, fresh at each document. Shape and type of `x_blhp`.

    dt_blh: step sizes, after softplus.
    """
    fused: Any = import_module("mamba_ssm.ops.triton.ssd_combined").mamba_chunk_scan_combined
    y_blhp: Tensor = fused(x_blhp, dt_blh, a_h, b_blgn, c_blgn, chunk, D=skip_h, seq_idx=packing.runs_bl.int())
    return y_blhp


@cache
def _flex() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    # Not compiled, it would hold every score in memory.
    return torch.compile(flex_attention) if torch.cuda.is_available() else flex_attention


def documents_mask(packing: Packing) -> Any:
    """The block mask of one batch: what is not of the same document is never computed."""
    from torch.nn.attention.flex_attention import create_block_mask

    runs_bl = packing.runs_bl

    def same_and_before(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (runs_bl[row, query] == runs_bl[row, key]) & (query >= key)

    batch, length = runs_bl.shape
    return create_block_mask(same_and_before, batch, None, length, length, device=str(runs_bl.device))


def attend(q_bhld: Tensor, k_bhld: Tensor, v_bhld: Tensor, mask: Any) -> Tensor:
    """Attention under a block mask; fewer key heads than query heads are shared out."""
    y_bhld: Tensor = _flex()(q_bhld, k_bhld, v_bhld, block_mask=mask, enable_gqa=True)
    return y_bhld
