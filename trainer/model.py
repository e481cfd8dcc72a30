"""The hybrid language model: embedding, blocks of (attention + state space, then MLP), head.

It follows docs/internals/falcon_h1.md §1 exactly and adds what transformers' version lacks: documents packed into
one row are separated in attention, convolution and state. The trade: about 500 lines of plain torch, which use fused
kernels of others only where these are installed (`eyas.trainer.kernels`). `tiny` trains at 3,900 to 5,300 tokens/s on
two cores of a shared EPYC with AVX512-BF16 (full optimiser step, rows of 1,024, vocabulary 8,192, bfloat16 products).
With one row at a time the speed is 4,040, and 3,100 in float32.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from eyas.errors import InputError
from eyas.trainer.config import HybridConfig
from eyas.trainer.layers import MLP, Attention, Context, HybridCache, LayerCache, RMSNorm, StateSpace, rotary_tables
from eyas.trainer.loss import linear_cross_entropy
from eyas.trainer.segments import Packing, next_token_targets
from eyas.trainer.ssd import ScanMasks

# The published standard deviation, tuned at a width of 1,280 (docs/internals/falcon_h1.md §4).
BASE_STD, BASE_WIDTH = 0.02, 1280


class Block(nn.Module):
    """x + attention(h) + state_space(h) with h = norm(x); then x + mlp(norm(x))."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.mixer_norm = RMSNorm(config.d_model, config.norm_eps)
        self.attention = Attention(config)
        self.ssm = StateSpace(config)
        self.mlp_norm = RMSNorm(config.d_model, config.norm_eps)
        self.mlp = MLP(config)

    def forward(self, x_bld: Tensor, context: Context, cache: LayerCache | None) -> Tensor:
        h_bld = self.mixer_norm(x_bld)
        x_bld = x_bld + self.ssm(h_bld, context, cache) + self.attention(h_bld, context, cache)
        mlp_bld: Tensor = self.mlp(self.mlp_norm(x_bld))
        return x_bld + mlp_bld


class HybridLM(nn.Module):
    """A causal language model over packed rows. Weights are drawn from torch's global generator."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.config = config
        # Gradient checkpointing: each block's activations are dropped and computed again in the backward pass.
        self.recompute = False
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_norm = RMSNorm(config.d_model, config.norm_eps)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tied_embeddings:
            self.head.weight = self.embedding.weight
        self.init_weights()

    @torch.no_grad()
    def init_weights(self) -> None:
        """Draw all weights (docs/internals/falcon_h1.md §4).

        Matrices have std 0.02 at the base width, times sqrt(fan-in ratio): with multipliers that fall as 1/fan-in,
        this is µP's 1/sqrt(fan-in). The state space starts as in Megatron (A in U(1, 16), dt log-uniform in
        [1e-3, 1e-1]), because a model with transformers' initial values forgets at once.
        """
        config = self.config
        base_fan_in = {"attention.out": 768, "ssm.out": 1536, "mlp.down": 3072}
        for name, parameter in self.named_parameters():
            if name.startswith("embedding"):
                nn.init.normal_(parameter, std=BASE_STD)
            elif parameter.dim() == 2 and "conv" not in name:
                base = next((n for part, n in base_fan_in.items() if part in name), BASE_WIDTH)
                nn.init.normal_(parameter, std=BASE_STD * math.sqrt(parameter.shape[1] / base))
            elif name.endswith("conv_weight_kc"):
                nn.init.uniform_(parameter, -1.0, 1.0)
            elif name.endswith("conv_bias_c"):
                # As in nn.Conv1d: U(±1/sqrt(taps)).
                nn.init.uniform_(parameter, -(config.conv_kernel**-0.5), config.conv_kernel**-0.5)
            elif name.endswith("a_log_h"):
                parameter.copy_(torch.empty_like(parameter).uniform_(1.0, 16.0).log())
            elif name.endswith("dt_bias_h"):
                low, high = math.log(1e-3), math.log(1e-1)
                dt_h = torch.empty_like(parameter).uniform_(low, high).exp()
                # The inverse of softplus, so that softplus(bias) = dt.
                parameter.copy_(dt_h + torch.log(-torch.expm1(-dt_h)))
            else:
                nn.init.ones_(parameter)

    def forward(
        self, input_ids_bl: Tensor, segment_ids_bl: Tensor | None = None, cache: HybridCache | None = None
    ) -> Tensor:
        """Logits of the next token at every position: shape B, L, V.

        segment_ids_bl: index of the document in its row, -1 for padding; if None, each row is one document.
        cache: memory of a generation, updated in place, so that rows continue where they stopped.
        """
        logits_blv: Tensor = self.head(self._hidden(input_ids_bl, segment_ids_bl, cache))
        return logits_blv

    def loss(self, input_ids_bl: Tensor, segment_ids_bl: Tensor | None = None, count: int | None = None) -> Tensor:
        """Mean cross entropy in nats over positions whose next token is in the same document.

        count: divisor in place of the number of such positions, for batches processed in pieces.
        """
        targets_bl = next_token_targets(input_ids_bl, segment_ids_bl)
        hidden_bld = self._hidden(input_ids_bl, segment_ids_bl, None)
        return linear_cross_entropy(hidden_bld.flatten(0, 1), self.head.weight, targets_bl.flatten(), count)

    def _hidden(self, input_ids_bl: Tensor, segment_ids_bl: Tensor | None, cache: HybridCache | None) -> Tensor:
        """Final hidden states, with the head's multiplier applied."""
        config = self.config
        if cache is not None and segment_ids_bl is not None:
            raise InputError("a cache continues one document per row: leave segment_ids out")
        if segment_ids_bl is not None and segment_ids_bl.shape != input_ids_bl.shape:
            raise InputError(
                f"segment_ids ({tuple(segment_ids_bl.shape)}) must have the shape of "
                f"input_ids ({tuple(input_ids_bl.shape)})"
            )
        batch, length = input_ids_bl.shape
        if segment_ids_bl is None:
            packing = Packing.whole_rows(batch, length, input_ids_bl.device)
        else:
            packing = Packing.of(segment_ids_bl)
        past = cache.length if cache is not None else 0
        cos_bld, sin_bld = rotary_tables(packing.positions_bl + past, config.head_dim, config.rope_theta)
        masks, reach_tbl1 = ScanMasks.of(packing.runs_bl, config.chunk_size), packing.reaches(config.conv_kernel)
        context = Context(packing, masks, cos_bld, sin_bld, reach_tbl1)
        if cache is not None and not cache.layers:
            cache.layers = [LayerCache() for _ in self.blocks]
        x_bld = self.embedding(input_ids_bl) * config.multipliers.embedding
        for index, block in enumerate(self.blocks):
            if self.recompute and self.training and cache is None:
                x_bld = checkpoint(block, x_bld, context, None, use_reentrant=False)
            else:
                x_bld = block(x_bld, context, cache.layers[index] if cache is not None else None)
        if cache is not None:
            cache.length += length
        normed_bld: Tensor = self.final_norm(x_bld)
        return normed_bld * config.multipliers.lm_head
