"""A whole training step, tokens/s on all cores: `HybridLM` against transformers' `FalconH1ForCausalLM`, same weights.

Forward, loss, backward, clipping and fused AdamW over 2 rows of 1,024 tokens, 28M weights. Each side as it comes (ours:
bfloat16 products where the CPU multiplies them, and compiled blocks, as a run of half an hour picks them; theirs: float32,
as `from_pretrained` loads it), then like with like: both in float32, both under bfloat16 autocast, nothing compiled. Two
shapes: the state of Falcon-H1-Tiny (64), and the state and chunk of the released models (256). Rows are one document each,
as transformers knows no packing, and it runs its own torch path: fused kernels are for CUDA. First losses must be equal
within rounding, and the peak memory of a process that takes three steps no higher.
A word of the corpus, hashed into the vocabulary, stands for a token. Run it as a module: by its path, it would
take itself for the room `trainer`.

    python -m benchmarks.trainer --megabytes 10 --json trainer.json
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.common import Options, Report, in_turns, installed, read_texts, run, text_column
from eyas.text_kernels.words.words import word_hashes
from eyas.trainer.config import HybridConfig

if TYPE_CHECKING:
    import torch

ROWS, LENGTH = 2, 1024
VOCABULARY = 8192
SHAPE = {
    "d_model": 512, "d_ff": 1280, "layers": 6, "attention_heads": 4, "kv_heads": 2, "head_dim": 64, "ssm_heads": 8,
}  # fmt: skip
SHAPES = {"state 64": {"ssm_state": 64, "chunk_size": 128}, "state 256": {"ssm_state": 256, "chunk_size": 256}}
LEAST_RATIO = 3.0
TOLERANCES = {"float32": 1e-3, "bfloat16": 3e-2}
"""Of the first loss, in nats: rounding of a sum over layers in the type of its products."""


def measure(options: Options) -> Report:
    missing = [name for name in ("torch", "transformers") if not installed(name)]
    report = Report()
    if missing:
        report.skipped.append(f"training step: {' and '.join(missing)} not installed")
        return report
    ids_bl = token_ids(options)
    for name, state in SHAPES.items():
        _speed(report, name, state, ids_bl, options.rounds)
    _memory(report, options)
    return report


def _speed(report: Report, name: str, state: dict[str, int], ids_bl: torch.Tensor, rounds: int) -> None:
    import torch

    from eyas.trainer.device import pick_dtype

    native = pick_dtype("auto", torch.device("cpu"))
    steps, weights = {}, 0
    for kind in dict.fromkeys((torch.float32, native)):
        ours, theirs = twins(state)
        weights = sum(parameter.numel() for parameter in ours.parameters())
        steps["ours", kind] = stepper(ours, partial(ours.loss, ids_bl), kind)
        steps["theirs", kind] = stepper(theirs, partial(_loss_of, theirs, ids_bl), kind)
    if rounds > 1 and (shutil.which("g++") or shutil.which("clang++")):  # for one step nobody compiles
        compiled, _ = twins(state)
        for block in compiled.blocks:
            block.compile(dynamic=False)
        steps["compiled", native] = stepper(compiled, partial(compiled.loss, ids_bl), native)
    timed = in_turns({str(key): step for key, step in steps.items()}, rounds)
    best = ("compiled", native) if ("compiled", native) in steps else ("ours", native)
    pairs = [(best, ("theirs", torch.float32), "as each comes")]
    pairs += [(("ours", kind), ("theirs", kind), _name(kind)) for kind in dict.fromkeys((torch.float32, native))]
    for mine, other, what in pairs:
        our_loss, their_loss = timed.results[str(mine)], timed.results[str(other)]
        within = TOLERANCES[_name(mine[1])]
        equal = abs(our_loss - their_loss) <= within
        label = f"step, {weights / 1e6:.0f}M, {ids_bl.shape[0]} x {ids_bl.shape[1]:,}, {name}, {what}"
        our_rate, their_rate = (timed.rate(str(key), ids_bl.numel()) for key in (mine, other))
        report.against(label, our_rate, their_rate, "transformers", "tokens/s", LEAST_RATIO, equal)
        report.checked.append(
            f"{label}: first losses {our_loss:.4f} and {their_loss:.4f}, {'equal' if equal else 'UNEQUAL'} within {within}"
        )


def _memory(report: Report, options: Options) -> None:
    """Peak memory of a process of its own for each side, in float32."""
    found = {}
    for side in ("ours", "theirs"):
        given = [side, "--corpus", str(options.corpus), "--megabytes", str(options.megabytes)]
        done = subprocess.run(
            [sys.executable, "-c", f"from benchmarks.trainer import peak; peak({given!r})"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found[side] = float(done.stdout.split()[-1])
    ours, theirs = (1024 / found[side] for side in ("ours", "theirs"))
    report.against("memory, 29M, state 256, float32", ours, theirs, "transformers", "steps/GB", 1.0)
    report.checked.append(f"peak memory: ours {found['ours']:,.0f} MB, transformers {found['theirs']:,.0f} MB")


def peak(given: Sequence[str]) -> None:
    """Three steps of one side alone, then prints the process's peak of resident memory in MB, libraries included."""
    import torch

    from eyas.trainer.hf import to_hf_config
    from eyas.trainer.model import HybridLM

    side, _, corpus, _, megabytes = given
    ids_bl = token_ids(Options(Path(corpus), float(megabytes), 1))
    config = HybridConfig.preset("tiny", VOCABULARY, {**SHAPE, **SHAPES["state 256"]})
    transformers = import_module("transformers")
    if side == "ours":
        ours = HybridLM(config).train()
        step = stepper(ours, partial(ours.loss, ids_bl), torch.float32)
    else:
        theirs = transformers.FalconH1ForCausalLM(transformers.FalconH1Config(**to_hf_config(config))).train()
        step = stepper(theirs, partial(_loss_of, theirs, ids_bl), torch.float32)
    for _ in range(3):
        step()
    # Not ru_maxrss: a child inherits that of the process that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)


def _name(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")


def _loss_of(theirs: Any, ids_bl: torch.Tensor) -> torch.Tensor:
    loss: torch.Tensor = theirs(ids_bl, labels=ids_bl, use_cache=False).loss
    return loss


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


def twins(state: dict[str, int]) -> tuple[Any, Any]:
    """Our model and transformers', with the same weights, through the exported folder that users have."""
    import torch

    from eyas.trainer.hf import export_hf
    from eyas.trainer.model import HybridLM

    transformers = import_module("transformers")
    transformers.logging.set_verbosity_error()  # it warns, kernel by kernel, that it takes the torch path
    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    ours = HybridLM(HybridConfig.preset("tiny", VOCABULARY, {**SHAPE, **state})).train()
    with TemporaryDirectory() as folder:
        export_hf(ours, folder)
        theirs = transformers.FalconH1ForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    return ours, theirs


def stepper(
    model: Any, loss_of: Callable[[], torch.Tensor], dtype: torch.dtype, device: str = "cpu"
) -> Callable[[], float]:
    """One optimiser step per call, as `eyas.trainer.train` takes it; returns the loss before it."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    autocast = partial(torch.autocast, device, torch.bfloat16, enabled=dtype == torch.bfloat16)

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
