"""The Mamba-2 state-space scan as matrix products over chunks (SSD, Dao & Gu 2024, arXiv 2405.21060).

    state_t = exp(dt_t · a) · state_{t-1} + dt_t · x_t ⊗ b_t          y_t = state_t · c_t

Inside a chunk the recurrence is one masked product, similar to attention; between chunks only a state of P x N per head
is carried. The trade: work grows with the size of a chunk, kernel launches with the number of chunks; speed on GPUs is
flat from 128 on (docs/internals/falcon_h1.md §3). B and C are shared by all heads of a group and are never copied per
head.

Documents are separated exactly. The usual trick (add -80 to the log decay, docs/internals/falcon_h1.md §3) keeps e^-80
of the state and, worse, runs one cumulative sum across the boundary, so rounding in a document depends on its neighbour.
Here the cumulative sum itself is a product with a block-triangular 0/1 matrix: it restarts at every document, and masked
values are exactly zero. The specification is the slow twin in tests/trainer/test_ssd.py, one step per token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ScanMasks:
    """Which positions share a document, per chunk (C chunks of Q positions). One batch needs one, for all layers."""

    chunk: int
    within_bcqk: Tensor  # key position k is in the same document as q, and not later
    from_start_bcq: Tensor  # the state that enters the chunk belongs to q's document
    to_end_bcq: Tensor  # q's document is still open at the end of the chunk
    open_bkk: Tensor  # the document open at the start of chunk k2 is still open at the start of chunk k1

    @classmethod
    def of(cls, runs_bl: Tensor, chunk: int) -> ScanMasks:
        """`runs_bl` numbers each row's documents, as in `segments.Packing`."""
        batch, length = runs_bl.shape
        chunk = min(chunk, length)
        pad = -length % chunk
        if pad:
            runs_bl = torch.cat([runs_bl, runs_bl[:, -1:].expand(batch, pad)], 1)
        runs_bcq = runs_bl.view(batch, -1, chunk)
        # A state passed in from outside belongs to the row's first document.
        entering_bc = torch.cat([runs_bcq[:, :1, 0], runs_bcq[:, :-1, -1]], 1)
        causal_qk = torch.ones(chunk, chunk, dtype=torch.bool, device=runs_bl.device).tril()
        # A chunk in which a document ends or begins is a break, which no state passes.
        breaks_bc = (runs_bcq[..., -1] != entering_bc).long().cumsum(1)
        breaks_bk = torch.cat([torch.zeros_like(breaks_bc[:, :1]), breaks_bc], 1)
        return cls(
            chunk=chunk,
            within_bcqk=(runs_bcq[..., :, None] == runs_bcq[..., None, :]) & causal_qk,
            from_start_bcq=runs_bcq == entering_bc[..., None],
            to_end_bcq=runs_bcq == runs_bcq[..., -1:],
            open_bkk=(breaks_bk[:, :, None] == breaks_bk[:, None, :]).tril(),
        )


def ssd(
    x_blhp: Tensor,
    dt_blh: Tensor,
    a_h: Tensor,
    b_blgn: Tensor,
    c_blgn: Tensor,
    masks: ScanMasks,
    state_bhpn: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scan a batch of rows. Returns (y of x's shape and type, final state in float32).

    x_blhp: inputs per head. dt_blh: step sizes, > 0. a_h: decay rates, < 0. b_blgn, c_blgn: input and
    output maps, one per group; head h uses group h // (H // G). state_bhpn: the state to start from.
    """
    batch, length, heads, head_dim = x_blhp.shape
    groups = b_blgn.shape[2]
    share = heads // groups
    chunk = masks.chunk
    dtype = x_blhp.dtype
    # Decays multiply over thousands of steps, so they stay wide whatever the type of x.
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    # Autocast would narrow the cumulative sum. Without it every product below has the type of its factors.
    with torch.autocast(x_blhp.device.type, enabled=False):
        dt_blh = dt_blh.to(wide)
        xdt_blhp = x_blhp * dt_blh[..., None].to(dtype)
        log_blh = dt_blh * a_h.to(wide)
        # Padding has dt = 0: it neither decays nor feeds the state.
        xdt_bcqhp, log_bcqh, b_bcqgn, c_bcqgn = (_chunks(t, chunk) for t in (xdt_blhp, log_blh, b_blgn, c_blgn))
        b_bcgqn, c_bcgqn = b_bcqgn.transpose(2, 3), c_bcqgn.transpose(2, 3)
        chunks = log_bcqh.shape[1]

        cum_bchq = torch.matmul(masks.within_bcqk.to(wide), log_bcqh).transpose(2, 3)
        span_bchqk = cum_bchq[..., :, None] - cum_bchq[..., None, :]
        decay_bchqk = span_bchqk.masked_fill(~masks.within_bcqk[:, :, None], -torch.inf).exp().to(dtype)
        scores_bcgqk = torch.matmul(c_bcgqn, b_bcgqn.transpose(-1, -2))
        weights_bchqk = decay_bchqk.view(batch, chunks, groups, share, chunk, chunk) * scores_bcgqk[:, :, :, None]
        y_bchqp = torch.matmul(weights_bchqk.flatten(2, 3), xdt_bcqhp.transpose(2, 3))
        y_bcqhp = y_bchqp.transpose(2, 3)

        # What each chunk adds to the state by its end: one product per group, all its heads side by side.
        # Masked before exp: between documents the difference may be large and positive.
        rest_bchq = (cum_bchq[..., -1:] - cum_bchq).masked_fill(~masks.to_end_bcq[:, :, None], -torch.inf)
        to_end_bchq = rest_bchq.exp()
        kept_bcqhp = xdt_bcqhp * to_end_bchq.transpose(2, 3)[..., None].to(dtype)
        kept_bcgqr = kept_bcqhp.reshape(batch, chunks, chunk, groups, share * head_dim).transpose(2, 3)
        added_bcgnr = torch.matmul(b_bcgqn.transpose(-1, -2), kept_bcgqr).to(wide)

        entering_bcgnr, final_bhpn = _carry(added_bcgnr, cum_bchq[..., -1], masks, state_bhpn, head_dim)
        seen_bcgqr = torch.matmul(c_bcgqn, entering_bcgnr.to(dtype))
        seen_bcqhp = seen_bcgqr.transpose(2, 3).reshape(batch, chunks, chunk, heads, head_dim)
        from_start_bchq = cum_bchq.exp() * masks.from_start_bcq[:, :, None]
        y_bcqhp = y_bcqhp + seen_bcqhp * from_start_bchq.transpose(2, 3)[..., None].to(dtype)

    return y_bcqhp.reshape(batch, chunks * chunk, heads, head_dim)[:, :length], final_bhpn


def _chunks(t_bl: Tensor, chunk: int) -> Tensor:
    """Split the length into whole chunks, padding the end with zeros."""
    pad = -t_bl.shape[1] % chunk
    if pad:
        t_bl = torch.cat([t_bl, t_bl.new_zeros(t_bl.shape[0], pad, *t_bl.shape[2:])], 1)
    return t_bl.reshape(t_bl.shape[0], -1, chunk, *t_bl.shape[2:])


def _carry(
    added_bcgnr: Tensor, log_bch: Tensor, masks: ScanMasks, state_bhpn: Tensor | None, head_dim: int
) -> tuple[Tensor, Tensor]:
    """The recurrence over chunks, as one product like that within a chunk. log_bch: log decay of each whole chunk.

    Returns (state entering each chunk, state after the last).
    """
    batch, chunks, groups, n_state, width = added_bcgnr.shape
    heads = groups * (width // head_dim)
    # Place 0 is the state passed in, place c+1 the sum that chunk c adds: each exists when the chunk of its number begins.
    if state_bhpn is None:
        first_bhkv = added_bcgnr.new_zeros(batch, heads, 1, n_state * head_dim)
    else:
        first_bhkv = state_bhpn.to(added_bcgnr.dtype).transpose(-1, -2).reshape(batch, heads, 1, -1)
    split_bcgnsp = torch.unflatten(added_bcgnr, -1, (-1, head_dim))
    added_bhcv = split_bcgnsp.permute(0, 2, 4, 1, 3, 5).reshape(batch, heads, chunks, n_state * head_dim)
    placed_bhkv = torch.cat([first_bhkv, added_bhcv], 2)

    open_bkk = masks.open_bkk
    before_bkc = open_bkk[..., :-1].tril(-1).to(log_bch.dtype)
    cum_bhk = torch.matmul(before_bkc, log_bch).transpose(1, 2)
    span_bhkk = (cum_bhk[..., :, None] - cum_bhk[..., None, :]).masked_fill(~open_bkk[:, None], -torch.inf)
    state_bhkv = torch.matmul(span_bhkk.exp(), placed_bhkv)

    entering_bgscnp = state_bhkv[:, :, :-1].reshape(batch, groups, -1, chunks, n_state, head_dim)
    entering_bcgnr = entering_bgscnp.permute(0, 3, 1, 4, 2, 5).flatten(-2)
    return entering_bcgnr, state_bhkv[:, :, -1].view(batch, heads, n_state, head_dim).transpose(-1, -2)
