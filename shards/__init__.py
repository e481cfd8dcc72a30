"""Packed Arrow shards, and a loader that gives their rows to PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyas.lazy import lazy

if TYPE_CHECKING:
    from eyas.shards.loader import ShardLoader

__all__ = ["ShardLoader"]

__getattr__ = lazy(__name__, {"ShardLoader": "eyas.shards.loader"})
