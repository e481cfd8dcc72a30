"""Fused GPU kernels of others, used where they are installed: `causal_conv1d`, `mamba_ssm`, and torch's flex attention.

Each takes the boundaries of packed documents, so the promise of the plain torch path holds here too: nothing leaks. The
trade: the kernels round in another way than the plain path, so a run's summary states which of the two ran. Neither
package is a dependency: without them, or on a CPU, the plain path is taken.

`runs_bl` numbers the documents of each row, as in `eyas.trainer.segments.Packing`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor


@cache
def installed() -> bool:
    """Whether both packages are installed; they are only used together."""
    return find_spec("mamba_ssm") is not None and find_spec("causal_conv1d") is not None


def usable(x: Tensor) -> bool:
    """Whether the fused state-space path can take this tensor."""
    return x.is_cuda and installed()


def conv_silu(x_blc: Tensor, weight_kc: Tensor, bias_c: Tensor, runs_bl: Tensor) -> Tensor:
    """SiLU of the depthwise causal convolution, never across documents."""
    fused: Any = import_module("causal_conv1d").causal_conv1d_fn
    # The kernel takes channels before positions. With `seq_idx` it needs memory in the other order, which is that of
    # `x_blc`, and strides that are multiples of eight (state-spaces/mamba#351).
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
    runs_bl: Tensor,
) -> Tensor:
    """The scan of `eyas.trainer.ssd` with the skip added, with a new state at each document. Shape and type of `x_blhp`.

    dt_blh: step sizes, after softplus.
    """
    fused: Any = import_module("mamba_ssm.ops.triton.ssd_combined").mamba_chunk_scan_combined
    y_blhp: Tensor = fused(x_blhp, dt_blh, a_h, b_blgn, c_blgn, chunk, D=skip_h, seq_idx=runs_bl.int())
    return y_blhp


@cache
def _flex() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    # Uncompiled, it holds every score in memory.
    return torch.compile(flex_attention) if torch.cuda.is_available() else flex_attention


def documents_mask(runs_bl: Tensor) -> Any:
    """The block mask of one batch: scores between two documents are never computed."""
    from torch.nn.attention.flex_attention import create_block_mask

    def same_and_before(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (runs_bl[row, query] == runs_bl[row, key]) & (query >= key)

    batch, length = runs_bl.shape
    return create_block_mask(same_and_before, batch, None, length, length, device=str(runs_bl.device))


def attend(q_bhld: Tensor, k_bhld: Tensor, v_bhld: Tensor, mask: Any) -> Tensor:
    """Attention under a block mask. Query heads may share key and value heads."""
    y_bhld: Tensor = _flex()(q_bhld, k_bhld, v_bhld, block_mask=mask, enable_gqa=True)
    return y_bhld
