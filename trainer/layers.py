"""The three parts of a block: attention, the state-space mixer, the MLP.

The forward pass is Falcon-H1's (docs/internals/falcon_h1.md §1), multiplier for multiplier. One difference: a
multiplier on a projection's input or output is applied to its weight. The product is the same, and in `tiny` a
weight has 256 rows where the activations of one training row have 1,024.
"""

# Tested in tests/trainer/test_model.py.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eyas.trainer import kernels
from eyas.trainer.config import HybridConfig
from eyas.trainer.segments import Packing
from eyas.trainer.ssd import ScanMasks, ssd


@dataclass
class LayerCache:
    """What one layer remembers between calls when generating."""

    conv_bkc: Tensor | None = None  # the last conv_kernel - 1 inputs of the convolution
    state_bhpn: Tensor | None = None
    key_bhld: Tensor | None = None
    value_bhld: Tensor | None = None


@dataclass
class HybridCache:
    """Memory of a generation: one entry per layer, and the number of tokens read so far."""

    layers: list[LayerCache] = field(default_factory=list)
    length: int = 0


@dataclass(frozen=True)
class Context:
    """What all layers share in one forward pass."""

    packing: Packing
    masks: ScanMasks
    cos_bld: Tensor
    sin_bld: Tensor
    reach_tbl1: Tensor  # whether the token t places back is in the same document


class ScaledLinear(nn.Module):
    """A linear map without bias whose output channels carry fixed multipliers.

    `parts` lists (channels, multiplier) of the output, top to bottom. Maps that read the same input
    share one weight and one product.
    """

    scale_o: Tensor

    def __init__(self, d_in: int, parts: Sequence[tuple[int, float]]) -> None:
        super().__init__()
        self.sizes = [size for size, _ in parts]
        self.weight = nn.Parameter(torch.empty(sum(self.sizes), d_in))
        scale_o = torch.cat([torch.full((size,), float(factor)) for size, factor in parts])
        # The config fixes it, so it is no weight and is not saved.
        self.register_buffer("scale_o", scale_o[:, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale_o)


class RMSNorm(nn.Module):
    """x / rms(x) · weight, with one mean for each of `groups` equal slices, computed in fp32."""

    def __init__(self, width: int, eps: float, groups: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        if self.groups == 1:
            return F.rms_norm(wide, self.weight.shape, self.weight, self.eps)
        split = torch.unflatten(wide, -1, (self.groups, -1))
        return F.rms_norm(split, split.shape[-1:], None, self.eps).flatten(-2) * self.weight


class Attention(nn.Module):
    """Grouped-query attention with rotary positions; each document sees only itself."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        m = config.multipliers
        self.heads, self.kv_heads, self.head_dim = config.attention_heads, config.kv_heads, config.head_dim
        d_kv = config.d_kv
        # The key multiplier precedes the rotation, which is linear, so the weight may carry it.
        self.qkv = ScaledLinear(
            config.d_model,
            [(config.d_attention, m.attention_in), (d_kv, m.attention_in * m.key), (d_kv, m.attention_in)],
        )
        self.out = ScaledLinear(config.d_attention, [(config.d_model, m.attention_out)])

    def forward(self, h_bld: Tensor, context: Context, cache: LayerCache | None) -> Tensor:
        batch, length, _ = h_bld.shape
        qkv_blhd = self.qkv(h_bld).view(batch, length, self.heads + 2 * self.kv_heads, self.head_dim)
        turned = self.heads + self.kv_heads
        turned_blhd = rotate(qkv_blhd[:, :, :turned], context.cos_bld, context.sin_bld)
        q_bhld, k_bhld = torch.split(turned_blhd.transpose(1, 2), [self.heads, self.kv_heads], 1)
        v_bhld = qkv_blhd[:, :, turned:].transpose(1, 2)
        if cache is not None:
            if cache.key_bhld is not None and cache.value_bhld is not None:
                k_bhld = torch.cat([cache.key_bhld, k_bhld], 2)
                v_bhld = torch.cat([cache.value_bhld, v_bhld], 2)
            cache.key_bhld, cache.value_bhld = k_bhld, v_bhld
        y_bhld = self._attend(q_bhld, k_bhld, v_bhld, context.packing)
        out_bld: Tensor = self.out(y_bhld.transpose(1, 2).reshape(batch, length, -1))
        return out_bld

    def _attend(self, q_bhld: Tensor, k_bhld: Tensor, v_bhld: Tensor, packing: Packing) -> Tensor:
        if packing.packed and q_bhld.device.type != "cpu":
            return kernels.attend(q_bhld, k_bhld, v_bhld, packing.block_mask)
        share = self.heads // self.kv_heads
        batch, _, length, _ = q_bhld.shape
        k_bhld, v_bhld = (
            t[:, :, None].expand(-1, -1, share, -1, -1).reshape(batch, self.heads, -1, self.head_dim)
            for t in (k_bhld, v_bhld)
        )
        past = k_bhld.shape[2] - length
        if past:
            mask_lm = torch.ones(length, past + length, dtype=torch.bool, device=q_bhld.device).tril(past)
            return F.scaled_dot_product_attention(q_bhld, k_bhld, v_bhld, attn_mask=mask_lm)
        if packing.packed:
            y_bhld: Tensor = _attend_apart(q_bhld, k_bhld, v_bhld, packing)
            return y_bhld
        return F.scaled_dot_product_attention(q_bhld, k_bhld, v_bhld, is_causal=True)


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _attend_apart(q_bhld: Tensor, k_bhld: Tensor, v_bhld: Tensor, packing: Packing) -> Tensor:
    """Attention by one call per document, on a CPU: nothing outside of the document is computed.

    A row of five documents takes 4.1 ms, with a mask 14.4 (forward and backward, 1,024 tokens, 2 heads).
    """
    rows: list[list[Tensor]] = [[] for _ in range(len(q_bhld))]
    for row, start, stop in packing.documents:
        q, k, v = (t[row : row + 1, :, start:stop] for t in (q_bhld, k_bhld, v_bhld))
        rows[row].append(F.scaled_dot_product_attention(q, k, v, is_causal=True))
    return torch.cat([torch.cat(parts, 2) for parts in rows])


def rotary_tables(positions_bl: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every position for half the channels of a head, in fp32. Shape B, L, head_dim/2."""
    exponent_d = torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions_bl.device) / head_dim
    angle_bld = positions_bl[..., None].float() * (1.0 / theta**exponent_d)
    return angle_bld.cos(), angle_bld.sin()


def rotate(x_blhd: Tensor, cos_bld: Tensor, sin_bld: Tensor) -> Tensor:
    """Turn channel i with channel i + head_dim/2 by the position's angle (RoFormer, GPT-NeoX pairing)."""
    first, second = x_blhd.chunk(2, -1)
    cos, sin = cos_bld[:, :, None].to(x_blhd.dtype), sin_bld[:, :, None].to(x_blhd.dtype)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


class StateSpace(nn.Module):
    """Mamba-2 mixer: projection, short convolution, scan, gate (then norm), projection."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        m = config.multipliers
        self.config = config
        maps = config.ssm_groups * config.ssm_state
        self.project = ScaledLinear(
            config.d_model,
            [
                (config.d_ssm, m.ssm_in * m.ssm_z),
                (config.d_ssm, m.ssm_in * m.ssm_x),
                (maps, m.ssm_in * m.ssm_b),
                (maps, m.ssm_in * m.ssm_c),
                (config.ssm_heads, m.ssm_in * m.ssm_dt),
            ],
        )
        self.conv_weight_kc = nn.Parameter(torch.empty(config.conv_kernel, config.d_conv))
        self.conv_bias_c = nn.Parameter(torch.empty(config.d_conv))
        self.dt_bias_h = nn.Parameter(torch.empty(config.ssm_heads))
        self.a_log_h = nn.Parameter(torch.empty(config.ssm_heads))
        self.skip_h = nn.Parameter(torch.empty(config.ssm_heads))
        self.norm = RMSNorm(config.d_ssm, config.norm_eps, config.ssm_groups) if config.gated_norm else None
        self.out = ScaledLinear(config.d_ssm, [(config.d_model, m.ssm_out)])

    def forward(self, h_bld: Tensor, context: Context, cache: LayerCache | None) -> Tensor:
        config = self.config
        batch, length, _ = h_bld.shape
        parts = [config.d_ssm, config.d_conv, config.ssm_heads]
        z_bls, conv_in_blc, dt_blh = torch.split(self.project(h_bld), parts, -1)
        fused = cache is None and kernels.usable(h_bld)
        conv_blc = self._convolve(conv_in_blc, context, cache, fused)
        maps = config.ssm_groups * config.ssm_state
        x_bls, b_blm, c_blm = torch.split(conv_blc, [config.d_ssm, maps, maps], -1)
        x_blhp = x_bls.view(batch, length, config.ssm_heads, config.ssm_head_dim)
        b_blgn, c_blgn = (torch.unflatten(t, -1, (config.ssm_groups, -1)) for t in (b_blm, c_blm))
        wide = torch.promote_types(dt_blh.dtype, torch.float32)
        step_blh, a_h = F.softplus(dt_blh.to(wide) + self.dt_bias_h), -self.a_log_h.exp()
        if fused:
            chunk = config.chunk_size
            y_blhp = kernels.scan(x_blhp, step_blh, a_h, b_blgn, c_blgn, self.skip_h, chunk, context.packing.runs_bl)
        else:
            start_bhpn = cache.state_bhpn if cache is not None else None
            y_blhp, state_bhpn = ssd(x_blhp, step_blh, a_h, b_blgn, c_blgn, context.masks, start_bhpn)
            if cache is not None:
                cache.state_bhpn = state_bhpn
            y_blhp = torch.addcmul(y_blhp, x_blhp, self.skip_h[:, None].to(x_blhp.dtype))
        # The gate precedes the norm, as in the released models (norm_before_gate is false in all of them).
        y_bls = y_blhp.flatten(2) * F.silu(z_bls)
        if self.norm is not None:
            y_bls = self.norm(y_bls)
        out_bld: Tensor = self.out(y_bls)
        return out_bld

    def _convolve(self, x_blc: Tensor, context: Context, cache: LayerCache | None, fused: bool) -> Tensor:
        """SiLU of a depthwise causal convolution, one multiply-add per tap, never across documents.

        Shifted adds beat conv1d here: 2.3 against 4.3 ms forward and backward for a row of 1,024 x 384.
        """
        batch, length, channels = x_blc.shape
        gap = self.config.conv_kernel - 1
        weight_kc, bias_c = self.conv_weight_kc.to(x_blc.dtype), self.conv_bias_c.to(x_blc.dtype)
        if fused:
            return kernels.conv_silu(x_blc, weight_kc, bias_c, context.packing.runs_bl)
        if cache is not None:
            before_bkc = x_blc.new_zeros(batch, gap, channels) if cache.conv_bkc is None else cache.conv_bkc
            line_blc = torch.cat([before_bkc, x_blc], 1)
            # The clone frees the rest of the prompt's activations.
            cache.conv_bkc = line_blc[:, line_blc.shape[1] - gap :].clone()
        else:
            line_blc = F.pad(x_blc, (0, 0, gap, 0))
        y_blc = torch.addcmul(bias_c, x_blc, weight_kc[gap])
        for back in range(1, gap + 1):
            past_blc = line_blc[:, gap - back : gap - back + length]
            if context.packing.packed:
                # A choice, not a product with zero, which would let a neighbour's infinity through.
                past_blc = torch.where(context.reach_tbl1[back], past_blc, 0.0)
            y_blc = torch.addcmul(y_blc, past_blc, weight_kc[gap - back])
        return F.silu(y_blc)


class MLP(nn.Module):
    """SwiGLU, with the gate's multiplier inside SiLU."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        m = config.multipliers
        self.gate_up = ScaledLinear(config.d_model, [(config.d_ff, m.mlp_gate), (config.d_ff, 1.0)])
        self.down = ScaledLinear(config.d_ff, [(config.d_model, m.mlp_down)])

    def forward(self, h_bld: Tensor) -> Tensor:
        gate_blf, up_blf = self.gate_up(h_bld).chunk(2, -1)
        out_bld: Tensor = self.down(F.silu(gate_blf) * up_blf)
        return out_bld
