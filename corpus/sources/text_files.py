"""Reads text and code files: one file is one document, and its path is the origin.

Files must be UTF-8 (a leading byte-order mark is taken off). Guessing encodings silently is how mojibake
enters corpora, so a file in another encoding is quarantined, unless `encoding` names that one.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import field_validator

from eyas.corpus.sources.base import Batch, BatchBuilder, Source
from eyas.corpus.sources.listing import InputFile, Split
from eyas.corpus.storage_errors import naming_object
from eyas.errors import InputError

_PROSE = (".txt", ".md", ".rst", ".tex", ".html", ".xml", ".csv")
_CODE = (".py", ".js", ".ts", ".c", ".h", ".cpp", ".java", ".go", ".rs", ".css", ".sh", ".sql", ".yaml", ".json")


class TextFiles(Source):
    """Text and code files: `files: {path, glob, max_bytes, …}`."""

    endings: ClassVar[tuple[str, ...]] = (*_PROSE, *_CODE)
    fallback: ClassVar[bool] = True

    encoding: str = "utf-8"
    """Encoding of the files. A file that does not decode is quarantined."""

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            "".encode(value)  # looking it up would also find base64 and rot13, which do not decode bytes to text
            return codecs.lookup(value).name
        except LookupError as error:
            raise InputError(
                f"unknown encoding {value!r}; Python's names are meant: utf-8, latin-1, cp1252 …"
            ) from error

    def splits(self, files: Sequence[InputFile], partition_bytes: int) -> list[Split]:
        return [Split(file.path, file.bytes) for file in files]

    def read(self, split: Split, first_row: int) -> Iterator[Batch]:
        builder = BatchBuilder(first_row)
        self._read_file(split, builder)
        yield builder.take()

    def _read_file(self, split: Split, builder: BatchBuilder) -> None:
        if split.bytes > self.max_document_bytes:
            builder.reject(split.path, "too_large", f"{split.path}: " + too_large(split.bytes, self.max_document_bytes))
            return
        try:
            fs = self.filesystem()
            # A store that fails is no broken document: the run stops.
            with naming_object(fs, split.path):
                data = fs.cat_file(split.path)
        except OSError as error:
            builder.reject(split.path, "unreadable", f"{split.path}: cannot be read: {error}")
            return
        try:
            text = data.decode(self.encoding)
        except UnicodeDecodeError as error:
            message = f"{split.path}: byte {error.start} is not {self.encoding}: {data[error.start : error.end]!r}"
            builder.reject(split.path, "not_" + self.encoding.replace("-", ""), message)
            return
        text = text.removeprefix("\ufeff")
        if not text:
            builder.reject(split.path, "empty", f"{split.path}: the file is empty", dropped=True)
            return
        builder.add(text, split.path)


def too_large(size: int, limit: int) -> str:
    """The message for a document above `max_document_bytes`."""
    return f"the document has {size:,} bytes, more than max_document_bytes = {limit:,}; raise that option to take it"
