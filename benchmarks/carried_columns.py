"""What 20 columns of metadata cost: filters and deduplication of documents with them, beside the same without.

Each side is a whole run of a recipe over JSON lines, in this process: reading, Gopher's, C4's and FineWeb's rules, then exact
and near-duplicates. Compared are the seconds of the filters (by the books of the stages), of the deduplication passes, and of
the whole run, in which reading and writing the columns is. What is kept must be the same documents.

    python -m benchmarks.carried_columns --megabytes 20 --json carried.json
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from benchmarks.common import Options, Report, read_texts, run
from eyas.pipelines.api import run as run_recipe

FIELDS = 20
LEAST = 0.95
"""No slower, within the noise of a shared machine."""
RECIPE = """name: {name}
partition_bytes: 8MB
alarms: {{floor: 0}}
allow_empty: true
sources: [{{name: s, jsonl: {{path: {path}, columns: {columns}}}}}]
stages:
  - gopher_quality
  - gopher_repetition
  - c4_quality
  - fineweb_quality
  - exact_dedup: {{max_loss: 1.0}}
  - minhash_dedup: {{max_loss: 1.0}}
"""
FILTERS = ("gopher_quality", "gopher_repetition", "c4_quality", "fineweb_quality")


def measure(options: Options) -> Report:
    report = Report()
    with TemporaryDirectory() as place:
        folder = Path(place)
        names = _write(folder / "in.jsonl", read_texts(options))
        sides = {"none": "[]", "20": json.dumps(names)}
        seconds: dict[str, dict[str, list[float]]] = {side: {} for side in sides}
        kept: dict[str, list[int]] = {}
        for number in range(options.rounds + 1):
            for side in list(sides) if number % 2 else list(sides)[::-1]:
                times, kept[side] = _run(folder, f"{side}-{number}", sides[side])
                for what, spent in times.items() if number else ():  # the first round compiles
                    seconds[side].setdefault(what, []).append(spent)
        size = options.megabytes
        for what in seconds["none"]:
            without, with_all = (size / statistics.median(seconds[side][what]) for side in ("none", "20"))
            least = LEAST if what != "whole run" else 0.0
            report.against(
                f"{what}, {FIELDS} columns carried",
                with_all,
                without,
                "none",
                "MB/s",
                least,
                kept["none"] == kept["20"],
            )
        report.checked.append(f"both keep the same {len(kept['20']):,} documents: {kept['none'] == kept['20']}")
    return report


def _write(path: Path, texts: Sequence[str]) -> list[str]:
    """JSON lines with numbers, texts, booleans, lists and nests beside each text; returns the names of the fields."""
    kinds = ("n", "x", "s", "b", "l")
    with path.open("w", encoding="utf-8") as lines:
        for i, text in enumerate(texts):
            values = {
                "n": i,
                "x": i / 7,
                "s": f"https://example.org/{i % 97}/{i}",
                "b": i % 2 == 0,
                "l": [i],
            }
            fields = {f"{kind}{k}": values[kind] for k in range(FIELDS // len(kinds)) for kind in kinds}
            lines.write(json.dumps({"text": text, **fields}) + "\n")
    return [f"{kind}{k}" for k in range(FIELDS // len(kinds)) for kind in kinds]


def _run(folder: Path, name: str, columns: str) -> tuple[dict[str, float], list[int]]:
    recipe = folder / f"{name}.yaml"
    recipe.write_text(RECIPE.format(name=name, path=folder / "in.jsonl", columns=columns))
    outcome = run_recipe(str(recipe), str(folder / "runs"), workers=0)
    results = [(p, outcome.results[p.digest]) for p in outcome.plan.passes]
    times = {
        "filters": sum(
            result.total(label).seconds for _, result in results for label in FILTERS if label in result.books
        ),
        "deduplication": sum(result.seconds for planned, result in results if planned.kind == "corpus"),
        "whole run": sum(result.seconds for _, result in results),
    }
    ids = [
        pq.read_table(path, columns=["id"]).column("id").to_pylist()
        for path in sorted((folder / "runs" / name / "curated").iterdir())
    ]
    return times, [i for of in ids for i in of]


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
