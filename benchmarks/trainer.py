"""A whole training step, tokens/s on all cores: `HybridLM` against transformers' `FalconH1ForCausalLM`, same weights.

Forward, loss, backward, clipping and fused AdamW over 2 rows of 1,024 tokens, 28M weights; in float32, and with
bfloat16 products on both sides where the CPU multiplies them. Rows are one document each, as transformers knows no
packing, and it runs its own torch path: fused kernels are for CUDA. First losses must be equal within rounding.
A word of the corpus, hashed into the vocabulary, stands for a token. Run it as a module: by its path, it would
take itself for the room `trainer`.

    python -m benchmarks.trainer --megabytes 10 --json trainer.json
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.common import Options, Report, in_turns, installed, read_texts, run, text_column
from text_kernels.words import word_hashes
from trainer.config import HybridConfig

if TYPE_CHECKING:
    import torch

ROWS, LENGTH = 2, 1024
VOCABULARY = 8192
SHAPE = {
    "d_model": 512, "d_ff": 1280, "layers": 6, "attention_heads": 4, "kv_heads": 2, "head_dim": 64, "ssm_heads": 8,
}  # fmt: skip
LEAST_RATIO = 3.0
TOLERANCES = {"float32": 1e-3, "bfloat16": 3e-2}
"""Of the first loss, in nats: rounding of a sum over layers in the type of its products."""


def measure(options: Options) -> Report:
    missing = [name for name in ("torch", "transformers") if not installed(name)]
    report = Report()
    if missing:
        report.skipped.append(f"training step: {' and '.join(missing)} not installed")
        return report
    import torch

    from trainer.training import pick_dtype

    native = pick_dtype("auto", torch.device("cpu"))
    ids_bl = token_ids(options)
    for dtype in dict.fromkeys((torch.float32, native)):
        _measure_in(report, dtype, ids_bl, options.rounds)
    return report


def _measure_in(report: Report, dtype: torch.dtype, ids_bl: torch.Tensor, rounds: int) -> None:
    ours, theirs = twins()
    weights = sum(parameter.numel() for parameter in ours.parameters())
    steps = {
        "ours": stepper(ours, lambda: ours.loss(ids_bl), dtype),
        "theirs": stepper(theirs, lambda: theirs(ids_bl, labels=ids_bl, use_cache=False).loss, dtype),
    }
    timed = in_turns(steps, rounds)
    kind = str(dtype).removeprefix("torch.")
    our_loss, their_loss = timed.results["ours"], timed.results["theirs"]
    equal = abs(our_loss - their_loss) <= TOLERANCES[kind]
    name = f"training step, {weights / 1e6:.0f}M, {ids_bl.shape[0]} x {ids_bl.shape[1]:,}, {kind}"
    our_rate, their_rate = (timed.rate(side, ids_bl.numel()) for side in ("ours", "theirs"))
    report.against(name, our_rate, their_rate, "transformers", "tokens/s", LEAST_RATIO, equal)
    outcome = f"equal within {TOLERANCES[kind]}" if equal else f"UNEQUAL, beyond {TOLERANCES[kind]}"
    report.checked.append(f"{name}: first losses {our_loss:.4f} and {their_loss:.4f}, {outcome}")


def token_ids(options: Options) -> torch.Tensor:
    """int64[rows, length] of real text; rows are shorter if the corpus is."""
    import torch

    wanted = ROWS * LENGTH
    hashes, _ = word_hashes(text_column(read_texts(options)))
    if len(hashes) < 2 * ROWS:
        raise ValueError(f"the corpus has {len(hashes)} words, too few for {ROWS} rows: raise --megabytes")
    ids = (hashes[:wanted] % VOCABULARY).astype("int64")
    length = min(LENGTH, len(ids) // ROWS)
    return torch.from_numpy(ids[: ROWS * length].reshape(ROWS, length))


def twins() -> tuple[Any, Any]:
    """Our model and transformers', with the same weights, through the exported folder that users have."""
    import torch

    from trainer.hf import export_hf
    from trainer.model import HybridLM

    transformers = import_module("transformers")
    transformers.logging.set_verbosity_error()  # it warns, kernel by kernel, that it takes the torch path
    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    ours = HybridLM(HybridConfig.preset("tiny", VOCABULARY, SHAPE)).train()
    with TemporaryDirectory() as folder:
        export_hf(ours, folder)
        theirs = transformers.FalconH1ForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    return ours, theirs


def stepper(model: Any, loss_of: Callable[[], torch.Tensor], dtype: torch.dtype) -> Callable[[], float]:
    """One optimiser step per call, as `trainer.train` takes it; returns the loss before it."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    autocast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)

    def step() -> float:
        with autocast():
            loss = loss_of()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
