"""Types of the JSON on disk: the entries that tasks of each pass return, and the summary that each pass leaves."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from eyas.corpus.task import Json, TaskEntry
from eyas.trainer.summary import ModelSummary


class FiguresRecord(TypedDict):
    """The figures of a stage: see `eyas.corpus.stage.Figures`."""

    account: str
    sums: dict[str, float]
    totals: dict[str, float | str | None]


class DocumentsEntry(TaskEntry):
    """A part as document stages, a generator or a corpus stage left it."""

    part: Json
    ledger: str
    samples: NotRequired[str]
    scores: NotRequired[list[str]]
    books: dict[str, Json]
    """By label of the stage."""
    figures: NotRequired[dict[str, FiguresRecord]]


class NarrowEntry(TaskEntry):
    """A part with the documents that a stage is asked about."""

    part: Json


class SurveyEntry(TaskEntry):
    """What the fields of a partition hold."""

    source: str
    survey: Json
    """A `Survey` (`eyas.corpus.sources.shapes`)."""


class DocumentsSummary(TypedDict):
    """The summary of document stages and generators."""

    figures: dict[str, FiguresRecord]
    columns: NotRequired[dict[str, list[Json]]]
    """The columns that each source gives (`PlannedColumn`), in the summary of the pass that reads."""


class SelectEntry(TaskEntry):
    """The documents of a part with the lowest hash ranks: (rank, id)."""

    lowest: list[tuple[int, int]]


class KeysEntry(TaskEntry):
    """The documents for which a joiner has no key because it raised: (id, error)."""

    refused: list[tuple[int, str]]


class JoinedEntry(DocumentsEntry):
    """The texts joined from one bucket."""

    lengths: list[int]
    """Texts by the bit length of their size in bytes."""
    longest: int
    text_bytes: int
    parents: int


class JoinedCounts(TypedDict):
    """Counts of joined texts and of the documents in them; sizes in bytes."""

    texts: int
    documents: int
    text_bytes: int
    longest: int
    lengths: dict[str, int]
    """Texts by the power of two that is just above their size in bytes."""


class JoinSummary(TypedDict):
    """The summary of a joiner; empty if it had no documents."""

    joined: NotRequired[JoinedCounts]


CorpusSummary = dict[str, dict[str, float]]
"""The summary of a corpus stage: the counts of its tasks added up, by step."""


class CuratedEntry(TaskEntry):
    """One published part."""

    curated: Json
    languages: dict[str, list[int]]
    """Documents and text bytes by language."""


class CuratedFilesEntry(TaskEntry):
    """Published files of a group of parts."""

    documents: int
    languages: dict[str, list[int]]
    """Documents and text bytes by language."""


class CuratedSummary(TypedDict):
    """The summary of the curated documents."""

    documents: int
    text_bytes: int
    languages: dict[str, list[int]]


class CountEntry(TaskEntry):
    """Counts of the pretokens of one part."""

    mixture: dict[str, dict[str, float]]
    """By `source: NAME` or `lang: NAME`: bytes, and bytes times their weights."""


class AddedUpEntry(TaskEntry):
    """Added counts of one range of hashes."""

    histogram: dict[str, list[int]]


class LearnedEntry(TaskEntry):
    """The learned vocabulary."""

    summary: Json


class TokenizerSummary(TypedDict):
    """The summary of the tokenizer: index, pretokens left out of learning, mixture, and fertility by size and group."""

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
    """How much of a source is in the shards."""

    name: str
    documents: int
    tokens: int
    rows: int


class ShardsSummary(TypedDict):
    """The summary of the shards."""

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
    """The trained model."""

    summary: ModelSummary
