"""Finds the sources in a path of the command line: a run, or files whose names, never their content, tell the format."""

from __future__ import annotations

from collections.abc import Sequence

import fsspec

from eyas.corpus.sources import REGISTRY
from eyas.corpus.sources.base import ColumnSource, Source
from eyas.errors import InputError


def classes_by_ending() -> list[type[Source]]:
    """The formats that file names tell; those that are read only where there is nothing else come last."""
    loaded = [REGISTRY.load(name) for name in REGISTRY.targets()]
    return sorted((cls for cls in loaded if cls.endings), key=lambda cls: cls.fallback)


def _expected() -> str:
    """What a path may be, for messages: the endings are those of the registered sources."""
    endings = " ".join(ending for cls in classes_by_ending() for ending in cls.endings)
    return f"a run's folder, a file that ends in one of {endings}, or a folder of those"


def class_of(path: str) -> type[Source] | None:
    """The format of a file by its name; None if the name does not tell it."""
    return next((cls for cls in classes_by_ending() if path.lower().endswith(cls.endings)), None)


def sources_of(path: str, option: str, carry: Sequence[str] = ()) -> list[Source]:
    """The sources below `path`, one for each format found there, in the order of the registry.

    Text files count only where there is nothing else. carry: columns to keep, of files that have them. Raises InputError,
    which names `option` and the path, if there is nothing to read.
    """
    try:
        fs, root = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise InputError(f"{option} {path}: cannot open it: {error}") from error
    root = root.rstrip("/")
    if not fs.exists(root):
        raise InputError(f"{option} {path}: no such file or folder; expected {_expected()}")
    if fs.isdir(f"{root}/passes") or fs.isdir(f"{root}/curated"):
        if not fs.isdir(f"{root}/curated"):
            raise InputError(f"{option} {path}: this run has no curated documents yet; let `eyas run` finish it")
        path = f"{path.rstrip('/')}/curated"
    if fs.isfile(root):
        cls = class_of(root)
        if cls is None:
            raise InputError(f"{option} {path}: cannot tell the format from its name; expected {_expected()}")
        return [_source(cls, path, carry)]
    sources = [source for cls in classes_by_ending() if _has_files(source := _source(cls, path, carry))]
    if not sources:
        raise InputError(f"{option} {path}: no file there to read; expected {_expected()}")
    return [source for source in sources if not source.fallback] or sources


def _source(cls: type[Source], path: str, carry: Sequence[str]) -> Source:
    options = {"path": path, "glob": [f"**/*{ending}" for ending in cls.endings]}
    if issubclass(cls, ColumnSource):
        options |= {"carry": list(carry), "origin_column": "source"}
    return cls.model_validate(options)


def _has_files(source: Source) -> bool:
    try:
        return bool(source.files("corpus"))
    except ValueError:
        return False
