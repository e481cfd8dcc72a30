"""Does one learning rate serve every width? A coordinate check and learning-rate transfer, 64 to 512 channels, drawn.

The multipliers follow the law of docs/internals/falcon_h1.md §4 (µP; Yang et al. 2022, figure 1 and appendix D). The
coordinate check takes some steps and compares the mean size of what attention, state space, MLP and head give out, over
widths: flat lines mean that no width learns faster than another. The transfer trains each width at each rate; the loss's
minimum should stay at one rate. Beside it the same without multipliers and with plain 0.02 weights ("standard"), where it
should move.
Text of the corpus, cut by a BPE tokenizer of 2,048 entries trained on it.

    python -m benchmarks.mup --coordinates docs/mup_coordinates.svg --transfer docs/mup_transfer.svg --json mup.json
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sysconfig
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import Options, read_texts, text_column

if TYPE_CHECKING:
    import torch

    from eyas.trainer.model import HybridLM

WIDTHS = (64, 128, 256, 512)
RATES = tuple(2.0**power for power in range(-12, -4))
VOCABULARY, ROWS, LENGTH = 2048, 4, 256
PARTS = ("attention", "ssm", "mlp", "head")


def tokens(corpus: Path) -> torch.Tensor:
    """int64[rows, LENGTH]: 4 MB of real text as tokens."""
    import torch

    from eyas.tokenizer_train import Encoder, train_bpe
    from eyas.tokenizer_train.options import TokenizerOptions

    texts = read_texts(Options(corpus, 4, 1))
    trained = train_bpe(texts, TokenizerOptions(vocab_sizes=[VOCABULARY])).build(VOCABULARY)
    ids = Encoder.from_bytes(trained.to_str().encode()).encode(text_column(texts)).values.to_numpy().astype("int64")
    return torch.from_numpy(ids[: len(ids) // LENGTH * LENGTH].reshape(-1, LENGTH))


def model_of(width: int, mup: bool, seed: int) -> HybridLM:
    """Two layers of this width, channels 2:1:5; with the law's multipliers, or without any and 0.02 everywhere."""
    import torch

    from eyas.trainer.config import HybridConfig, Multipliers
    from eyas.trainer.model import HybridLM

    heads = max(width // 64, 1)
    shape: dict[str, Any] = {
        "vocab_size": VOCABULARY, "d_model": width, "d_ff": width * 5 // 2, "layers": 2, "attention_heads": heads,
        "kv_heads": max(heads // 2, 1), "head_dim": 32, "ssm_heads": width // 32, "ssm_head_dim": 32, "ssm_state": 32,
        "chunk_size": 64,
    }  # fmt: skip
    torch.manual_seed(seed)
    model = HybridLM(HybridConfig(**shape) if mup else HybridConfig(**shape, multipliers=Multipliers()))
    if not mup:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.dim() == 2 and "conv" not in name:
                    parameter.normal_(std=0.02)
    model.train()
    return model


def losses(model: HybridLM, ids_nl: torch.Tensor, rate: float, steps: int, standard: bool) -> list[float]:
    """Losses of so many steps of AdamW, warmed up over a tenth; stops where it diverges."""
    import torch

    from eyas.trainer.device import pick_dtype
    from eyas.trainer.optimizer import make_optimizer, set_plan
    from eyas.trainer.options import TrainOptions
    from eyas.trainer.schedule import StepPlan

    optimizer = make_optimizer(model, TrainOptions(head_rate=1.0 if standard else 8.0))
    narrow = pick_dtype("auto", torch.device("cpu")) == torch.bfloat16
    found = []
    for step in range(steps):
        set_plan(optimizer, StepPlan(rate * min(1.0, (step + 1) / (0.1 * steps)), 1.0, ROWS))
        batch = ids_nl[torch.arange(step * ROWS, (step + 1) * ROWS) % len(ids_nl)]
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            loss = model.loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        found.append(float(loss.detach()))
        if not math.isfinite(found[-1]):
            break
    return found


def coordinates(ids_nl: torch.Tensor, rate: float, seeds: int) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Mean absolute output by "steps taken", part and width, after 0, 1, 4 and 10 steps."""
    import torch

    found: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for width in WIDTHS:
        for seed in range(seeds):
            for steps in (0, 1, 4, 10):
                model = model_of(width, True, seed)
                losses(model, ids_nl, rate, steps, False)
                sizes: dict[str, list[float]] = defaultdict(list)

                def hook(part: str, sizes: dict[str, list[float]] = sizes) -> Any:
                    return lambda _module, _inputs, output: sizes[part].append(float(output.detach().abs().mean()))

                for name, module in model.named_modules():
                    part = name.rsplit(".", 1)[-1]
                    if part in PARTS:
                        module.register_forward_hook(hook(part))
                with torch.no_grad():
                    model(ids_nl[-ROWS:])
                for part in PARTS:
                    found[str(steps)][part][str(width)].append(statistics.fmean(sizes[part]))
    return found


def transfer(ids_nl: torch.Tensor, steps: int, seeds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Mean loss of the last tenth of the steps by parametrisation, width and rate."""
    found: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for way in ("µP", "standard"):
        for width in WIDTHS:
            for rate in RATES:
                ends = []
                for seed in range(seeds):
                    all_ = losses(model_of(width, way == "µP", seed), ids_nl, rate, steps, way == "standard")
                    last = all_[-max(steps // 10, 1) :]
                    ends.append(statistics.fmean(last) if len(all_) == steps else math.inf)
                found[way][str(width)][f"{rate:.6g}"] = statistics.fmean(ends)
            mine = found[way][str(width)]
            best = min(mine, key=mine.__getitem__)
            print(f"{way:>8} width {width:>4}: best rate {float(best):.2e}, loss {mine[best]:.3f}", flush=True)
    return found


def plot_coordinates(found: dict[str, Any], path: Path) -> None:
    """A panel per part, a line per number of steps, widths along the axis."""
    plt = _pyplot()
    figure, panels = plt.subplots(1, len(PARTS), figsize=(10, 2.8))
    for part, axes in zip(PARTS, panels, strict=True):
        for steps, parts in found.items():
            values = [statistics.fmean(parts[part][str(width)]) for width in WIDTHS]
            axes.plot(WIDTHS, values, marker="o", markersize=3, label=f"{steps} steps")
        axes.set(title=part, xscale="log", yscale="log", xlabel="width")
        axes.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("mean |output|")
    panels[-1].legend(frameon=False, fontsize=7)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def plot_transfer(found: dict[str, Any], path: Path) -> None:
    """Loss against learning rate, a line per width; µP and standard side by side."""
    plt = _pyplot()
    figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
    for (way, widths), axes in zip(found.items(), panels, strict=True):
        for number, (width, by_rate) in enumerate(widths.items()):
            rates = [float(rate) for rate in by_rate]
            colour = plt.get_cmap("viridis")(number / len(widths))
            axes.plot(rates, list(by_rate.values()), marker="o", markersize=3, color=colour, label=f"width {width}")
            best = min(by_rate, key=by_rate.__getitem__)
            axes.plot([float(best)], [by_rate[best]], marker="*", markersize=11, color=colour)
        axes.set(title=way, xscale="log", xlabel="learning rate")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("loss, nats")
    finite = [
        loss for widths in found.values() for by in widths.values() for loss in by.values() if math.isfinite(loss)
    ]
    panels[0].set_ylim(min(finite) - 0.1, min(max(finite), min(finite) + 3.5))
    panels[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "eyas"
    return pyplot


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path(sysconfig.get_paths()["purelib"]))
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--coordinates", type=Path)
    parser.add_argument("--transfer", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    ids_nl = tokens(options.corpus)
    found: dict[str, Any] = {"coordinates": coordinates(ids_nl, 2e-3, options.seeds)}
    if options.coordinates:
        plot_coordinates(found["coordinates"], options.coordinates)
    found["transfer"] = transfer(ids_nl, options.steps, options.seeds)
    if options.transfer:
        plot_transfer(found["transfer"], options.transfer)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
