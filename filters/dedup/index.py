"""The index that one run leaves for the next: new documents are deduplicated against old ones without reading those again.

It holds what the two steps of deduplication need of every document that stayed: its band keys, to become a candidate, and
its shingle set, to be verified by; some 8 bytes a word and 16 a band, about 1.3 times the text (222 MB for 166). Indexes are
not merged: a run is given those of all runs before it. One made with other parameters is refused: its keys would never meet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

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
"""Documents in a row group: what is read for the sake of one candidate."""
FIRST_NUMBER = 0xFFFFFFFF
LEAST_NUMBER = 0xFFFF0000
"""The k-th index poses as part number `FIRST_NUMBER - k`, `LEAST_NUMBER` at least: no part of a run is called so."""

U64 = npt.NDArray[np.uint64]
ROWS = pa.schema(
    [("origin", pa.string()), ("keys", pa.large_list(pa.uint64())), ("shingles", pa.large_list(pa.uint64()))]
)
"""A document in an index; its band keys lie there a second time, in `bands/`, by hash range."""


@dataclass(frozen=True)
class Index:
    """An index on storage. `place`: its position among those that a run was given."""

    place: int
    url: str
    parts: tuple[tuple[str, int], ...]
    """Name and documents of each of its files."""
    digest: str

    @property
    def number(self) -> int:
        """The part number it poses as."""
        return FIRST_NUMBER - self.place

    @property
    def rows(self) -> int:
        """Documents in it."""
        return sum(rows for _, rows in self.parts)

    def ids(self, start: int, rows: U64) -> U64:
        """Document ids, for this run, of rows of the part that begins at row `start` of the index."""
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
            for own in range(first, last):
                rows = read_bucket(store, [f"bands/{name}.arrow"], own)
                key, row = rows.column("key").to_numpy(), rows.column("row").to_numpy()
                mine = bucket_of(key, buckets) == bucket
                yield key[mine], self.ids(start, row[mine])

    def of_file(self, name: str, members: pa.Table) -> pa.Table:
        """Those of `members` (column `id`, ascending) that are in the file `name`."""
        start, rows = next(
            (start, rows) for (other, rows), (_, start) in zip(self.parts, self.starts(), strict=True) if other == name
        )
        bounds = self.ids(start, np.array([0, rows], np.uint64))
        first, last = np.searchsorted(members.column("id").to_numpy(), bounds)
        return members.slice(first, last - first)

    def shingle_rows(self, name: str, start: int, wanted: U64) -> Iterator[pa.Table]:
        """Rows (id, origin, keys, shingles) of one file whose ids are among `wanted`, ascending: row groups without one
        are not read."""
        store = Store(self.url)
        with store.open(f"shingles/{name}.parquet") as file:
            parquet = pq.ParquetFile(file)
            row = 0
            for number in range(parquet.num_row_groups):
                count = parquet.metadata.row_group(number).num_rows
                ids = self.ids(start, np.arange(row, row + count, dtype=np.uint64))
                row += count
                first, last = np.searchsorted(wanted, [ids[0], ids[-1] + np.uint64(1)])
                if first < last:
                    table = parquet.read_row_group(number).set_column(0, "id", pa.array(ids))
                    yield table.take(pa.array(np.searchsorted(ids, wanted[first:last])))


def parameters_differ(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """In words, where two sets of parameters differ; empty if nowhere."""
    names = sorted(n for n in mine.keys() | theirs.keys() if mine.get(n) != theirs.get(n))
    return ", ".join(f"{name}: {theirs.get(name)!r} there, {mine.get(name)!r} here" for name in names)


def open_index(url: str, place: int, parameters: dict[str, Any]) -> Index:
    """The index at `url`, or that of the run folder `url`; ValueError if there is none, or it was made otherwise."""
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
    # Absolute, where it is a path: a worker may stand in another folder.
    return Index(place, os.path.abspath(store.root) if store.local else folder, parts, str(content["digest"]))


def _find(url: str) -> str:
    store = Store(url.rstrip("/"))
    if store.exists(NAME):
        return url.rstrip("/")
    if store.exists("manifest.json"):
        passes = store.read_json("manifest.json").get("passes", [])
        found = [f"{p['folder']}/{FOLDER}" for p in passes if store.exists(f"{p['folder']}/{FOLDER}/{NAME}")]
        if len(found) == 1:
            return f"{url.rstrip('/')}/{found[0]}"
        if found:
            raise InputError(f"against: {url}: that run left {len(found)} indexes; name one: {', '.join(found)}")
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
    """Writes what makes the parts an index; until then there is none."""
    prefix = f"{context.folder}/{FOLDER}/"
    files = [{**file, "path": file["path"].removeprefix(prefix)} for entry in entries for file in entry["files"]]
    parts = [[entry["name"], entry["documents"]] for entry in entries]
    content = {"format": FORMAT, "parameters": parameters, "parts": parts, "files": files, "digest": digest_of(files)}
    return context.store.write_json(prefix + NAME, content)
