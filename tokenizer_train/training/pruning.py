"""What learning a vocabulary left out, in words: for the terminal, and for the error that it may explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def told_pruning(summary: Mapping[str, Any]) -> str:
    """What was left out of learning, and why, in a sentence; nothing if nothing was."""
    if not summary["pruned_pretokens"]:
        return ""
    why = "because `memory` holds no more" if summary["raised_for_memory"] else "as `min_count` says"
    return (
        f" Pretokens that occur less than {summary['min_count']:,} times were left out, {why}: "
        f"{summary['pruned_text']:.1%} of the text."
    )
