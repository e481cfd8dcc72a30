"""Reads JSON lines, plain or compressed (.gz, .zst, .bz2, .xz): one object per line, one field of which is the document.

A plain file is cut into byte ranges, so one huge file is read by many workers; a compressed one cannot be entered in the
middle and is one split. Either way a worker holds one batch, not the file. A broken line is quarantined with its
number; a compressed file that ends too early stops the run, since nobody knows what is missing.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, ClassVar, cast

import orjson
import pyarrow as pa

from eyas.corpus.sources.base import Batch, BatchBuilder, ColumnSource, UnreadableInput
from eyas.corpus.sources.columns import Choice, found_at, value_at
from eyas.corpus.sources.listing import InputFile, Split
from eyas.corpus.sources.shapes import MOST_FIELDS, Huge, Shape, Survey
from eyas.corpus.sources.text_files import too_large
from eyas.corpus.sources.values import BrokenValue, column_value, holds_huge
from eyas.corpus.storage_errors import opened
from eyas.errors import InputError


def _zstd(file: IO[bytes]) -> IO[bytes]:
    # Arrow's reader goes on to the next frame and raises if one is cut short; zstandard's only goes on.
    return cast(
        "IO[bytes]", io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"), 1 << 20)
    )


class _Members(io.RawIOBase):
    """All members of a compressed file, one after the other. Python's own readers of bz2 and xz leave out, without a word, a
    later member whose head is damaged; here that is an error, as is an end within a member."""

    def __init__(self, file: IO[bytes], new: Callable[[], Any]) -> None:
        self._file, self._new = file, new
        self._member: Any = None
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._member is None or self._member.eof:
                # Zeros between members are padding.
                rest = (self._rest if self._member is None else self._member.unused_data).lstrip(b"\0")
                while not rest and (piece := self._file.read(1 << 16)):
                    rest = piece.lstrip(b"\0")
                if not rest:
                    return 0
                self._member, self._rest = self._new(), rest
            wants = self._member.needs_input
            if wants and not self._rest and not (piece := self._file.read(1 << 16)):
                raise EOFError("the file ends within a compressed member")
            fed = (self._rest or piece) if wants else b""
            self._rest = b"" if wants else self._rest
            data: bytes = self._member.decompress(fed, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)


_OPENERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    ".gz": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    ".bz2": lambda file: cast("IO[bytes]", io.BufferedReader(_Members(file, bz2.BZ2Decompressor), 1 << 20)),
    ".xz": lambda file: cast("IO[bytes]", io.BufferedReader(_Members(file, lzma.LZMADecompressor), 1 << 20)),
    ".zst": _zstd,
}


class JsonLines(ColumnSource):
    """JSON lines, plain, .gz, .zst, .bz2 or .xz: `jsonl: {path, glob, text_column, …}`."""

    endings: ClassVar[tuple[str, ...]] = (
        ".jsonl",
        ".jsonl.gz",
        ".jsonl.zst",
        ".jsonl.bz2",
        ".jsonl.xz",
        ".json.gz",
        ".ndjson",
    )
    glob: list[str] = [f"**/*{ending}" for ending in endings]
    """Patterns relative to `path`; `**` crosses folders."""

    def splits(self, files: Sequence[InputFile], partition_bytes: int) -> list[Split]:
        splits = []
        for file in files:
            if _opener(file.path) is not None or file.bytes <= partition_bytes:
                splits.append(Split(file.path, file.bytes))
                continue
            for start in range(0, file.bytes, partition_bytes):
                end = min(start + partition_bytes, file.bytes)
                splits.append(Split(file.path, end - start, start, end))
        return splits

    def read(self, split: Split, first_row: int) -> Iterator[Batch]:
        columns = self.planned_columns
        builder = BatchBuilder(first_row, planned=columns)
        for line, size, where in self._lines(split):
            self._parse(line, size, split, where, builder)
            if builder.full():
                yield builder.take()
        yield builder.take()

    def survey(self, split: Split, most: int | None = None) -> Survey:
        survey = RecordSurvey(self.choices(), self.named, self.complete)
        for line, _, where in self._lines(split):
            if line is None or (record := _record(line)) is None:
                continue
            try:
                survey.add(record)
            except Huge:
                survey.add(json.loads(line), exact=True)
            except InputError as error:
                raise InputError(f"{split.path}, {where}: {error}") from None
            if survey.done or survey.found.records == most:
                break
        return survey.found

    def _lines(self, split: Split) -> Iterator[tuple[bytes | None, int, str]]:
        """The lines of a piece, their sizes in bytes, and where they are; None for a line above the limit."""
        with opened(self.filesystem(), split.path) as raw:
            opener = _opener(split.path)
            if opener and not split.bytes:
                raise UnreadableInput(
                    f"{split.path}: damaged: a compressed file has at least some bytes, and this one has none. Restore the "
                    f"file, or leave it out with `exclude`."
                )
            position = max(split.start - 1, 0)
            raw.seek(position)
            # Buffered here, because the files of object stores have no `readline(limit)`.
            lines = opener(raw) if opener else cast("IO[bytes]", io.BufferedReader(raw, 1 << 20))
            if split.start:
                # A line belongs to the split that holds its first byte: step over the one that began before.
                position += _skip_line(lines, split.end - position)
            number = 0
            while split.end < 0 or position < split.end:
                line, size = self._next_line(lines, split)
                if not size:
                    break
                if not position and line is not None:
                    line = line.removeprefix(codecs.BOM_UTF8)
                number += 1
                where = f"line {number}" if split.start == 0 else f"byte {position}"
                position += size
                yield line, size, where

    def _next_line(self, lines: IO[bytes], split: Split) -> tuple[bytes | None, int]:
        """The next line and its bytes; None for a line above the limit, which is skipped in pieces."""
        # Escapes can make a text up to six times longer, and the keys around it add a little.
        limit = 6 * self.max_document_bytes + 1_000_000
        try:
            line = lines.readline(limit)
            if len(line) < limit or line.endswith(b"\n"):
                return line, len(line)
            return None, len(line) + _skip_line(lines)
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise UnreadableInput(
                f"{split.path}: truncated or damaged: {error}. Restore the file, or leave it out with `exclude`."
            ) from error

    def _parse(self, line: bytes | None, size: int, split: Split, where: str, builder: BatchBuilder) -> None:
        origin = f"{split.path}#{where.replace('line ', '').replace(' ', '-')}"
        if line is None:
            builder.reject(origin, "too_large", f"{split.path}, {where}: " + too_large(size, self.max_document_bytes))
            return
        if not line or line.isspace():
            builder.reject(origin, "empty", f"{split.path}, {where}: a blank line", dropped=True)
            return
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            builder.reject(origin, "broken_json", f"{split.path}, {where}: not valid JSON: {error}")
            return
        self._take(record, line, split.path, where, origin, builder)

    def _take(self, record: Any, line: bytes, path: str, where: str, origin: str, builder: BatchBuilder) -> None:
        if not isinstance(record, dict):
            builder.reject(origin, "not_an_object", f"{path}, {where}: expected a JSON object, found {_kind(record)}")
            return
        found, text = found_at(record, self.text_column)
        if not isinstance(text, str):
            state = f"is {_kind(text)}" if found else "is missing"
            known = ", ".join(sorted(record)[:12])
            message = f"{path}, {where}: field {self.text_column!r} {state}, expected a string (fields: {known})"
            builder.reject(origin, "no_text", message)
            return
        if not text:
            builder.reject(origin, "empty", f"{path}, {where}: the text is empty", dropped=True)
            return
        if len(text) > self.max_document_bytes // 4:
            size = len(text.encode())
            if size > self.max_document_bytes:
                builder.reject(origin, "too_large", f"{path}, {where}: " + too_large(size, self.max_document_bytes))
                return
        place = origin
        if self.origin_column and isinstance(own := value_at(record, self.origin_column), str):
            origin = own
        try:
            values = self._values(record, line)
        except BrokenValue as error:
            builder.reject(place, "broken_column", f"{path}, {where}: {error}")
            return
        builder.add(text, origin, values)

    def _values(self, record: dict[str, Any], line: bytes) -> dict[str, Any]:
        """The values of the columns, by name; `BrokenValue` if a declared type cannot hold one."""
        values = {}
        for column in self.planned_columns:
            value = value_at(record, column.path)
            # The survey saw to it that other columns hold fractions only where a float may have been a whole number.
            if column.form != "value" and holds_huge(value):
                value = value_at(json.loads(line), column.path)
            values[column.name] = column_value(value, column)
        return values


def _opener(path: str) -> Callable[[IO[bytes]], IO[bytes]] | None:
    return next((opener for suffix, opener in _OPENERS.items() if path.endswith(suffix)), None)


def _skip_line(lines: IO[bytes], most: int = 1 << 62) -> int:
    """Skips the rest of a line, or `most` bytes of it, a megabyte at a time; returns how many bytes it skipped.

    The bound matters: a line of 100 MB in splits of 200 KB was once read 500 times to its end.
    """
    size = 0
    while size < most and (piece := lines.readline(min(1 << 20, most - size))):
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    return size


def _kind(value: Any) -> str:
    names = {type(None): "null", dict: "an object", list: "a list", bool: "a boolean", int: "a number"}
    return names.get(type(value), "a string" if isinstance(value, str) else "a number")


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None if it is none: reading says what is wrong with it."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


class RecordSurvey:
    """Collects the shapes of the fields of records: all fields, or those that are chosen, and which of the named occur."""

    def __init__(self, choices: Sequence[Choice] | None, named: Sequence[str], complete: bool) -> None:
        self.found = Survey()
        self._all = Shape(fields=self.found.fields) if choices is None else None
        self._paths = [path for path in named if choices is not None or "." in path]
        self._untyped = {choice.path for choice in choices or () if choice.kind is None}
        self._complete = complete

    def add(self, record: dict[str, Any], exact: bool = False) -> None:
        """Adds a record; raises `Huge` as `Shape.observe` does. InputError if there are too many different fields."""
        fields = self.found.fields
        if self._all is not None:
            self._all.observe(record, exact)
            if "wide" in self._all.kinds:
                raise InputError(f"records have more than {MOST_FIELDS} different fields; choose some by `columns:`")
        for path in self._paths:
            if path in fields and path not in self._untyped:
                continue
            found, value = found_at(record, path)
            if found:
                shape = fields.setdefault(path, Shape())
                if path in self._untyped:
                    shape.observe(value, exact)
        if not self.found.records:
            self.found.seen = list(record)[:MOST_FIELDS]
        self.found.records += 1

    @property
    def done(self) -> bool:
        """Whether nothing more is to be found out."""
        return not self._complete and all(path in self.found.fields for path in self._paths)
