"""Packed Arrow shards, and a loader that hands their rows to PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyas.shards.loader import ShardLoader

__all__ = ["ShardLoader"]


def __getattr__(name: str) -> Any:
    if name == "ShardLoader":
        from eyas.shards.loader import ShardLoader

        return ShardLoader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
