"""The training loop: from packed rows to a trained model, where a crash costs at most a checkpoint's interval.

Resuming is exact: weights, optimiser, random generators and loader are restored, and on a CPU the losses that follow are
the same bit for bit (tests/trainer/test_training.py stops a run at every step). One process and several
(`eyas.trainer.parallel`) take the same steps. The trade: data parallelism only, no tensor or pipeline parallelism, so
that the loop stays short.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eyas.errors import InputError
from eyas.shards.format import Index
from eyas.shards.loader import Batch, ShardLoader
from eyas.trainer import checkpoint, kernels
from eyas.trainer.device import check_memory, out_of_memory, pick_compile, pick_device, pick_dtype
from eyas.trainer.evaluation import HeldOut
from eyas.trainer.files import save_model
from eyas.trainer.loading import load_model
from eyas.trainer.metrics import MetricsLog
from eyas.trainer.model import HybridLM
from eyas.trainer.optimizer import make_optimizer, set_plan
from eyas.trainer.options import TrainOptions
from eyas.trainer.parallel import World, last_piece, number, share_out_again, spread
from eyas.trainer.schedule import StepPlan, plan_of
from eyas.trainer.segments import next_token_targets
from eyas.trainer.summary import ModelSummary
from eyas.trainer.throughput import flops_per_token, peak_flops

# Options that may differ between a checkpoint and the run that continues from it. WSD allows a longer run. A mixture may
# change after the checkpoint only, which the loader enforces.
_MAY_CHANGE = {
    "steps", "checkpoint_every", "device", "dtype", "micro_batch", "mixture", "evaluate_every", "evaluate_rows",
    "recompute", "compile", "parallel",
}  # fmt: skip


def train(
    loader: ShardLoader,
    options: TrainOptions,
    out_dir: str,
    seed: int,
    threads: int | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
    held_out: HeldOut | None = None,
    warn: Callable[[str], None] = lambda warning: None,
) -> ModelSummary:
    """Train and write `model.safetensors`, `config.json` and `metrics.jsonl` into `out_dir`.

    If `out_dir` holds complete checkpoints, the training continues from the newest that is whole, and whose steps a training
    of this length would have taken alike; `warn` is called with a sentence about each that is not.
    threads: CPU threads for torch; if None, their number stays. progress: called with each step's metrics, on rank 0.
    held_out: documents to measure bits per byte on. Under `torchrun` all ranks call this, each with its own loader.
    Returns the summary: steps, first_loss, last_loss, tokens, tokens_per_s, parameters, and more.
    Raises InputError if shards, options, files or memory do not fit, FloatingPointError if the loss or a
    gradient is not finite.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    _check_index(loader.index)
    world = World.of_environment()
    device = pick_device(options.device, world)
    with world.joined(device):
        run = _Run(loader, options, Path(out_dir), seed, world, device, held_out)
        run.resume(warn)
        started = time.monotonic()
        tokens_before = run.tokens
        batches = iter(loader)
        while run.step < options.steps:
            metrics = run.advance(batches)
            if progress is not None and world.rank == 0:
                progress(metrics)
            if run.step % options.checkpoint_every == 0 or run.step == options.steps:
                run.save()
        save_model(run.model, out_dir, write=world.rank == 0)
        world.wait()
        return run.summary(run.tokens - tokens_before, time.monotonic() - started)


class OtherSchedule(InputError):
    """A checkpoint whose steps a training of the new length would have taken otherwise."""


class _Run:
    """The state of a run between steps."""

    def __init__(
        self,
        loader: ShardLoader,
        options: TrainOptions,
        out_dir: Path,
        seed: int,
        world: World,
        device: torch.device,
        held_out: HeldOut | None,
    ) -> None:
        self.loader, self.options, self.out_dir, self.seed = loader, options, out_dir, seed
        self.world, self.device, self.held_out = world, device, held_out
        self.dtype = pick_dtype(options.dtype, device)
        self.step = 0
        self.tokens = 0
        self.checkpoints = out_dir / "checkpoints"
        torch.manual_seed(seed)
        self.model = self._model()
        config, length = self.model.config, loader.index.sequence_length
        self.compiled = pick_compile(options, config, length, device)
        self.model.recompute = options.recompute
        self.replica = spread(self.model, world, options.parallel)
        self.optimizer = make_optimizer(self.model, options)
        self.log = MetricsLog(out_dir / "metrics.jsonl")
        self.flops_per_token = flops_per_token(config, length)
        self.peak = _peak(device, self.dtype) * world.size

    def _model(self) -> HybridLM:
        index, options = self.loader.index, self.options
        shares = self.world.size if options.parallel == "fsdp" else 1
        if options.start_from is None:
            config = options.config(index.vocab_size, index.sequence_length)
            check_memory(config, self.device, shares)
            return HybridLM(config).to(self.device)
        model = load_model(options.start_from)
        if model.config.vocab_size != index.vocab_size:
            raise InputError(
                f"{options.start_from}: a model of {model.config.vocab_size:,} tokens, but the shards were made with "
                f"{index.vocab_size:,}: make them with the model's own tokenizer"
            )
        check_memory(model.config, self.device, shares)
        longest = max(model.config.context_length, index.sequence_length)
        model.config = replace(model.config, context_length=longest)
        return model.to(self.device)

    def resume(self, warn: Callable[[str], None]) -> None:
        """Continue from the newest checkpoint that serves, if there is one, and cut the metrics back to it."""
        self.out_dir.mkdir(parents=True, exist_ok=True)
        if self.world.rank == 0:
            checkpoint.clear_unfinished(self.checkpoints)
        self._restore_newest(warn if self.world.rank == 0 else lambda warning: None)
        if self.compiled:
            for block in self.model.blocks:
                block.compile(dynamic=False)
        if self.world.rank == 0:
            self.log.keep_through(self.step)
        steps = self.world.gather(self.step, self.device)
        if len(set(steps)) > 1:
            raise InputError(
                f"the {self.world.size} processes stand at different steps ({steps}): {self.out_dir} must be one folder that "
                f"all of them see"
            )

    def _restore_newest(self, warn: Callable[[str], None]) -> None:
        """Restore the newest checkpoint that serves. InputError if there are some, and none does."""
        refused: InputError | None = None
        for path in reversed(checkpoint.complete(self.checkpoints)):
            try:
                self._restore(path)
            except (checkpoint.DamagedCheckpoint, OtherSchedule) as error:
                warn(f"{error} Trying the checkpoint before it.")
                refused = refused or error
            else:
                return
        if refused is not None:
            raise refused

    def _restore(self, path: Path) -> None:
        """Load a checkpoint. Automatic choices of the first machine stay, because others would change the losses."""
        state = checkpoint.read_state(path)
        self._check_same(state, path)
        checkpoint.load(path, state, self.model, self.optimizer)
        self.loader.load_state_dict(state["loader"])
        torch.set_rng_state(torch.tensor(list(bytes.fromhex(state["rng"])), dtype=torch.uint8))
        self.step, self.tokens = state["step"], state["tokens"]
        if self.options.dtype == "auto":
            self.dtype = getattr(torch, state["dtype"])
        if self.options.compile is None:
            self.compiled = state["compiled"]

    def _check_same(self, state: dict[str, Any], path: Path) -> None:
        advice = f"Delete {self.checkpoints} to start over, or choose another output folder."
        if state["digest"] != self.loader.index.digest:
            raise InputError(
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
            raise InputError(f"{path} was trained with other options ({'; '.join(changed)}). {advice}")
        if state["step"] > self.options.steps:
            raise InputError(f"{path} is already at step {state['step']}, past steps = {self.options.steps}. {advice}")
        if then["steps"] == self.options.steps:
            return
        before = TrainOptions.model_validate(then)
        steps = range(1, state["step"] + 1)
        other = next((step for step in steps if plan_of(before, step) != plan_of(self.options, step)), None)
        if other is not None:
            raise OtherSchedule(
                f"{path} is of a training of {before.steps:,} steps, in which step {other:,} had another rate than in one of "
                f"{self.options.steps:,}: it had begun to decay. {advice}"
            )

    def advance(self, batches: Iterator[Batch]) -> dict[str, Any]:
        """Take one optimiser step. Returns its line of metrics."""
        begun = time.monotonic()
        self.step += 1
        plan = plan_of(self.options, self.step)
        set_plan(self.optimizer, plan)
        try:
            loss, tokens = self._accumulate(*self._rows(batches, plan))
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            raise InputError(
                f"no memory left at step {self.step} with {self._piece(plan.rows)} rows at a time: set micro_batch lower, or "
                f"recompute: true ({error})"
            ) from error
        if not math.isfinite(loss):
            raise FloatingPointError(self._not_finite("loss", loss, plan))
        norm = number(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip))
        if not math.isfinite(norm):
            raise FloatingPointError(self._not_finite("gradient norm", norm, plan))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.tokens += tokens
        index = self.loader.index
        rate = tokens / max(time.monotonic() - begun, 1e-9)
        metrics: dict[str, Any] = {
            "step": self.step,
            "loss": loss,
            "bits_per_byte": loss / math.log(2) * index.tokens / index.text_bytes,
            "learning_rate": plan.rate,
            "grad_norm": norm,
            "tokens": self.tokens,
            "tokens_per_s": round(rate, 1),
            "mfu": round(rate * self.flops_per_token / self.peak, 4),
        }
        every = self.options.evaluate_every
        if self.held_out and (self.step == self.options.steps or (every and self.step % every == 0)):
            metrics["held_out"] = self.held_out.bits_per_byte(self.model, self._precision())
            share_out_again(self.model)
        if self.world.rank == 0:
            self.log.append(metrics)
        return metrics

    def _rows(self, batches: Iterator[Batch], plan: StepPlan) -> tuple[Tensor, Tensor]:
        """This rank's rows of a step: token ids and document indices."""
        size = self.options.loader_rows
        step_batches = [next(batches) for _ in range(plan.rows // size)]
        for batch in step_batches:
            self._check_batch(batch.input_ids, batch.segment_ids, size // self.world.size)
        if len(step_batches) == 1:
            return step_batches[0].input_ids, step_batches[0].segment_ids
        return torch.cat([b.input_ids for b in step_batches]), torch.cat([b.segment_ids for b in step_batches])

    def _accumulate(self, ids_bl: Tensor, segments_bl: Tensor) -> tuple[float, int]:
        """Compute gradients of the mean loss, piece by piece. Returns (loss, tokens without padding) of all ranks."""
        count, tokens = self.world.sum(
            int((next_token_targets(ids_bl, segments_bl) >= 0).sum()), int((segments_bl >= 0).sum()), device=self.device
        )
        piece = self._piece(len(ids_bl))
        total = torch.zeros((), device=self.device)
        for start in range(0, len(ids_bl), piece):
            ids, segments = (t[start : start + piece].to(self.device) for t in (ids_bl, segments_bl))
            with last_piece(self.replica, start + piece >= len(ids_bl)):
                with self._precision():
                    loss = self.replica(ids.long(), segments, int(count))
                # The mean over ranks divides gradients again, though the loss is already divided by the targets of all.
                (loss * self.world.size if self.world.size > 1 else loss).backward()
            total += loss.detach()
        return self.world.sum(float(total), device=self.device)[0], int(tokens)

    def _piece(self, rows: int) -> int:
        return min(rows, self.options.micro_batch or (2 if self.device.type == "cpu" else rows))

    def _precision(self) -> AbstractContextManager[None]:
        narrow = self.dtype != torch.float32
        dtype = self.dtype if narrow else torch.bfloat16
        return torch.autocast(self.device.type, dtype, enabled=narrow)

    def _check_batch(self, ids_bl: Tensor, segments_bl: Tensor, rows: int) -> None:
        length = self.loader.index.sequence_length
        if tuple(ids_bl.shape) != (rows, length) or ids_bl.shape != segments_bl.shape:
            raise InputError(
                f"the loader gave input_ids {tuple(ids_bl.shape)} and segment_ids {tuple(segments_bl.shape)}; "
                f"batch_size and the shards' sequence_length require {(rows, length)}"
            )
        low, high = int(ids_bl.min()), int(ids_bl.max())
        if low < 0 or high >= self.model.config.vocab_size:
            raise InputError(
                f"token id {high if high > 0 else low} is outside the shards' vocabulary of "
                f"{self.model.config.vocab_size}: the shards and their index do not belong together"
            )

    def _not_finite(self, what: str, value: float, plan: StepPlan) -> str:
        return (
            f"the {what} became {value} at step {self.step} (learning rate {plan.rate:.3g}). "
            f"The last checkpoint in {self.checkpoints} is sound; lower learning_rate or clip and start again."
        )

    def save(self) -> None:
        """Write a checkpoint. Metrics are synced first, so no checkpoint is ahead of the log."""
        if self.world.rank == 0:
            self.log.sync()
        state = {
            "tokens": self.tokens,
            "seed": self.seed,
            "digest": self.loader.index.digest,
            "options": self.options.model_dump(mode="json"),
            "dtype": str(self.dtype).removeprefix("torch."),
            "compiled": self.compiled,
            "loader": self.loader.state_dict(),
            "rng": bytes(torch.get_rng_state().tolist()).hex(),
        }
        checkpoint.save(self.checkpoints, self.step, self.model, self.optimizer, state, write=self.world.rank == 0)
        self.world.wait()

    def summary(self, tokens_now: int, seconds: float) -> ModelSummary:
        """The summary of the run. tokens_per_s is that of this call, or None if no steps were left."""
        # The log of a finished run may have been removed, which is no reason to fail.
        lines = self.log.read() or [{"loss": None, "bits_per_byte": None}]
        rate = tokens_now / seconds if tokens_now else None
        return {
            "steps": self.step,
            "first_loss": lines[0]["loss"],
            "last_loss": lines[-1]["loss"],
            "last_bits_per_byte": lines[-1]["bits_per_byte"],
            "held_out": lines[-1].get("held_out"),
            "tokens": self.tokens,
            "tokens_per_s": round(rate, 1) if rate else None,
            "mfu": round(rate * self.flops_per_token / self.peak, 4) if rate else None,
            "parameters": self.model.config.parameters,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "processes": self.world.size,
            "compiled": self.compiled,
            "fused_kernels": self.device.type == "cuda" and kernels.installed(),
        }


@cache
def _peak(device: torch.device, dtype: torch.dtype) -> float:
    return peak_flops(device, dtype)


def _check_index(index: Index) -> None:
    for name in ("vocab_size", "sequence_length", "tokens", "text_bytes"):
        value = getattr(index, name)
        if not isinstance(value, int) or value < 1:
            raise InputError(f"the shards' index has {name} = {value!r}: expected a whole number above 0")
