"""Loss curves of float32 and bfloat16 products from the same weights and rows, drawn on top of each other.

Weights, residual stream, decays and optimiser stay in float32 either way. Prints the mean distance of the last tenth of the
steps beside the distance that another seed makes.

    python -m benchmarks.precision --steps 150 --plot docs/trainer_precision.svg
"""

from __future__ import annotations

import argparse
import statistics
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.mup import VOCABULARY, _pyplot, tokens

if TYPE_CHECKING:
    import torch


def curve(rows_nl: torch.Tensor, dtype: str, seed: int, steps: int, rate: float) -> list[float]:
    """Losses of tiny on these rows, stepped as `eyas.trainer.train` does."""
    import torch

    from eyas.trainer.device import pick_device
    from eyas.trainer.model import HybridLM
    from eyas.trainer.optimizer import make_optimizer, set_plan
    from eyas.trainer.options import TrainOptions
    from eyas.trainer.schedule import plan_of

    options = TrainOptions(steps=steps, batch_size=8, dtype=dtype, learning_rate=rate)  # type: ignore[arg-type]
    torch.manual_seed(seed)
    model = HybridLM(options.config(VOCABULARY, rows_nl.shape[1])).train().to(pick_device("cpu"))
    optimizer = make_optimizer(model, options)
    found = []
    for step in range(1, steps + 1):
        set_plan(optimizer, plan_of(options, step))
        batch = rows_nl[torch.arange((step - 1) * 8, step * 8) % len(rows_nl)]
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = model.loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        found.append(float(loss.detach()))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path(sysconfig.get_paths()["purelib"]))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(argv)
    rows_nl = tokens(options.corpus)
    plans = {"float32": ("float32", 0), "bfloat16": ("bfloat16", 0), "float32, another seed": ("float32", 1)}
    curves = {
        name: curve(rows_nl, dtype, seed, options.steps, options.learning_rate) for name, (dtype, seed) in plans.items()
    }
    last = max(options.steps // 10, 1)
    first = curves["float32"]
    for name, other in list(curves.items())[1:]:
        apart = statistics.fmean(abs(a - b) for a, b in zip(first[-last:], other[-last:], strict=True))
        print(f"float32 against {name}: {apart:.4f} nats apart over the last {last} steps")
    if options.plot:
        figure, axes = _pyplot().subplots(figsize=(6, 3))
        for (name, values), style in zip(curves.items(), ("-", "--", ":"), strict=True):
            axes.plot(range(1, len(values) + 1), values, style, linewidth=1.4, label=name)
        axes.set(xlabel="step", ylabel="loss, nats")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        figure.savefig(options.plot, metadata={"Date": None})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
