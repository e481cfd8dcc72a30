"""Export of shards for other trainers: Megatron's .bin/.idx, and the .ds of datatrove and nanotron.

Documents are whole and in order of id. Both formats hold tokens end to end and the ends of documents; packing and the
origin of documents are lost. The trade: the tokens of one shard are in memory at a time, and 12 bytes for each document
(Megatron's index comes at the end).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pyarrow import ipc

from eyas.corpus.store import Store
from eyas.errors import BooksError
from eyas.shards.check import check_bytes
from eyas.shards.format import Columns, Index, IndexedFile
from eyas.shards.packing import fill_rows

Target = Literal["megatron", "datatrove"]
MEGATRON_MAGIC: Final = b"MMIDIDX\x00\x00"
MEGATRON_TYPES: Final = {np.dtype(np.uint16): 8, np.dtype(np.int32): 4}
"""Codes of Megatron-LM's `DType`; it has no uint32, so larger ids are written as int32."""


@dataclass(frozen=True)
class Exported:
    """The result of an export. `paths`: written files, in the target's folder."""

    paths: tuple[str, ...]
    documents: int
    tokens: int


def export(shards: Store, target: Store, name: str, to: Target) -> Exported:
    """Writes all documents of the shards to `name`.bin and .idx, or to `name`.ds, .ds.index and .ds.metadata.

    Raises InputError, naming the file, if one differs from index.json.
    """
    index = Index.load(shards)
    ids = np.dtype(np.uint16) if index.vocab_size <= 1 << 16 else np.dtype(np.int32 if to == "megatron" else np.uint32)
    data = f"{name}.bin" if to == "megatron" else f"{name}.ds"
    lengths = []
    with target.create(data) as output:
        for file in index.files:
            tokens, counts = documents_of(shards, file, index)
            output.sink.write(np.ascontiguousarray(tokens, ids.newbyteorder("<")).tobytes())
            lengths.append(counts)
    counts = np.concatenate(lengths or [np.zeros(0, np.int64)])
    if int(counts.sum()) != index.tokens:
        raise BooksError(f"{target.path(data)}: {counts.sum():,} tokens written, {index.tokens:,} in the shards")
    written = [data]
    for path, content in _beside(name, to, ids, counts, index):
        with target.create(path) as output:
            for piece in content:
                output.sink.write(piece)
        written.append(path)
    return Exported(tuple(written), len(counts), int(counts.sum()))


def documents_of(store: Store, file: IndexedFile, index: Index) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """`(tokens, counts)` of a shard: its documents joined from their pieces, by id, end to end."""
    check_bytes(store, file)
    with store.open(file.path) as raw:
        table = ipc.open_file(raw).read_all().combine_chunks()
    if not table.num_rows:
        return np.zeros(0, index.meta.id_type.to_pandas_dtype()), np.zeros(0, np.int64)
    columns = {name: table.column(name).chunk(0) for name in table.column_names}
    ids = columns[Columns.INPUT_IDS].flatten().to_numpy()
    lengths = columns[Columns.LENGTHS].flatten().to_numpy().astype(np.int64)
    documents, offsets = (columns[name].flatten().to_numpy() for name in (Columns.DOCUMENTS, Columns.OFFSETS))
    bounds = columns[Columns.LENGTHS].offsets.to_numpy()
    row = np.repeat(np.arange(table.num_rows), np.diff(bounds))
    before = np.concatenate([[0], np.cumsum(lengths)])
    starts = before[:-1] - before[bounds[:-1]][row] + row * index.sequence_length
    order = np.lexsort((offsets, documents))
    tokens = np.empty((1, int(lengths.sum())), ids.dtype)
    fill_rows(ids, starts[order], lengths[order], np.zeros(len(order), np.int64), 0, tokens)
    firsts = np.flatnonzero(np.append(True, documents[order][1:] != documents[order][:-1]))
    return tokens[0], np.add.reduceat(lengths[order], firsts) if len(order) else np.zeros(0, np.int64)


def _beside(
    name: str, to: Target, ids: np.dtype[Any], counts: npt.NDArray[np.int64], index: Index
) -> Iterator[tuple[str, list[bytes]]]:
    """The small files beside the tokens: path and content."""
    if to == "megatron":
        yield f"{name}.idx", megatron_index(ids, counts)
        return
    yield f"{name}.ds.index", [np.cumsum(counts).astype("<u8").tobytes()]
    # The three lines of datatrove's own files: tokenizer | bytes per token, tokens, tokens in words.
    tokens = int(counts.sum())
    metadata = f"tokenizer.json sha256 {index.meta.tokenizer}|{ids.itemsize}\n{tokens}\n{tokens / 1e9:.3f} GT"
    yield f"{name}.ds.metadata", [metadata.encode()]


def megatron_index(ids: np.dtype[Any], counts: npt.NDArray[np.int64]) -> list[bytes]:
    """The content of a Megatron .idx, version 1: header, lengths (int32), byte offsets (int64), documents (int64).

    Every sequence is a document here, so the last array is 0, 1, 2 … (Megatron-LM, core/datasets/indexed_dataset.py).
    """
    starts = (np.cumsum(counts) - counts) * ids.itemsize
    header = struct.pack("<QBQQ", 1, MEGATRON_TYPES[ids], len(counts), len(counts) + 1)
    arrays = (counts.astype("<i4"), starts.astype("<i8"), np.arange(len(counts) + 1).astype("<i8"))
    return [MEGATRON_MAGIC, header, *(array.tobytes() for array in arrays)]
