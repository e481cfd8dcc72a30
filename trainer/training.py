"""The training loop: shards in, a trained model out, and a crash costs at most a checkpoint's interval.

Resuming is exact: weights, optimiser, random generators and loader come back, and on a CPU the
losses that follow are the same bit for bit (a test kills a run to see it). The trade: one process,
one device; the loop is meant to be read and to prove the data, not to fill a cluster.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from trainer import checkpoint
from trainer.files import save_model
from trainer.metrics import MetricsLog
from trainer.model import HybridLM
from trainer.options import TrainOptions
from trainer.segments import next_token_targets


class Batch(Protocol):
    """One step's rows: token ids (int64) and document indices (int32 or int64, -1 padding), both B x T."""

    @property
    def input_ids(self) -> Tensor: ...
    @property
    def segment_ids(self) -> Tensor: ...


class Index(Protocol):
    """What the trainer asks of the shards' index."""

    @property
    def vocab_size(self) -> int: ...
    @property
    def sequence_length(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def text_bytes(self) -> int: ...
    @property
    def digest(self) -> str: ...


class Loader(Protocol):
    """An endless, resumable stream of batches, such as `shards.ShardLoader`."""

    @property
    def index(self) -> Index: ...
    def __iter__(self) -> Iterator[Any]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


# What may differ between a checkpoint and the run that goes on from it. WSD allows a longer run; of a mixture only what
# comes after the checkpoint may change, which the loader sees to.
_MAY_CHANGE = {"steps", "checkpoint_every", "device", "dtype", "micro_batch", "mixture"}


def train(
    loader: Loader,
    options: TrainOptions,
    out_dir: str,
    seed: int,
    threads: int | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train and write `model.safetensors`, `config.json` and `metrics.jsonl` into `out_dir`.

    Goes on from the newest complete checkpoint in `out_dir`, if there is one.
    threads: CPU threads for torch, None leaves them. progress: called with each step's metrics.
    Returns the summary: steps, first_loss, last_loss, tokens, tokens_per_s, parameters, and more.
    Raises ValueError if shards, options or files do not fit, FloatingPointError if the loss or a
    gradient is not finite.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    _check_index(loader.index)
    run = _Run(loader, options, Path(out_dir), seed)
    run.resume()
    started = time.monotonic()
    tokens_before = run.tokens
    batches = iter(loader)
    while run.step < options.steps:
        metrics = run.advance(next(batches))
        if progress is not None:
            progress(metrics)
        if run.step % options.checkpoint_every == 0 or run.step == options.steps:
            run.save()
    save_model(run.model, out_dir)
    return run.summary(run.tokens - tokens_before, time.monotonic() - started)


class _Run:
    """The state of a run between steps."""

    def __init__(self, loader: Loader, options: TrainOptions, out_dir: Path, seed: int) -> None:
        self.loader, self.options, self.out_dir, self.seed = loader, options, out_dir, seed
        self.device = pick_device(options.device)
        self.dtype = pick_dtype(options.dtype, self.device)
        self.step = 0
        self.tokens = 0
        self.checkpoints = out_dir / "checkpoints"
        torch.manual_seed(seed)
        index = loader.index
        self.model = HybridLM(options.config(index.vocab_size, index.sequence_length)).to(self.device)
        self.optimizer = make_optimizer(self.model, options)
        self.log = MetricsLog(out_dir / "metrics.jsonl")

    def resume(self) -> None:
        """Go on from the newest checkpoint, if any, and cut the metrics back to it."""
        self.out_dir.mkdir(parents=True, exist_ok=True)
        checkpoint.clear_unfinished(self.checkpoints)
        found = checkpoint.complete(self.checkpoints)
        if found:
            path = found[-1]
            state = checkpoint.read_state(path)
            self._check_same(state, path)
            checkpoint.load(path, state, self.model, self.optimizer)
            self.loader.load_state_dict(state["loader"])
            torch.set_rng_state(torch.tensor(list(bytes.fromhex(state["rng"])), dtype=torch.uint8))
            self.step, self.tokens = state["step"], state["tokens"]
            if self.options.dtype == "auto":
                # The first machine's choice stands: changing it midway would change the losses.
                self.dtype = getattr(torch, state["dtype"])
        self.log.keep_through(self.step)

    def _check_same(self, state: dict[str, Any], path: Path) -> None:
        advice = f"Delete {self.checkpoints} to start over, or choose another output folder."
        if state["digest"] != self.loader.index.digest:
            raise ValueError(
                f"{path} was trained on other shards (digest {state['digest']}, now {self.loader.index.digest}). "
                + advice
            )
        then, now = state["options"], self.options.model_dump(mode="json")
        changed = [
            f"{k}: {then.get(k)!r} -> {v!r}" for k, v in now.items() if k not in _MAY_CHANGE and then.get(k) != v
        ]
        if state["seed"] != self.seed:
            changed.append(f"seed: {state['seed']} -> {self.seed}")
        if changed:
            raise ValueError(f"{path} was trained with other options ({'; '.join(changed)}). {advice}")
        if state["step"] > self.options.steps:
            raise ValueError(f"{path} is already at step {state['step']}, past steps = {self.options.steps}. {advice}")

    def advance(self, batch: Batch) -> dict[str, Any]:
        """One optimiser step; returns its line of metrics."""
        begun = time.monotonic()
        self.step += 1
        rate = self.options.rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        loss, tokens = self._accumulate(batch)
        if not math.isfinite(loss):
            raise FloatingPointError(self._not_finite("loss", loss))
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip))
        if not math.isfinite(norm):
            raise FloatingPointError(self._not_finite("gradient norm", norm))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.tokens += tokens
        index = self.loader.index
        metrics = {
            "step": self.step,
            "loss": loss,
            "bits_per_byte": loss / math.log(2) * index.tokens / index.text_bytes,
            "learning_rate": rate,
            "grad_norm": norm,
            "tokens": self.tokens,
            "tokens_per_s": round(tokens / max(time.monotonic() - begun, 1e-9), 1),
        }
        self.log.append(metrics)
        return metrics

    def _accumulate(self, batch: Batch) -> tuple[float, int]:
        """Gradients of the batch's mean loss, piece by piece. Returns (loss, tokens that are not padding)."""
        ids_bl, segments_bl = batch.input_ids, batch.segment_ids
        self._check_batch(ids_bl, segments_bl)
        count = int((next_token_targets(ids_bl, segments_bl) >= 0).sum())
        piece = self.options.micro_batch or (2 if self.device.type == "cpu" else len(ids_bl))
        total = torch.zeros((), device=self.device)
        narrow = self.dtype != torch.float32
        for start in range(0, len(ids_bl), piece):
            ids, segments = (t[start : start + piece].to(self.device) for t in (ids_bl, segments_bl))
            with torch.autocast(self.device.type, self.dtype if narrow else torch.bfloat16, enabled=narrow):
                loss = self.model.loss(ids.long(), segments, count)
            loss.backward()
            total += loss.detach()
        return float(total), int((segments_bl >= 0).sum())

    def _check_batch(self, ids_bl: Tensor, segments_bl: Tensor) -> None:
        rows, length = self.options.batch_size, self.loader.index.sequence_length
        if tuple(ids_bl.shape) != (rows, length) or ids_bl.shape != segments_bl.shape:
            raise ValueError(
                f"the loader gave input_ids {tuple(ids_bl.shape)} and segment_ids {tuple(segments_bl.shape)}; "
                f"batch_size and the shards' sequence_length ask for {(rows, length)}"
            )
        low, high = int(ids_bl.min()), int(ids_bl.max())
        if low < 0 or high >= self.model.config.vocab_size:
            raise ValueError(
                f"token id {high if high > 0 else low} is outside the shards' vocabulary of "
                f"{self.model.config.vocab_size}: the shards and their index do not belong together"
            )

    def _not_finite(self, what: str, value: float) -> str:
        return (
            f"the {what} became {value} at step {self.step} (learning rate {self.options.rate(self.step):.3g}). "
            f"The last checkpoint in {self.checkpoints} is sound; lower learning_rate or clip and start again."
        )

    def save(self) -> None:
        # Metrics first: a checkpoint never knows of a step the log has lost.
        self.log.sync()
        state = {
            "tokens": self.tokens,
            "seed": self.seed,
            "digest": self.loader.index.digest,
            "options": self.options.model_dump(mode="json"),
            "dtype": str(self.dtype).removeprefix("torch."),
            "loader": self.loader.state_dict(),
            "rng": bytes(torch.get_rng_state().tolist()).hex(),
        }
        checkpoint.save(self.checkpoints, self.step, self.model, self.optimizer, state)

    def summary(self, tokens_now: int, seconds: float) -> dict[str, Any]:
        """What the run came to. tokens_per_s is that of this call, None if it had nothing left to do."""
        # Somebody may have removed the log of a finished run: that is no reason to fail.
        lines = self.log.read() or [{"loss": None, "bits_per_byte": None}]
        return {
            "steps": self.step,
            "first_loss": lines[0]["loss"],
            "last_loss": lines[-1]["loss"],
            "last_bits_per_byte": lines[-1]["bits_per_byte"],
            "tokens": self.tokens,
            "tokens_per_s": round(tokens_now / seconds, 1) if tokens_now else None,
            "parameters": self.model.config.parameters,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
        }


def make_optimizer(model: HybridLM, options: TrainOptions) -> torch.optim.AdamW:
    """AdamW; only matrices of the blocks and the untied head decay. A group's `factor` scales its rate."""
    head = None if model.config.tied_embeddings else model.head.weight
    matrices: list[torch.nn.Parameter] = []
    exempt: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        matrix = parameter.dim() == 2 and "embedding" not in name and "conv" not in name
        if parameter is not head:
            (matrices if matrix else exempt).append(parameter)
    groups = [
        {"params": matrices, "weight_decay": options.weight_decay, "factor": 1.0},
        {"params": exempt, "weight_decay": 0.0, "factor": 1.0},
    ]
    if head is not None:
        # Divided, because AdamW multiplies decay by the rate: the head shrinks no faster than the rest.
        decay = options.weight_decay / options.head_rate
        groups.append({"params": [head], "weight_decay": decay, "factor": options.head_rate})
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=options.betas, fused=True)


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise ValueError(f"device {name!r} is not there: torch sees {torch.cuda.device_count()} CUDA device(s)")
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 where the hardware multiplies it: 392 against 113 GFLOP/s on an AVX512-BF16 core pair."""
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Young in torch: where it is missing, float32 is the safe answer.
        features: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        native = bool(features.get("avx512_bf16") or features.get("amx_tile") or features.get("amx_bf16"))
    return torch.bfloat16 if native else torch.float32


def _check_index(index: Index) -> None:
    for name in ("vocab_size", "sequence_length", "tokens", "text_bytes"):
        value = getattr(index, name)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"the shards' index says {name} = {value!r}: expected a whole number above 0")
