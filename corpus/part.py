"""A part: the documents of one partition on disk, with the mask of those that are kept.

Dropping documents never rewrites text. A corpus stage leaves a *mask* beside the documents: a Parquet file with
one row per document, the column `kept`, and the columns the stage adds. Masks stack: each is as long as the part.
Nor does cutting spans out of a text: the mask's column `#cut` lists them, and they are cut out when documents are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.documents import CUT, renamed
from eyas.corpus.sources.arrow_fields import with_fields
from eyas.corpus.store import Store
from eyas.errors import InputError

BATCH_ROWS = 8192
BATCH_BYTES = 16_000_000
"""Roughly how much text is handed out at a time: 8,192 books at once would be gigabytes."""


@dataclass(frozen=True)
class Part:
    """One partition's documents: `documents` is a Parquet path in the run's store, `rows` its length."""

    number: int
    source: str
    documents: str
    rows: int
    kept: int
    """Documents not masked out."""
    text_bytes: int
    """UTF-8 bytes of the kept documents' text."""
    masks: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    """Columns of the file that have another name by now: (name in the file, name of the column)."""

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        data = {**asdict(self), "masks": list(self.masks), "moved": [list(pair) for pair in self.moved]}
        return data if self.moved else {name: value for name, value in data.items() if name != "moved"}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Part:
        """The part that `to_json` wrote; the first edition called `kept` `alive`."""
        kept = data["kept"] if "kept" in data else data["alive"]
        others = {name: value for name, value in data.items() if name != "alive"}
        moved = tuple((old, new) for old, new in data.get("moved", []))
        return cls(**{**others, "kept": kept, "masks": tuple(data["masks"]), "moved": moved})

    @property
    def key(self) -> str:
        """The name of this part in the keys of tasks and the names of files."""
        return f"part-{self.number:05d}"

    def with_moved(self, names: Mapping[str, str]) -> Part:
        """This part after columns got new names: `names` are their names before and after."""
        if not names:
            return self
        moved = {old: names.get(new, new) for old, new in self.moved}
        return replace(
            self, moved=tuple({**{old: new for old, new in names.items() if old not in moved}, **moved}.items())
        )

    def tables(self, store: Store, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The kept documents, a few thousand at a time, in order. `columns` may name mask columns."""
        if not self.kept:
            return
        mask = self.mask(store)
        with store.parquet_file(self.documents) as parquet:
            wanted = self._in_file(parquet.schema_arrow.names, columns)
            start = 0
            rows = min(max(BATCH_BYTES * self.kept // max(self.text_bytes, 1), 1), BATCH_ROWS)
            for batch in parquet.iter_batches(batch_size=rows, columns=wanted):
                table = with_fields(self._renamed(pa.Table.from_batches([batch])), columns or ())
                if mask is not None:
                    table = _apply(table, mask.slice(start, table.num_rows), columns)
                start += batch.num_rows
                if table.num_rows:
                    yield table

    def pick(self, store: Store, ids: Sequence[int], columns: Sequence[str]) -> Iterator[pa.Table]:
        """The kept documents among `ids`: only row groups that may hold one of them are read, one at a time.

        `columns` must name `id`, and may name mask columns.
        """
        mask = self.mask(store)
        wanted = pa.array(ids, pa.uint64())
        with store.parquet_file(self.documents) as parquet:
            names = self._in_file(parquet.schema_arrow.names, columns)
            id_column = parquet.schema_arrow.names.index("id")
            start = 0
            for number in range(parquet.num_row_groups):
                group = parquet.metadata.row_group(number)
                bounds = group.column(id_column).statistics
                if bounds is None or any(bounds.min <= document <= bounds.max for document in ids):
                    table = with_fields(self._renamed(parquet.read_row_group(number, columns=names)), columns)
                    is_wanted = pc.is_in(table.column("id"), wanted)
                    table = table.filter(is_wanted)
                    if mask is not None:
                        table = _apply(table, mask.slice(start, group.num_rows).filter(is_wanted), columns)
                    yield table
                start += group.num_rows

    def _in_file(self, names: Sequence[str], columns: Sequence[str] | None) -> list[str]:
        """The names in the file of the columns to read; of those it has, all if `columns` is None.

        A dotted name of no column leads into one: `metadata.url` needs `metadata`.
        """
        if columns is None:
            return list(names)
        now = {dict(self.moved).get(name, name): name for name in names}
        roots = [name if name in now else name.partition(".")[0] for name in columns]
        return [now[name] for name in dict.fromkeys(roots) if name in now]

    def _renamed(self, table: pa.Table) -> pa.Table:
        return renamed(table, dict(self.moved))

    def mask(self, store: Store) -> pa.Table | None:
        """One row per document: `kept`, and the columns that corpus stages added; None without masks.

        `kept` is the conjunction of all masks, because a mask does not decide on documents that an earlier one dropped. The
        columns `#cut0`, `#cut1` … list the spans to be cut, each in the text as the masks before it left it.
        """
        whole: pa.Table | None = None
        for number, path in enumerate(self.masks):
            table = store.read_table(path)
            if table.num_rows != self.rows:
                raise InputError(f"{path}: {table.num_rows} rows, but {self.documents} has {self.rows}")
            table = table.rename_columns([f"{CUT}{number}" if name == CUT else name for name in table.column_names])
            if whole is not None:
                kept = pc.and_(whole.column("kept"), table.column("kept"))
                table = table.set_column(table.column_names.index("kept"), "kept", kept)
                for field in whole.schema:
                    if field.name not in table.column_names:
                        table = table.append_column(field, whole.column(field.name))
            whole = table
        return whole


def cut_field(filler: str) -> pa.Field:
    """The column of a mask that lists the spans to be cut; `filler` takes their place."""
    return pa.field(CUT, pa.list_(pa.int64()), metadata={b"filler": filler.encode()})


def _apply(table: pa.Table, mask: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    kept = mask.column("kept")
    table, mask = table.filter(kept), mask.filter(kept)
    if "text" in table.column_names:
        # Imported here: a user's own stage imports this module, and should not wait for numba.
        from eyas.text_kernels.splice import splice

        for name in sorted((n for n in mask.column_names if n.startswith(CUT)), key=lambda n: int(n[len(CUT) :])):
            filler = mask.schema.field(name).metadata[b"filler"].decode()
            cut = splice(table.column("text"), mask.column(name), filler)
            table = table.set_column(table.column_names.index("text"), "text", cut)
    for name in mask.column_names:
        if name != "kept" and not name.startswith(CUT) and (columns is None or name in columns):
            position = table.column_names.index(name) if name in table.column_names else None
            column = mask.column(name)
            table = table.append_column(name, column) if position is None else table.set_column(position, name, column)
    return table
