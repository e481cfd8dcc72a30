"""The registry of sources, the formats that documents are read from."""

from __future__ import annotations

from eyas.corpus.registry import Registry

SOURCES = {
    "files": "eyas.corpus.sources.text_files:TextFiles",
    "jsonl": "eyas.corpus.sources.jsonl:JsonLines",
    "parquet": "eyas.corpus.sources.columnar:ParquetFiles",
    "arrow": "eyas.corpus.sources.columnar:ArrowFiles",
}

REGISTRY = Registry("source", "SOURCES", "eyas.sources", ("eyas.corpus.sources",), "eyas.corpus.sources.base:Source")
"""All sources: a format is one class and one line of a dictionary `SOURCES`, ours or a plugin's."""
