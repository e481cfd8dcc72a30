"""The index of a run: with it, later runs deduplicate new documents against old ones without reading the old texts again.

For every document that stayed, it holds its band keys, by which it becomes a candidate, and its shingle set, by which it is
verified: some 8 bytes a word and 16 a band, about 1.3 times the text (222 MB for 166). Indexes are not merged: a run takes
those of all runs before it. It refuses an index of other parameters, because their keys would never meet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.corpus.shuffle import bucket_of, read_bucket, write_buckets
from eyas.corpus.store import FileEntry, Store, digest_of
from eyas.corpus.task import Entry, TaskContext
from eyas.errors import InputError

FORMAT = 1
FOLDER = "index"
NAME = "index.json"
BUCKETS = 64
"""Hash ranges of the band keys in an index."""
GROUP = 1024
"""Documents in a row group, all of which are read for one candidate."""
FIRST_NUMBER = 0xFFFFFFFF
LEAST_NUMBER = 0xFFFF0000
"""The k-th index has the part number `FIRST_NUMBER - k`, at least `LEAST_NUMBER`, which no part of a run has."""

U64 = npt.NDArray[np.uint64]
ROWS = pa.schema(
    [("origin", pa.string()), ("keys", pa.large_list(pa.uint64())), ("shingles", pa.large_list(pa.uint64()))]
)
"""A document in an index; its band keys are stored a second time, in `bands/`, by hash range."""


@dataclass(frozen=True)
class Index:
    """An index on storage. `place`: its position in the option `against`."""

    place: int
    url: str
    parts: tuple[tuple[str, int], ...]
    """Name and documents of each of its files."""
    digest: str

    @property
    def number(self) -> int:
        """The part number of its documents."""
        return FIRST_NUMBER - self.place

    @property
    def rows(self) -> int:
        """Documents in it."""
        return sum(rows for _, rows in self.parts)

    def ids(self, start: int, rows: U64) -> U64:
        """The document ids in this run of rows of the file that begins at row `start` of the index."""
        return np.uint64(self.number << 32) + np.uint64(start) + rows

    def starts(self) -> Iterator[tuple[str, int]]:
        """Each file's name, and the row at which it begins."""
        start = 0
        for name, rows in self.parts:
            yield name, start
            start += rows

    def band_rows(self, bucket: int, buckets: int) -> Iterator[tuple[U64, U64]]:
        """(key, id) of hash range `bucket` of `buckets`, file by file."""
        store = Store(self.url)
        first, last = bucket * BUCKETS // buckets, min(-(-(bucket + 1) * BUCKETS // buckets), BUCKETS)
        for name, start in self.starts():
            for stored in range(first, last):
                rows = read_bucket(store, [f"bands/{name}.arrow"], stored)
                key, row = rows.column("key").to_numpy(), rows.column("row").to_numpy()
                inside = bucket_of(key, buckets) == bucket
                yield key[inside], self.ids(start, row[inside])

    def of_file(self, name: str, members: pa.Table) -> pa.Table:
        """The rows of `members` (column `id`, ascending) whose documents are in the file `name`."""
        start, rows = next(
            (start, rows) for (other, rows), (_, start) in zip(self.parts, self.starts(), strict=True) if other == name
        )
        bounds = self.ids(start, np.array([0, rows], np.uint64))
        first, last = np.searchsorted(members.column("id").to_numpy(), bounds)
        return members.slice(first, last - first)

    def shingle_rows(self, name: str, start: int, wanted: U64) -> Iterator[pa.Table]:
        """Rows (id, origin, keys, shingles) of one file whose ids are among `wanted`, which ascend. Row groups without such
        a row are not read."""
        store = Store(self.url)
        with store.parquet_file(f"shingles/{name}.parquet") as parquet:
            row = 0
            for number in range(parquet.num_row_groups):
                count = parquet.metadata.row_group(number).num_rows
                ids = self.ids(start, np.arange(row, row + count, dtype=np.uint64))
                row += count
                first, last = np.searchsorted(wanted, [ids[0], ids[-1] + np.uint64(1)])
                if first < last:
                    table = parquet.read_row_group(number).set_column(0, "id", pa.array(ids))
                    yield table.take(pa.array(np.searchsorted(ids, wanted[first:last])))


def parameters_differ(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """A list of the parameters that differ, with both values; empty if none does."""
    names = sorted(n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n))
    return ", ".join(f"{name}: {theirs.get(name)!r} there, {ours.get(name)!r} here" for name in names)


def open_index(url: str, place: int, parameters: dict[str, Any]) -> Index:
    """The index at `url`, or that of the run folder `url`; ValueError if there is none, or one of other parameters."""
    folder = _find(url)
    content = Store(folder).read_json(NAME)
    if content.get("format") != FORMAT:
        raise InputError(f"against: {folder}: format {content.get('format')!r} of an index, this Eyas reads {FORMAT}")
    differ = parameters_differ(parameters, content["parameters"])
    if differ:
        raise InputError(
            f"against: {url}: the index was made with other parameters, so its band keys can never meet those of this run: "
            f"{differ}. Use the same parameters, or make the index again"
        )
    store = Store(folder)
    for file in content["files"]:
        if not store.holds(FileEntry.from_json(file)):
            raise InputError(f"against: {folder}/{file['path']}: missing, or not as long as {NAME} says; make it again")
    parts = tuple((str(name), int(rows)) for name, rows in content["parts"])
    # A path becomes absolute: the working directory of a worker may be another.
    return Index(place, os.path.abspath(store.root) if store.local else folder, parts, str(content["digest"]))


def _find(url: str) -> str:
    store = Store(url.rstrip("/"))
    if store.exists(NAME):
        return url.rstrip("/")
    if store.exists("manifest.json"):
        passes = store.read_json("manifest.json").get("passes", [])
        folders = [f"{p['folder']}/{FOLDER}" for p in passes if store.exists(f"{p['folder']}/{FOLDER}/{NAME}")]
        if len(folders) == 1:
            return f"{url.rstrip('/')}/{folders[0]}"
        if folders:
            raise InputError(f"against: {url}: that run has {len(folders)} indexes; name one: {', '.join(folders)}")
    raise InputError(
        f"against: {url}: no index there. Give the folder of a finished run whose minhash_dedup had `index: true`, or the "
        f"folder of an index ({NAME})"
    )


def write_part(context: TaskContext, name: str, rows: pa.Table) -> Entry:
    """Writes one part of an index: `rows` as in `ROWS`, one for each document that stays."""
    row = np.arange(rows.num_rows, dtype=np.uint64)
    keys = rows.column("keys").combine_chunks()
    flat = keys.flatten().to_numpy()
    table = pa.table({"key": flat, "row": np.repeat(row, len(flat) // max(rows.num_rows, 1))})
    folder = f"{context.folder}/{FOLDER}"
    sets = rows.add_column(0, "row", pa.array(row))
    with context.store.parquet(f"{folder}/shingles/{name}.parquet", sets.schema) as output:
        for start in range(0, len(row), GROUP):
            output.write(sets.slice(start, GROUP))
    bands = write_buckets(context.store, f"{folder}/bands/{name}.arrow", table, bucket_of(flat, BUCKETS), BUCKETS)
    files = [bands, output.published()]
    return {"files": [file.to_json() for file in files], "name": name, "documents": rows.num_rows}


def write_index(context: TaskContext, entries: Sequence[Entry], parameters: dict[str, Any]) -> FileEntry:
    """Writes `index.json`, which makes the written parts an index."""
    prefix = f"{context.folder}/{FOLDER}/"
    files = [{**file, "path": file["path"].removeprefix(prefix)} for entry in entries for file in entry["files"]]
    parts = [[entry["name"], entry["documents"]] for entry in entries]
    content = {"format": FORMAT, "parameters": parameters, "parts": parts, "files": files, "digest": digest_of(files)}
    return context.store.write_json(prefix + NAME, content)
