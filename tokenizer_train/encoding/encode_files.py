"""Encodes files of text to Parquet files of ids, and shows the tokens of one text: `eyas tokenizer encode`."""
# Tested in tests/end_to_end/test_tokenizer_cli.py.

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eyas.corpus.sources.base import Batch
from eyas.corpus.sources.by_path import sources_of
from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.tokenizer_train.encoding.encoder import Encoder

_FILE_BYTES = 256_000_000
"""Bytes of ids and origins in one file, about."""
_PARTITION = 64_000_000


@dataclass
class Encoded:
    """Figures of an encoding: what was encoded, and what could not be read."""

    documents: int = 0
    bytes: int = 0
    tokens: int = 0
    unreadable: int = 0
    first_problem: str = ""
    seconds: float = 0.0
    """Time in the encoder alone."""


def encode_files(
    encoder: Encoder, paths: Sequence[str], out: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> Encoded:
    """Writes `out/part-00000.parquet` …: columns `origin` and `ids`, one row a document, in the order of the files.

    `progress` gets the input bytes that are done, and all of them. Raises InputError for a path that cannot be read, and if
    `out` has parts already.
    """
    store = Store(out)
    for path in paths:
        folder = Path(out).resolve()
        if "://" not in path and Path(path).resolve() in (folder, *folder.parents):
            raise InputError(f"--out {out}: lies within {path}, which is read: choose a folder outside of it")
    if any(name.startswith("part-") for name in store.list("")):
        raise InputError(f"--out {out}: there are part-*.parquet files already; choose another folder, or remove them")
    pieces = [
        (source, split)
        for path in paths
        for source in sources_of(path, "PATH")
        for split in source.splits(source.files("PATH"), _PARTITION)
    ]
    total, figures = sum(split.bytes for _, split in pieces), Encoded()
    waiting: list[pa.Table] = []
    held, part, done = 0, 0, 0
    for source, split in pieces:
        for batch in source.read(split, 0):
            table = _encode(encoder, batch, figures)
            waiting.append(table)
            held += table.nbytes
            if held >= _FILE_BYTES:
                _write(store, part, waiting)
                waiting, held, part = [], 0, part + 1
        done += split.bytes
        progress(done, total)
    if not figures.documents:
        why = f"; the first record: {figures.first_problem}" if figures.first_problem else ""
        raise InputError(f"{', '.join(paths)}: no document with text to encode{why}")
    if waiting:
        _write(store, part, waiting)
    return figures


def _encode(encoder: Encoder, batch: Batch, figures: Encoded) -> pa.Table:
    text = pa.array(batch.texts, pa.large_string()) if isinstance(batch.texts, list) else batch.texts
    begun = time.perf_counter()
    ids = encoder.encode(text)
    figures.seconds += time.perf_counter() - begun
    figures.documents += len(text)
    figures.bytes += pc.sum(pc.binary_length(text)).as_py() or 0
    figures.tokens += len(ids.flatten())
    for reject in batch.rejects:
        figures.unreadable += 1
        figures.first_problem = figures.first_problem or reject.message
    return pa.table({"origin": pa.array(batch.origins, pa.string()), "ids": ids})


def _write(store: Store, part: int, tables: Sequence[pa.Table]) -> None:
    with store.create(f"part-{part:05d}.parquet") as output:
        with pq.ParquetWriter(output.sink, tables[0].schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)
        output.rows = sum(table.num_rows for table in tables)


def pieces_of(encoder: Encoder, text: str) -> Iterator[tuple[int, str]]:
    """Each token's id and text; bytes that make no character by themselves are written \\xNN."""
    for number in encoder.encode(pa.array([text], pa.large_string())).to_pylist()[0]:
        token = encoder.token_bytes(number)
        yield number, token.decode(errors="backslashreplace")
