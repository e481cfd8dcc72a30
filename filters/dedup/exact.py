"""The stage `exact_dedup`: of documents with the same text, URL or other key, one stays.

It shuffles 128-bit hashes, not texts (28 bytes a document and 8 for each term of `keep`), by hash range, so memory is that
of one range. BLAKE2b runs at about 0.9 GB/s on one core and has no known collisions; a 64-bit hash would meet one by chance
near 5 billion documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from functools import partial
from typing import ClassVar
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from eyas.corpus.part import Part
from eyas.corpus.shuffle import bucket_of, read_bucket, write_buckets
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.corpus.verdict import Verdict
from eyas.errors import InputError
from eyas.filters.dedup.audit import Auditor, Pair, audit_step, sample
from eyas.filters.dedup.base import (
    KeepingStage,
    begins,
    copies_verdict,
    part_numbers,
    read_by_part,
    runs,
    weights,
    write_by_part,
)
from eyas.filters.dedup.keep import KeepExpression, order, parse, rank_fields, ranks


class ExactDedup(KeepingStage):
    """Drops documents whose text, or whose key in another column, is that of a document that stays."""

    version: ClassVar[int] = 2

    by: str = Field(default="text", min_length=1)
    """The column that must be equal: the text, or another such as `url`. Documents without a value in it stay."""
    url: bool = False
    """Count addresses as equal that differ only in scheme, `www.`, case of the host, a default port, a fragment, or a
    slash at the end."""
    ignore_case: bool = False
    """Count texts that differ only in case as copies."""
    ignore_whitespace: bool = False
    """Count texts that differ only in white space as copies."""
    keep: KeepExpression = "first"
    """Which copy stays: the first term that differs decides; ties go to the lowest id. Terms are first, longest, shortest,
    highest(COLUMN), lowest(COLUMN), newest(COLUMN), oldest(COLUMN), source(A, B, …)."""

    @model_validator(mode="after")
    def _url_of_a_column(self) -> ExactDedup:
        if self.url and self.by == "text":
            raise InputError("`url: true` needs the column that holds addresses: `by: url`")
        return self

    def columns_needed(self) -> tuple[str, ...]:
        return (*super().columns_needed(), *([self.by] if self.by != "text" else []))

    def read(self) -> list[str]:
        return [*super().read(), self.by]

    def plan(self, inputs: Sequence[Part]) -> Generator[Step, list[Entry], None]:
        if not inputs:
            return
        buckets = self._buckets(inputs)
        hashes = [Task(f"{p.key}-{buckets}", partial(self._hash, p, buckets), p.text_bytes) for p in inputs]
        yield Step.of("hash", hashes)
        paths = [_hashes(part, buckets) for part in inputs]
        matches = [
            Task(f"bucket-{bucket:04d}-{buckets}", partial(self._match, bucket, buckets, paths, part_numbers(inputs)))
            for bucket in range(buckets)
        ]
        entries = yield Step.of("match", matches)
        yield audit_step(entries, inputs, ExactAuditor(self))

    def digest(self, text: pa.Scalar) -> bytes:
        """16 bytes, equal for values that count as equal and for no others."""
        if not (self.ignore_case or self.ignore_whitespace or self.url) and isinstance(text, pa.LargeStringScalar):
            return hashlib.blake2b(text.as_buffer(), digest_size=16).digest()
        return hashlib.blake2b(self.normalised(str(text.as_py())).encode(), digest_size=16).digest()

    def normalised(self, text: str) -> str:
        """The text as it is compared."""
        if self.url:
            text = plain_url(text)
        if self.ignore_case:
            text = text.lower()
        return " ".join(text.split()) if self.ignore_whitespace else text

    def _hash(self, part: Part, buckets: int, context: TaskContext) -> Entry:
        pieces = [self._rows(docs) for docs in part.tables(context.store, self.read())]
        rows = pa.concat_tables(pieces) if pieces else self._no_rows()
        path = f"{context.folder}/{_hashes(part, buckets)}"
        bucket = bucket_of(rows.column("high").to_numpy(), buckets)
        return {"files": [write_buckets(context.store, path, rows, bucket, buckets).to_json()]}

    def _rows(self, docs: pa.Table) -> pa.Table:
        # A column that a generator adds to its documents only is absent from others: they have no value in it.
        docs = docs.filter(docs.column(self.by).is_valid()) if self.by in docs.column_names else docs.slice(0, 0)
        if not docs.num_rows:
            return self._no_rows()
        digests = b"".join(self.digest(text) for chunk in docs.column(self.by).chunks for text in chunk)
        halves = np.frombuffer(digests, np.uint64).reshape(-1, 2)
        hashes = {"high": pa.array(halves[:, 0]), "low": pa.array(halves[:, 1])}
        return pa.table({**hashes, "id": docs.column("id"), "weight": weights(docs), **ranks(self.keep, docs)})

    def _no_rows(self) -> pa.Table:
        kinds = {"high": pa.uint64(), "low": pa.uint64(), "id": pa.uint64(), "weight": pa.uint32()}
        return pa.schema([*kinds.items(), *rank_fields(self.keep)]).empty_table()

    def _match(
        self, bucket: int, buckets: int, paths: Sequence[str], numbers: npt.NDArray[np.int64], context: TaskContext
    ) -> Entry:
        rows = read_bucket(context.store, [f"{context.folder}/{path}" for path in paths], bucket)
        high, low = rows.column("high").to_numpy(), rows.column("low").to_numpy()
        at = order(rows, high, low)
        high, low, ids = high[at], low[at], rows.column("id").to_numpy()[at]
        first, _, group = runs(begins(high, low))
        size = np.bincount(group, rows.column("weight").to_numpy()[at]).astype(np.uint32)
        several = (np.bincount(group) > 1)[group]
        copies = pa.table({"id": ids[several], "anchor": ids[first[group[several]]], "size": size[group[several]]})
        path = f"{context.folder}/match-{buckets}/bucket-{bucket:04d}.arrow"
        entry = write_by_part(context, path, copies, numbers)
        dropped = copies.filter(pc.not_equal(copies.column("id"), copies.column("anchor")))
        return {"files": [entry.to_json()], "dropped": dropped.num_rows, **sample(dropped, context.seed)}

    def decide(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> Verdict:
        copies = read_by_part(context, f"match-{self._buckets(inputs)}", part, inputs).sort_by("id")
        return copies_verdict(part, copies, context, "exact_duplicate", "copy of")

    def _buckets(self, inputs: Sequence[Part]) -> int:
        return self.buckets((28 + 8 * len(parse(self.keep))) * sum(part.kept for part in inputs))


def _hashes(part: Part, buckets: int) -> str:
    return f"hash/{part.key}-{buckets}.arrow"


def plain_url(address: str) -> str:
    """A web address without the parts that seldom distinguish two pages; any other text as it is.

    An address without a scheme counts as one of http.
    """
    try:
        parts = urlsplit(address.strip() if "://" in address else f"http://{address.strip()}")
        host = (parts.hostname or "").removeprefix("www.")
        default = {"http": 80, "https": 443}.get(parts.scheme)
        port = f":{parts.port}" if parts.port not in (None, default) else ""
    except ValueError:
        return address
    if not host or parts.scheme not in ("http", "https"):
        return address
    query = f"?{parts.query}" if parts.query else ""
    return f"{host}{port}{parts.path.rstrip('/')}{query}"


class ExactAuditor(Auditor):
    """Compares the values that were hashed."""

    def __init__(self, stage: ExactDedup) -> None:
        self.stage = stage
        self.columns = (stage.by,)

    def right(self, pair: Pair) -> tuple[bool, float]:
        left, right = (str(document[self.stage.by]) for document in (pair.kept, pair.dropped))
        same = self.stage.normalised(left) == self.stage.normalised(right)
        return same, float(same)
