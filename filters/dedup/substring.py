"""The stage `substring_dedup`: cuts, masks or counts spans of text that several documents share, whatever surrounds them.

A span of `min_bytes` (or `min_words`) is removed from every document but the one with the lowest id (Lee et al.,
Deduplicating Training Data Makes Language Models Better, 2022). They sort all suffixes of the corpus at once. Here winnowed
fingerprints find the neighbourhoods that could repeat, a shuffle collects those by hash range, and each range has a suffix
array of its own: exact, whatever the number of machines, and memory is that of one range. The trade: a repeated span is
copied some six times on its way to the suffix arrays; text that repeats nothing is hashed once and left alone. A
fingerprint that thousands of documents share, as that of a notice, is hot: it would collect all their neighbourhoods in one
range. Around it every span of the wanted length is hashed instead, with 128 bits, and the hashes are shuffled.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

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
from eyas.filters.dedup.audit import Auditor, Pair, audit_step, normalised_words, sample
from eyas.filters.dedup.base import I64, U64, begins, part_numbers, read_by_part, runs, write_by_part
from eyas.filters.dedup.repeats import NOBODY, owners
from eyas.filters.dedup.shared_spans import flat, hashed, slices
from eyas.filters.dedup.spans import Spans, SpanStage, merged
from eyas.text_kernels.fingerprints.winnowing import fingerprints, gram
from eyas.text_kernels.jit import kernel
from eyas.text_kernels.utf8 import buffers
from eyas.text_kernels.words.words import word_hashes, words

_LAYOUT = "layout.json"
HOT = 2000
"""A fingerprint with more occurrences has too many neighbourhoods for one range."""
_MARK_BYTES = 24
_WINDOW_BYTES = 32
_SYMBOL_BYTES = 32
"""Bytes of memory for each symbol in a suffix array, with ranks, owners and pieces."""


class SubstringDedup(SpanStage):
    """Cuts out spans of text that an earlier document has too; drops documents that become too short."""

    min_bytes: int | None = Field(default=None, ge=16)
    """Length of the shortest span, in bytes of UTF-8."""
    min_words: int | None = Field(default=None, ge=4)
    """Length of the shortest span, in words and symbols; 50 if neither length is given (Lee et al.: 50 tokens)."""
    action: Literal["remove", "mask", "count"] = "remove"
    """Cut spans out, put `filler` in their place, or only write their share into the column `repeated_share`."""
    filler: str = "…"
    """The text that replaces a masked span."""
    fold_case: bool = False
    """Ignore case (with `min_words` only)."""
    fold_digits: bool = False
    """Count all digits as equal (with `min_words` only)."""

    @model_validator(mode="after")
    def _one_measure(self) -> SubstringDedup:
        if self.min_bytes is not None and self.min_words is not None:
            raise InputError("give `min_bytes` or `min_words`, not both")
        if self.min_bytes is not None and (self.fold_case or self.fold_digits):
            raise InputError("`fold_case` and `fold_digits` are for `min_words`: bytes are compared as they are")
        return self

    @property
    def least(self) -> int:
        """Symbols in the shortest span."""
        return self.min_bytes or self.min_words or 50

    def symbols(self, text: pa.ChunkedArray) -> tuple[npt.NDArray[Any], I64]:
        """Texts as symbols (bytes, or 64-bit hashes of words), and the offsets of each text's symbols."""
        if self.min_bytes is not None:
            return buffers(text)
        return word_hashes(text, self.fold_case, self.fold_digits)

    # --- the plan ---------------------------------------------------------------------------------------------------

    def plan(self, inputs: Sequence[Part]) -> Generator[Step, list[Entry], None]:
        if not inputs:
            return
        text = sum(part.text_bytes for part in inputs)
        buckets = self.buckets(_MARK_BYTES * 4 * text / self.least)
        numbers, keys = part_numbers(inputs), [part.key for part in inputs]
        marks = [Task(f"{part.key}-{buckets}", partial(self._marks, part, buckets), part.text_bytes) for part in inputs]
        yield Step.of("marks", marks)
        tasks = [
            Task(f"bucket-{b:04d}-{buckets}", partial(self._shared, b, buckets, keys, numbers)) for b in range(buckets)
        ]
        shared = yield Step.of("shared", tasks)
        # The amount to collect is known only now: most corpora repeat a small part of themselves.
        cold, hot = (sum(entry[name] for entry in shared) for name in ("cold", "hot"))
        ranges = self.buckets(cold * 2 * self.least * _SYMBOL_BYTES)
        hot_ranges = self.buckets(hot * (self.least - gram(self.least) + 1) * _WINDOW_BYTES)
        cut = f"{ranges}-{hot_ranges}"
        tasks = [
            Task(
                f"{part.key}-{cut}", partial(self._contexts, part, buckets, ranges, hot_ranges, inputs), part.text_bytes
            )
            for part in inputs
        ]
        yield Step.of("contexts", tasks)
        tasks = [
            Task(f"range-{r:04d}-{cut}", partial(self._match, r, ranges, cut, keys, numbers)) for r in range(ranges)
        ]
        tasks += [
            Task(f"windows-{r:04d}-{cut}", partial(self._match_windows, r, hot_ranges, cut, keys, numbers))
            for r in range(hot_ranges)
        ]
        entries = yield Step.of("match", tasks)
        yield Step.of("layout", [Task(f"all-{cut}", partial(self._layout, cut))])
        yield audit_step(entries, inputs, SubstringAuditor(self))

    def _marks(self, part: Part, buckets: int, context: TaskContext) -> Entry:
        """The fingerprints of a part: hash, document, position."""
        columns = [(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int64))]
        for docs in part.tables(context.store, ["id", "text"]):
            hashes, positions, offsets = fingerprints(*self.symbols(docs.column("text")), self.least)
            columns.append((hashes, np.repeat(docs.column("id").to_numpy(), np.diff(offsets)), positions))
        hashes, ids, positions = (np.concatenate(column) for column in zip(*columns, strict=True))
        rows = pa.table({"hash": hashes, "id": ids, "position": positions})
        path = f"{context.folder}/marks-{buckets}/{part.key}.arrow"
        return {"files": [write_buckets(context.store, path, rows, bucket_of(hashes, buckets), buckets).to_json()]}

    def _shared(self, bucket: int, buckets: int, keys: Sequence[str], numbers: I64, context: TaskContext) -> Entry:
        """The fingerprints that several documents have, by part."""
        rows = read_bucket(context.store, [f"{context.folder}/marks-{buckets}/{key}.arrow" for key in keys], bucket)
        hashes, ids = rows.column("hash").to_numpy(), rows.column("id").to_numpy()
        at = np.argsort(hashes, kind="stable")  # parts come in order, so ids ascend among equal hashes
        hashes, ids = hashes[at], ids[at]
        first, last, group = runs(begins(hashes))
        several = (ids[first] != ids[last])[group]
        hot = (np.bincount(group) > HOT)[group][several]
        shared = rows.take(pa.array(at[several])).append_column("hot", pa.array(hot))
        path = f"{context.folder}/shared-{buckets}/bucket-{bucket:04d}.arrow"
        counts = {"cold": int((~hot).sum()), "hot": int(hot.sum())}
        return {"files": [write_by_part(context, path, shared, numbers).to_json()], **counts}

    def _contexts(
        self, part: Part, buckets: int, ranges: int, hot_ranges: int, inputs: Sequence[Part], context: TaskContext
    ) -> Entry:
        """Writes, for each shared fingerprint, the symbols of all spans that contain it; for a hot one, their hashes."""
        order = [("id", "ascending"), ("position", "ascending")]
        marks = read_by_part(context, f"shared-{buckets}", part, inputs).sort_by(order)
        ids = marks.column("id").to_numpy()
        pieces, windows = [_CONTEXTS.empty_table()], [_WINDOWS.empty_table()]
        for docs in part.tables(context.store, ["id", "text"]) if marks.num_rows else ():
            symbols, offsets = self.symbols(docs.column("text"))
            of_docs = docs.column("id").to_numpy()
            first, last = np.searchsorted(ids, [of_docs[0], of_docs[-1] + np.uint64(1)])
            here = marks.slice(first, last - first)
            for hot in (False, True):
                fingerprint = here.filter(pc.equal(here.column("hot"), hot))
                place = np.searchsorted(of_docs, fingerprint.column("id").to_numpy())
                position = fingerprint.column("position").to_numpy()
                start = np.maximum(position - (self.least - gram(self.least)), 0)
                stop = np.minimum(position + self.least, np.diff(offsets)[place])
                in_symbols = offsets[place] + start
                if hot:
                    # Documents with a fingerprint are no shorter than `least`, so there is at least one span.
                    count = stop - start - self.least + 1
                    windows.append(_windows(fingerprint, start, *hashed(symbols, in_symbols, count, self.least)))
                else:
                    texts = slices(symbols, in_symbols, stop - start)
                    columns = [fingerprint.column("hash"), fingerprint.column("id"), pa.array(start), texts]
                    pieces.append(pa.table(columns, schema=_CONTEXTS))
        files = []
        for name, tables, key, into in (("contexts", pieces, "hash", ranges), ("windows", windows, "high", hot_ranges)):
            rows = pa.concat_tables(tables)
            path = f"{context.folder}/{name}-{into}/{part.key}.arrow"
            files.append(write_buckets(context.store, path, rows, bucket_of(rows.column(key).to_numpy(), into), into))
        return {"files": [file.to_json() for file in files]}

    def _match(
        self, span: int, ranges: int, cut: str, keys: Sequence[str], numbers: I64, context: TaskContext
    ) -> Entry:
        """Writes the spans in one range that a document with a lower id has too, found by suffix array."""
        rows = read_bucket(context.store, [f"{context.folder}/contexts-{ranges}/{key}.arrow" for key in keys], span)
        ids, start = rows.column("id").to_numpy(), rows.column("start").to_numpy()
        # Copies of one context go into the suffix array once.
        pieces = rows.column("symbols").combine_chunks().dictionary_encode()
        kind = pieces.indices.to_numpy().astype(np.int64)
        low = np.full(len(pieces.dictionary), NOBODY, np.uint64)
        high = np.zeros(len(pieces.dictionary), np.uint64)
        np.minimum.at(low, kind, ids)
        np.maximum.at(high, kind, ids)
        symbols, offsets = flat(pieces.dictionary, 1 if self.min_bytes is not None else 8)
        shard = max(int(self.memory / 3 / _SYMBOL_BYTES), 4 * self.least)
        owner = owners(symbols, offsets, low, high, self.least, shard)
        tables = []
        for owned in (False, True):
            row, begin, end, other = _repeats(owner, offsets, kind, ids, self.least, owned)
            tables.append((ids[row], start[row] + begin, start[row] + end, other))
        return self._publish(f"range-{span:04d}", cut, tables[0], tables[1], numbers, context)

    def _match_windows(
        self, span: int, ranges: int, cut: str, keys: Sequence[str], numbers: I64, context: TaskContext
    ) -> Entry:
        """Writes the spans around hot fingerprints in one range that a document with a lower id has too, found by hash."""
        rows = read_bucket(context.store, [f"{context.folder}/windows-{ranges}/{key}.arrow" for key in keys], span)
        high, low, ids, start = (rows.column(name).to_numpy() for name in _WINDOWS.names)
        at = np.lexsort((ids, low, high))
        high, low, ids, start = high[at], low[at], ids[at], start[at]
        first, last, group = runs(begins(high, low))
        owner = ids[first[group]]
        several = (ids[first] != ids[last])[group]
        tables = []
        for which in (several & (ids != owner), several & (ids == owner)):
            tables.append((ids[which], start[which], start[which] + self.least, owner[which]))
        return self._publish(f"windows-{span:04d}", cut, tables[0], tables[1], numbers, context)

    def _publish(
        self, name: str, cut: str, repeats: _Columns, owned: _Columns, numbers: I64, context: TaskContext
    ) -> Entry:
        """Writes, by part, the spans that documents repeat of others, and those that others repeat of them."""
        tables = [pa.Table.from_arrays([*map(pa.array, columns)], schema=_SPANS) for columns in (repeats, owned)]
        files = [
            write_by_part(context, f"{context.folder}/{kind}-{cut}/{name}.arrow", table, numbers).to_json()
            for kind, table in zip(("match", "owned"), tables, strict=True)
        ]
        removed = tables[0].drop_columns(["end"]).set_column(1, "start", tables[0].column("start").cast(pa.uint64()))
        return {"files": files, **sample(removed, context.seed)}

    def _layout(self, cut: str, context: TaskContext) -> Entry:
        """Records the cut of this run's files: a killed run with another `memory` may have left others."""
        return {"files": [context.store.write_json(f"{context.folder}/{_LAYOUT}", {"cut": cut}).to_json()]}

    # --- the verdict ------------------------------------------------------------------------------------------------

    def decide(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> Verdict:
        cut = context.store.read_json(f"{context.folder}/{_LAYOUT}")["cut"]
        repeated, owned = (
            read_by_part(context, f"{kind}-{cut}", part, inputs).sort_by("id") for kind in ("match", "owned")
        )
        spans = Spans(self.least_words, self.filler if self.action == "mask" else "", self.action != "count")
        for docs in part.tables(context.store, ["id", "text"]):
            whole = merged(*_within(docs, repeated))
            owns = _owns(docs.num_rows, _within(docs, owned), whole)
            in_bytes = self.bytes_of(docs.column("text"), *whole)
            spans.add(docs, *in_bytes, owns)
        return spans.verdict()

    def bytes_of(
        self, text: pa.ChunkedArray, document: I64, start: I64, end: I64, other: U64
    ) -> tuple[I64, I64, I64, U64]:
        """Spans of symbols as spans of bytes, which never split a character."""
        data, offsets = buffers(text)
        if self.min_bytes is not None:
            begin, stop = _whole_characters(data, offsets[document] + start, offsets[document] + end)
        else:
            word_start, word_end, places = words(text)
            first, last = places[document] + start, places[document] + end
            begin, stop = word_start[first], word_end[last - 1]
            if self.action == "remove" and len(word_start):
                # The space after the words is cut with them, so that the rest reads as before.
                within = last < places[document + 1]
                stop = np.where(within, word_start[np.minimum(last, len(word_start) - 1)], offsets[document + 1])
        some = begin < stop
        base = offsets[document]
        return document[some], (begin - base)[some], (stop - base)[some], other[some]


_CONTEXTS = pa.schema(
    [("hash", pa.uint64()), ("id", pa.uint64()), ("start", pa.int64()), ("symbols", pa.large_binary())]
)
"""A fingerprint's neighbourhood: `start` in symbols of its document; the symbols as bytes, eight bytes for a word."""
_WINDOWS = pa.schema([("high", pa.uint64()), ("low", pa.uint64()), ("id", pa.uint64()), ("start", pa.int64())])
"""A span of the shortest length around a hot fingerprint, by its hash."""
_SPANS = pa.schema([("id", pa.uint64()), ("start", pa.int64()), ("end", pa.int64()), ("anchor", pa.uint64())])
_Columns = tuple[U64, I64, I64, U64]
"""Columns of `_SPANS`; start and end count symbols."""


def _windows(marks: pa.Table, start: I64, high: U64, low: U64, count: I64) -> pa.Table:
    """Rows of `_WINDOWS`: mark i has `count[i]` of the hashes, the first at `start[i]`."""
    first = np.cumsum(count) - count
    begin = np.repeat(start - first, count) + np.arange(len(high))
    ids = np.repeat(marks.column("id").to_numpy(), count)
    return pa.table([pa.array(column) for column in (high, low, ids, begin)], schema=_WINDOWS)


def _within(docs: pa.Table, spans: pa.Table) -> tuple[I64, I64, I64, U64]:
    """The rows of `spans` (by id) in documents of `docs`: the place of the document in `docs`, start, end, anchor."""
    ids, start, end, anchor = (spans.column(name).to_numpy() for name in _SPANS.names)
    of_docs = docs.column("id").to_numpy()
    here = slice(*np.searchsorted(ids, [of_docs[0], of_docs[-1] + np.uint64(1)]))
    return np.searchsorted(of_docs, ids[here]), start[here], end[here], anchor[here]


def _owns(documents: int, owned: tuple[I64, I64, I64, U64], cut: tuple[I64, I64, I64, U64]) -> npt.NDArray[np.bool_]:
    """Which documents keep something that others lose: a span that they own and that no cut covers.

    In one range a document may seem to own a span that it loses to a lower id in another: a cut covers such a span.
    """
    document, start, end, _ = owned
    lift = int(max(end.max(initial=0), cut[2].max(initial=0))) + 1
    place = np.searchsorted(cut[0] * lift + cut[1], document * lift + start, side="right") - 1
    covered = np.zeros(len(document), np.bool_)
    some = place >= 0
    covered[some] = (cut[0][place[some]] == document[some]) & (cut[2][place[some]] >= end[some])
    owns = np.zeros(documents, np.bool_)
    owns[document[~covered]] = True
    return owns


def _repeats(owner: U64, offsets: I64, kind: I64, ids: U64, least: int, owned: bool) -> tuple[I64, I64, I64, U64]:
    """`(row, start, end, anchor)`: where the context `row`, a piece `kind[row]` in the document `ids[row]`, repeats another
    document; if `owned`, where others repeat it."""
    none = np.zeros((3, 0), np.int64), np.zeros(0, np.uint64)
    count = _intervals(owner, offsets, kind, ids, least, owned, *none)
    intervals, anchor = np.empty((3, count), np.int64), np.empty(count, np.uint64)
    _intervals(owner, offsets, kind, ids, least, owned, intervals, anchor)
    return intervals[0], intervals[1], intervals[2], anchor


@kernel
def _intervals(
    owner: U64, offsets: I64, kind: I64, ids: U64, least: int, owned: bool, intervals: I64, anchor: U64
) -> int:
    """Fills `intervals` (row, start, end) and `anchor`, unless they have length 0; returns the number of intervals."""
    count = 0
    for row in range(len(kind)):
        begin = offsets[kind[row]]
        end = -1
        last = NOBODY
        for p in range(begin, offsets[kind[row] + 1]):
            here = owner[p]
            if here == NOBODY or (here == ids[row]) != owned:
                continue
            if p - begin > end or here != last:
                if len(anchor):
                    intervals[0, count], intervals[1, count], anchor[count] = row, p - begin, here
                count += 1
            end = p - begin + least
            last = here
            if len(anchor):
                intervals[2, count - 1] = end
    return count


@kernel
def _whole_characters(data: npt.NDArray[np.uint8], start: I64, end: I64) -> tuple[I64, I64]:
    """The spans, shortened to whole code points."""
    first, last = start.copy(), end.copy()
    for i in range(len(start)):
        while first[i] < last[i] and data[first[i]] & 0xC0 == 0x80:
            first[i] += 1
        while last[i] > first[i] and last[i] < len(data) and data[last[i]] & 0xC0 == 0x80:
            last[i] -= 1
    return first, last


class SubstringAuditor(Auditor):
    """Searches a span of the shortest length in the other document, by Python's own search."""

    def __init__(self, stage: SubstringDedup) -> None:
        self.stage = stage

    def span(self, dropped: dict[str, Any], row: Mapping[str, int]) -> tuple[int, int]:
        text = pa.chunked_array([pa.array([dropped["text"]], pa.large_string())])
        start, document = np.array([row["start"]], np.int64), np.zeros(1, np.int64)
        _, begin, stop, _ = self.stage.bytes_of(text, document, start, start + self.stage.least, np.zeros(1, np.uint64))
        return int(begin[0]), int(stop[0])

    def right(self, pair: Pair) -> tuple[bool, float]:
        assert pair.span is not None
        piece, kept = pair.dropped["text"].encode()[pair.span[0] : pair.span[1]], pair.kept["text"].encode()
        if self.stage.min_bytes is None:
            piece, kept = (b" ".join(self._words(text)) for text in (piece.decode(), kept.decode()))
        same = piece in kept
        return same, float(same)

    def _words(self, text: str) -> list[bytes]:
        return [word.encode() for word in normalised_words(text, self.stage.fold_case, self.stage.fold_digits)]
