"""The shard format: Arrow IPC files of fixed-size rows, which every Arrow reader reads (to the byte: docs/formats/shards.md).

Columns of a row: `input_ids` (fixed_size_list<uint16 or uint32>[T], padding at the end), `lengths` (list<int32>: the
pieces of documents in the row, in order; if their sum is less than T, the rest is padding), `documents` (list<uint64>:
the id of each piece's document) and `offsets` (list<int64>: where in its document, in tokens, the piece begins).
So a token of a training step leads back to a document, and attention, convolution and state can start anew at each.

File metadata under `eyas` is JSON: the values that the whole set shares (`ShardMeta`) and the file's `source`. All
documents of a file belong to one source, so a loader can mix sources by weight. `index.json` names every file with its
counts and sha256, and its `digest` stands for the whole set. The trade: nothing is compressed, so that rows can be
memory-mapped.

Versions: every file and the index name their `FORMAT`, and readers accept this one only, because a file of another
version is better packed again than misread. A change of columns, types, metadata keys or their meaning needs a new
name. A new name changes every digest, so loader states and checkpoints of older shards are refused too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, get_type_hints

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from eyas.corpus.store import FileEntry, Store, digest_of
from eyas.errors import InputError

FORMAT: Final = "eyas-shard-2"
HELD_OUT: Final = "held_out"
"""Name of the folder, inside the folder of the shards, for shards of held-out documents."""
ROWS_PER_BATCH: Final = 256
"""Rows of every record batch of a file but the last."""


class Columns:
    """Names of a shard's columns."""

    INPUT_IDS: Final = "input_ids"
    LENGTHS: Final = "lengths"
    DOCUMENTS: Final = "documents"
    OFFSETS: Final = "offsets"
    PIECES: Final = (LENGTHS, DOCUMENTS, OFFSETS)
    """The lists with one value per piece, which share their bounds."""


@dataclass(frozen=True)
class ShardMeta:
    """Values that every file of a set shares."""

    sequence_length: int
    vocab_size: int
    pad: int
    bos: int | None
    """The token that begins every document, or None if documents have none."""
    eos: int | None
    """The token that ends every document, or None if documents have none."""
    tokenizer: str
    """sha256 of tokenizer.json."""
    packing: str = "best_fit"
    recipe: str = ""
    """A digest of everything that was done to the sources: stages and their options, tokenizer, packing, seed."""
    format: str = FORMAT

    @property
    def id_type(self) -> pa.DataType:
        """The Arrow type of a token id."""
        return pa.uint16() if self.vocab_size <= 1 << 16 else pa.uint32()

    def schema(self, source: str) -> pa.Schema:
        """The Arrow schema of a file of `source`."""
        fields = [
            (Columns.INPUT_IDS, pa.list_(self.id_type, self.sequence_length)),
            (Columns.LENGTHS, pa.list_(pa.int32())),
            (Columns.DOCUMENTS, pa.list_(pa.uint64())),
            (Columns.OFFSETS, pa.list_(pa.int64())),
        ]
        metadata = json.dumps({**asdict(self), "source": source}, sort_keys=True)
        return pa.schema(fields, metadata={"eyas": metadata})

    @classmethod
    def of(cls, schema: pa.Schema, path: str) -> tuple[ShardMeta, str]:
        """`(meta, source)` from a file's schema. Raises InputError if the file is no shard of this format."""
        raw = (schema.metadata or {}).get(b"eyas")
        if raw is None:
            raise InputError(f"{path}: not an Eyas shard (its Arrow schema has no `eyas` metadata)")
        try:
            data = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: its `eyas` metadata is not JSON ({error})") from error
        if not isinstance(data, dict):
            raise InputError(f"{path}: its `eyas` metadata is no JSON object")
        if data.get("format") != FORMAT:
            raise InputError(f"{path}: shard format {data.get('format')!r}, this version reads {FORMAT!r}")
        try:
            source = str(data.pop("source"))
            meta = cls(**data)
            _check_types(meta)
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: its `eyas` metadata is not that of {FORMAT} ({error!r})") from error
        if schema.remove_metadata() != meta.schema(source).remove_metadata():
            raise InputError(f"{path}: its columns are not those of a shard of {meta.sequence_length:,} {meta.id_type}")
        return meta, source


def _check_types(data: Any) -> None:
    """TypeError if a field is not of its type, a number is negative, or a path leads out of the folder."""
    for name, kind in get_type_hints(type(data)).items():
        value = getattr(data, name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{name}: {value!r} is not {kind}")
        if isinstance(value, int) and not 0 <= value < 1 << 63:
            raise TypeError(f"{name}: {value} is out of range")
        if isinstance(value, str) and ("\0" in value or value.encode(errors="replace").decode() != value):
            raise TypeError(f"{name}: {value!r} is no text")
        if name == "path" and (value.startswith("/") or ".." in value.split("/")):
            raise TypeError(f"path: {value!r} leads out of the folder")


def write_shard(store: Store, path: str, meta: ShardMeta, source: str, batches: Iterable[pa.RecordBatch]) -> FileEntry:
    """Writes one file of rows, uncompressed, so that it can be memory-mapped. Batches hold multiples of ROWS_PER_BATCH."""
    with store.create(path) as output, ipc.new_file(output.sink, meta.schema(source)) as writer:
        output.rows = 0
        for batch in batches:
            for start in range(0, batch.num_rows, ROWS_PER_BATCH):
                writer.write_batch(batch.slice(start, ROWS_PER_BATCH))
            output.rows += batch.num_rows
    return output.published()


@dataclass(frozen=True)
class IndexedFile:
    """One file of a set."""

    path: str
    source: str
    rows: int
    documents: int
    """Documents in the file, all of them whole."""
    tokens: int
    """Tokens without padding."""
    text_bytes: int
    """UTF-8 bytes of the encoded text."""
    bytes: int
    """Size of the file."""
    sha256: str


@dataclass(frozen=True)
class Index:
    """index.json: the metadata and the files of a folder of shards."""

    meta: ShardMeta
    files: tuple[IndexedFile, ...]

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def tokens(self) -> int:
        """Tokens of all files, without padding."""
        return sum(file.tokens for file in self.files)

    @property
    def text_bytes(self) -> int:
        """UTF-8 bytes of the encoded text."""
        return sum(file.text_bytes for file in self.files)

    @property
    def vocab_size(self) -> int:
        """Size of the tokenizer's vocabulary."""
        return self.meta.vocab_size

    @property
    def sequence_length(self) -> int:
        """Tokens in a row."""
        return self.meta.sequence_length

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources that have rows, in the order of their first files."""
        return tuple(dict.fromkeys(file.source for file in self.files if file.rows))

    @property
    def digest(self) -> str:
        """A digest of the whole set: of the metadata and of every entry of `files`, in order."""
        return digest_of({"meta": asdict(self.meta), "files": [asdict(file) for file in self.files]})

    def to_json(self) -> dict[str, Any]:
        """The content of index.json."""
        files = [asdict(file) for file in self.files]
        totals = {"rows": self.rows, "tokens": self.tokens, "text_bytes": self.text_bytes}
        return {**asdict(self.meta), "digest": self.digest, **totals, "files": files}

    @classmethod
    def load(cls, store: Store) -> Index:
        """Reads index.json of the folder `store`. Raises InputError if it is missing, edited or of another format."""
        if not store.exists("index.json"):
            raise InputError(f"{store.url}: no index.json, so this is not a folder of shards")
        data = store.read_json("index.json")
        try:
            if data["format"] != FORMAT:
                raise InputError(
                    f"{store.url}/index.json: format {data['format']!r}, this version reads {FORMAT!r}; `eyas run` the "
                    f"recipe again, or `eyas pack RUN`"
                )
            meta = ShardMeta(**{name: data[name] for name in ShardMeta.__dataclass_fields__})
            index = cls(meta, tuple(IndexedFile(**file) for file in data["files"]))
            stated = data["digest"]
            if index.digest != stated:
                raise InputError(f"{store.url}/index.json was edited: its digest does not match the files it names")
            for found in (meta, *index.files):
                _check_types(found)
        except (KeyError, TypeError) as error:
            raise InputError(f"{store.url}/index.json: not an index of shards ({error!r})") from error
        return index


def row_batch(
    meta: ShardMeta,
    source: str,
    ids: np.ndarray,
    counts: np.ndarray,
    lengths: np.ndarray,
    documents: np.ndarray,
    offsets: np.ndarray,
) -> pa.RecordBatch:
    """Rows as a record batch. `ids`: [rows, T]. `counts`: pieces per row. The others: one value per piece, by row."""
    bounds = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    columns = [
        pa.FixedSizeListArray.from_arrays(pa.array(ids.ravel(), meta.id_type), meta.sequence_length),
        pa.ListArray.from_arrays(bounds, pa.array(lengths, pa.int32())),
        pa.ListArray.from_arrays(bounds, pa.array(documents, pa.uint64())),
        pa.ListArray.from_arrays(bounds, pa.array(offsets, pa.int64())),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=meta.schema(source))
