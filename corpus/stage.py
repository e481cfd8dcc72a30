"""The base classes of stages: mapper, filter, generator, joiner, corpus stage. A stage is a frozen model of its options.

The smallest unit a newcomer writes is ten lines: subclass `Filter`, declare options as fields, implement `judge`.
Heavy state (a fastText model, a client) is a `functools.cached_property`, loaded once per worker
and never pickled: only the class and its options travel to a worker.
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
    """What a stage reports of its work: `sums` are added over tasks, `totals` are cumulative over all tasks of an account."""

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
    """The base of all kinds. Raise `version` whenever the same options would give another result."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ignored_types=(cached_property,), use_attribute_docstrings=True
    )

    kind_name: ClassVar[str] = ""
    """The name of this kind of stage; empty for `Stage` itself."""
    pass_kind: ClassVar[PassKind] = "documents"
    """The kind of pass that runs it. Stages of "documents" in a row share a pass; any other stage has its own."""
    makes_documents: ClassVar[bool] = False
    """Whether it adds documents, whose `source` is the stage's name, and a column `parent`."""
    version: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ()
    """Columns that it needs besides id, text, source and origin."""
    adds: ClassVar[Mapping[str, pa.DataType]] = {}
    """Columns that it adds, with their types."""

    operational: ClassVar[frozenset[str]] = frozenset()
    """Options that change how the work is done, not its result: time limits, concurrency. Changing one recomputes nothing."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.model_dump(exclude_unset=True))

    def columns_needed(self) -> tuple[str, ...]:
        """`requires`; a stage whose options decide which columns it needs overrides this."""
        return self.requires

    def check_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Raises InputError if one of `columns`, those of its documents, has a type that it cannot work with.

        Called before the run, when the columns of the input are known. Those it needs are among them, dotted names that lead
        into nests too.
        """

    def packages_needed(self) -> Mapping[str, str]:
        """The optional packages that it needs: the name to import, and the command that installs it."""
        return {}

    def check_setup(self) -> None:
        """Raises InputError or StageUnavailable if an option names what is not there: a language, a label, a file.

        Called before the run, on the driver; it must be quick. What takes longer belongs into `prepare`.
        """

    def columns_added(self) -> Mapping[str, pa.DataType]:
        """`adds`; a stage whose options decide which columns it adds overrides this."""
        return self.adds

    def sources_named(self) -> tuple[str, ...]:
        """Names of sources in its options; the recipe must have them."""
        return ()

    def makes(self) -> Mapping[str, str]:
        """The artifacts that it leaves for later stages: the name of each, and its folder below that of the pass."""
        return {}

    def check_made(self, made: Sequence[str]) -> None:
        """Raises ValueError if it needs an artifact that is not among `made`, those of the stages before it."""

    def shared_resource(self, store: Store) -> SharedResource | None:
        """The resource on the driver's machine that all workers of a run share; None if there is none.

        Called before the run. ValueError if the stage needs a resource that a run in `store` cannot have.
        """
        return None

    def open(self, context: TaskContext) -> None:
        """Finds the artifacts of earlier stages of this run; called in each worker, before `prepare`."""

    def prepare(self) -> None:
        """Loads what the stage needs, once, before the first document; raises `StageUnavailable` if it cannot."""

    def notes(self) -> list[str]:
        """Lines that `eyas plan` prints about the consequences of the options (a curve, what fits into memory)."""
        return []

    def intended(self, books: Books) -> int:
        """How many of the documents that it dropped are no loss: the recipe says by name that they are to go, or an alarm of
        the stage's own watches over them."""
        return 0

    def forecast(self, documents: int, characters: int) -> str | None:
        """The cost of so many documents with so many characters, for `eyas plan`; None if it is negligible."""
        return None

    def figures(self) -> Figures | None:
        """Figures for the report, taken in each worker at the end of a task; None if there are none."""
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
    """Decides which documents to keep, with reason and score; never drops rows itself."""

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
        """The statistics that it needs and may share with other filters; None if it counts for itself."""
        return None

    @abstractmethod
    def judge(self, docs: pa.Table) -> Verdict:
        """A verdict as long as `docs`. The decision on a document must depend on that document only."""


class Generator(Stage):
    """Makes new documents out of existing ones, which stay."""

    kind_name: ClassVar[str] = "generator"
    pass_kind: ClassVar[PassKind] = "generate"
    makes_documents: ClassVar[bool] = True

    max_documents: int | None = Field(default=None, ge=1)
    """Use at most this many documents, chosen by a hash of (seed, id). Null: all of them."""

    @abstractmethod
    def generate(self, docs: pa.Table, seed: int) -> pa.Table:
        """New documents: columns `text` (large_string, null where `error` is set), `parent` (list<uint64>),
        `error` (string, null where all went well), and those of `adds`. The engine assigns ids and origins."""

    def gate(self, generated: pa.Table) -> Verdict:
        """Judges what was generated; all is kept unless a stage says otherwise."""
        return Verdict.of([True] * generated.num_rows)


class Joiner(Generator):
    """Makes each new document out of several existing ones, wherever in the corpus they lie.

    The engine shuffles documents by key, through files, in buckets of bounded size, and hands each group to `generate`: the
    documents with one key, ids ascending. Documents that are themselves joined, or hold control tokens, take no part.
    """

    kind_name: ClassVar[str] = "joiner"
    pass_kind: ClassVar[PassKind] = "join"

    share: float = Field(default=1.0, ge=0.0, le=1.0)
    """Share of groups to use, chosen by a hash of (seed, key)."""
    bucket_bytes: Annotated[ByteSize, Field(gt=0, validate_default=True)] = ByteSize(256_000_000)
    """Roughly how much text to group at a time; a task needs three times as much memory. A larger group is cut, by id."""

    @model_validator(mode="after")
    def _share_instead(self) -> Joiner:
        if self.max_documents is not None:
            raise InputError("documents are joined by groups: give `share`, the share of groups, not `max_documents`")
        return self

    @abstractmethod
    def keys(self, docs: pa.Table, seed: int, total_bytes: int) -> pa.Array:
        """list<uint64>[documents]: the keys by which each document may be grouped. A document without keys takes no part.

        A document with several keys joins the group of the key that most documents share. total_bytes: text of the whole
        corpus.
        """

    def largest_group(self) -> int | None:
        """Keys shared by more documents than this are ignored: a licence text does not make files related. None: no limit."""
        return None


class CorpusStage(Stage):
    """Needs all partitions: deduplication, counting.

    `plan` describes the shuffles as steps of tasks that leave files under the pass's folder; `decide` then gives
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
        """Raises `Alarm` if the run must stop: a source (a key of `books`) has lost more than it should, or the figures of a
        step (a key of `summary`) are not what they must be."""
