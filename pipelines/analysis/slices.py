"""Slices of a corpus to train on: the documents that a run kept, read, or dropped in one stage, or any Parquet files.

Dropped text is stored nowhere: it is read again from the run's sources, by the ids of the ledger. The trade: seconds of
reading for a run folder that is half as large. Such text is as it was read, before any mapper changed it.
"""

# Tested in tests/pipelines/analysis/test_ablation.py.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eyas.corpus.documents import PARENT, document_id
from eyas.corpus.store import Store, digest_of
from eyas.errors import InputError, nearest
from eyas.pipelines.engine.planning import Plan, make_plan, recipe_of_run

FORMS = (
    "RUN (what it kept), RUN:raw (what it read), RUN:dropped:STAGE, or a Parquet file or folder with a column `text`"
)


class Slice(NamedTuple):
    """A slice by its name on the command line. `run`: the folder of its run; None for files."""

    name: str
    run: str | None
    kind: str
    """kept, raw, dropped or files."""
    stage: str = ""

    @classmethod
    def parse(cls, given: str) -> Slice:
        """The slice that `given` names; InputError, with all forms, for anything else."""
        folder, _, rest = given.partition(":") if "://" not in given else (given, "", "")
        if Store(folder).exists("plan.json"):
            kind, _, stage = (rest or "kept").partition(":")
            if (kind in ("kept", "raw") and not stage) or (kind == "dropped" and stage):
                return cls(given, folder.rstrip("/"), kind, stage)
        elif not rest and Path(folder).exists():
            return cls(given, None, "files")
        raise InputError(f"{given!r} is no slice of a corpus: expected {FORMS}")

    def tables(self) -> Iterator[pa.Table]:
        """Its documents, some thousand at a time, always in the same order: `text`, and of a run's also `id`.

        Curated documents that were made from others have their `parent` ids. Raises InputError if the run's sources have
        changed.
        """
        if self.run is None:
            yield from _files(Path(self.name), ["text"])
        elif self.kind == "kept":
            yield from _files(Path(self.run) / "curated", ["id", "text", PARENT.name])
        else:
            yield from _read_again(self.run, self.stage if self.kind == "dropped" else None)

    @property
    def state(self) -> str:
        """A digest of its content: it changes with the run, or with a file."""
        if self.run is not None:
            store = Store(self.run)
            return digest_of([store.read_json("plan.json")["digest"], store.read_json("manifest.json")])
        files = _listed(Path(self.name))
        return digest_of([[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files])


def _listed(path: Path) -> list[Path]:
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no Parquet files there")
    return files


def run_plan(run: str) -> Plan:
    """The plan of a finished run, made again; InputError if its sources are no longer cut into the same partitions."""
    store = Store(run)
    planned = make_plan(recipe_of_run(store))
    stored = store.read_json("plan.json")["partitions"]
    if digest_of([one.to_json() for one in planned.partitions]) != digest_of(stored):
        raise InputError(
            f"{run}: its sources are no longer those of the run (files came, went or changed in size), so its documents "
            f"cannot be read again; `eyas run` its recipe first"
        )
    return planned


def _files(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    for file in _listed(path):
        with pq.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
            if "text" not in names:
                raise InputError(f"{file}: no column `text`; it has {', '.join(names)}")
            for batch in parquet.iter_batches(columns=[name for name in columns if name in names]):
                table = pa.Table.from_batches([batch])
                position = table.column_names.index("text")
                table = table.set_column(position, "text", table.column("text").cast(pa.large_string()))
                yield table.filter(pc.is_valid(table.column("text")))


def _read_again(run: str, stage: str | None) -> Iterator[pa.Table]:
    planned = run_plan(run)
    wanted = None if stage is None else _dropped(run, stage)
    sources = {entry.name: entry.source for entry in planned.recipe.options.sources}
    for partition in planned.partitions:
        row = 0
        for split in partition.splits:
            for batch in sources[partition.source].read(split, row):
                row += len(batch.rows) + len(batch.rejects)
                ids = pa.array([document_id(partition.number, number) for number in batch.rows], pa.uint64())
                table = pa.table({"id": ids, "text": pa.array(batch.texts, pa.large_string())})
                yield table if wanted is None else table.filter(pc.is_in(ids, wanted))


def _dropped(run: str, stage: str) -> pa.Array:
    """Ids of the documents that a stage dropped; InputError if there is no such stage, or it dropped none."""
    pieces, known = [], set()
    for file in sorted((Path(run) / "ledger").glob("*.parquet")):
        table = pq.read_table(file, columns=["id", "stage", "kept"])
        known |= set(pc.unique(table.column("stage").cast(pa.string())).to_pylist())
        dropped = pc.and_(pc.equal(table.column("stage").cast(pa.string()), stage), pc.invert(table.column("kept")))
        pieces.append(table.filter(dropped).column("id").to_numpy())
    if stage not in known:
        raise InputError(f"{run}: no stage {stage!r}{nearest(stage, sorted(known))}; it has {', '.join(sorted(known))}")
    ids = np.concatenate(pieces)
    if not len(ids):
        raise InputError(f"{run}: {stage} dropped nothing")
    return pa.array(ids, pa.uint64())
