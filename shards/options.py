"""The options of the shards, as they stand in a recipe under `shards:`. Imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field

Packing = Literal["best_fit", "first_fit", "concat"]


class ShardOptions(BaseModel):
    """Packed Arrow shards: `shards: {sequence_length: 2048, …}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sequence_length: int = Field(default=2048, ge=16, le=1 << 20)
    """Tokens in a row."""
    packing: Packing = "best_fit"
    """best_fit: longest document first, each into the row with the least room that fits (Ding et al. 2024), so only
    documents longer than a row are split; first_fit: in order, each into the first row that fits; concat: one after the
    other, split wherever a row ends. None throws a token away."""
    bos: bool = True
    """Begin every document with <|begin_of_text|>."""
    eos: bool = True
    """End every document with <|end_of_text|>."""
    group_bytes: ByteSize = Field(default=ByteSize(256_000_000), gt=0, validate_default=True)
    """Curated text of one source that is packed together, and makes one shard file. More packs tighter and holds more
    memory: about ten times as much."""
