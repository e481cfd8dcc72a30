"""Near-duplicates by MinHash and banding, every one of them verified by true Jaccard similarity.

Banding proposes, verification disposes: a document is dropped only if the Jaccard similarity of its shingle set
with that of a document that stays reaches `verify_jaccard`. On review, 52-64 % of unverified removals
were wrong (marin PR#7591). The price is a second walk over the text of candidates only.

Steps, each bounded by a partition or a hash range: signatures (per part) → candidates (per range of band keys)
→ clusters (union-find over edges) → shingles (per part, candidates only) → verify (per range of clusters).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpus.part import Part
from corpus.shuffle import bucket_count, bucket_of, read_bucket, write_buckets
from corpus.stage import CorpusStage
from corpus.task import Entry, Step, Task, TaskContext
from corpus.verdict import Verdict
from filters.dedup.exact import living_ids, read_by_part, write_by_part
from filters.dedup.signatures import band_keys, lanes, signatures
from filters.dedup.union_find import components
from filters.dedup.verify import verify
from text_kernels.shingles import shingles
from text_kernels.words import word_hashes

BUCKET_BYTES = 128_000_000
_MIX = np.uint64(0x9E3779B97F4A7C15)

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]


class MinhashDedup(CorpusStage):
    """Drops near-duplicates: of documents that are verified copies of one another, one stays."""

    adds: ClassVar[dict[str, pa.DataType]] = {"cluster_size": pa.uint32()}

    bands: int = Field(default=14, ge=1, le=1024)
    """Bands of the signature (FineWeb: 14). More bands find pairs of lower similarity."""
    rows: int = Field(default=8, ge=1, le=128)
    """Hash values in a band (FineWeb: 8). 14 x 8 finds a pair of Jaccard 0.8 with probability 0.92."""
    shingle_words: int = Field(default=5, ge=1, le=64)
    """Words in a shingle (FineWeb, The Stack: 5)."""
    verify_jaccard: float = Field(default=0.7, ge=0.0, le=1.0)
    """True Jaccard similarity that a dropped document must have with the one that stays."""
    keep: Literal["longest", "first"] = "longest"
    """Which copy stays: the one with most distinct shingles, or the one with the lowest id."""
    fold_case: bool = True
    """Ignore case."""
    fold_digits: bool = False
    """Count all digits as equal. Over-merges mathematics and code."""
    skip_punctuation: bool = False
    """Ignore punctuation. Over-merges mathematics and code."""

    def plan(self, inputs: Sequence[Part]) -> list[Step]:
        if not inputs:
            return []
        numbers = np.array([part.number for part in inputs], np.int64)
        buckets = bucket_count(16 * self.bands * sum(part.alive for part in inputs), BUCKET_BYTES)
        # A shingle hash has 8 bytes and a word about 6, and at the worst every document is a candidate.
        ranges = bucket_count(1.5 * sum(part.text_bytes for part in inputs), BUCKET_BYTES)
        keys = [part.key for part in inputs]
        names = [f"bucket-{bucket:04d}" for bucket in range(buckets)]
        spans = [f"range-{span:04d}" for span in range(ranges)]
        return [
            Step.of("bands", [Task(p.key, partial(self._bands, p, buckets), p.text_bytes) for p in inputs]),
            Step.of("edges", [Task(name, partial(self._edges, i, name, keys)) for i, name in enumerate(names)]),
            Step.of("clusters", [Task("all", partial(self._clusters, names, numbers))]),
            Step.of("shingles", [Task(p.key, partial(self._shingles, i, p, ranges)) for i, p in enumerate(inputs)]),
            Step.of(
                "verify", [Task(name, partial(self._verify, i, name, keys, numbers)) for i, name in enumerate(spans)]
            ),
        ]

    def _shingle_sets(self, text: pa.ChunkedArray) -> tuple[U64, I64]:
        hashes, offsets = word_hashes(
            text, lower=self.fold_case, fold_digits=self.fold_digits, skip_punctuation=self.skip_punctuation
        )
        return shingles(hashes, offsets, self.shingle_words)

    def _bands(self, part: Part, buckets: int, context: TaskContext) -> Entry:
        a, b = lanes(self.bands * self.rows, seed=1)
        keys: list[U64] = []
        ids: list[U64] = []
        for table in part.tables(context.store, ["id", "text"]):
            values, offsets = self._shingle_sets(table.column("text"))
            full = np.diff(offsets) > 0
            found = band_keys(signatures(values, offsets, a, b), self.bands, self.rows).reshape(-1, self.bands)
            keys.append(found[full].ravel())
            ids.append(np.repeat(table.column("id").to_numpy()[full], self.bands))
        key = np.concatenate(keys) if keys else np.zeros(0, np.uint64)
        rows = pa.table({"key": pa.array(key), "id": pa.array(np.concatenate(ids) if ids else key)})
        path = f"{context.folder}/bands/{part.key}.arrow"
        entry = write_buckets(context.store, path, rows, bucket_of(key, buckets), buckets)
        return {"files": [entry.to_json()]}

    def _edges(self, bucket: int, name: str, keys: Sequence[str], context: TaskContext) -> Entry:
        """Each document that shares a band key is tied to the lowest id that has it: a star, never n² pairs."""
        rows = read_bucket(context.store, [f"{context.folder}/bands/{key}.arrow" for key in keys], bucket)
        key, ids = rows.column("key").to_numpy(), rows.column("id").to_numpy()
        order = np.lexsort((ids, key))
        key, ids = key[order], ids[order]
        new = np.ones(len(key), np.bool_)
        new[1:] = key[1:] != key[:-1]
        hub = ids[np.flatnonzero(new)[np.cumsum(new) - 1]] if len(ids) else ids
        pairs = np.unique(np.stack([hub[~new], ids[~new]], axis=1), axis=0)
        entry = context.store.write_table(
            f"{context.folder}/edges/{name}.parquet",
            pa.table({"left": pa.array(pairs[:, 0].copy()), "right": pa.array(pairs[:, 1].copy())}),
        )
        return {"files": [entry.to_json()]}

    def _clusters(self, names: Sequence[str], numbers: I64, context: TaskContext) -> Entry:
        tables = [context.store.read_table(f"{context.folder}/edges/{name}.parquet") for name in names]
        edges = pa.concat_tables(tables)
        ids, roots = components(edges.column("left").to_numpy(), edges.column("right").to_numpy())
        rows = pa.table({"id": pa.array(ids), "root": pa.array(roots)})
        entry = write_by_part(context, f"{context.folder}/clusters/all.arrow", rows, numbers)
        return {"files": [entry.to_json()], "candidates": len(ids), "pairs": edges.num_rows}

    def _shingles(self, position: int, part: Part, ranges: int, context: TaskContext) -> Entry:
        """The shingle sets of this part's candidates, by range of clusters."""
        members = read_bucket(context.store, [f"{context.folder}/clusters/all.arrow"], position)
        wanted, roots = members.column("id").to_numpy(), members.column("root").to_numpy()
        pieces = []
        for table in part.tables(context.store, ["id", "text"]):
            table = table.filter(pa.array(np.isin(table.column("id").to_numpy(), wanted)))
            values, offsets = self._shingle_sets(table.column("text"))
            lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))
            pieces.append(pa.table({"id": table.column("id"), "shingles": lists}))
        rows = pa.concat_tables(pieces) if pieces else _no_shingles()
        root = roots[np.searchsorted(wanted, rows.column("id").to_numpy())] if len(wanted) else wanted
        rows = rows.append_column("root", pa.array(root))
        path = f"{context.folder}/shingles/{part.key}.arrow"
        entry = write_buckets(context.store, path, rows, bucket_of(root * _MIX, ranges), ranges)
        return {"files": [entry.to_json()]}

    def _verify(self, span: int, name: str, keys: Sequence[str], numbers: I64, context: TaskContext) -> Entry:
        rows = read_bucket(context.store, [f"{context.folder}/shingles/{key}.arrow" for key in keys], span)
        lists = rows.column("shingles").combine_chunks()
        ids, roots = rows.column("id").to_numpy(), rows.column("root").to_numpy()
        offsets = lists.offsets.to_numpy()
        length = np.diff(offsets)
        # Within a cluster the copy that should stay comes first: it becomes the anchor.
        order = np.lexsort((ids, -length if self.keep == "longest" else ids, roots))
        anchor, jaccard, size = verify(lists.values.to_numpy(), offsets, roots, order, self.verify_jaccard)
        verdicts = pa.table(
            {
                "id": pa.array(ids),
                "anchor": pa.array(ids[anchor]),
                "jaccard": pa.array(jaccard),
                "cluster_size": pa.array(size),
            }
        )
        entry = write_by_part(context, f"{context.folder}/verify/{name}.arrow", verdicts, numbers)
        return {"files": [entry.to_json()], "dropped": int((anchor != np.arange(len(ids))).sum())}

    def decide(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> Verdict:
        members = read_by_part(context, "verify", part, inputs).sort_by("id")
        ids = living_ids(part, context)
        member = members.column("id").to_numpy()
        at = np.searchsorted(ids, member)
        anchor, jaccard, size = ids.copy(), np.full(len(ids), np.nan), np.ones(len(ids), np.uint32)
        anchor[at] = members.column("anchor").to_numpy()
        jaccard[at] = members.column("jaccard").to_numpy()
        size[at] = members.column("cluster_size").to_numpy()
        kept = anchor == ids
        return Verdict.of(
            kept,
            reason="near_duplicate",
            score=pa.array(jaccard, mask=np.isnan(jaccard)).to_pylist(),
            threshold=pa.array(np.full(len(ids), self.verify_jaccard), mask=np.isnan(jaccard)).to_pylist(),
            detail=[None if k else f"near-duplicate of {a}" for k, a in zip(kept, anchor.tolist(), strict=True)],
            columns={"cluster_size": pa.array(size)},
        )


def _no_shingles() -> pa.Table:
    return pa.table({"id": pa.array([], pa.uint64()), "shingles": pa.array([], pa.large_list(pa.uint64()))})
