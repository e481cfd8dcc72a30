"""How a training step's time grows with the length of a row, 1K to 16K tokens: ours, transformers' FalconH1, and the line.

One row of one document, tiny with the released state and chunk (256), forward, loss and backward pass, each side in its
default type. State-space layers grow linearly; what bends the curve is attention. `--plot FILE` draws it.

    python -m benchmarks.trainer_length --plot docs/trainer_length.svg --json length.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

LENGTHS = (1024, 2048, 4096, 8192, 16384)
SHAPE = {"ssm_state": 256, "chunk_size": 256}
VOCABULARY = 8192


def measure(lengths: Sequence[int], rounds: int) -> dict[str, dict[int, float]]:
    """Seconds of a step by side and length: the least of some rounds after one that warms up."""
    import torch

    from benchmarks.trainer import _loss_of
    from eyas.trainer.config import HybridConfig
    from eyas.trainer.device import pick_dtype
    from eyas.trainer.hf import to_hf_config
    from eyas.trainer.model import HybridLM

    transformers = import_module("transformers")
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    config = HybridConfig.preset("tiny", VOCABULARY, SHAPE)
    ours = HybridLM(config).train()
    theirs = transformers.FalconH1ForCausalLM(transformers.FalconH1Config(**to_hf_config(config))).train()
    narrow = pick_dtype("auto", torch.device("cpu")) == torch.bfloat16
    found: dict[str, dict[int, float]] = {"Eyas": {}, "transformers": {}}
    for length in lengths:
        ids = torch.randint(0, VOCABULARY, (1, length))
        sides: dict[str, tuple[Callable[[], Any], bool]] = {
            "Eyas": (partial(ours.loss, ids), narrow),
            "transformers": (partial(_loss_of, theirs, ids), False),
        }
        for name, (loss_of, autocast) in sides.items():
            seconds = []
            for _ in range(rounds + 1):
                begun = time.perf_counter()
                with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                    loss = loss_of()
                loss.backward()
                seconds.append(time.perf_counter() - begun)
                (ours if name == "Eyas" else theirs).zero_grad(set_to_none=True)
            found[name][length] = min(seconds[1:])
            print(
                f"{name:>12} {length:>6} tokens  {found[name][length]:8.3f} s  {length / found[name][length]:8,.0f} tokens/s"
            )
    return found


def plot(found: dict[str, dict[int, float]], path: Path) -> None:
    """Seconds against length, both logarithmic, with a line of slope one through our first point."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "eyas"
    figure, axes = plt.subplots(figsize=(6, 3.6))
    for name, points in found.items():
        axes.plot(list(points), list(points.values()), marker="o", label=name)
    lengths = sorted(found["Eyas"])
    linear = [found["Eyas"][lengths[0]] * length / lengths[0] for length in lengths]
    axes.plot(lengths, linear, linestyle=":", color="grey", label="linear")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(lengths, [f"{length // 1024}K" for length in lengths])
    axes.set_xlabel("tokens in the row")
    axes.set_ylabel("seconds of a step")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--longest", type=int, default=LENGTHS[-1])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    found = measure([length for length in LENGTHS if length <= options.longest], options.rounds)
    if options.plot:
        plot(found, options.plot)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
