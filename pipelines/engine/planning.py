"""The plan: which passes a recipe takes, each named by a digest of everything its result depends on.

Neighbouring document stages are fused into one pass over the text; a corpus stage or a generator is a pass of its own. A
pass's digest covers the inputs, its stages' options and versions, and the digest of the pass before it: so an
edited recipe recomputes what changed and what follows from it, nothing else, and the plan can say so beforehand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa

from eyas.corpus.documents import PARENT
from eyas.corpus.ledger import READ
from eyas.corpus.sources.listing import InputFile, Partition, Split, cut, take_bytes, with_stamps
from eyas.corpus.store import Store, digest_of
from eyas.errors import InputError
from eyas.pipelines.recipe.options import CuratedOptions
from eyas.pipelines.recipe.recipe import NamedStage, Recipe, SourceEntry, load
from eyas.shards.format import FORMAT as SHARD_FORMAT

FORMAT = 1
"""Raised when the files that passes leave change, so that older ones are made again."""
RUN_FORMAT = "eyas-run-2"
"""The format of a run's folder: its plan.json and manifest.json carry it. Those of the first edition carry none."""
FIRST_RUN = "eyas-run-1"
"""What a run of the first edition is called here; its files carry no format."""

Kind = Literal["documents", "corpus", "generate", "join", "curated", "ledger", "tokenizer", "shards", "model"]
PRODUCTS = ("curated", "ledger", "tokenizer", "shards", "model")


@dataclass(frozen=True)
class Pass:
    """One pass. `product` passes leave a folder of their own name in the run."""

    kind: Kind
    label: str
    digest: str
    stages: tuple[NamedStage, ...] = ()
    generator: int = 0
    """Number of a generator pass among those of the recipe, from 1."""
    reads: bool = False
    """Whether it reads the sources."""
    columns: Mapping[str, pa.DataType] = field(default_factory=dict)
    """Columns that its documents have besides id, text, source and origin: those known up to here, not later ones."""

    @property
    def folder(self) -> str:
        """Its folder within the run."""
        return f"passes/{self.digest[:16]}"

    @property
    def makes_documents(self) -> bool:
        """Whether it adds documents to those before."""
        return any(named.stage.makes_documents for named in self.stages)

    @property
    def product(self) -> str | None:
        """The folder it publishes, if it does."""
        return self.kind if self.kind in PRODUCTS else None


@dataclass(frozen=True)
class Plan:
    """The passes of a recipe, and the partitions of its input."""

    recipe: Recipe
    partitions: tuple[Partition, ...]
    files: int
    passes: tuple[Pass, ...]

    @property
    def bytes(self) -> int:
        """Bytes on disk of the input."""
        return sum(partition.bytes for partition in self.partitions)

    @property
    def digest(self) -> str:
        """A digest of the whole plan."""
        return digest_of([p.digest for p in self.passes])

    def to_json(self) -> dict[str, Any]:
        """The content of plan.json."""
        return {
            "format": RUN_FORMAT,
            "recipe": self.recipe.options.name,
            "file": self.recipe.file,
            "folder": self.recipe.folder,
            "variables": dict(self.recipe.variables),
            "recipe_sha256": hashlib.sha256(self.recipe.text.encode()).hexdigest(),
            "lock": self.recipe.options.lock,
            "digest": self.digest,
            "files": self.files,
            "bytes": self.bytes,
            "partitions": [partition.to_json() for partition in self.partitions],
            "passes": [
                {"kind": p.kind, "label": p.label, "digest": p.digest, "folder": p.folder, "stages": specs(p.stages)}
                for p in self.passes
            ],
        }


def make_plan(recipe: Recipe) -> Plan:
    """Lists the inputs and lays out the passes; InputError if a source matches nothing."""
    partitions: list[Partition] = []
    inputs: list[Any] = []
    files = 0
    for entry in recipe.options.sources:
        listing = _files(entry, recipe.options.seed)
        files += len(listing)
        splits = with_stamps(entry.source.splits(listing, recipe.options.partition_bytes), listing)
        pieces = cut(splits, recipe.options.partition_bytes)
        partitions += [Partition(len(partitions) + i, entry.name, splits) for i, splits in enumerate(pieces)]
        stamps = digest_of([[file.path, file.bytes, file.stamp] for file in listing])
        inputs.append([entry.digest_data(), stamps])
    start = digest_of([FORMAT, recipe.options.partition_bytes, inputs])
    passes = document_passes(recipe, start)
    passes += _products(recipe, passes)
    return Plan(recipe, tuple(partitions), files, tuple(passes))


def needed(passes: Sequence[Pass], done: set[str]) -> set[str]:
    """The digests of the passes to run, if those of `done` are: every product, and what a product that is not there is made
    of. So passes may be deleted; they are run again only if something needs them."""
    documents = [p for p in passes if p.product is None]
    by_kind = {p.kind: p for p in passes}
    sources: dict[str, Sequence[Pass]] = {p.digest: documents[max(i - 1, 0) : i] for i, p in enumerate(documents)}
    sources[by_kind["curated"].digest] = documents[-1:]
    sources[by_kind["ledger"].digest] = documents
    made_of: dict[Kind, tuple[Kind, ...]] = {"tokenizer": ("curated",), "shards": ("curated", "tokenizer")}
    made_of["model"] = ("curated", "tokenizer", "shards")
    for kind, kinds in made_of.items():
        if kind in by_kind:
            sources[by_kind[kind].digest] = [by_kind[one] for one in kinds]
    to_run: set[str] = set()
    waiting = [p for p in passes if p.product is not None]
    while waiting:
        planned = waiting.pop()
        if planned.digest not in done and planned.digest not in to_run:
            to_run.add(planned.digest)
            waiting += sources[planned.digest]
    return to_run


def recipe_of_run(store: Store) -> Recipe:
    """The recipe that the run in `store` was made by, with its variables; InputError if there is no run."""
    stored = _stored_plan(store)
    with store.open("recipe.yaml") as file:
        content = file.read()
    if stored.get("recipe_sha256") not in (None, hashlib.sha256(content).hexdigest()):
        raise InputError(f"{store.name('recipe.yaml')}: damaged or edited since the run; `eyas run` the recipe again")
    text = content.decode("utf-8")
    recipe = load(store.path("recipe.yaml"), stored["variables"], stored["folder"], text)
    return replace(recipe, path=stored.get("file") or recipe.path)


def plan_of_run(store: Store) -> Plan:
    """The plan that the run in `store` was made by, with the digests and partitions of its plan.json.

    Sources are not listed: they may have changed, moved or gone since. InputError if there is no run, or if the plan is of
    another recipe.
    """
    stored, recipe = _stored_plan(store), recipe_of_run(store)
    passes = document_passes(recipe, "", digested=False)
    passes += _products(recipe, passes)
    if [p.label for p in passes] != [entry["label"] for entry in stored["passes"]]:
        raise InputError(
            f"{store.name()}: plan.json and recipe.yaml do not belong together, because one of them was edited; `eyas run` "
            f"the recipe again"
        )
    known = tuple(replace(p, digest=entry["digest"]) for p, entry in zip(passes, stored["passes"], strict=True))
    partitions = tuple(
        Partition(one["number"], one["source"], tuple(Split(**split) for split in one["splits"]))
        for one in stored["partitions"]
    )
    return Plan(recipe, partitions, stored["files"], known)


def check_format(plan: dict[str, Any], where: str) -> None:
    """InputError if a run's plan.json is of a format that this version does not know."""
    known = plan.get("format", FIRST_RUN)
    if known not in (FIRST_RUN, RUN_FORMAT):
        raise InputError(f"{where}: format {known!r}, this version reads {RUN_FORMAT!r}; use the Eyas that made it")


def _stored_plan(store: Store) -> dict[str, Any]:
    if not store.exists("plan.json"):
        raise InputError(f"{store.name()}: no plan.json, so this is not the folder of a run")
    stored: dict[str, Any] = store.read_json("plan.json")
    check_format(stored, store.path("plan.json"))
    return stored


def _files(entry: SourceEntry, seed: int) -> list[InputFile]:
    files = entry.source.files(entry.name)
    if entry.source.max_bytes is None:
        return files
    taken = take_bytes(files, entry.source.max_bytes, seed)
    if not taken:
        raise InputError(
            f"source {entry.name!r}: max_bytes = {entry.source.max_bytes:,} is less than any of its {len(files)} files"
        )
    return taken


def specs(stages: Sequence[NamedStage]) -> list[Any]:
    """All that the results of stages depend on: their classes, versions and options, and the files that they load."""
    specified = []
    for named in stages:
        stage, cls = named.stage, type(named.stage)
        options = stage.model_dump(mode="json", exclude=set(stage.operational))
        # Without the package's name: runs of the first edition, whose rooms were packages of their own, stay valid.
        home = f"{cls.__module__.removeprefix('eyas.')}:{cls.__qualname__}"
        only = [named.only.to_json()] if named.only is not None else []
        specified.append([named.label, home, stage.version, options, stage.fingerprint(), *only])
    return specified


def document_passes(recipe: Recipe, start: str, digested: bool = True) -> list[Pass]:
    """Groups stages into passes: runs of document stages, cut at every corpus stage and generator.

    digested: False leaves the digests out, and so the files that stages load need not be there.
    """
    groups: list[list[NamedStage]] = [[]]
    for named in recipe.stages:
        if named.stage.pass_kind != "documents":
            groups += [[named], []]
        else:
            groups[-1].append(named)
    passes: list[Pass] = []
    columns = {name: kind for entry in recipe.options.sources for name, kind in entry.source.carried.items()}
    digest = start
    generators = 0
    for number, group in enumerate(groups):
        if not group and number > 0:
            continue
        kind: Kind = group[0].stage.pass_kind if group else "documents"
        makes = any(named.stage.makes_documents for named in group)
        generators += makes
        labels = [*([READ] if number == 0 else []), *(named.label for named in group)]
        for named in group:
            parents = {PARENT.name: PARENT.type} if makes else {}
            columns = {**columns, **named.stage.columns_added(), **parents}
        generator = generators if makes else 0
        if digested:
            # The first edition ran joiners in the pass of generators, and its runs stay valid.
            digested_kind = "generate" if kind == "join" else kind
            seed = None if kind == "documents" else recipe.options.seed
            digest = digest_of([digest, digested_kind, specs(group), generator, seed])
        passes.append(Pass(kind, " → ".join(labels), digest, tuple(group), generator, number == 0, columns))
    return passes


def _products(recipe: Recipe, passes: Sequence[Pass]) -> list[Pass]:
    options = recipe.options
    curated = digest_of([passes[-1].digest, "curated"])
    form = options.curated
    # What is made of the documents does not depend on how they are published.
    published = curated if form == CuratedOptions() else digest_of([curated, form.model_dump(mode="json")])
    products = [
        Pass("curated", "curated documents", published, columns=passes[-1].columns),
        Pass("ledger", "ledger", digest_of([passes[-1].digest, "ledger"])),
    ]
    if options.tokenizer is None:
        return products
    tokenizer = digest_of([curated, "tokenizer", options.tokenizer.model_dump(mode="json"), options.seed])
    products.append(Pass("tokenizer", "tokenizer", tokenizer))
    if options.shards is None:
        return products
    # The first edition's digests have no format in them: it was this one.
    version = [] if SHARD_FORMAT == "eyas-shard-2" else [SHARD_FORMAT]
    shards = digest_of([tokenizer, "shards", options.shards.model_dump(mode="json"), *version])
    products.append(Pass("shards", "shards", shards))
    if options.train is not None:
        model = digest_of([shards, "model", options.train.model_dump(mode="json"), options.seed])
        products.append(Pass("model", "model", model))
    return products
