"""What a path on the command line holds: a run, Parquet, JSON lines, or text files, told by names and never by content."""

from __future__ import annotations

from collections.abc import Sequence

import fsspec

from eyas.corpus.sources.base import Source
from eyas.corpus.sources.columnar import ParquetFiles
from eyas.corpus.sources.jsonl import JsonLines
from eyas.corpus.sources.text_files import TextFiles
from eyas.errors import InputError

WANTED = (
    "a run's folder, a Parquet file, JSON lines (.jsonl, .jsonl.gz, .jsonl.zst …), a text file (.txt, .md, .py …), or a "
    "folder of those"
)
JSON_LINES = tuple(pattern.removeprefix("**/*") for pattern in JsonLines.model_fields["glob"].get_default())
_PROSE = (".txt", ".md", ".rst", ".tex", ".html", ".xml", ".csv")
_CODE = (".py", ".js", ".ts", ".c", ".h", ".cpp", ".java", ".go", ".rs", ".css", ".sh", ".sql", ".yaml", ".json")
TEXT = (*_PROSE, *_CODE)


def sources_of(path: str, option: str, carry: Sequence[str] = ()) -> list[Source]:
    """The sources below `path`, one for each format found there, in the order Parquet, JSON lines, text.

    Text files count only where there is nothing else: a folder of JSON lines may have a README. `carry`: columns to take
    along, from files that have them. Raises ValueError, naming `option` and the path, where there is nothing to read.
    """
    try:
        fs, root = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise InputError(f"{option} {path}: cannot open it: {error}") from error
    root = root.rstrip("/")
    if not fs.exists(root):
        raise InputError(f"{option} {path}: no such file or folder; expected {WANTED}")
    if fs.isdir(f"{root}/passes") or fs.isdir(f"{root}/curated"):
        if not fs.isdir(f"{root}/curated"):
            raise InputError(f"{option} {path}: this run has no curated documents yet; let `eyas run` finish it")
        path = f"{path.rstrip('/')}/curated"
    labelled = {"path": path, "carry": list(carry), "origin_column": "source"}
    text = TextFiles(path=path, glob=[f"**/*{ending}" for ending in TEXT])
    known: list[tuple[Source, tuple[str, ...]]] = [
        (ParquetFiles.model_validate(labelled), (".parquet",)),
        (JsonLines.model_validate(labelled), JSON_LINES),
        (text, TEXT),
    ]
    if fs.isfile(root):
        named = [source for source, endings in known if root.lower().endswith(endings)]
        if not named:
            raise InputError(f"{option} {path}: cannot tell the format from its name; expected {WANTED}")
        return named[:1]
    found = [source for source, _ in known if _has_files(source)]
    if not found:
        raise InputError(f"{option} {path}: no file there to read; expected {WANTED}")
    return [source for source in found if source is not text] or found


def _has_files(source: Source) -> bool:
    try:
        return bool(source.files("corpus"))
    except ValueError:
        return False
