"""The stage `minhash_dedup`: finds near-duplicates by MinHash and banding, and verifies each by true Jaccard similarity.

Banding proposes, verification disposes: a document is dropped only if the Jaccard similarity of its shingle set with that
of a document that stays reaches `verify_jaccard`. On review, 52-64 % of unverified removals were wrong (marin PR#7591). The
price is a second walk over the text of candidates only.

The steps, each bounded by a partition or a hash range: signatures (per part) → candidates (per range of band keys)
→ clusters (union-find, or stars in files) → shingles (per part, candidates only) → verify (per range of clusters)
→ audit (a sample) → index (per part, if `index: true`).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from eyas.corpus.part import Part
from eyas.corpus.sampling import mix
from eyas.corpus.shuffle import bucket_batches, bucket_of, read_bucket, write_buckets
from eyas.corpus.spool import Spool
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.corpus.verdict import Verdict
from eyas.errors import InputError
from eyas.filters.dedup import index as indexes
from eyas.filters.dedup import stars
from eyas.filters.dedup.audit import audit_step, sample
from eyas.filters.dedup.banding import BandingTarget, choose, curve_lines
from eyas.filters.dedup.base import (
    I64,
    U64,
    KeepingStage,
    begins,
    copies_verdict,
    part_numbers,
    read_by_part,
    runs,
    weights,
    write_by_part,
)
from eyas.filters.dedup.index import Index
from eyas.filters.dedup.jaccard_audit import JaccardAuditor
from eyas.filters.dedup.keep import order, rank_fields, ranks
from eyas.filters.dedup.signatures import SEED, band_keys, lanes
from eyas.filters.dedup.union_find import LEAST_BYTES, cluster
from eyas.filters.dedup.verify import groups, verify
from eyas.text_kernels.fingerprints.minhash import signatures
from eyas.text_kernels.fingerprints.shingles import shingles
from eyas.text_kernels.words.words import word_hashes

BySource = bool | tuple[str, ...]
"""Whether something applies: everywhere, nowhere, or in the named sources."""


class MinhashDedup(KeepingStage):
    """Drops near-duplicates: of documents that are verified copies of one another, one stays."""

    version: ClassVar[int] = 2

    bands: int = Field(default=14, ge=1, le=1024)
    """Bands of the signature (FineWeb: 14). More bands find pairs of lower similarity."""
    rows: int = Field(default=8, ge=1, le=128)
    """Hash values in a band (FineWeb: 8). 14 x 8 finds a pair of Jaccard 0.8 with probability 0.92."""
    target: BandingTarget | None = None
    """Choose bands and rows by a target instead: `target: {jaccard: 0.8, price_of_missing: 9, lanes: 128}`."""
    shingle_words: int = Field(default=5, ge=1, le=64)
    """Words in a shingle (FineWeb, The Stack: 5). A document of fewer words is one shingle."""
    verify_jaccard: float = Field(default=0.7, ge=0.0, le=1.0)
    """True Jaccard similarity that a dropped document must have with the one that stays."""
    fold_case: BySource = True
    """Ignore case: everywhere, nowhere, or in the sources of a list: `[web, wiki]`."""
    fold_digits: BySource = False
    """Count all digits as equal: everywhere, nowhere, or in the sources of a list. Over-merges mathematics and code."""
    skip_punctuation: BySource = False
    """Ignore punctuation: everywhere, nowhere, or in the sources of a list. Over-merges mathematics and code."""
    index: bool = False
    """Write an index of the documents that stay, for `against` of later runs: about 1.3 times the size of the text."""
    against: list[str] = []
    """Folders of earlier runs with `index: true` (any fsspec URL): near-duplicates of what they kept are dropped too."""
    signatures: bool = False
    """Write the signatures, for other tools: `eyas.filters.dedup.interop.load_minhashes` reads them as datasketch's."""

    @model_validator(mode="after")
    def _bands_or_target(self) -> MinhashDedup:
        if self.target is not None and {"bands", "rows"} & self.model_fields_set:
            raise InputError("give either `bands` and `rows`, or a `target` to choose them from")
        return self

    @cached_property
    def banding(self) -> tuple[int, int]:
        """Bands and rows."""
        if self.target is None:
            return self.bands, self.rows
        return choose(self.target.jaccard, self.target.price_of_missing, self.target.lanes)

    @cached_property
    def old(self) -> tuple[indexes.Index, ...]:
        """The indexes of `against`; ValueError if one does not fit. Only the driver opens them; tasks receive them."""
        return tuple(indexes.open_index(url, k, self.parameters()) for k, url in enumerate(self.against))

    def parameters(self) -> dict[str, Any]:
        """All that band keys and shingles depend on: an index fits only if these are equal."""
        bands, rows = self.banding
        options = self.model_dump(mode="json", include={"fold_case", "fold_digits", "skip_punctuation"})
        folding = {name: sorted(value) if isinstance(value, list) else value for name, value in options.items()}
        return {"bands": bands, "rows": rows, "shingle_words": self.shingle_words, "seed": SEED, **folding}

    def sources_named(self) -> tuple[str, ...]:
        given = (self.fold_case, self.fold_digits, self.skip_punctuation)
        return (*super().sources_named(), *(name for names in given if isinstance(names, tuple) for name in names))

    def fingerprint(self) -> Any:
        return [index.digest for index in self.old] or None

    def makes(self) -> dict[str, str]:
        folders = {indexes.FOLDER: self.index, "signatures": self.signatures}
        return {f"minhash_{name}": name for name, wanted in folders.items() if wanted}

    def notes(self) -> list[str]:
        most = int(self.memory / 2 / LEAST_BYTES)
        fits = f"clusters by union-find up to {most:,} documents, beyond that in files, in rounds"
        old = [f"against {index.rows:,} documents of {index.url}" for index in self.old]
        return [*curve_lines(*self.banding, self.verify_jaccard), *super().notes(), fits, *old]

    # --- the plan ---------------------------------------------------------------------------------------------------

    def plan(self, inputs: Sequence[Part]) -> Generator[Step, list[Entry], None]:
        if not inputs:
            return
        buckets, ranges = self._buckets(inputs), self._ranges(inputs)
        # A task that writes for each part also writes for each index; the numbers of indexes are above those of parts.
        numbers = np.append(part_numbers(inputs), [old.number for old in reversed(self.old)]).astype(np.int64)
        bands = [Task(f"{part.key}-{buckets}", partial(self._bands, part, buckets), part.text_bytes) for part in inputs]
        sketched = yield Step.of("bands", bands)
        # Union-find numbers documents by their row in the input: dropped documents leave gaps.
        rows = [*(entry["rows"] for entry in sketched), *(old.rows for old in reversed(self.old))]
        by_union_find = LEAST_BYTES * sum(rows) * (1 if sum(rows) < 2**32 else 2) <= self.memory / 2
        keys = [part.key for part in inputs]
        # File names hold the cut of the work, so that files of a killed run with another `memory` are never read.
        cut = f"{buckets}-{'union-find' if by_union_find else 'stars'}"
        paths = [f"edges-{cut}/bucket-{b:04d}.arrow" for b in range(buckets)]
        edges = [
            Task(f"bucket-{b:04d}-{cut}", partial(self._edges, b, buckets, by_union_find, path, keys, self.old))
            for b, path in enumerate(paths)
        ]
        yield Step.of("edges", edges)
        members = f"clusters-{cut}"
        if by_union_find:
            yield Step.of("clusters", [Task(f"all-{cut}", partial(cluster, paths, numbers, rows, members))])
        else:
            yield from stars.steps(paths, buckets, members, numbers)
        sets = self._shingle_tasks(inputs, ranges, numbers, members)
        yield Step.of("shingles", sets)
        names = [task.key for task in sets]
        checks = [
            Task(f"range-{r:04d}-{ranges}", partial(self._verify, r, ranges, names, numbers)) for r in range(ranges)
        ]
        entries = yield Step.of("verify", checks)
        yield audit_step(entries, inputs, JaccardAuditor(self.verify_jaccard, self.shingle_words, self.folding))
        if self.index:
            tasks = [Task(part.key, partial(self._index_part, part, inputs), part.text_bytes) for part in inputs]
            written = yield Step.of("index", tasks)
            yield Step.of("index-json", [Task("all", partial(self._index_json, written))])

    def _shingle_tasks(self, inputs: Sequence[Part], ranges: int, numbers: I64, members: str) -> list[Task]:
        tasks = [
            Task(f"{part.key}-{ranges}", partial(self._shingles, place, part, ranges, members), part.text_bytes)
            for place, part in enumerate(inputs)
        ]
        for old in self.old:
            place = int(np.searchsorted(numbers, old.number))
            for name, start in old.starts():
                run = partial(self._old_shingles, place, old, name, start, ranges, members)
                tasks.append(Task(f"old-{old.place}-{name}-{ranges}", run))
        return tasks

    def _buckets(self, inputs: Sequence[Part]) -> int:
        documents = sum(part.kept for part in inputs) + sum(index.rows for index in self.old)
        return self.buckets(16 * self.banding[0] * documents)

    def _ranges(self, inputs: Sequence[Part]) -> int:
        # A shingle hash has 8 bytes and a word about 6; in the worst case every document is a candidate.
        keys = 8 * self.banding[0] * sum(part.kept for part in inputs)
        return self.buckets(1.5 * sum(part.text_bytes for part in inputs) + keys)

    # --- candidates -------------------------------------------------------------------------------------------------

    def folding(self, source: str) -> tuple[bool, bool, bool]:
        """Whether case and digits are folded, and punctuation is skipped, in documents of a source."""
        options = (self.fold_case, self.fold_digits, self.skip_punctuation)
        case, digits, punctuation = (source in option if isinstance(option, tuple) else option for option in options)
        return case, digits, punctuation

    def sketch(self, text: pa.ChunkedArray, source: str) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
        """Signatures of a source's texts, uint32[documents, bands * rows], and which texts have a word at all."""
        bands, rows = self.banding
        return signatures(text, self.shingle_words, *lanes(bands * rows, SEED), *self.folding(source))

    def _bands(self, part: Part, buckets: int, context: TaskContext) -> Entry:
        bands, rows = self.banding
        keys, ids, kept = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], []
        for docs in part.tables(context.store, ["id", "text"]):
            sketch, full = self.sketch(docs.column("text"), part.source)
            keys.append(band_keys(sketch[full], bands, rows))
            ids.append(np.repeat(docs.column("id").to_numpy()[full], bands))
            if self.signatures:
                lists = pa.FixedSizeListArray.from_arrays(pa.array(sketch[full].ravel()), bands * rows)
                kept.append(pa.table({"id": docs.column("id").filter(pa.array(full)), "signature": lists}))
        key, owner = np.concatenate(keys), np.concatenate(ids)
        table = pa.table({"key": pa.array(key), "id": pa.array(owner)})
        path = f"{context.folder}/bands-{buckets}/{part.key}.arrow"
        files = [write_buckets(context.store, path, table, bucket_of(key, buckets), buckets)]
        if kept:
            files.append(
                context.store.write_table(f"{context.folder}/signatures/{part.key}.parquet", pa.concat_tables(kept))
            )
        rows_read = int(owner[-1] & np.uint64(0xFFFFFFFF)) + 1 if len(owner) else 0
        return {"files": [file.to_json() for file in files], "rows": rows_read}

    def _edges(
        self,
        bucket: int,
        buckets: int,
        by_union_find: bool,
        path: str,
        keys: Sequence[str],
        old_indexes: Sequence[Index],
        context: TaskContext,
    ) -> Entry:
        """The edges between documents that share a band key of one hash range."""
        files = [f"{context.folder}/bands-{buckets}/{key}.arrow" for key in keys]
        batches = bucket_batches(context.store, files, bucket)
        pairs = [(batch.column("key").to_numpy(), batch.column("id").to_numpy()) for batch in batches]
        # Ids must ascend within a key: parts come in order, and the numbers of indexes are above those of parts.
        for old in reversed(old_indexes):
            pairs += old.band_rows(bucket, buckets)
        left, right = star_edges(np.concatenate([key for key, _ in pairs]), np.concatenate([ids for _, ids in pairs]))
        edges = (left, right) if by_union_find else stars.both_ways(left, right)
        file = stars.write_edges(context, f"{context.folder}/{path}", *edges, 1 if by_union_find else buckets)
        return {"files": [file], "pairs": len(left)}

    # --- verification -----------------------------------------------------------------------------------------------

    def shingle_sets(self, text: pa.ChunkedArray, source: str) -> tuple[U64, I64]:
        """The sorted shingle sets of a source's texts: all values, and the offsets of each text's set."""
        return shingles(*word_hashes(text, *self.folding(source)), self.shingle_words)

    def _fields(self) -> pa.Schema:
        """The columns by which a candidate is verified."""
        fields = [("id", pa.uint64()), ("root", pa.uint64()), ("weight", pa.uint32()), ("origin", pa.string())]
        sets = [("keys", pa.large_list(pa.uint64())), ("shingles", pa.large_list(pa.uint64()))]
        return pa.schema([*fields, *sets, *rank_fields(self.keep)])

    def _shingles(self, position: int, part: Part, ranges: int, folder: str, context: TaskContext) -> Entry:
        """The candidates of a part, by range of clusters."""
        members = _members(context, folder, position)
        pieces = [self._fields().empty_table()]
        for docs in part.tables(context.store, self.read()) if members.num_rows else ():
            docs = docs.filter(pc.is_in(docs.column("id"), members.column("id").combine_chunks()))
            values, offsets = self.shingle_sets(docs.column("text"), part.source)
            sketch, _ = self.sketch(docs.column("text"), part.source)
            columns = {
                "id": docs.column("id"),
                "root": _roots(docs.column("id").to_numpy(), members),
                "weight": weights(docs),
                "origin": pa.nulls(docs.num_rows, pa.string()),
                "keys": self._lists(band_keys(sketch, *self.banding)),
                "shingles": pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values)),
                **ranks(self.keep, docs),
            }
            pieces.append(pa.table(columns, schema=self._fields()))
        return self._route(pa.concat_tables(pieces), f"{part.key}-{ranges}", ranges, context)

    def _old_shingles(
        self, position: int, old: Index, name: str, start: int, ranges: int, folder: str, context: TaskContext
    ) -> Entry:
        """The candidates of one file of an index, in the form that `_shingles` gives those of a part."""
        members = old.of_file(name, _members(context, folder, position))
        pieces = [self._fields().empty_table()]
        wanted = members.column("id").to_numpy()
        for rows in old.shingle_rows(name, start, wanted) if len(wanted) else ():
            columns = {
                "id": rows.column("id"),
                "root": _roots(rows.column("id").to_numpy(), members),
                "weight": pa.array(np.zeros(rows.num_rows, np.uint32)),
                "origin": rows.column("origin"),
                "keys": rows.column("keys"),
                "shingles": rows.column("shingles"),
                **{field.name: pa.array(np.zeros(rows.num_rows)) for field in rank_fields(self.keep)},
            }
            pieces.append(pa.table(columns, schema=self._fields()))
        return self._route(pa.concat_tables(pieces), f"old-{old.place}-{name}-{ranges}", ranges, context)

    def _lists(self, keys: U64) -> pa.LargeListArray:
        bands = self.banding[0]
        return pa.LargeListArray.from_arrays(pa.array(np.arange(0, len(keys) + 1, bands)), pa.array(keys))

    def _route(self, rows: pa.Table, name: str, ranges: int, context: TaskContext) -> Entry:
        path = f"{context.folder}/shingles/{name}.arrow"
        bucket = bucket_of(mix(rows.column("root").to_numpy()), ranges)
        return {"files": [write_buckets(context.store, path, rows, bucket, ranges).to_json()]}

    def _verify(self, span: int, ranges: int, names: Sequence[str], numbers: I64, context: TaskContext) -> Entry:
        values, lengths, keys = Spool(np.uint64, self.memory / 4), [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
        small = [self._fields().empty_table().drop_columns(["shingles", "keys"])]
        for batch in bucket_batches(context.store, [f"{context.folder}/shingles/{name}.arrow" for name in names], span):
            values.append(batch.column("shingles").flatten().to_numpy())
            lengths.append(pc.list_value_length(batch.column("shingles")).to_numpy())
            keys.append(batch.column("keys").flatten().to_numpy())
            small.append(pa.Table.from_batches([batch.drop_columns(["shingles", "keys"])]))
        rows = pa.concat_tables(small)
        ids, roots, bands = rows.column("id").to_numpy(), rows.column("root").to_numpy(), self.banding[0]
        old = (ids >> np.uint64(32)).astype(np.int64) > indexes.FIRST_NUMBER - len(self.against)
        # Within a cluster the copy that should stay comes first, but after all documents of earlier runs.
        at = order(rows, roots, (~old).astype(np.uint64))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(lengths))])
        group, count = groups(roots, np.concatenate(keys), bands)
        weight = rows.column("weight").to_numpy()
        anchor, jaccard, size, histogram = verify(
            values.array(), offsets, at, group, count, bands, self.verify_jaccard, weight, old
        )
        verdicts = pa.table(
            {
                "id": pa.array(ids),
                "anchor": pa.array(ids[anchor]),
                "jaccard": pa.array(jaccard),
                "size": pa.array(size),
                "origin": rows.column("origin").combine_chunks().take(pa.array(anchor)),
            }
        )
        entry = write_by_part(context, f"{context.folder}/verify-{ranges}/range-{span:04d}.arrow", verdicts, numbers)
        dropped = verdicts.filter(pc.not_equal(verdicts.column("id"), verdicts.column("anchor")))
        counts = {f"jaccard_{number:02d}": int(count) for number, count in enumerate(histogram)}
        of_this_run = dropped.filter(pc.is_null(dropped.column("origin"))).select(["id", "anchor"])
        figures = {"dropped": dropped.num_rows, "of_earlier_runs": dropped.num_rows - of_this_run.num_rows, **counts}
        return {"files": [entry.to_json()], **figures, **sample(of_this_run, context.seed)}

    def decide(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> Verdict:
        verified = self._verified(part, inputs, context)
        return copies_verdict(part, verified, context, "near_duplicate", "near-duplicate of", self.verify_jaccard)

    def _verified(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> pa.Table:
        """The candidates of a part as `_verify` left them, by id."""
        return read_by_part(context, f"verify-{self._ranges(inputs)}", part, inputs).sort_by("id")

    # --- the index --------------------------------------------------------------------------------------------------

    def _index_part(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> Entry:
        candidates = self._verified(part, inputs, context)
        copies = candidates.filter(pc.not_equal(candidates.column("id"), candidates.column("anchor")))
        dropped = copies.column("id").combine_chunks()
        pieces = [indexes.ROWS.empty_table()]
        for docs in part.tables(context.store, ["id", "text", "origin"]):
            sketch, full = self.sketch(docs.column("text"), part.source)
            stays = full & ~pc.is_in(docs.column("id"), dropped).to_numpy(zero_copy_only=False)
            docs, sketch = docs.filter(pa.array(stays)), sketch[stays]
            values, offsets = self.shingle_sets(docs.column("text"), part.source)
            sets = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))
            columns = {
                "origin": docs.column("origin"),
                "keys": self._lists(band_keys(sketch, *self.banding)),
                "shingles": sets,
            }
            pieces.append(pa.table(columns, schema=indexes.ROWS))
        return indexes.write_part(context, part.key, pa.concat_tables(pieces))

    def _index_json(self, entries: Sequence[Entry], context: TaskContext) -> Entry:
        return {"files": [indexes.write_index(context, entries, self.parameters()).to_json()]}


def star_edges(key: U64, ids: U64) -> tuple[U64, U64]:
    """`(hub, id)` for every document that shares a key with a lower id. The hub is the lowest, so n copies give n - 1
    edges, never n². Ids must ascend among equal keys. Keys that only documents of indexes share give no edges."""
    at = np.argsort(key, kind="stable")
    key, ids = key[at], ids[at]
    new = begins(key)
    first, _, group = runs(new)
    hub = ids[first[group]]
    edge = ~new & (hub >> np.uint64(32) < np.uint64(indexes.LEAST_NUMBER))
    return hub[edge], ids[edge]


def _members(context: TaskContext, folder: str, position: int) -> pa.Table:
    """Candidates (id, root) of the part at `position`, by id."""
    paths = [f"{context.folder}/{folder}/{name}" for name in context.store.list(f"{context.folder}/{folder}")]
    return read_bucket(context.store, paths, position).sort_by("id")


def _roots(ids: U64, members: pa.Table) -> pa.Array:
    known = members.column("id").to_numpy()
    return pa.array(members.column("root").to_numpy()[np.searchsorted(known, ids)])
