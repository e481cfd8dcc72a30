"""The stage `line_dedup`: cuts lines or paragraphs that several documents have out of all but the first.

Such lines are menus, notices, licence headers. A line's 128-bit hash and its document's id are shuffled by hash range; a
document that has a line twice counts once. Then a part's lines are hashed again, and those that another document owns are
cut. The trade: 24 bytes go through the shuffle for every line of at least `min_characters`, on 45 MB of text of all kinds
0.28 of its size.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from eyas.corpus.part import Part
from eyas.corpus.shuffle import bucket_of, read_bucket, write_buckets
from eyas.corpus.task import Entry, Step, Task, TaskContext
from eyas.corpus.verdict import Verdict
from eyas.filters.dedup.audit import Auditor, Pair, audit_step, normalised, sample
from eyas.filters.dedup.base import I64, U64, begins, part_numbers, read_by_part, runs, write_by_part
from eyas.filters.dedup.spans import Spans, SpanStage, merged
from eyas.text_kernels.fingerprints.line_hashes import Lines, lines
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.unicode import classes as unicode_classes

_REPEATED = pa.schema([("id", pa.uint64()), ("high", pa.uint64()), ("low", pa.uint64()), ("anchor", pa.uint64())])
"""A line to cut: its document, the two halves of its hash, and a document that it is a copy from."""


class LineDedup(SpanStage):
    """Cuts out lines or paragraphs that an earlier document has too; drops documents that become too short."""

    version: ClassVar[int] = 2

    unit: Literal["line", "paragraph"] = "line"
    """The unit that is compared: lines, or paragraphs between empty lines."""
    min_characters: int = Field(default=20, ge=1)
    """Shorter lines are left alone: `}`, `return x`, a name."""
    min_documents: int = Field(default=2, ge=2)
    """Fewest documents that must have a line before it is cut (Llama 3: more than 6, of 30 million)."""
    keep_first: bool = True
    """Keep every occurrence in the document with the lowest id; false: cut the line everywhere."""
    fold_case: bool = True
    """Ignore case. The kind and amount of white space between words is always ignored."""
    fold_digits: bool = False
    """Count all digits as equal: `page 3 of 9`."""

    def lines(self, text: pa.ChunkedArray) -> Lines:
        """The lines or paragraphs of texts, hashed."""
        return lines(text, self.unit == "paragraph", self.fold_case, self.fold_digits)

    def plan(self, inputs: Sequence[Part]) -> Generator[Step, list[Entry], None]:
        if not inputs:
            return
        buckets = self._buckets(inputs)
        yield Step.of(
            "lines", [Task(f"{p.key}-{buckets}", partial(self._lines, p, buckets), p.text_bytes) for p in inputs]
        )
        keys, numbers = [part.key for part in inputs], part_numbers(inputs)
        tasks = [
            Task(f"bucket-{b:04d}-{buckets}", partial(self._match, b, buckets, keys, numbers)) for b in range(buckets)
        ]
        entries = yield Step.of("match", tasks)
        yield audit_step(entries, inputs, LineAuditor(self))

    def _buckets(self, inputs: Sequence[Part]) -> int:
        # At most one row of 24 bytes for every `min_characters` bytes of text, and rarely more than one for every 40.
        return self.buckets(24 / max(self.min_characters, 40) * sum(part.text_bytes for part in inputs))

    def _lines(self, part: Part, buckets: int, context: TaskContext) -> Entry:
        high, low, ids = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
        for docs in part.tables(context.store, ["id", "text"]):
            here = self.lines(docs.column("text"))
            owner = np.repeat(docs.column("id").to_numpy(), np.diff(here.offsets))
            long = here.characters >= self.min_characters
            at = _first_of_each(owner[long], here.high[long], here.low[long])
            high.append(here.high[long][at])
            low.append(here.low[long][at])
            ids.append(owner[long][at])
        rows = pa.table({"high": np.concatenate(high), "low": np.concatenate(low), "id": np.concatenate(ids)})
        path = f"{context.folder}/lines-{buckets}/{part.key}.arrow"
        bucket = bucket_of(rows.column("high").to_numpy(), buckets)
        return {"files": [write_buckets(context.store, path, rows, bucket, buckets).to_json()]}

    def _match(self, bucket: int, buckets: int, keys: Sequence[str], numbers: I64, context: TaskContext) -> Entry:
        rows = read_bucket(context.store, [f"{context.folder}/lines-{buckets}/{key}.arrow" for key in keys], bucket)
        high, low, ids = (rows.column(name).to_numpy() for name in ("high", "low", "id"))
        at = np.lexsort((ids, low, high))
        high, low, ids = high[at], low[at], ids[at]
        new = begins(high, low)
        first, _, group = runs(new)
        often = (np.bincount(group) >= self.min_documents)[group]
        cut = often & ~new if self.keep_first else often
        # If all documents lose the line, the first is a copy of the second.
        anchor = ids[np.where(new, np.minimum(first[group] + 1, len(ids) - 1), first[group])]
        columns = [pa.array(column[cut]) for column in (ids, high, low, anchor)]
        repeated = pa.Table.from_arrays(columns, schema=_REPEATED)
        path = f"{context.folder}/match-{buckets}/bucket-{bucket:04d}.arrow"
        matches = write_by_part(context, path, repeated, numbers)
        # A document that keeps what others lose must not be dropped for being short: its part reads it here.
        owners = pa.table({"id": np.unique(anchor[cut]) if self.keep_first else ids[:0]})
        path = f"{context.folder}/owners-{buckets}/bucket-{bucket:04d}.arrow"
        files = [matches.to_json(), write_by_part(context, path, owners, numbers).to_json()]
        return {"files": files, "lines": repeated.num_rows, **sample(repeated, context.seed)}

    def decide(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> Verdict:
        repeated = read_by_part(context, f"match-{self._buckets(inputs)}", part, inputs)
        ids, high, low, anchor = (repeated.column(name).to_numpy() for name in _REPEATED.names)
        at = np.lexsort((low, high, ids))
        ids, high, low, anchor = ids[at], high[at], low[at], anchor[at]
        owners = read_by_part(context, f"owners-{self._buckets(inputs)}", part, inputs).column("id").combine_chunks()
        spans = Spans(self.least_words)
        for docs in part.tables(context.store, ["id", "text"]):
            owns = pc.is_in(docs.column("id"), owners).to_numpy()
            here = self.lines(docs.column("text"))
            document = np.repeat(np.arange(docs.num_rows), np.diff(here.offsets))
            of_docs = docs.column("id").to_numpy()
            bounds = np.searchsorted(ids, of_docs, side="left"), np.searchsorted(ids, of_docs, side="right")
            place = _look_up(here.high, here.low, document, *bounds, high, low)
            cut = place >= 0
            spans.add(docs, *merged(document[cut], here.start[cut], here.end[cut], anchor[place[cut]]), owns)
        return spans.verdict()


def _first_of_each(owner: U64, high: U64, low: U64) -> I64:
    """Positions of the distinct (owner, high, low)."""
    at = np.lexsort((low, high, owner))
    first: I64 = at[begins(owner[at], high[at], low[at])]
    return first


@kernel
def _look_up(
    high: U64, low: U64, document: I64, first: I64, last: I64, known_high: U64, known_low: U64
) -> npt.NDArray[np.int64]:
    """The place of each line among the sorted known ones of its document (`first[d]` to `last[d]`); -1 if it has none."""
    places = np.full(len(high), -1, np.int64)
    for line in range(len(high)):
        a, b = first[document[line]], last[document[line]]
        while a < b:
            middle = (a + b) // 2
            less = known_high[middle] < high[line] or (
                known_high[middle] == high[line] and known_low[middle] < low[line]
            )
            if less:
                a = middle + 1
            else:
                b = middle
        if a < last[document[line]] and known_high[a] == high[line] and known_low[a] == low[line]:
            places[line] = a
    return places


class LineAuditor(Auditor):
    """Searches the line among those of the other document, by comparing strings."""

    def __init__(self, stage: LineDedup) -> None:
        self.stage = stage

    def span(self, dropped: dict[str, Any], row: Mapping[str, int]) -> tuple[int, int]:
        here = self.stage.lines(pa.chunked_array([pa.array([dropped["text"]], pa.large_string())]))
        at = int(np.flatnonzero((here.high == np.uint64(row["high"])) & (here.low == np.uint64(row["low"])))[0])
        return int(here.start[at]), int(here.end[at])

    def right(self, pair: Pair) -> tuple[bool, float]:
        assert pair.span is not None
        line = pair.dropped["text"].encode()[pair.span[0] : pair.span[1]].decode()
        same = self._normalised(line) in map(self._normalised, self._units(pair.kept["text"]))
        return same, float(same)

    def _units(self, text: str) -> list[str]:
        units = text.split("\n")
        if self.stage.unit == "line":
            return units
        blank = [not self._normalised(line) for line in units]
        grouped = groupby(zip(units, blank, strict=True), key=lambda item: item[1])
        return ["\n".join(line for line, _ in group) for _, group in grouped]

    def _normalised(self, text: str) -> str:
        spaces = unicode_classes.classes() == unicode_classes.CLASS_SPACE
        plain = "".join(" " if spaces[ord(character)] else character for character in text)
        folded = normalised(plain, self.stage.fold_case, self.stage.fold_digits)
        return " ".join(word for word in folded.split(" ") if word)
