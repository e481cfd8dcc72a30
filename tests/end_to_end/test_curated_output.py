"""How curated documents are published: columns, formats, file sizes; and that nothing else depends on it."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from harness import Ran, digests

Eyas = Callable[..., Ran]
TOKENIZER = "tokenizer: {vocab_sizes: [400]}\nshards: {sequence_length: 128}\n"
STAGES = "\n  - language: {keep: [en], min_score: 0.3}\n  - exact_dedup\n"


def run(eyas: Eyas, file: Path) -> Ran:
    ran = eyas("run", file, "--workers", "0", "--runs", file.parent / "runs")
    assert ran.code == 0, ran.err
    return ran


def records(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        if path.name.endswith(".gz"):
            data = gzip.decompress(data)
        if path.name.endswith(".zst"):
            data = pa.CompressedInputStream(io.BytesIO(data), "zstd").read()
        rows += [json.loads(line) for line in data.splitlines()]
    return rows


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_json_lines_hold_what_parquet_holds_and_nothing_else_changes(
    eyas: Eyas, recipe: Callable[..., Path], tmp_path: Path, form: str
) -> None:
    run(eyas, recipe(stages=STAGES, products=TOKENIZER))
    whole = pl.read_parquet(tmp_path / "runs/small/curated/*.parquet")
    before = {name: sha for name, sha in digests(tmp_path / "runs/small").items() if not name.startswith("curated")}
    ran = run(
        eyas, recipe(stages=STAGES, products=TOKENIZER + f"curated: {{format: {form}, columns: [url, text, id]}}\n")
    )
    assert "1 passes computed" in ran.out
    rows = records(tmp_path / "runs/small/curated")
    assert [list(row) for row in rows] == [["url", "text", "id"]] * whole.height
    assert (
        pl.DataFrame(rows)
        .select("id", "text", "url")
        .sort("id")
        .equals(whole.select(pl.col("id").cast(pl.Int64), "text", "url").sort("id"))
    )
    after = {name: sha for name, sha in digests(tmp_path / "runs/small").items() if not name.startswith("curated")}
    assert after == before
    found = eyas("explain", tmp_path / "runs/small", str(rows[0]["id"]))
    assert found.code == 0 and "outcome  curated" in found.out, found.out


def test_files_of_a_size(eyas: Eyas, recipe: Callable[..., Path], tmp_path: Path) -> None:
    run(eyas, recipe(stages=STAGES, products=""))
    whole = pl.read_parquet(tmp_path / "runs/small/curated/*.parquet").sort("id")
    parts = len(list((tmp_path / "runs/small/curated").iterdir()))
    run(eyas, recipe(stages=STAGES, products="curated: {part_bytes: 1GB}\n"))
    (one,) = (tmp_path / "runs/small/curated").iterdir()
    assert pl.read_parquet(one).sort("id").equals(whole) and parts > 1
    run(eyas, recipe(stages=STAGES, products="curated: {part_bytes: 1KB, columns: [text]}\n"))
    files = sorted((tmp_path / "runs/small/curated").iterdir())
    assert len(files) >= parts and sorted(pl.concat(map(pl.read_parquet, files))["text"]) == sorted(whole["text"])


def test_a_column_that_is_not_there_is_named(eyas: Eyas, recipe: Callable[..., Path]) -> None:
    file = recipe(stages=STAGES, products="curated: {columns: [txt]}\n")
    ran = eyas("run", file, "--workers", "0", "--runs", file.parent / "runs")
    assert ran.code == 3 and "did you mean 'text'" in ran.err
    assert "[1/" not in ran.out  # before anything is read
