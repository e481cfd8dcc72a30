"""The options of shards, which stand in a recipe under `shards:`. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ByteSize, Field, field_validator

from eyas.corpus.options import Options
from eyas.errors import InputError

Packing = Literal["best_fit", "first_fit", "concat"]


class ShardOptions(Options):
    """Packed Arrow shards: `shards: {sequence_length: 2048, …}`."""

    sequence_length: int = Field(default=2048, ge=16, le=1 << 20)
    """Tokens in a row."""
    packing: Packing = "best_fit"
    """How documents fill rows. best_fit puts the longest first, each into the row with the least room that fits (Ding et
    al. 2024), so only documents longer than a row are split. first_fit puts each, in order, into the first row that fits.
    concat lays them end to end and splits wherever a row ends. None of them drops a token."""
    bos: bool = True
    """Begin every document with <|begin_of_text|>."""
    eos: bool = True
    """End every document with <|end_of_text|>."""
    held_out: float = Field(default=0.0, ge=0.0, lt=0.5)
    """Share of documents that no model is trained on, chosen by a hash of their ids. They are packed separately, into the
    folder held_out inside that of the shards, and the trainer measures bits per byte on them, source by source."""
    group_bytes: ByteSize = Field(default=ByteSize(256_000_000), gt=0, validate_default=True)
    """Bytes of curated text of one source that are packed together into one shard file. More text packs tighter and takes
    more memory: about ten times as much as the text."""


class Phase(Options):
    """Weights from a step on: `{from_step: 1000, weights: {web: 0.7, code: 0.3}}`."""

    weights: dict[str, float] = Field(min_length=1)
    """Shares of tokens by source, scaled to add up to 1. Sources that are not named give no rows."""
    from_step: int = Field(default=0, ge=0)
    """The first step that draws by these weights."""

    @field_validator("weights")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        for source, weight in value.items():
            if not 0 < weight < float("inf"):
                raise InputError(
                    f"weight {weight} of source {source!r}: expected a number above 0 (leave it out for none)"
                )
        return value


def check_phases(phases: Sequence[Phase]) -> None:
    """Raises InputError unless the phases begin at step 0 and follow each other."""
    if not phases:
        raise InputError("a mixture needs at least one phase: {weights: {source: share, …}}")
    steps = [phase.from_step for phase in phases]
    if steps[0] != 0 or any(a >= b for a, b in zip(steps, steps[1:], strict=False)):
        raise InputError(f"phases of a mixture begin at steps {steps}: expected 0 first, and each after the one before")
