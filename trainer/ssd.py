"""The Mamba-2 state-space scan as matrix products over chunks (SSD, Dao & Gu 2024, arXiv 2405.21060).

    state_t = exp(dt_t · a) · state_{t-1} + dt_t · x_t ⊗ b_t          y_t = state_t · c_t

Inside a chunk the recurrence is one masked attention-like product; between chunks only a state of
P x N per head is carried. The trade: work grows with the chunk, kernel launches with their number;
128 is the plateau on GPUs (falcon_h1.md §3.1). B and C are shared by all heads of a group and are
never copied per head.

Documents are separated exactly. The usual trick (add -80 to the log decay, falcon_h1.md §3.1) keeps
e^-80 of the state and, worse, runs one cumulative sum across the boundary, so rounding in a document
depends on its neighbour. Here the cumulative sum itself is a product with a block-triangular
0/1 matrix: it restarts at every document, and what is masked is exactly zero.
The slow twin, one step per token, is in tests/trainer/ and is the specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ScanMasks:
    """Who may reach whom, per chunk (C chunks of Q positions). Computed once per batch, used by all layers."""

    chunk: int
    within_bcqk: Tensor  # key position k is in the same document as q, and not later
    from_start_bcq: Tensor  # the state that enters the chunk is of q's document
    to_end_bcq: Tensor  # q's document is still open at the end of the chunk
    through_bc: Tensor  # one document spans from the entering state to the end of the chunk

    @classmethod
    def of(cls, runs_bl: Tensor, chunk: int) -> ScanMasks:
        """`runs_bl` numbers each row's documents, as in `segments.Packing`."""
        batch, length = runs_bl.shape
        chunk = min(chunk, length)
        pad = -length % chunk
        if pad:
            runs_bl = torch.cat([runs_bl, runs_bl[:, -1:].expand(batch, pad)], 1)
        runs_bcq = runs_bl.view(batch, -1, chunk)
        # A state handed in from outside belongs to the row's first document.
        entering_bc = torch.cat([runs_bcq[:, :1, 0], runs_bcq[:, :-1, -1]], 1)
        causal_qk = torch.ones(chunk, chunk, dtype=torch.bool, device=runs_bl.device).tril()
        return cls(
            chunk=chunk,
            within_bcqk=(runs_bcq[..., :, None] == runs_bcq[..., None, :]) & causal_qk,
            from_start_bcq=runs_bcq == entering_bc[..., None],
            to_end_bcq=runs_bcq == runs_bcq[..., -1:],
            through_bc=runs_bcq[..., -1] == entering_bc,
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
    groups, n_state = b_blgn.shape[2:]
    share = heads // groups
    chunk = masks.chunk
    dtype = x_blhp.dtype
    # Decays multiply up over thousands of steps: they are kept wide whatever x is.
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    # Autocast would narrow the cumulative sum; every product below has the type it is given.
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

        through_bch = cum_bchq[..., -1].exp() * masks.through_bc[..., None]
        entering_bcgnr, state_bgnr = _carry(added_bcgnr, through_bch, state_bhpn, head_dim)
        seen_bcgqr = torch.matmul(c_bcgqn, entering_bcgnr.to(dtype))
        seen_bcqhp = seen_bcgqr.transpose(2, 3).reshape(batch, chunks, chunk, heads, head_dim)
        from_start_bchq = cum_bchq.exp() * masks.from_start_bcq[:, :, None]
        y_bcqhp = y_bcqhp + seen_bcqhp * from_start_bchq.transpose(2, 3)[..., None].to(dtype)

    y_blhp = y_bcqhp.reshape(batch, chunks * chunk, heads, head_dim)[:, :length]
    final = state_bgnr.view(batch, groups, n_state, share, head_dim).permute(0, 1, 3, 4, 2)
    return y_blhp, final.reshape(batch, heads, head_dim, n_state)


def _chunks(t_bl: Tensor, chunk: int) -> Tensor:
    """Split the length into whole chunks, padding the end with zeros."""
    pad = -t_bl.shape[1] % chunk
    if pad:
        t_bl = torch.cat([t_bl, t_bl.new_zeros(t_bl.shape[0], pad, *t_bl.shape[2:])], 1)
    return t_bl.reshape(t_bl.shape[0], -1, chunk, *t_bl.shape[2:])


def _carry(added_bcgnr: Tensor, through_bch: Tensor, state_bhpn: Tensor | None, head_dim: int) -> tuple[Tensor, Tensor]:
    """Run the recurrence over chunks. Returns (state entering each chunk, state after the last)."""
    batch, chunks, groups, n_state, width = added_bcgnr.shape
    share = width // head_dim
    if state_bhpn is None:
        state_bgnr = added_bcgnr.new_zeros(batch, groups, n_state, width)
    else:
        state_bgepn = state_bhpn.to(added_bcgnr.dtype).view(batch, groups, share, head_dim, n_state)
        state_bgnr = state_bgepn.permute(0, 1, 4, 2, 3).reshape(batch, groups, n_state, width)
    factor_bcgr = through_bch.view(batch, chunks, groups, share).repeat_interleave(head_dim, -1)
    entering: list[Tensor] = []
    for chunk in range(chunks):
        entering.append(state_bgnr)
        state_bgnr = torch.addcmul(added_bcgnr[:, chunk], state_bgnr, factor_bcgr[:, chunk, :, None])
    return torch.stack(entering, 1), state_bgnr
