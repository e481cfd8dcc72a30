"""Says what learning a vocabulary left out: for the terminal, and for the error that it may explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def pruning_message(summary: Mapping[str, Any]) -> str:
    """A sentence on the pretokens that were left out of learning, and why; empty if none were."""
    if not summary["pruned_pretokens"]:
        return ""
    why = "because `memory` holds no more" if summary["raised_for_memory"] else "because of `min_count`"
    return (
        f" Pretokens that occur fewer than {summary['min_count']:,} times were left out, {why}: "
        f"{summary['pruned_text']:.1%} of the text."
    )
