"""The document table: one row per document, whose id says where the document was read.

`id = partition * 2**32 + row`: unique by construction, sorted, and the same on any cluster,
because a partition is a slice of the input and never depends on the number of workers.
Text is `large_string`: Arrow's `string` overflows at 2 GB per column chunk (ray#29492, arrow#44164).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.errors import InputError

ROW_BITS = 32
MAX_ROWS = 1 << ROW_BITS
GENERATED_BITS = 24
"""A generator's output for partition p is partition `p + 2**(23 + generator)`, generator 1 … 8 (`generated_partition`)."""

COLUMNS: dict[str, pa.DataType] = {
    "id": pa.uint64(),
    "text": pa.large_string(),
    "source": pa.dictionary(pa.int32(), pa.string()),
    "origin": pa.string(),
}
HIDDEN = "#"
"""Columns whose names begin with this exist only between the stages of a pass; they are never written with the documents."""
NOTE = "#note"
"""A string column in which a mapper may say what it did to each document: the ledger's `detail`. Null: nothing."""
CUT = "#cut"
"""The column of a mask that lists the byte spans to cut out of a text: start, end, start, end …, ascending. Null: none."""
PARENT = pa.field("parent", pa.list_(pa.uint64()))
"""The column that a generator adds: the ids of the documents a text was made from."""
CONTROL = pa.field("control_tokens", pa.list_(pa.string()))
"""The column that lists which strings of a text are control tokens, not plain characters. Null: none are. A stage that
inserts a control token names it here, after it made sure that the text had none: so a scraped page cannot smuggle one in."""
SPANS = pa.field("spans", pa.list_(pa.int64()))
"""The column with the places of the parents' texts in a joined text, in UTF-8 bytes: start, end …, in `parent`'s order."""


def schema(extra: Mapping[str, pa.DataType] | None = None) -> pa.Schema:
    """The schema of a document table with the columns `extra` after the four of every table."""
    return pa.schema([*COLUMNS.items(), *(extra or {}).items()])


def document_id(partition: int, row: int) -> int:
    """The 64-bit id of row `row` of partition `partition`."""
    if not 0 <= row < MAX_ROWS:
        raise InputError(f"partition {partition}: row {row} is out of range; lower `partition_bytes`")
    return (partition << ROW_BITS) | row


def partition_of(document: int) -> int:
    """The partition that a document id belongs to."""
    return document >> ROW_BITS


def generated_partition(generator: int, partition: int) -> int:
    """The partition that holds what generator number `generator` (1 … 8) made of `partition`.

    Each generator has a bit of its own, because its output may be the input of the next, beside the documents it was made
    from. With `generator * 2**24 + p`, the outputs that generator 2 made of both had the same number.
    """
    if not 1 <= generator <= ROW_BITS - GENERATED_BITS or not 0 <= partition < MAX_ROWS:
        raise InputError(
            f"generator {generator}, partition {partition}: there can be 8 generators and 2^24 partitions of input at most"
        )
    return partition | (1 << (GENERATED_BITS + generator - 1))


def documents(
    ids: npt.NDArray[np.uint64] | Sequence[int],
    texts: pa.Array | Sequence[str],
    source: str,
    origins: pa.Array | Sequence[str],
    extra: Mapping[str, pa.Array] | None = None,
) -> pa.Table:
    """A document table of one source. `texts` and `origins` are as long as `ids`."""
    rows = len(ids)
    sources = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([source], pa.string()))
    columns = {
        "id": pa.array(ids, pa.uint64()),
        "text": pa.array(texts, pa.large_string()) if not isinstance(texts, pa.Array) else texts,
        "source": sources,
        "origin": pa.array(origins, pa.string()) if not isinstance(origins, pa.Array) else origins,
        **(extra or {}),
    }
    return pa.table(columns)


def renamed(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """`table` with new names for some of its columns; names of columns that it has not are ignored."""
    if not any(name in table.column_names for name in names):
        return table
    return table.rename_columns([names.get(name, name) for name in table.column_names])


def conform(table: pa.Table, target: pa.Schema) -> pa.Table:
    """`table` with exactly the columns of `target`, absent ones filled with nulls.

    Parts of one folder must share a schema, or plain tools refuse to read them together.
    """
    columns = []
    for field in target:
        if field.name in table.column_names:
            column = table.column(field.name)
            # Arrow has no cast of some types (maps, extensions) to themselves.
            columns.append(column if column.type == field.type else column.cast(field.type))
        else:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)]))
    return pa.table(columns, schema=target)


def text_bytes(table: pa.Table) -> int:
    """UTF-8 bytes of the column `text`."""
    return sum(buffer_span(chunk) for chunk in table.column("text").chunks)


def text_lengths(table: pa.Table) -> npt.NDArray[np.int64]:
    """int64[rows]: UTF-8 bytes of each text."""
    lengths: npt.NDArray[np.int64] = pc.binary_length(table.column("text")).to_numpy()
    return lengths


def buffer_span(text: pa.LargeStringArray) -> int:
    """UTF-8 bytes that the array `text` spans in its data buffer."""
    if len(text) == 0:
        return 0
    offsets = np.frombuffer(text.buffers()[1], np.int64)
    return int(offsets[text.offset + len(text)] - offsets[text.offset])
