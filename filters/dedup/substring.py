"""Stretches of text that several documents share, however they are embedded: cut, masked, or only counted.

A stretch of `min_bytes` (or `min_words`) is removed from every document but the one with the lowest id (Lee et al.,
Deduplicating Training Data Makes Language Models Better, 2022). They sort all suffixes of the corpus at once; here winnowed
fingerprints find the neighbourhoods that could repeat, those are brought together by hash range, and each range has a suffix
array of its own: exact, whatever the number of machines, and memory is that of one range. The trade: a repeated stretch
is copied some six times on its way to the suffix arrays; text that repeats nothing is hashed once and left alone.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from corpus.part import Part
from corpus.shuffle import bucket_of, read_bucket, write_buckets
from corpus.task import Entry, Step, Task, TaskContext
from corpus.verdict import Verdict
from filters.dedup.audit import Auditor, Pair, audit_step, normalised, sample, split_words
from filters.dedup.base import I64, U64, part_numbers, read_by_part, write_by_part
from filters.dedup.repeats import NOBODY, owners
from filters.dedup.spans import Spans, SpanStage, merged
from text_kernels.jit import kernel
from text_kernels.utf8 import buffers
from text_kernels.winnowing import fingerprints, gram
from text_kernels.words import word_hashes, words

_LAYOUT = "layout.json"
_MARK_BYTES = 24
_SYMBOL_BYTES = 32
"""Of memory for each symbol in a suffix array, with ranks, owners and pieces."""


class SubstringDedup(SpanStage):
    """Cuts out stretches of text that an earlier document has too; drops documents left short."""

    min_bytes: int | None = Field(default=None, ge=16)
    """Shortest stretch, in bytes of UTF-8."""
    min_words: int | None = Field(default=None, ge=4)
    """Shortest stretch, in words, symbols counting as words; 50 if neither is given (Lee et al.: 50 tokens)."""
    action: Literal["remove", "mask", "count"] = "remove"
    """Cut stretches out, put `filler` in their place, or only tell their share in the column `repeated_share`."""
    filler: str = "…"
    """What a masked stretch becomes."""
    fold_case: bool = False
    """Ignore case; with `min_words` only."""
    fold_digits: bool = False
    """Count all digits as equal; with `min_words` only."""

    @model_validator(mode="after")
    def _one_measure(self) -> SubstringDedup:
        if self.min_bytes is not None and self.min_words is not None:
            raise ValueError("give `min_bytes` or `min_words`, not both")
        if self.min_bytes is not None and (self.fold_case or self.fold_digits):
            raise ValueError("`fold_case` and `fold_digits` are for `min_words`: bytes are compared as they are")
        return self

    @property
    def least(self) -> int:
        """Symbols in the shortest stretch."""
        return self.min_bytes or self.min_words or 50

    def symbols(self, text: pa.ChunkedArray) -> tuple[npt.NDArray[Any], I64]:
        """Texts as symbols (bytes, or 64-bit hashes of words), and the offsets of each text's."""
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
        # What is brought together is known only now: most corpora repeat a small part of themselves.
        ranges = self.buckets(sum(entry["marks"] for entry in shared) * 2 * self.least * _SYMBOL_BYTES)
        tasks = [
            Task(f"{part.key}-{ranges}", partial(self._contexts, part, buckets, ranges, inputs), part.text_bytes)
            for part in inputs
        ]
        yield Step.of("contexts", tasks)
        tasks = [Task(f"range-{r:04d}-{ranges}", partial(self._match, r, ranges, keys, numbers)) for r in range(ranges)]
        entries = yield Step.of("match", tasks)
        yield Step.of("layout", [Task(f"all-{ranges}", partial(self._layout, ranges))])
        yield audit_step(entries, inputs, SubstringAuditor(self))

    def _marks(self, part: Part, buckets: int, context: TaskContext) -> Entry:
        """Fingerprints of a part: hash, document, position."""
        found = [(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int64))]
        for docs in part.tables(context.store, ["id", "text"]):
            hashes, positions, offsets = fingerprints(*self.symbols(docs.column("text")), self.least)
            found.append((hashes, np.repeat(docs.column("id").to_numpy(), np.diff(offsets)), positions))
        hashes, ids, positions = (np.concatenate(columns) for columns in zip(*found, strict=True))
        rows = pa.table({"hash": hashes, "id": ids, "position": positions})
        path = f"{context.folder}/marks-{buckets}/{part.key}.arrow"
        return {"files": [write_buckets(context.store, path, rows, bucket_of(hashes, buckets), buckets).to_json()]}

    def _shared(self, bucket: int, buckets: int, keys: Sequence[str], numbers: I64, context: TaskContext) -> Entry:
        """The fingerprints that several documents have, by part."""
        rows = read_bucket(context.store, [f"{context.folder}/marks-{buckets}/{key}.arrow" for key in keys], bucket)
        hashes, ids = rows.column("hash").to_numpy(), rows.column("id").to_numpy()
        at = np.argsort(hashes, kind="stable")  # parts come in order, so ids ascend among equal hashes
        hashes, ids = hashes[at], ids[at]
        new = np.ones(len(hashes), np.bool_)
        new[1:] = hashes[1:] != hashes[:-1]
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(hashes)) - 1
        several = (ids[first] != ids[last])[np.cumsum(new) - 1] if len(ids) else new
        found = rows.take(pa.array(at[several]))
        path = f"{context.folder}/shared-{buckets}/bucket-{bucket:04d}.arrow"
        return {"files": [write_by_part(context, path, found, numbers).to_json()], "marks": found.num_rows}

    def _contexts(self, part: Part, buckets: int, ranges: int, inputs: Sequence[Part], context: TaskContext) -> Entry:
        """Around each shared fingerprint, all symbols that a stretch which contains it could have."""
        order = [("id", "ascending"), ("position", "ascending")]
        marks = read_by_part(context, f"shared-{buckets}", part, inputs).sort_by(order)
        ids, positions = marks.column("id").to_numpy(), marks.column("position").to_numpy()
        pieces = [_CONTEXTS.empty_table()]
        for docs in part.tables(context.store, ["id", "text"]) if marks.num_rows else ():
            symbols, offsets = self.symbols(docs.column("text"))
            mine = docs.column("id").to_numpy()
            here = slice(*np.searchsorted(ids, [mine[0], mine[-1] + np.uint64(1)]))
            place = np.searchsorted(mine, ids[here])
            start = np.maximum(positions[here] - (self.least - gram(self.least)), 0)
            stop = np.minimum(positions[here] + self.least, np.diff(offsets)[place])
            columns = [marks.column("hash").to_numpy()[here], ids[here], start]
            arrays = [*map(pa.array, columns), _slices(symbols, offsets[place] + start, stop - start)]
            pieces.append(pa.Table.from_arrays(arrays, schema=_CONTEXTS))
        rows = pa.concat_tables(pieces)
        path = f"{context.folder}/contexts-{ranges}/{part.key}.arrow"
        bucket = bucket_of(rows.column("hash").to_numpy(), ranges)
        return {"files": [write_buckets(context.store, path, rows, bucket, ranges).to_json()]}

    def _match(self, span: int, ranges: int, keys: Sequence[str], numbers: I64, context: TaskContext) -> Entry:
        """By suffix array, the stretches of the documents in one range that a lower id has too, by part."""
        rows = read_bucket(context.store, [f"{context.folder}/contexts-{ranges}/{key}.arrow" for key in keys], span)
        ids, start = rows.column("id").to_numpy(), rows.column("start").to_numpy()
        # Copies of one context, a page repeated a million times, take part once.
        pieces = rows.column("symbols").combine_chunks().dictionary_encode()
        kind = pieces.indices.to_numpy().astype(np.int64)
        low = np.full(len(pieces.dictionary), NOBODY, np.uint64)
        high = np.zeros(len(pieces.dictionary), np.uint64)
        np.minimum.at(low, kind, ids)
        np.maximum.at(high, kind, ids)
        symbols, offsets = _flat(pieces.dictionary, 1 if self.min_bytes is not None else 8)
        shard = max(int(self.memory / 3 / _SYMBOL_BYTES), 4 * self.least)
        owner = owners(symbols, offsets, low, high, self.least, shard)
        row, begin, end, other = _repeats(owner, offsets, kind, ids, self.least)
        columns = [ids[row], start[row] + begin, start[row] + end, other]
        found = pa.Table.from_arrays([pa.array(column) for column in columns], schema=_FOUND)
        path = f"{context.folder}/match-{ranges}/range-{span:04d}.arrow"
        told = found.drop_columns(["end"]).set_column(1, "start", found.column("start").cast(pa.uint64()))
        return {"files": [write_by_part(context, path, found, numbers).to_json()], **sample(told, context.seed)}

    def _layout(self, ranges: int, context: TaskContext) -> Entry:
        """Names the files that are whole: others may be left of a run with another `memory` that was killed."""
        return {"files": [context.store.write_json(f"{context.folder}/{_LAYOUT}", {"ranges": ranges}).to_json()]}

    # --- what becomes of it -----------------------------------------------------------------------------------------

    def decide(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> Verdict:
        ranges = context.store.read_json(f"{context.folder}/{_LAYOUT}")["ranges"]
        found = read_by_part(context, f"match-{ranges}", part, inputs).sort_by("id")
        ids, start, end, other = (found.column(name).to_numpy() for name in _FOUND.names)
        spans = Spans()
        for docs in part.tables(context.store, ["id", "text"]):
            mine = docs.column("id").to_numpy()
            here = slice(*np.searchsorted(ids, [mine[0], mine[-1] + np.uint64(1)]))
            document = np.searchsorted(mine, ids[here])
            whole = merged(document, start[here], end[here], other[here])
            filler = self.filler if self.action == "mask" else ""
            in_bytes = self.bytes_of(docs.column("text"), *whole)
            spans.add(docs, *in_bytes, filler, self.least_words, self.action != "count")
        return spans.verdict()

    def bytes_of(
        self, text: pa.ChunkedArray, document: I64, start: I64, end: I64, other: U64
    ) -> tuple[I64, I64, I64, U64]:
        """Spans of symbols as spans of bytes, which never cut a character in two."""
        data, offsets = buffers(text)
        if self.min_bytes is not None:
            begin, stop = _whole_characters(data, offsets[document] + start, offsets[document] + end)
        else:
            word_start, word_end, places = words(text)
            first, last = places[document] + start, places[document] + end
            begin, stop = word_start[first], word_end[last - 1]
            if self.action == "remove" and len(word_start):
                # With the words goes the space behind them, so that what is left reads as before.
                within = last < places[document + 1]
                stop = np.where(within, word_start[np.minimum(last, len(word_start) - 1)], offsets[document + 1])
        some = begin < stop
        base = offsets[document]
        return document[some], (begin - base)[some], (stop - base)[some], other[some]


_CONTEXTS = pa.schema(
    [("hash", pa.uint64()), ("id", pa.uint64()), ("start", pa.int64()), ("symbols", pa.large_binary())]
)
"""A fingerprint's neighbourhood: `start` in symbols of its document; the symbols as bytes, eight for a word."""
_FOUND = pa.schema([("id", pa.uint64()), ("start", pa.int64()), ("end", pa.int64()), ("anchor", pa.uint64())])


def _slices(symbols: npt.NDArray[Any], start: I64, length: I64) -> pa.LargeBinaryArray:
    """The runs `symbols[start[i]:start[i] + length[i]]`, as bytes."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)])
    flat = np.empty(int(offsets[-1]), symbols.dtype)
    _gather(symbols, start, offsets, flat)
    in_bytes = offsets * symbols.dtype.itemsize
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(start), [None, pa.py_buffer(in_bytes), pa.py_buffer(flat)]
    )


@kernel
def _gather(symbols: npt.NDArray[Any], start: I64, offsets: I64, flat: npt.NDArray[Any]) -> None:
    for i in range(len(start)):
        size = offsets[i + 1] - offsets[i]
        flat[offsets[i] : offsets[i + 1]] = symbols[start[i] : start[i] + size]


def _flat(pieces: pa.LargeBinaryArray, width: int) -> tuple[npt.NDArray[Any], I64]:
    """What `_slices` packed: symbols (uint8, or int32 numbers in place of 64-bit hashes) and offsets."""
    _, offsets, data = pieces.buffers()
    if len(pieces) == 0 or data is None:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    bounds = np.frombuffer(offsets, np.int64)[pieces.offset : pieces.offset + len(pieces) + 1]
    raw = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    bounds = (bounds - bounds[0]) // width
    if width == 1:
        return raw, bounds
    return np.unique(raw.view(np.uint64), return_inverse=True)[1].astype(np.int32), bounds


def _repeats(owner: U64, offsets: I64, kind: I64, ids: U64, least: int) -> tuple[I64, I64, I64, U64]:
    """`(row, start, end, anchor)`: where context `row`, a piece `kind[row]` in the document `ids[row]`, repeats another's."""
    count = _intervals(owner, offsets, kind, ids, least, np.zeros((3, 0), np.int64), np.zeros(0, np.uint64))
    found, other = np.empty((3, count), np.int64), np.empty(count, np.uint64)
    _intervals(owner, offsets, kind, ids, least, found, other)
    return found[0], found[1], found[2], other


@kernel
def _intervals(owner: U64, offsets: I64, kind: I64, ids: U64, least: int, found: I64, other: U64) -> int:
    """Fills `found` (row, start, end) and `other`, unless they have no room; how many there are."""
    count = 0
    for row in range(len(kind)):
        begin = offsets[kind[row]]
        end = -1
        last = NOBODY
        for p in range(begin, offsets[kind[row] + 1]):
            owned = owner[p]
            if owned == NOBODY or owned == ids[row]:
                continue
            if p - begin > end or owned != last:
                if len(other):
                    found[0, count], found[1, count], other[count] = row, p - begin, owned
                count += 1
            end = p - begin + least
            last = owned
            if len(other):
                found[2, count - 1] = end
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
    """Looks for a stretch of the shortest length in the other document, by Python's own search."""

    def __init__(self, stage: SubstringDedup) -> None:
        self.stage = stage

    def span(self, dropped: dict[str, Any], row: Mapping[str, int]) -> tuple[int, int]:
        text = pa.chunked_array([pa.array([dropped["text"]], pa.large_string())])
        start, one = np.array([row["start"]], np.int64), np.zeros(1, np.int64)
        _, begin, stop, _ = self.stage.bytes_of(text, one, start, start + self.stage.least, np.zeros(1, np.uint64))
        return int(begin[0]), int(stop[0])

    def right(self, pair: Pair) -> tuple[bool, float]:
        assert pair.span is not None
        piece, there = pair.dropped["text"].encode()[pair.span[0] : pair.span[1]], pair.kept["text"].encode()
        if self.stage.min_bytes is None:
            piece, there = (b" ".join(self._words(text)) for text in (piece.decode(), there.decode()))
        same = piece in there
        return same, float(same)

    def _words(self, text: str) -> list[bytes]:
        return [normalised(word, self.stage.fold_case, self.stage.fold_digits).encode() for word in split_words(text)]
