"""The trainer on a GPU: does it compute what the plain path on a CPU does, and how fast, beside transformers' FalconH1?

Parts, each of which may fail without the others: `twins` (logits and gradients against the CPU in float32), `isolation`
(what one document of a packed row says must not move another's logits), `resume` (a training that goes on from its
checkpoint), `processes` (DDP and FSDP over NCCL, a world of one), `speed` (training steps in bfloat16, tokens/s and peak
memory, in turns).
On a machine without a GPU it says so, and does nothing; `--cpu` tries the script out, on tiny shapes.

    python -m benchmarks.trainer_gpu --shards runs/quickstart/shards --seconds 300 --json gpu.json
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.trainer import stepper
from eyas.trainer import kernels
from eyas.trainer.config import HybridConfig
from eyas.trainer.model import HybridLM

VOCABULARY = 8192
SMALL = {
    "d_model": 512, "d_ff": 1280, "layers": 4, "attention_heads": 8, "kv_heads": 2, "head_dim": 64,
    "ssm_heads": 8, "ssm_head_dim": 64, "ssm_state": 64, "chunk_size": 128,
}  # fmt: skip
SPEEDS = (("90m", 8192, 4, 1024), ("0.5b", 32768, 1, 2048), ("90m", 8192, 16, 2048), ("0.5b", 32768, 4, 2048))
"""Preset, vocabulary, rows and length. On 80 GB, transformers' own path has no room for the last two."""
PARTS = ("twins", "isolation", "resume", "processes", "speed")


class Lab:
    """Runs parts one after another until the time is up; prints and keeps what they find."""

    def __init__(self, device: str, seconds: float, path: Path | None) -> None:
        self.device, self.path = torch.device(device), path
        self.end = time.monotonic() + seconds
        self.found: list[dict[str, Any]] = []

    def say(self, part: str, **figures: Any) -> None:
        """Prints one result as a line of JSON."""
        self.found.append({"part": part, **figures})
        print(json.dumps(self.found[-1]), flush=True)
        if self.path is not None:
            self.path.write_text(json.dumps(self.found, indent=1))

    def run(self, part: str, work: Callable[[Lab], None]) -> None:
        """One part; an error is a result, too."""
        if time.monotonic() > self.end:
            self.say(part, skipped="no time left")
            return
        started = time.monotonic()
        try:
            work(self)
            self.say(part, seconds=round(time.monotonic() - started, 1))
        except Exception as error:
            traceback.print_exc()
            self.say(part, failed=f"{type(error).__name__}: {str(error)[:600]}")


def rows(count: int, length: int, vocabulary: int = VOCABULARY) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and document numbers of packed rows: five documents in each, and some padding."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(vocabulary, (count, length), generator=generator)
    bounds = torch.tensor([0, length // 7, length // 3, length // 2, length - length // 5, length - 8])
    segments = torch.bucketize(torch.arange(length), bounds[1:], right=True).expand(count, length).clone()
    segments[:, length - 8 :] = -1
    return ids, segments


def twin_models(device: torch.device) -> tuple[HybridLM, HybridLM]:
    """The same weights on the CPU and on the device."""
    torch.manual_seed(0)
    plain = HybridLM(HybridConfig.preset("tiny", VOCABULARY, SMALL))
    other = HybridLM(plain.config)
    other.load_state_dict(plain.state_dict())
    return plain, other.to(device)


def twins(lab: Lab) -> None:
    """Logits and gradients of the device, float32 and bfloat16, against the CPU's in float32."""
    plain, other = twin_models(lab.device)
    ids, segments = rows(2, 512)
    plain.loss(ids, segments).backward()
    with torch.no_grad():
        expected = plain(ids, segments)
    scale = float(expected.std())
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        other.zero_grad()
        with torch.autocast(lab.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = other.loss(ids.to(lab.device), segments.to(lab.device))
            with torch.no_grad():
                logits = other(ids.to(lab.device), segments.to(lab.device))
        loss.backward()
        worst = max(
            float((mine.grad.cpu().float() - theirs.grad).norm() / theirs.grad.norm().clamp_min(1e-12))
            for mine, theirs in zip(other.parameters(), plain.parameters(), strict=True)
            if mine.grad is not None and theirs.grad is not None
        )
        apart = float((logits.float().cpu() - expected).abs().max()) / scale
        lab.say("twins", dtype=name, logits_max_of_std=round(apart, 7), gradient_worst_relative=round(worst, 7))


def isolation(lab: Lab) -> None:
    """Other tokens in the second document: logits of all other documents must be the same bits."""
    _, model = twin_models(lab.device)
    ids, segments = (one.to(lab.device) for one in rows(2, 512))
    changed = torch.where(segments == 1, (ids + 17) % VOCABULARY, ids)
    for name, compiled in (("eager", False), ("compiled", True)):
        if compiled:
            for block in model.blocks:
                block.compile(dynamic=False)
        for dtype in (torch.float32, torch.bfloat16):
            with torch.no_grad(), torch.autocast(lab.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
                before, after = model(ids, segments), model(changed, segments)
            others = (segments != 1) & (segments >= 0)
            moved = float((before - after)[others].abs().max())
            own = float((before - after)[segments == 1].abs().max())
            lab.say("isolation", path=name, dtype=str(dtype)[6:], others_moved=moved, itself_moved=round(own, 3))


def resume(lab: Lab, shards: str) -> None:
    """Losses and weights after a checkpoint, taken up again, against those of the undisturbed run."""
    from eyas.trainer.on_shards import train_on
    from eyas.trainer.options import TrainOptions

    options = TrainOptions(steps=12, batch_size=8, checkpoint_every=6, warmup_steps=2, device=lab.device.type)
    with TemporaryDirectory() as folder:
        whole, cut = Path(folder) / "whole", Path(folder) / "cut"
        summary = train_on(shards, options, whole, 7, 4)
        (cut / "checkpoints").mkdir(parents=True)
        shutil.copytree(whole / "checkpoints/step-00000006", cut / "checkpoints/step-00000006")
        train_on(shards, options, cut, 7, 4)
        losses = [[json.loads(line)["loss"] for line in (one / "metrics.jsonl").open()][-6:] for one in (whole, cut)]
        weights = [(one / "model.safetensors").read_bytes() for one in (whole, cut)]
        difference = max(abs(a - b) for a, b in zip(*losses, strict=True))
        lab.say(
            "resume", same_weights=weights[0] == weights[1], losses_apart=difference, losses=losses[0],
            tokens_per_s=summary["tokens_per_s"], compiled=summary["compiled"], dtype=summary["dtype"],
            fused_kernels=summary["fused_kernels"],
        )  # fmt: skip


def processes(lab: Lab) -> None:
    """One step through DDP and through FSDP over NCCL with one process: the loss of the bare model."""
    import os

    import torch.distributed as dist
    from torch.distributed.fsdp import fully_shard

    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "RANK": "0", "WORLD_SIZE": "1"}
    dist.init_process_group("nccl" if lab.device.type == "cuda" else "gloo")
    try:
        ids, segments = (one.to(lab.device) for one in rows(2, 512))
        losses = {}
        for way in ("bare", "ddp", "fsdp"):
            _, model = twin_models(lab.device)
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
            if way == "fsdp":
                for block in model.blocks:
                    fully_shard(block)
                fully_shard(model)
                torch.distributed.fsdp.register_fsdp_forward_method(model, "loss")
                optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
            wrapped: Any = torch.nn.parallel.DistributedDataParallel(_Loss(model)) if way == "ddp" else model.loss
            steps = []
            for _ in range(3):
                loss = wrapped(ids, segments)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                steps.append(float(loss.detach()))
            losses[way] = steps
        apart = {way: max(abs(a - b) for a, b in zip(losses["bare"], of, strict=True)) for way, of in losses.items()}
        lab.say("processes", backend=dist.get_backend(), losses=losses["bare"], apart=apart)
    finally:
        dist.destroy_process_group()


class _Loss(torch.nn.Module):
    def __init__(self, model: HybridLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
        return self.model.loss(ids, segments)


def speed(lab: Lab, preset: str, vocabulary: int, count: int, length: int) -> None:
    """Training steps in bfloat16: ours on packed rows, ours compiled, transformers' on whole rows; in turns."""
    ids, segments = (one.to(lab.device) for one in rows(count, length, vocabulary))
    config = HybridConfig.preset(preset, vocabulary, {"context_length": length} if lab.device.type == "cuda" else SMALL)
    steps: dict[str, Callable[[], float]] = {}
    for name in ("ours", *(["ours compiled"] if lab.device.type == "cuda" else [])):
        torch.manual_seed(0)
        model = HybridLM(config).to(lab.device).train()
        if name != "ours":
            for block in model.blocks:
                block.compile(dynamic=False)
        steps[name] = stepper(model, partial(model.loss, ids, segments), torch.bfloat16, lab.device.type)
    transformers = import_module("transformers")
    transformers.logging.set_verbosity_error()
    from eyas.trainer.hf import to_hf_config

    theirs = (
        transformers.FalconH1ForCausalLM(transformers.FalconH1Config(**to_hf_config(config))).to(lab.device).train()
    )
    steps["transformers"] = stepper(
        theirs, lambda: theirs(ids, labels=ids, use_cache=False).loss, torch.bfloat16, lab.device.type
    )
    times: dict[str, list[float]] = {name: [] for name in steps}
    peaks: dict[str, float] = {}
    for turn in range(8):
        for name in list(steps):
            if lab.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            started = time.monotonic()
            try:
                steps[name]()
            except Exception as error:
                traceback.print_exc()
                lab.say("speed", shape=preset, side=name, failed=f"{type(error).__name__}: {str(error)[:300]}")
                del steps[name]
                continue
            if turn >= 2:  # the first steps compile and fill caches
                times[name].append(time.monotonic() - started)
            if lab.device.type == "cuda":
                peaks[name] = torch.cuda.max_memory_allocated() / 1e9
        if time.monotonic() > lab.end and turn >= 3:
            break
    weights = sum(parameter.numel() for parameter in theirs.parameters())
    steps.clear()
    for name, of in times.items():
        if of:
            rate = ids.numel() / statistics.median(of)
            lab.say("speed", shape=preset, side=name, rows=count, length=length, weights=weights,
                    tokens_per_s=round(rate), peak_gb=round(peaks.get(name, 0.0), 2))  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", help="a folder of shards, for the part `resume`")
    parser.add_argument("--seconds", type=float, default=300, help="start no part after this time")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="what to run")
    parser.add_argument("--cpu", action="store_true", help="try the script out without a GPU")
    parser.add_argument("--json", type=Path, help="write the results there, too")
    options = parser.parse_args(argv)
    if not (torch.cuda.is_available() or options.cpu):
        print("no GPU here: nothing to measure (--cpu tries the script out)")
        return 0
    lab = Lab("cpu" if options.cpu else "cuda", options.seconds, options.json)
    name = "cpu" if options.cpu else torch.cuda.get_device_name()
    lab.say("machine", device=name, torch=torch.__version__, fused_kernels=kernels.installed())
    shapes = (("tiny", 8192, 2, 256),) if options.cpu else SPEEDS
    work: dict[str, list[Callable[[Lab], None]]] = {
        "twins": [twins],
        "isolation": [isolation],
        "resume": [partial(resume, shards=options.shards)] if options.shards else [],
        "processes": [processes],
        "speed": [partial(speed, preset=p, vocabulary=v, count=c, length=n) for p, v, c, n in shapes],
    }
    for part in options.parts:
        for one in work[part]:
            lab.run(part, one)
    return 1 if any("failed" in one for one in lab.found) else 0


if __name__ == "__main__":
    sys.exit(main())
