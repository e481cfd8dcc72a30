"""What the tasks of each pass return and what each pass leaves for the report, as types of the JSON on disk."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from eyas.corpus.task import Json, TaskEntry
from eyas.trainer.summary import ModelSummary


class FiguresRecord(TypedDict):
    """What a stage spent: see `eyas.corpus.stage.Figures`."""

    account: str
    sums: dict[str, float]
    totals: dict[str, float | str | None]


class DocumentsEntry(TaskEntry):
    """A part that document stages, a generator or a corpus stage have been through."""

    part: Json
    ledger: str
    samples: NotRequired[str]
    scores: NotRequired[list[str]]
    books: dict[str, Json]
    """By label of the stage."""
    figures: NotRequired[dict[str, FiguresRecord]]


class DocumentsSummary(TypedDict):
    """Of document stages and generators."""

    figures: dict[str, FiguresRecord]


class SelectEntry(TaskEntry):
    """The documents of a part with the lowest hash ranks: (rank, id)."""

    lowest: list[tuple[int, int]]


class KeysEntry(TaskEntry):
    """The documents for which a joiner has no key because it raised: (id, error)."""

    refused: list[tuple[int, str]]


class JoinedEntry(DocumentsEntry):
    """What was joined in one bucket."""

    lengths: list[int]
    """Texts by the bit length of their size in bytes."""
    longest: int
    text_bytes: int
    parents: int


class JoinedCounts(TypedDict):
    """How many texts were made of how many documents; sizes in bytes."""

    texts: int
    documents: int
    text_bytes: int
    longest: int
    lengths: dict[str, int]
    """Texts of less than 2^k bytes and no less than half of it, by that bound."""


class JoinSummary(TypedDict):
    """Of a joiner; empty if it had no documents."""

    joined: NotRequired[JoinedCounts]


CorpusSummary = dict[str, dict[str, float]]
"""Of a corpus stage: the counts of its tasks added up, by step."""


class CuratedEntry(TaskEntry):
    """One published part."""

    curated: Json
    languages: dict[str, list[int]]
    """Documents and text bytes by language."""


class CuratedSummary(TypedDict):
    """Of the curated documents."""

    documents: int
    text_bytes: int
    languages: dict[str, list[int]]


class CountEntry(TaskEntry):
    """Pretokens of one part."""

    mixture: dict[str, dict[str, float]]
    """By `source: NAME` or `lang: NAME`: bytes, and bytes times their weights."""


class AddedUpEntry(TaskEntry):
    """Counts of one range of hashes."""

    histogram: dict[str, list[int]]


class LearnedEntry(TaskEntry):
    """What learning the vocabulary came to."""

    summary: Json


class TokenizerSummary(TypedDict):
    """Of the tokenizer: its index, what was left out of learning, the mixture, fertility by size and group."""

    fertility: dict[str, dict[str, dict[str, float]]]
    merges: int
    sha256: str
    vocab_sizes: list[int]
    latex_commands: int
    options: Json
    min_count: int
    raised_for_memory: bool
    pretokens: int
    pruned_pretokens: int
    occurrences: int
    pruned_text: float
    mixture: dict[str, dict[str, float]]


class SourceCounts(TypedDict):
    """What of a source is in the shards."""

    name: str
    documents: int
    tokens: int
    rows: int


class ShardsSummary(TypedDict):
    """Of the shards."""

    documents: int
    tokens: int
    pieces: int
    split: int
    longer: int
    padding: int
    lost: int
    held_out: int
    rows: int
    files: int
    sequence_length: int
    packing: str
    padding_share: float
    bytes_per_token: float
    digest: str
    ways: dict[str, dict[str, int]]
    histogram: list[int]
    sources: list[SourceCounts]


class TrainEntry(TaskEntry):
    """What training came to."""

    summary: ModelSummary
