"""Decorators that compile kernels: no GIL, no fast-math, machine code cached on disk.

The trade: numba keys its cache by the *kernel's own* source file, so a kernel that inlines a helper from another
file would go on running the old helper after an edit, silently. `kernel` therefore adds a digest of the sources of
`text_kernels` and of the kernel's own package to the cache's stamp. Cold, a kernel compiles for about a second; warm, it
loads in about 10 ms, after half a second for numba itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles `function` at its first call; annotations are kept, so mypy checks the callers.

    Call it with C-contiguous arrays; read-only and writable arrays are two signatures, hence two compilations.
    """
    compiled = numba.njit(nogil=True, cache=True)(function)
    _stamp(compiled, function.__code__.co_filename)
    return cast("Callable[P, R]", compiled)


def helper(function: Callable[P, R]) -> Callable[P, R]:
    """A small function for kernels only: compiled into its caller, never cached by itself."""
    return cast("Callable[P, R]", numba.njit(nogil=True, inline="always")(function))


def part(function: Callable[P, R]) -> Callable[P, R]:
    """A longer function for kernels only: compiled once and then merged into its caller by LLVM.

    As fast as a `helper`, which numba copies into the caller's source, and types anew at every call: a kernel of a dozen
    helpers that call each other took 13 s to compile, of parts 4 s.
    """
    return cast("Callable[P, R]", numba.njit(nogil=True, forceinline=True)(function))


@lru_cache(maxsize=64)
def _sources_digest(folder: Path) -> str:
    """Changes whenever any source file below the folder does."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _package(source: Path) -> Path:
    """The top folder within `eyas` that holds a kernel's file; outside of `eyas`, the file's own folder."""
    root = Path(__file__).parents[1]
    return root / source.relative_to(root).parts[0] if source.is_relative_to(root) else source.parent


def _stamp(compiled: object, source: str) -> None:
    """Ties the cached form to the sources it may inline: all files of `text_kernels`, and of the kernel's own package.

    Without numba's private field (numba 0.68 has it) only the kernel's own file counts, as in plain numba.
    """
    cache_file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    folders = (Path(__file__).parent, _package(Path(source)))
    if cache_file is not None and hasattr(cache_file, "_source_stamp"):
        cache_file._source_stamp = (cache_file._source_stamp, *map(_sources_digest, folders))
