"""The base of all deduplicating stages: memory of a task, which copy stays, and the alarm when a source loses too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ByteSize, Field

from eyas.corpus.ledger import Books
from eyas.corpus.part import Part
from eyas.corpus.shuffle import bucket_count, read_bucket, write_buckets
from eyas.corpus.stage import CorpusStage
from eyas.corpus.store import FileEntry
from eyas.corpus.task import TaskContext
from eyas.corpus.verdict import Verdict
from eyas.errors import Alarm
from eyas.filters.dedup.keep import KeepExpression, check_type, columns, parse, sources

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

ALARM_DOCUMENTS = 100
"""A source with fewer documents raises no alarm: three copies of one page are no catastrophe."""
SHARE = 12
"""A bucket holds memory / SHARE bytes of rows: reading, sorting and writing it takes some eight times its size."""


class DedupStage(CorpusStage):
    """Options of every deduplicating stage."""

    operational: ClassVar[frozenset[str]] = frozenset({"memory", "max_loss"})

    memory: Annotated[ByteSize, Field(ge=16_000_000, validate_default=True)] = ByteSize(2_000_000_000)
    """Memory that one task may take, about. It changes how the work is cut, never the result."""
    max_loss: float = Field(default=0.9, ge=0.0, le=1.0)
    """Stop the run if a source of at least 100 documents loses more than this share of them. 1: never.
    (859,092 documents were once cut down to 2, and nobody noticed: marin#6854.)"""

    def buckets(self, total_bytes: float) -> int:
        """The number of hash ranges for a shuffle of so many bytes."""
        return bucket_count(total_bytes, self.memory / SHARE)

    def notes(self) -> list[str]:
        memory = self.memory.human_readable(decimal=True)
        return [f"a task takes about {memory} of memory; alarm if a source loses over {self.max_loss:.0%}"]

    def intended(self, books: Books) -> int:
        """All copies: `max_loss` watches over them."""
        return books.dropped

    def lost(self, books: Books) -> tuple[float, str]:
        """The share of a source that is lost, and a sentence that says so."""
        share = books.dropped / max(books.documents, 1)
        return share, f"{books.dropped:,} of {books.documents:,} documents ({share:.1%})"

    def check(self, books: Mapping[str, Books], summary: Mapping[str, Mapping[str, float]]) -> None:
        audit = summary.get("audit", {})
        wrong = int(audit.get("sampled", 0) - audit.get("right", 0))
        if wrong:
            raise Alarm(
                f"{wrong} of {audit['sampled']} removals that were judged again were wrong. This is a defect of the "
                f"stage, not of your data; the report shows the pairs, wrong ones first."
            )
        losses = [
            f"  {source}: {self.lost(counts)[1]}"
            for source, counts in sorted(books.items())
            if counts.documents >= ALARM_DOCUMENTS and self.lost(counts)[0] > self.max_loss
        ]
        if losses:
            raise Alarm(
                f"a source has lost more than {self.max_loss:.0%}, which is more often a wrong setting than a wrong "
                f"source:\n"
                + "\n".join(losses)
                + "\nLook at the pairs in the report. If they are right, raise `max_loss` "
                "of this stage and run again: nothing is computed twice. If not, make it stricter."
            )


class KeepingStage(DedupStage):
    """A stage that drops copies of documents and marks the copy that stays."""

    adds: ClassVar[Mapping[str, pa.DataType]] = {"cluster_id": pa.uint64(), "cluster_size": pa.uint32()}

    keep: KeepExpression = "longest"
    """Which copy stays: the first term that differs decides; ties go to the lowest id. Terms are first, longest, shortest,
    highest(COLUMN), lowest(COLUMN), newest(COLUMN), oldest(COLUMN), source(A, B, …)."""

    def columns_needed(self) -> tuple[str, ...]:
        return (*self.requires, *columns(self.keep))

    def check_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        for term in parse(self.keep):
            if term.column is not None:
                check_type(term, columns[term.column])

    def sources_named(self) -> tuple[str, ...]:
        return sources(self.keep)

    def read(self) -> list[str]:
        """The columns to read for signatures, choice and sizes."""
        return ["id", "text", "source", "cluster_size", *columns(self.keep)]


def weights(docs: pa.Table) -> pa.Array:
    """uint32[documents]: how many documents each stands for: 1, or the size of the cluster that an earlier stage found."""
    if "cluster_size" not in docs.column_names:
        return pa.array(np.ones(docs.num_rows, np.uint32))
    sizes = docs.column("cluster_size").combine_chunks()
    if not pa.types.is_integer(sizes.type):  # the input has a column of this name that means something else
        return pa.array(np.ones(docs.num_rows, np.uint32))
    return sizes.fill_null(1).cast(pa.uint32())


def begins(*columns: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """bool[n]: where a run of equal rows begins, in columns that are sorted together."""
    new = np.ones(len(columns[0]), np.bool_)
    if len(new):
        new[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return new


def runs(new: npt.NDArray[np.bool_]) -> tuple[I64, I64, I64]:
    """`(first, last, run)`: where each run begins and ends, and the run of each row; `new` as `begins` gives it."""
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(new))[: len(first)] - 1
    return first, last, np.cumsum(new) - 1


def part_numbers(inputs: Sequence[Part]) -> I64:
    """The numbers of the parts, ascending: bucket b of a file written by part belongs to the b-th."""
    return np.array([part.number for part in inputs], np.int64)


def write_by_part(context: TaskContext, path: str, table: pa.Table, numbers: I64) -> FileEntry:
    """Writes rows (column `id`) in one bucket per part; `numbers`: the parts' numbers, ascending."""
    owner = (table.column("id").to_numpy() >> np.uint64(32)).astype(np.int64)
    return write_buckets(context.store, path, table, np.searchsorted(numbers, owner), len(numbers))


def read_by_part(context: TaskContext, folder: str, part: Part, inputs: Sequence[Part]) -> pa.Table:
    """The rows that tasks wrote by part for `part` into `folder` of the pass."""
    position = [other.number for other in inputs].index(part.number)
    names = context.store.list(f"{context.folder}/{folder}")
    return read_bucket(context.store, [f"{context.folder}/{folder}/{name}" for name in names], position)


def kept_documents(part: Part, context: TaskContext) -> tuple[U64, npt.NDArray[np.uint32]]:
    """Ids and weights of the part's kept documents, in order."""
    ids, sizes = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint32)]
    for docs in part.tables(context.store, ["id", "cluster_size"]):
        ids.append(docs.column("id").to_numpy())
        sizes.append(weights(docs).to_numpy())
    return np.concatenate(ids), np.concatenate(sizes)


def copies_verdict(
    part: Part,
    copies: pa.Table,
    context: TaskContext,
    reason: str,
    words: str,
    threshold: float | None = None,
) -> Verdict:
    """The verdict on a part's documents. `copies`: rows (id, anchor, size; jaccard) of those that have copies.

    A document that is its own anchor stays; `words` begin the ledger's detail on the others. An `origin` in `copies` names
    an anchor of an earlier run.
    """
    ids, size = kept_documents(part, context)
    at = np.searchsorted(ids, copies.column("id").to_numpy())
    anchor = ids.copy()
    anchor[at], size[at] = copies.column("anchor").to_numpy(), copies.column("size").to_numpy()
    kept = anchor == ids
    scores = bar = None
    if threshold is not None:
        score = np.full(len(ids), np.nan)
        score[at] = copies.column("jaccard").to_numpy()
        scores = pa.array(score, mask=np.isnan(score))
        bar = pa.array(np.full(len(ids), threshold), mask=np.isnan(score))
    names = pc.binary_join_element_wise(words, pa.array(anchor).cast(pa.string()), " ")
    if "origin" in copies.column_names:
        elsewhere = np.full(len(ids), -1, np.int64)
        elsewhere[at] = np.arange(copies.num_rows)
        origins = copies.column("origin").combine_chunks().take(pa.array(elsewhere, mask=elsewhere < 0))
        names = pc.coalesce(pc.binary_join_element_wise(words, origins, "in an earlier run", " "), names)
    return Verdict.of(
        kept,
        reason=reason,
        score=scores,
        threshold=bar,
        detail=pc.if_else(pa.array(kept), pa.scalar(None, pa.string()), names),
        columns={"cluster_id": pa.array(anchor), "cluster_size": pa.array(size)},
    )
