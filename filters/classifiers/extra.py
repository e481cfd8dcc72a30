"""Imports the packages of the extra `classifiers` (scikit-learn, torch, transformers) when they are needed.

Eyas runs without them until a recipe trains a classifier or scores by a transformer, and the import takes seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from eyas.corpus.stage import StageUnavailable


def load_extra(module: str, purpose: str) -> Any:
    """The module; `StageUnavailable` says what to install. `purpose`: what needs it, the subject of that sentence."""
    try:
        return import_module(module)
    except ImportError as error:
        package = {"sklearn": "scikit-learn"}.get(module.partition(".")[0], module.partition(".")[0])
        raise StageUnavailable(f"{purpose} needs {package}: pip install 'eyas[classifiers]' ({error})") from error
