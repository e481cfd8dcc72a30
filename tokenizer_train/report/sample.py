"""A bounded sample of any corpus for measuring tokenizers, in groups: languages, programming languages, mathematics.

The corpus is read twice and never held in memory. The first reading counts the bytes of each group by hash rank, a
pseudo-random number computed from the document's place. The second writes the documents whose rank is below their group's
limit to temporary files. So a group's sample is spread over all files, depends on the corpus and the limit alone, and has
at most `max_bytes`. 750 MB of JSON lines are read twice in 13 s on one core.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.language_names import FALCON_H1, language_names
from eyas.corpus.sampling import hash_rank
from eyas.corpus.sources.base import Batch, Source
from eyas.corpus.sources.by_path import sources_of
from eyas.corpus.sources.listing import Split
from eyas.errors import InputError
from eyas.text_kernels.statistics.math import math_statistics
from eyas.tokenizer_train.report.comparison import Group

LONGEST = 200_000
"""The most bytes of a document that count: one book must not be a whole group."""
LEAST = 50_000
"""A language with fewer bytes shares the group of all others."""
FORMULAS = 0.05
"""A text without a label is mathematics if at least this share of it is in formulas."""
_PARTITION = 64_000_000
_BINS = 4096
_MOST_KEYS = 5000
_BATCH_BYTES = 4_000_000
_CARRIED = ["lang", "prog_lang", "kind"]
_CODE, _MATH = re.compile(r"(?:^|[^a-z])code(?:[^a-z]|$)"), re.compile("math|latex")

_COMMON = (
    *("Python", "JavaScript", "TypeScript", "Java", "C", "C++", "C#", "Go", "Rust", "PHP", "Ruby", "Shell", "SQL"),
    *("HTML", "CSS", "Kotlin", "Swift", "Scala", "R", "Julia", "Lua", "Haskell", "TeX", "Markdown"),
)

Key = tuple[str, str]
"""Kind of group, and the corpus' label of the language; "" if it has none."""


@dataclass(frozen=True)
class Limits:
    """Limits of a sample. The largest languages get groups of their own; the others share one."""

    max_bytes: int = 2_000_000
    """Bytes of text per group."""
    read_bytes: int = 4_000_000_000
    """Bytes on disk to read; of a larger corpus, randomly chosen pieces are read."""
    languages: int = 24
    """Languages that get a group of their own."""
    programming_languages: int = 16
    """Programming languages that get a group of their own."""


@dataclass
class Sample:
    """The sampled texts, in temporary files that vanish with `close`."""

    groups: list[Group]
    bytes: dict[str, int]
    """Bytes of text in the sample, by group name."""
    of_bytes: dict[str, int]
    """Bytes of text in the corpus, with at most 200,000 of each document."""
    documents: dict[str, int]
    """Documents in the sample, by group name."""
    unreadable: int
    """Records that were no documents (broken lines, no text)."""
    folder: tempfile.TemporaryDirectory[str] = field(repr=False)

    def texts(self, group: Group) -> Iterator[pa.LargeStringArray]:
        """The group's texts, a few MB at a time."""
        path = _file(self.folder.name, self.groups.index(group))
        with pa.memory_map(path) as mapped, pa.ipc.open_stream(mapped) as reader:
            for batch in reader:
                yield batch.column(0)

    def close(self) -> None:
        """Deletes the files."""
        self.folder.cleanup()


def sample_corpus(
    paths: Sequence[str], limits: Limits, progress: Callable[[int, int], None] = lambda done, total: None
) -> Sample:
    """Draws the sample from `paths`: run folders, Parquet files, JSON lines, or folders of these.

    `progress` gets the bytes read, and their total. Raises InputError with the path if there is nothing to read.
    """
    pieces = _drawn([piece for path in paths for piece in _pieces(path)], limits.read_bytes)
    total = 2 * sum(split.bytes for _, split in pieces)
    counts = _Counts()
    done = 0
    for source, split, number, last in _batches(pieces):
        counts.add(source, number)
        done += last * split.bytes
        progress(done, total)
    if not counts.bytes:
        why = f"; the first record: {counts.reject}" if counts.reject else ""
        raise InputError(f"{', '.join(paths)}: no document with text to measure on{why}")
    group_of = _choose_groups(counts.bytes, limits)
    writer = _Writer(group_of, counts, limits.max_bytes)
    try:
        for source, split, number, last in _batches(pieces):
            writer.add(source, number)
            done += last * split.bytes
            progress(done, total)
        return writer.finish(counts)
    except BaseException:
        writer.folder.cleanup()
        raise


def _pieces(path: str) -> list[tuple[Source, Split]]:
    sources = sources_of(path, "--corpus", _CARRIED)
    return [(source, split) for source in sources for split in source.splits(source.files("corpus"), _PARTITION)]


def _drawn(pieces: list[tuple[Source, Split]], read_bytes: int) -> list[tuple[Source, Split]]:
    """Randomly chosen pieces of about `read_bytes` in all, in their order; at least one."""
    order = np.argsort(hash_rank(np.arange(len(pieces), dtype=np.uint64), 1), kind="stable")
    sizes = np.array([pieces[i][1].bytes for i in order], np.int64)
    taken = order[: max(int(np.searchsorted(np.cumsum(sizes), read_bytes, side="right")), 1)]
    return [pieces[i] for i in sorted(taken)]


def _batches(pieces: Sequence[tuple[Source, Split]]) -> Iterator[tuple[Batch, Split, int, bool]]:
    """Each batch with its split, the number of its first document, and whether the split has now been read."""
    number = 0
    for source, split in pieces:
        for batch in source.read(split, 0):
            yield batch, split, number, False
            number += len(batch.texts)
        yield Batch(), split, number, True


def _columns(batch: Batch) -> tuple[pa.LargeStringArray, list[Key]]:
    """The texts, shortened to `LONGEST` bytes, and the key of each one's group."""
    text = _cut(pa.array(batch.texts, pa.large_string()) if isinstance(batch.texts, list) else batch.texts)
    nothing: list[str | None] = [None] * len(text)  # text files have no other columns
    labels = [_values(batch.extra.get(name, nothing)) for name in _CARRIED]
    keys = [
        _key(lang, prog, kind, source) for lang, prog, kind, source in zip(*labels, _values(batch.origins), strict=True)
    ]
    unlabelled = [i for i, key in enumerate(keys) if key[0] == "language" and not labels[2][i]]
    if unlabelled:
        figures = math_statistics(text.take(pa.array(unlabelled)), (), (), ())
        heavy = (figures.formulas >= 5) & (figures.formula_characters >= FORMULAS * figures.characters)
        for i in np.flatnonzero(heavy):
            keys[unlabelled[i]] = ("math", "")
    return text, keys


def _values(column: list[str | None] | pa.Array) -> list[str | None]:
    return column if isinstance(column, list) else column.to_pylist()


def _key(lang: str | None, prog: str | None, kind: str | None, source: str | None) -> Key:
    """`kind` decides; without it, the source's name does, unless it is a path, for want of a name."""
    named = (kind or ("" if source is None or "#" in source else source)).lower()
    if prog or _CODE.search(named):
        return "code", _clean(prog or "")
    return ("math", "") if _MATH.search(named) else ("language", _clean(lang or ""))


def _clean(label: str) -> str:
    """The corpus' label, shortened and printable."""
    return "".join(c if c.isprintable() else "\ufffd" for c in label.strip()[:40])


def _cut(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """Long documents end at the last white space, or character, before `LONGEST` bytes."""
    long = pc.greater(pc.binary_length(text), LONGEST)
    if not pc.any(long).as_py():
        return text
    shortened = [_shorten(document) for document in text.filter(long).to_pylist()]
    return pc.replace_with_mask(text, long, pa.array(shortened, pa.large_string()))


def _shorten(text: str) -> str:
    start = text.encode()[:LONGEST].decode(errors="ignore")
    kept = max(start.rfind(" "), start.rfind("\n"))
    return start[:kept] if kept > len(start) // 2 else start


class _Counts:
    """Bytes of each group by hash rank: a histogram of 4,096 bins, which gives the limit without the documents."""

    def __init__(self) -> None:
        self.bytes: dict[Key, npt.NDArray[np.int64]] = {}
        self.unreadable = 0
        self.reject = ""

    def add(self, batch: Batch, number: int) -> None:
        """Counts a batch whose first document has this number."""
        failed = [reject for reject in batch.rejects if not reject.dropped]
        self.unreadable += len(failed)
        self.reject = self.reject or (failed[0].message if failed else "")
        if len(batch.texts) == 0:
            return
        text, keys = _columns(batch)
        sizes = pc.binary_length(text).to_numpy(zero_copy_only=False)
        for key, size, bin_number in zip(keys, sizes, _bins(number, len(text)), strict=True):
            if key not in self.bytes:
                key = key if len(self.bytes) < _MOST_KEYS else (key[0], "")
                self.bytes.setdefault(key, np.zeros(_BINS, np.int64))
            self.bytes[key][bin_number] += size


def _bins(number: int, count: int) -> npt.NDArray[np.int64]:
    """The bins of documents, by the rank that their number gives."""
    ranks = hash_rank(np.arange(number, number + count, dtype=np.uint64), 0)
    return (ranks >> np.uint64(64 - 12)).astype(np.int64)


def _choose_groups(sizes: dict[Key, npt.NDArray[np.int64]], limits: Limits) -> dict[Key, Group]:
    """The group of each key: prose, then mathematics, then code, the largest first.

    Sizes are compared by powers of two, and among equals well-known languages come first: of 40 programming languages with
    4.5 MB each, D and Vala are not what people look for.
    """
    group_of: dict[Key, Group] = {}
    names = language_names()
    known = {*FALCON_H1, *_COMMON}
    ranked = sorted(
        sizes, key=lambda key: (-int(sizes[key].sum()).bit_length(), key[1] not in known, -sizes[key].sum())
    )
    for kind, most in (("language", limits.languages), ("math", 1), ("code", limits.programming_languages)):
        of_kind = [key for key in ranked if key[0] == kind]
        large = [key for key in of_kind if key[1] and sizes[key].sum() >= LEAST][:most]
        for key in of_kind:
            label = key[1]
            if kind == "math":
                group_of[key] = Group("mathematics", "mathematics", "math")
            elif key in large:
                group_of[key] = Group(f"{kind}: {label}", names.get(label, label), kind)  # type: ignore[arg-type]
            else:
                title = {"language": "other languages", "code": "other code"}[kind]
                group_of[key] = Group(f"{kind}: other", title, kind, rest=True)  # type: ignore[arg-type]
    # The group of all others is the last of its kind.
    return dict(sorted(group_of.items(), key=lambda item: (_ORDER[item[0][0]], item[1].rest)))


_ORDER = {"language": 0, "math": 1, "code": 2}


class _Writer:
    """Writes the documents whose hash rank is below their group's limit."""

    def __init__(self, group_of: dict[Key, Group], counts: _Counts, max_bytes: int) -> None:
        self.groups = list(dict.fromkeys(group_of.values()))
        self._of = {key: self.groups.index(group) for key, group in group_of.items()}
        histograms = [np.zeros(_BINS, np.int64) for _ in self.groups]
        for key, number in self._of.items():
            histograms[number] += counts.bytes[key]
        # At least the first bin that holds a document, so that no group is empty.
        self._limits = [
            max(int(np.searchsorted(np.cumsum(bins), max_bytes, side="right")), int(np.flatnonzero(bins)[0]) + 1)
            for bins in histograms
        ]
        self._of_bytes = [int(bins.sum()) for bins in histograms]
        self._pending: list[list[str]] = [[] for _ in self.groups]
        self._waiting = [0] * len(self.groups)
        self._documents, self._bytes = [0] * len(self.groups), [0] * len(self.groups)
        self.folder = tempfile.TemporaryDirectory(prefix="eyas-tokenizer-")
        self._schema = pa.schema([("text", pa.large_string())])
        self._files = [
            pa.ipc.new_stream(_file(self.folder.name, number), self._schema) for number in range(len(self.groups))
        ]

    def add(self, batch: Batch, number: int) -> None:
        """Takes the documents of a batch that are below their group's limit."""
        if len(batch.texts) == 0:
            return
        text, keys = _columns(batch)
        for i, (key, bin_number) in enumerate(zip(keys, _bins(number, len(text)), strict=True)):
            group = self._of.get(key, self._of.get((key[0], ""), -1))
            if group >= 0 and bin_number < self._limits[group]:
                self._take(group, text[i].as_py())

    def _take(self, group: int, text: str) -> None:
        size = len(text.encode())
        self._pending[group].append(text)
        self._waiting[group] += size
        self._bytes[group] += size
        self._documents[group] += 1
        if self._waiting[group] >= _BATCH_BYTES:
            self._flush(group)

    def _flush(self, group: int) -> None:
        if self._pending[group]:
            self._files[group].write_batch(
                pa.record_batch([pa.array(self._pending[group], pa.large_string())], ["text"])
            )
        self._pending[group], self._waiting[group] = [], 0

    def finish(self, counts: _Counts) -> Sample:
        """The sample, with the largest groups first within each kind."""
        for group, file in enumerate(self._files):
            self._flush(group)
            file.close()
        names = [group.name for group in self.groups]
        return Sample(
            self.groups,
            dict(zip(names, self._bytes, strict=True)),
            dict(zip(names, self._of_bytes, strict=True)),
            dict(zip(names, self._documents, strict=True)),
            counts.unreadable,
            self.folder,
        )


def _file(folder: str, group: int) -> str:
    return str(Path(folder) / f"{group:03}.arrow")
