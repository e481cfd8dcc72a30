"""What end-to-end tests share besides fixtures: the recipe's text, a command's result, the digests of a run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

COLUMNS = "200"
"""The width of the terminal that commands see."""
STAGES = """
  - language: {keep: [en], min_score: 0.3}
  - gopher_quality: {min_doc_words: 30, max_non_alpha_words_ratio: 0.4}
  - exact_dedup
  - minhash_dedup: {verify_jaccard: 0.7}
"""
PRODUCTS = """
tokenizer: {vocab_sizes: [600, 1000], latex: {inject: ["\\\\frac", "\\\\infty"]}}
shards: {sequence_length: 256, group_bytes: 300KB}
"""


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


def digests(run: Path) -> dict[str, str]:
    """sha256 of every file that a run publishes for others, by its path."""
    found = {}
    for product in ("curated", "ledger", "tokenizer", "shards"):
        for path in sorted((run / product).rglob("*")):
            if path.is_file():
                found[str(path.relative_to(run))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
