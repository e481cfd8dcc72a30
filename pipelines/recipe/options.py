"""Options of a recipe that are about all of its documents: how they are published, and when too few are left."""

# Tested in tests/end_to_end/test_curated_output.py.

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ByteSize, Field

from eyas.corpus.options import Options


class CuratedOptions(Options):
    """How curated documents are published: `curated: {format: jsonl.zst, columns: [text, url], part_bytes: 256MB}`."""

    columns: list[str] | None = Field(default=None, min_length=1)
    """The columns to publish, in this order. Null: all."""
    format: Literal["parquet", "jsonl", "jsonl.gz", "jsonl.zst"] = "parquet"
    """Parquet, or JSON lines, plain or compressed. In JSON, times are ISO 8601, decimals are text and bytes base64."""
    part_bytes: Annotated[ByteSize, Field(gt=0)] | None = None
    """Bytes of text in a file, about: small parts of a source are joined, large ones are cut. Null: a file for each part."""


class AlarmOptions(Options):
    """When a run stops because too little is left: `alarms: {floor: 0.1, source: {web: 0.02}}`."""

    floor: float = Field(default=0.05, ge=0.0, le=1.0)
    """Least share of the documents of each source, and of each language, that must be left after every pass."""
    least: int = Field(default=20, ge=1)
    """Fewest documents of a source or language to judge by."""
    source: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] = {}
    """Floors of single sources and generators; 0 turns one off."""
    lang: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] = {}
    """Floors of single languages, by their codes in the column `lang`."""
