"""Loading packed rows into tensors of 8 and 64 rows: tokens/s of ours against `datasets` streaming the same Arrow file, and
a `torch.utils.data` loop over the same rows as Parquet. Ours comes shuffled, the peers' in order of the file. Peers make
int64, as models want it; ours is timed making int64, and making what the file has, uint16, for a GPU to widen.

    python -m benchmarks.loader --corpus DIR/docs --megabytes 50
    python -m benchmarks.loader --large 32      # a set of 32 GB, more than memory: tokens/s and the process's own memory

Ids are drawn at random: what a loader does not look at cannot matter. Lengths of documents are the corpus's, in words.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import Options, Report, in_turns, installed, read_texts, run
from benchmarks.packing import draw_lengths
from eyas.corpus.store import Store
from eyas.shards.format import Columns, Index, IndexedFile, ShardMeta, row_batch, write_shard
from eyas.shards.packing import pack

ROW = 2048
ROWS_PER_STEP = (8, 64)
LEAST_RATIO = 10.0
NAMED = (
    ("datasets", "datasets, streaming"),
    ("collated", "datasets in a DataLoader"),
    ("parquet", "torch.utils.data over Parquet"),
)
Batches = Callable[[], Iterator[Any]]
META = ShardMeta(ROW, 50_000, pad=0, bos=1, eos=2, tokenizer="0" * 64)
LARGE_FILE_ROWS = 256 * 1024
"""One file of a large set: 1 GB."""


def write_set(folder: Path, lengths: npt.NDArray[np.int64], files: int = 1) -> Index:
    """A set of shards of documents with these lengths and random ids; each file holds all of them."""
    packed = pack(lengths, ROW, "best_fit")
    counts = np.bincount(packed.row, minlength=packed.rows)
    used = np.bincount(packed.row, weights=packed.length, minlength=packed.rows)
    store, entries = Store(str(folder)), []
    for number in range(files):
        ids = np.random.default_rng(number).integers(3, META.vocab_size, (packed.rows, ROW), np.uint16)
        ids[np.arange(ROW) >= used[:, None]] = META.pad
        batch = row_batch(META, "bench", ids, counts, packed.length, packed.document.astype(np.uint64), packed.offset)
        file = write_shard(store, f"train-{number:05d}.arrow", META, "bench", [batch])
        tokens = int(lengths.sum())
        entries.append(
            IndexedFile(file.path, "bench", packed.rows, len(lengths), tokens, tokens, file.bytes, file.sha256)
        )
    index = Index(META, tuple(entries))
    store.write_json("index.json", index.to_json())
    return index


def measure(options: Options, large: float = 0.0) -> Report:
    report = Report()
    with tempfile.TemporaryDirectory(prefix="eyas-loader-") as scratch:
        folder = Path(scratch)
        lengths = draw_lengths(read_texts(options), max(2, int(2_000 * options.megabytes)))
        if large:
            _measure_large(report, folder, lengths, large)
            return report
        index = write_set(folder, lengths)
        with pa.memory_map(str(folder / index.files[0].path)) as source:
            table = pa.ipc.open_file(source).read_all()
            # The width of a fixed list is not kept by Parquet readers at the same speed: plain lists are kinder to them.
            column = table.column(Columns.INPUT_IDS).combine_chunks().cast(pa.list_(META.id_type))
            pq.write_table(pa.table({Columns.INPUT_IDS: column}), folder / "rows.parquet")
        for rows in ROWS_PER_STEP:
            _compare(report, folder, index.rows, min(rows, index.rows), options.rounds)
    return report


def _compare(report: Report, folder: Path, rows: int, per_step: int, rounds: int) -> None:
    """One claim a peer: everyone is opened before the clock starts, and tensors are made, not looked at, while it runs."""
    steps = rows // per_step
    contenders: dict[str, Batches] = {
        "ours": ours(folder, per_step),
        "stored": stored(folder, per_step),
        "parquet": over_parquet(folder, per_step),
    }
    if installed("datasets"):
        contenders["datasets"] = with_datasets(folder, per_step)
        contenders["collated"] = with_datasets_collated(folder, per_step)
    elif "datasets is not installed" not in report.skipped:
        report.skipped.append("datasets is not installed")
    # Ours is shuffled: of the same rows the sum of whole epochs is the same.
    sums = {name: sum(int(batch.long().sum()) for batch in islice(make(), steps)) for name, make in contenders.items()}
    timed = in_turns({name: partial(tokens_of, make, steps) for name, make in contenders.items()}, rounds)
    for peer, name in NAMED:
        if peer in contenders:
            equal = rows % per_step != 0 or sums["ours"] == sums["stored"] == sums[peer]
            equal &= timed.results["ours"] == timed.results[peer] == steps * per_step * ROW
            for mine, kind in (("ours", "int64"), ("stored", "uint16")):
                rates = (timed.rate(one, steps * per_step * ROW / 1e6) for one in (mine, peer))
                claim = f"{per_step} rows a step, {kind}"
                report.against(claim, *rates, name, "M tokens/s", LEAST_RATIO, equal)
    report.checked.append(f"{steps:,} steps of {per_step} of {rows:,} rows, sums of all ids compared")


def tokens_of(make: Batches, steps: int) -> int:
    return sum(batch.numel() for batch in islice(make(), steps))


def ours(folder: Path, per_step: int) -> Batches:
    from eyas.shards import ShardLoader

    loader = ShardLoader(str(folder), per_step)
    return lambda: (batch.input_ids for batch in loader)


def stored(folder: Path, per_step: int) -> Batches:
    from eyas.shards import ShardLoader

    loader = ShardLoader(str(folder), per_step)
    return lambda: (batch.stored_ids for batch in loader)


def with_datasets(folder: Path, per_step: int) -> Batches:
    import datasets

    files = sorted(str(path) for path in folder.glob("*.arrow"))
    streamed = datasets.load_dataset("arrow", data_files=files, split="train", streaming=True)
    chosen = streamed.select_columns(["input_ids"]).with_format("torch")
    return lambda: (batch["input_ids"].long() for batch in chosen.iter(batch_size=per_step))


def with_datasets_collated(folder: Path, per_step: int) -> Batches:
    """As its documentation shows it: rows from a streamed dataset, put together by a DataLoader."""
    import datasets
    from torch.utils.data import DataLoader

    files = sorted(str(path) for path in folder.glob("*.arrow"))
    streamed = datasets.load_dataset("arrow", data_files=files, split="train", streaming=True)
    loader = DataLoader(streamed.select_columns(["input_ids"]).with_format("torch"), batch_size=per_step)
    return lambda: (batch["input_ids"].long() for batch in loader)


def over_parquet(folder: Path, per_step: int) -> Batches:
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    class Rows(IterableDataset[Any]):  # type: ignore[misc]
        def __iter__(self) -> Iterator[Any]:
            for batch in pq.ParquetFile(folder / "rows.parquet").iter_batches(1024):
                for row in batch.column("input_ids"):
                    yield torch.from_numpy(row.values.to_numpy().astype(np.int64))

    loader = DataLoader(Rows(), batch_size=per_step)
    return lambda: iter(loader)


def _measure_large(report: Report, folder: Path, lengths: npt.NDArray[np.int64], gigabytes: float) -> None:
    from eyas.shards import ShardLoader

    rows = pack(lengths, ROW, "best_fit").rows
    each = np.tile(lengths, max(1, LARGE_FILE_ROWS // rows))
    index = write_set(folder, each, max(1, round(gigabytes / (LARGE_FILE_ROWS * ROW * 2 / 1e9))))
    size = sum(file.bytes for file in index.files) / 1e9
    loader = iter(ShardLoader(str(folder), ROWS_PER_STEP[0], seed=1))
    told = []
    for _ in range(6):
        begun, steps = time.perf_counter(), 0
        while time.perf_counter() - begun < 10:
            next(loader)
            steps += 1
        seconds = time.perf_counter() - begun
        told.append(f"{steps * ROWS_PER_STEP[0] * ROW / seconds / 1e6:,.0f} M tokens/s with {own_memory():,.0f} MB")
    report.checked.append(
        f"{size:.1f} GB of shards in {len(index.files)} files on {machine_memory():.1f} GB of memory, rows drawn at random, "
        f"memory of the process without mapped files, every 10 s: {'; '.join(told)}"
    )


def own_memory() -> float:
    """MB that this process holds for itself: what is mapped from files is the page cache's, and can be dropped."""
    return _proc("/proc/self/status", "RssAnon") / 1e3


def machine_memory() -> float:
    """GB."""
    return _proc("/proc/meminfo", "MemTotal") / 1e6


def _proc(path: str, name: str) -> int:
    return next(int(line.split()[1]) for line in Path(path).read_text().splitlines() if line.startswith(f"{name}:"))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--large", type=float, default=0.0, metavar="GB")
    own, rest = parser.parse_known_args(argv)
    return run(__doc__ or "", lambda options: measure(options, own.large), rest)


if __name__ == "__main__":
    sys.exit(main())
