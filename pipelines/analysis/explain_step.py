"""Explains a training step: the rows, documents, origins, scores and clusters behind each of its tokens.

Every product keeps the way back: step → rows (`eyas.shards.order`), row → pieces (columns of the shard), document → origin
and columns (curated Parquet) → decisions (ledger). Only the parts that hold one of these documents are read.
"""

# Tested in tests/end_to_end/test_shards_cli.py.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.documents import partition_of
from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.shards.format import Index
from eyas.shards.options import Phase
from eyas.shards.order import Order
from eyas.shards.reader import Reader
from eyas.trainer.options import TrainOptions
from eyas.trainer.schedule import batches_before, loader_mixture


@dataclass
class Piece:
    """A piece of a document in a row: `tokens` of it from its token `offset` on."""

    row: int
    document: int
    offset: int
    tokens: int


@dataclass
class Seen:
    """A document that a step saw, with everything the run knows of it."""

    id: int
    source: str
    origin: str | None
    columns: dict[str, Any]
    """Scores, language, cluster: what stages added, without the text."""
    excerpt: str
    decisions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class StepSeen:
    """A step, counted from 1: its rows in order, their pieces in order, and the documents by id."""

    step: int
    rows: list[int]
    pieces: list[Piece]
    documents: dict[int, Seen]


def explain_step(store: Store, step: int, training: TrainOptions, seed: int, shuffle: bool = True) -> StepSeen:
    """The documents that `step` (from 1, as in the metrics) saw in all ranks, of the shards of the run in `store`."""
    if step < 1:
        raise InputError(f"step {step}: the first step is 1")
    shards = Store(f"{store.url.rstrip('/')}/shards")
    index = Index.load(shards)
    order = Order(index, training.loader_rows, seed, loader_mixture(training), shuffle)
    first, last = batches_before(training, step), batches_before(training, step + 1)
    rows = order.rows_of(first, last - first)
    reader = Reader(shards, index)
    read = reader.pieces(reader.addresses(rows))
    row_of = [int(row) for row, count in zip(rows, read.counts, strict=True) for _ in range(count)]
    documents, offsets, lengths = (values.tolist() for values in (read.documents, read.offsets, read.lengths))
    pieces = [Piece(*values) for values in zip(row_of, documents, offsets, lengths, strict=True)]
    return StepSeen(step, rows.tolist(), pieces, _documents(store, sorted({piece.document for piece in pieces})))


def training_of(
    recipe: TrainOptions | None, batch_size: int | None = None, weights: Mapping[str, float] | None = None
) -> TrainOptions:
    """The options of the training to explain: the recipe's, or of another one with this batch size and mixture."""
    changes: dict[str, Any] = {}
    if batch_size is not None:
        changes.update(batch_size=batch_size, micro_batch=None, batch_ramp=None)
    if weights:
        changes["mixture"] = [Phase(weights=dict(weights))]
    return (recipe or TrainOptions()).model_copy(update=changes)


def _documents(store: Store, ids: list[int]) -> dict[int, Seen]:
    by_part: dict[int, list[int]] = defaultdict(list)
    for document in ids:
        by_part[partition_of(document)].append(document)
    documents: dict[int, Seen] = {}
    for number, ids_of_part in by_part.items():
        wanted = pa.array(ids_of_part, pa.uint64())
        path = f"curated/part-{number:05d}.parquet"
        for row in store.read_table(path, filters=pc.field("id").isin(wanted)).to_pylist():
            known = {name: row.pop(name) for name in ("id", "source", "origin", "text")}
            documents[known["id"]] = Seen(known["id"], known["source"], known["origin"], row, known["text"][:200])
        ledger = store.read_table(f"ledger/part-{number:05d}.parquet", filters=pc.field("id").isin(wanted))
        for row in ledger.to_pylist():
            if (seen := documents.get(row.pop("id"))) is not None:
                seen.decisions.append(row)
    if missing := sorted(set(ids) - set(documents)):
        raise InputError(
            f"{store.name()}: the shards hold document {missing[0]}, but the curated documents do not: the shards are of "
            f"another run"
        )
    return documents
