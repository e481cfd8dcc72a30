"""minhash_dedup on 1, 2, 5 and 10 million synthetic documents: seconds of each step, and peak memory. One process, one core.

Every size is a process of its own, so that its peak is its own: the real stage, from parts on disk over signatures,
banding, components and verification to the survivors of every part. Documents have 40 words; a quarter are copies of earlier
ones with one word changed. Writing the documents is not timed. Prints whether time grows in proportion, and draws it.

    python -m benchmarks.dedup_scale --millions 1 2 5 10 --plot docs/dedup_scale.svg
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.dedup import one_core
from eyas.corpus.part import Part
from eyas.corpus.sampling import mix
from eyas.corpus.store import Store
from eyas.corpus.task import Entry, TaskContext, as_generator, next_step
from eyas.filters.dedup.minhash import MinhashDedup

PART = 250_000
"""Documents in a part."""
WORDS = 40
WIDTH = 7
"""Bytes of a word with its space: w12345."""
COPIES = 4
"""One document in so many is a copy."""
GOAL_GB = 4.0
GOAL_GROWTH = 1.15
"""Seconds per document at the largest size, over that at the smallest: in proportion, with a margin for noise."""

U64 = npt.NDArray[np.uint64]


def documents(first: int, count: int) -> pa.LargeStringArray:
    """Documents number `first` to `first + count`, the same whenever they are asked for."""
    number = np.arange(first, first + count, dtype=np.uint64)
    drawn = mix(number + np.uint64(1))
    copy = (drawn % np.uint64(COPIES) == 0) & (number > 0)
    original = np.where(copy, mix(drawn) % np.maximum(number, np.uint64(1)), number)
    place = np.arange(WORDS, dtype=np.uint64)
    words = mix(original[:, None] * np.uint64(WORDS) + place) % np.uint64(100_000)
    changed = copy[:, None] & (mix(drawn + np.uint64(7))[:, None] % np.uint64(WORDS) == place)
    words = np.where(changed, mix(drawn)[:, None] % np.uint64(100_000), words)
    letters = np.full((count, WORDS, WIDTH), ord(" "), np.uint8)
    letters[:, :, 0] = ord("w")
    for digit in range(5):
        letters[:, :, 1 + digit] = ord("0") + words // np.uint64(10 ** (4 - digit)) % np.uint64(10)
    offsets = np.arange(count + 1, dtype=np.int64) * WORDS * WIDTH
    return pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(letters.reshape(-1)))


def write_parts(store: Store, total: int) -> list[Part]:
    parts = []
    for number in range(-(-total // PART)):
        count = min(PART, total - number * PART)
        ids = np.arange(count, dtype=np.uint64) + np.uint64(number << 32)
        table = pa.table(
            {"id": ids, "text": documents(number * PART, count), "source": ["s"] * count, "origin": ["o"] * count}
        )
        path = f"documents/{number}.parquet"
        with store.parquet(path, table.schema) as output:
            for start in range(0, count, 50_000):
                output.write(table.slice(start, 50_000))
        parts.append(Part(number, "s", path, count, count, count * WORDS * WIDTH))
    return parts


def one_size(total: int, memory: int) -> dict[str, Any]:
    """Seconds by step, peak memory in GB, and survivors."""
    with tempfile.TemporaryDirectory(prefix="eyas-scale-") as folder, one_core():
        store = Store(folder)
        parts = write_parts(store, total)
        stage, context = MinhashDedup(memory=memory), TaskContext(store, "pass", seed=0)
        seconds: dict[str, float] = {}
        plan = as_generator(stage.plan(parts))
        entries: list[Entry] | None = None
        while (step := next_step(plan, entries)) is not None:
            begun = time.perf_counter()
            entries = [task.run(context) for task in step.tasks]
            seconds[step.name] = time.perf_counter() - begun
        begun = time.perf_counter()
        kept = sum(
            int(np.sum(stage.decide(part, parts, context).kept.to_numpy(zero_copy_only=False))) for part in parts
        )
        seconds["decide"] = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    return {"documents": total, "seconds": seconds, "total": sum(seconds.values()), "peak_gb": peak, "kept": kept}


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Seconds by step, stacked, and peak memory, over millions of documents."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    millions = [r["documents"] / 1e6 for r in results]
    steps = [name for name in results[-1]["seconds"] if name != "audit"]
    left.stackplot(millions, *[[r["seconds"][name] for r in results] for name in steps], labels=steps, alpha=0.85)
    line = [results[0]["total"] * m / millions[0] for m in millions]
    left.plot(millions, line, "k--", linewidth=1, label="in proportion")
    left.set(xlabel="million documents", ylabel="seconds, one core")
    left.legend(fontsize=7, loc="upper left")
    right.plot(millions, [r["peak_gb"] for r in results], marker="o", color="#2f6f73")
    right.axhline(GOAL_GB, color="#a33", linestyle="--", linewidth=1, label="goal")
    right.set(xlabel="million documents", ylabel="peak memory, GB", ylim=(0, GOAL_GB * 1.1))
    right.legend(fontsize=7)
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.set_xlim(0, max(millions))
    with matplotlib.rc_context({"svg.hashsalt": "eyas"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 2, 5, 10], metavar="N")
    parser.add_argument("--memory", type=int, default=2_000_000_000, metavar="BYTES", help="of a task; default: 2 GB")
    parser.add_argument("--plot", type=Path, metavar="OUT", help="an .svg or .png")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.one:
        print(json.dumps(one_size(options.one, options.memory)))
        return 0
    results = []
    for millions in sorted(options.millions):
        command = [sys.executable, "-m", "benchmarks.dedup_scale", "--one", str(int(millions * 1e6))]
        done = subprocess.run([*command, "--memory", str(options.memory)], capture_output=True, text=True, check=True)
        results.append(json.loads(done.stdout))
    table = Table(title=f"minhash_dedup, one core, memory: {options.memory / 1e9:g} GB", title_justify="left")
    for name in ("documents", "kept", "peak GB", "seconds", "µs a document", *results[0]["seconds"]):
        table.add_column(name, justify="right")
    for r in results:
        rate = f"{r['total'] / r['documents'] * 1e6:.1f}"
        steps = [f"{value:.1f}" for value in r["seconds"].values()]
        table.add_row(f"{r['documents']:,}", f"{r['kept']:,}", f"{r['peak_gb']:.2f}", f"{r['total']:.1f}", rate, *steps)
    Console(width=170).print(table)
    growth = (results[-1]["total"] / results[-1]["documents"]) / (results[0]["total"] / results[0]["documents"])
    peak = max(r["peak_gb"] for r in results)
    print(f"peak {peak:.2f} GB, goal < {GOAL_GB:g} GB: {'holds' if peak < GOAL_GB else 'MISSED'}")
    print(
        f"time per document grows {growth:.2f} x, goal <= {GOAL_GROWTH:g} x: {'holds' if growth <= GOAL_GROWTH else 'MISSED'}"
    )
    if options.plot:
        draw(results, options.plot)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
