"""The kinds of stage: mapper, filter, generator, joiner, corpus stage. A stage is a frozen Pydantic model of its options.

The smallest unit a newcomer writes is ten lines: subclass `Filter`, declare options as fields, implement `judge`.
Heavy state (a fastText model, a client) is a `functools.cached_property`, loaded once per worker
and never pickled: what travels to a worker is the class and its options.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import BaseModel, ByteSize, ConfigDict, Field, model_validator

from eyas.corpus.ledger import Books
from eyas.corpus.measure import Measure
from eyas.corpus.part import Part
from eyas.corpus.store import Store
from eyas.corpus.task import Step, TaskContext
from eyas.corpus.verdict import Verdict
from eyas.errors import InputError, StageError

PassKind = Literal["documents", "generate", "join", "corpus"]


class StageUnavailable(StageError):
    """The stage cannot work at all (a model file is missing, an endpoint is down): the run stops.

    Any other exception that a document stage raises is blamed on one document, which is quarantined.
    """


@dataclass(frozen=True)
class Figures:
    """What a stage tells of its work: `sums` over tasks, and `totals` that run on over all tasks, of which the last hold."""

    account: str
    sums: Mapping[str, float]
    totals: Mapping[str, float | str | None]


@dataclass(frozen=True)
class SharedResource:
    """A resource on the driver's machine that all workers of a run use, such as a budget file."""

    key: str
    """Stages with the same key share the resource."""
    serve: Callable[[], Any]
    """Makes the resource reachable from other nodes, by an actor. Runs on the driver after Ray has started; the executor
    keeps the result until the run ends."""


class Stage(BaseModel):
    """What all kinds share. Raise `version` whenever the same options would give another result."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ignored_types=(cached_property,), use_attribute_docstrings=True
    )

    kind_name: ClassVar[str] = ""
    """What this kind of stage is called; empty for a class that is of no kind."""
    pass_kind: ClassVar[PassKind] = "documents"
    """Which kind of pass runs it. Stages of "documents" in a row share a pass, any other has its own."""
    makes_documents: ClassVar[bool] = False
    """Whether it adds documents, whose `source` is the stage's name, and a column `parent`."""
    version: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ()
    """Columns that must be there, besides id, text, source and origin."""
    adds: ClassVar[Mapping[str, pa.DataType]] = {}
    """Columns that this stage adds, with their types."""

    operational: ClassVar[frozenset[str]] = frozenset()
    """Options that change how the work is done, not its result: time limits, concurrency. Changing one recomputes nothing."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.model_dump(exclude_unset=True))

    def columns_needed(self) -> tuple[str, ...]:
        """`requires`, or what this stage's options ask for besides."""
        return self.requires

    def columns_added(self) -> Mapping[str, pa.DataType]:
        """`adds`, or columns whose names depend on this stage's options."""
        return self.adds

    def sources_named(self) -> tuple[str, ...]:
        """Names of sources in its options, which the recipe must know."""
        return ()

    def makes(self) -> Mapping[str, str]:
        """What it leaves for later stages of the recipe: by name, its folder below that of the pass."""
        return {}

    def check_made(self, made: Sequence[str]) -> None:
        """Raises ValueError if it needs something that is not among `made`, what the stages before it leave."""

    def shared_resource(self, store: Store) -> SharedResource | None:
        """The resource on the driver's machine that all workers of a run share; None if there is none.

        Called before the run. ValueError if the stage needs a resource that a run in `store` cannot have.
        """
        return None

    def open(self, context: TaskContext) -> None:
        """Finds what earlier stages of this run left; called in each worker, before `prepare`."""

    def prepare(self) -> None:
        """Loads what the stage needs, once, before the first document; raises `StageUnavailable` in words."""

    def notes(self) -> list[str]:
        """Lines that `eyas plan` prints: what the options mean, computed (a curve, what fits into memory)."""
        return []

    def forecast(self, documents: int, characters: int) -> str | None:
        """What so many documents with so many characters will take, for `eyas plan`; None if it costs nothing to speak of."""
        return None

    def figures(self) -> Figures | None:
        """Figures for the report, asked in each worker at the end of a task; None if there are none."""
        return None

    def fingerprint(self) -> Any:
        """JSON data that changes whenever results would, besides options and `version` (a model file's size, say)."""
        return None


def _rebuild(cls: type[Stage], options: dict[str, Any]) -> Stage:
    return cls(**options)


class Mapper(Stage):
    """Same rows, same order; changes or adds columns."""

    kind_name: ClassVar[str] = "mapper"

    @abstractmethod
    def map(self, docs: pa.Table) -> pa.Table:
        """The document table with changed or added columns: as many rows, in the same order."""


class Filter(Stage):
    """Says keep or drop, why, and by what score; never drops rows itself."""

    kind_name: ClassVar[str] = "filter"

    scores_all: ClassVar[bool] = False
    """Whether it also scores documents that a filter before it dropped, so that thresholds can be moved later without
    reading the text again. Filters in a row that do are fused: the text is walked once for all of them."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if "cheap" in cls.__dict__:
            raise TypeError(
                f"{cls.__name__}: `cheap` is called `scores_all` since the second edition; `eyas migrate` renames it"
            )

    def measure(self) -> Measure | None:
        """What it wants counted in the text, together with what other filters want; None if it counts for itself."""
        return None

    @abstractmethod
    def judge(self, docs: pa.Table) -> Verdict:
        """A verdict as long as `docs`. The decision on a document must depend on that document only."""


class Generator(Stage):
    """Makes new documents out of old ones, which stay."""

    kind_name: ClassVar[str] = "generator"
    pass_kind: ClassVar[PassKind] = "generate"
    makes_documents: ClassVar[bool] = True

    max_documents: int | None = Field(default=None, ge=1)
    """At most so many documents are used, chosen by a hash of (seed, id); null: all of them."""

    @abstractmethod
    def generate(self, docs: pa.Table, seed: int) -> pa.Table:
        """New documents: columns `text` (large_string, null where `error` is set), `parent` (list<uint64>),
        `error` (string, null where all went well), and those of `adds`. The engine gives out ids and origins."""

    def gate(self, generated: pa.Table) -> Verdict:
        """Judges what was generated; all is kept unless a stage says otherwise."""
        return Verdict.of([True] * generated.num_rows)


class Joiner(Generator):
    """Makes new documents out of several old ones, wherever in the corpus they lie.

    The engine shuffles documents by key, through files, in buckets of bounded size, and hands each group to `generate`: the
    documents with one key, ids ascending. What is itself joined, or holds control tokens, takes no part.
    """

    kind_name: ClassVar[str] = "joiner"
    pass_kind: ClassVar[PassKind] = "join"

    share: float = Field(default=1.0, ge=0.0, le=1.0)
    """The share of groups that are used, chosen by a hash of (seed, key)."""
    bucket_bytes: Annotated[ByteSize, Field(gt=0, validate_default=True)] = ByteSize(256_000_000)
    """Text that is grouped at a time, about: what a task needs in memory, thrice. A group of more is cut, in order of ids."""

    @model_validator(mode="after")
    def _share_instead(self) -> Joiner:
        if self.max_documents is not None:
            raise InputError("documents are joined by groups: give `share`, the share of groups, not `max_documents`")
        return self

    @abstractmethod
    def keys(self, docs: pa.Table, seed: int, total_bytes: int) -> pa.Array:
        """list<uint64>[documents]: keys by which each may be grouped; empty: it takes no part.

        Of several keys, a document goes with the one that most others share. `total_bytes`: text of the whole corpus.
        """

    def largest_group(self) -> int | None:
        """Keys that more documents share than this group nobody (a licence text is no relation); None: any number."""
        return None


class CorpusStage(Stage):
    """Needs all partitions: deduplication, counting.

    `plan` describes the shuffles as steps of tasks that leave files under the pass's folder; `decide` then reads off
    the verdict on one part. The engine turns verdicts into masks and ledger rows.
    """

    kind_name: ClassVar[str] = "corpus stage"
    pass_kind: ClassVar[PassKind] = "corpus"

    @abstractmethod
    def plan(self, inputs: Sequence[Part]) -> Iterable[Step]:
        """The steps to run, in order, before `decide`: a pure function of options and inputs.

        A generator is sent the entries of each step that it yields, so it may go on until nothing changes any more.
        """

    @abstractmethod
    def decide(self, part: Part, inputs: Sequence[Part], context: TaskContext) -> Verdict:
        """The verdict on the kept documents of `part`, in their order."""

    def check(self, books: Mapping[str, Books], summary: Mapping[str, Mapping[str, float]]) -> None:
        """Raises `Alarm`, in words, if the run must stop: a source (the keys of `books`) has lost more than it should, or
        the figures of a step (of `summary`) are not what they must be."""
