"""Paths in recipes: absolute, URLs, or relative to the recipe's folder, from wherever a command is started.

A path is resolved when the recipe is read, so that every worker sees the same file. Digests hold it as it was written: a
recipe that was moved with all its files is still the same recipe.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

_FOLDER: ContextVar[str | None] = ContextVar("recipe_folder", default=None)


class ResolvedPath(str):
    """A path that was relative. `given`: as it was written."""

    given: str

    def __new__(cls, path: str, given: str) -> ResolvedPath:
        """The resolved `path`, which was written as `given`."""
        made = super().__new__(cls, path)
        made.given = given
        return made

    def __reduce__(self) -> tuple[type[ResolvedPath], tuple[str, str]]:
        return ResolvedPath, (str(self), self.given)


@contextmanager
def relative_to(folder: str) -> Iterator[None]:
    """Options that are validated within the block have their paths below `folder`."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def where_looked(path: str) -> str:
    """A sentence for the message that there is nothing at `path`: where it was looked for, and where it might be."""
    if not isinstance(path, ResolvedPath):
        return ""
    other = os.path.abspath(path.given)
    hint = f"; there is {other}, so write the path in full" if os.path.exists(other) else ""
    return f" (`{path.given}` is relative to the recipe's folder{hint})"


def _resolved(path: str) -> str:
    folder = _FOLDER.get()
    if folder is None or isinstance(path, ResolvedPath) or not path or os.path.isabs(path) or "://" in path:
        return path
    return ResolvedPath(os.path.normpath(os.path.join(folder, path)), path)


def _resolved_if_there(value: str) -> str:
    path = _resolved(value)
    return path if os.path.exists(path) else value


def _as_given(path: str) -> str:
    return path.given if isinstance(path, ResolvedPath) else path


_SERIALIZER = PlainSerializer(_as_given, return_type=str, when_used="json")
RecipePath = Annotated[str, AfterValidator(_resolved), _SERIALIZER]
"""The type of an option that is a path, a pattern of paths or a URL."""
NameOrPath = Annotated[str, AfterValidator(_resolved_if_there), _SERIALIZER]
"""The type of an option that is a path if there is such a file, and a name otherwise."""
