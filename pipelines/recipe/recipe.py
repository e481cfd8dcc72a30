"""The recipe: what a YAML file may say, checked before anything runs.

Every error names the file, the line, and the nearest valid key. The models here and the stages' own are the schema
(`eyas schema` prints it as JSON Schema for editors); there is no second description of the options anywhere.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ByteSize, Field, create_model, model_validator

from eyas.corpus.documents import COLUMNS
from eyas.corpus.options import Options
from eyas.corpus.paths import relative_to
from eyas.corpus.registry import add_search_path
from eyas.corpus.sources import REGISTRY
from eyas.corpus.sources.base import Source
from eyas.corpus.stage import Stage
from eyas.errors import InputError, nearest
from eyas.pipelines.recipe.only import Only
from eyas.pipelines.recipe.options import AlarmOptions, CuratedOptions
from eyas.pipelines.recipe.registry import stage_class
from eyas.pipelines.recipe.validation import validated
from eyas.pipelines.recipe.yaml_file import Location, RecipeError, YamlFile
from eyas.shards.options import Phase, ShardOptions
from eyas.tokenizer_train.options import TokenizerOptions
from eyas.trainer.options import TrainOptions


class SourceEntry(Options):
    """One source: a name and exactly one format."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    """The name that documents carry in the column `source`."""

    @model_validator(mode="after")
    def _one_format(self) -> SourceEntry:
        formats = [name for name in type(self).model_fields if name != "name"]
        given = [name for name in formats if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(f"a source needs exactly one of {', '.join(formats)}; found {', '.join(given) or 'none'}")
        return self

    @property
    def format(self) -> str:
        """The name of the format that was given."""
        return next(name for name in type(self).model_fields if name != "name" and getattr(self, name) is not None)

    @property
    def source(self) -> Source:
        """The options of the format that was given."""
        source: Source = getattr(self, self.format)
        return source

    def digest_data(self) -> dict[str, Any]:
        """Its part of the digests of passes: as in the first edition, so that a new format changes no digest."""
        data = self.model_dump(mode="json")
        options = data[self.format]
        # The first edition took no columns but those of `carry`, and its runs that named some stay valid.
        if options.get("carry") and options.get("columns") is None and not options.get("drop"):
            data[self.format] = {name: value for name, value in options.items() if name not in ("columns", "drop")}
        return {name: value for name, value in data.items() if value is not None or name in _FIRST_FORMATS}


_FIRST_FORMATS = ("files", "jsonl", "parquet", "arrow")


class RecipeOptions(Options):
    """Everything in a recipe except its stages."""

    format: Literal[1] = 1
    """The version of the recipe's format. A later version is refused, not misread."""
    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """The run's name: its folder is `runs/<name>`."""
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    """The seed of all random choices. The same recipe, inputs and seed give the same bytes."""
    sources: list[SourceEntry] = Field(min_length=1)
    """Where documents come from."""
    partition_bytes: Annotated[ByteSize, Field(gt=0, validate_default=True)] = ByteSize(64_000_000)
    """Input is cut into slices of about this size; one task works on one slice."""
    tolerance: float = Field(default=0.001, ge=0.0, le=1.0)
    """Share of documents that may be quarantined (broken, or a stage raised on them) before the run stops."""
    alarms: AlarmOptions = AlarmOptions()
    """When the run stops because a source or a language vanishes."""
    allow_empty: bool = False
    """Whether a stage, and so the whole run, may keep no document at all."""
    plugins: list[str] = []
    """Modules with your own stages or sources. Each declares STAGES or SOURCES = {"name": "module:Class"}."""
    variables: dict[str, str] = {}
    """Values for `${name}` in this file; `--var name=value` overrides them. `${python_env}` is always known."""
    lock: Literal["auto", "none"] = "auto"
    """`none`: take no lock on the run's folder, for stores that cannot keep one. Then see to it that one run works there."""
    curated: CuratedOptions = CuratedOptions()
    """How the documents that stay are published. Tokenizer, shards and model do not depend on it."""
    tokenizer: TokenizerOptions | None = None
    """Train a tokenizer on the curated documents."""
    shards: ShardOptions | None = None
    """Tokenize and pack the curated documents."""
    train: TrainOptions | None = None
    """Train a model on the shards."""

    @model_validator(mode="after")
    def _chain(self) -> RecipeOptions:
        if self.shards is not None and self.tokenizer is None:
            raise InputError("`shards` needs a `tokenizer`: add one, such as `tokenizer: {vocab_sizes: [32768]}`")
        if self.train is not None and self.shards is None:
            raise InputError("`train` needs `shards`: add them, such as `shards: {sequence_length: 2048}`")
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise InputError("two sources have the same name")
        return self


@dataclass(frozen=True)
class NamedStage:
    """A stage of the recipe. `label` is its name, with `#2` … when the name is used again."""

    label: str
    name: str
    stage: Stage
    only: Only | None = None
    """The documents that it is asked about; None: all."""
    place: str = field(default="", compare=False)
    """File and line of the recipe, and the key, for messages."""

    def columns_needed(self) -> tuple[str, ...]:
        """The columns that the stage and its condition need, besides those of every table."""
        own = [name for name in self.only.columns() if name not in COLUMNS] if self.only is not None else []
        return tuple(dict.fromkeys([*self.stage.columns_needed(), *own]))


@dataclass(frozen=True)
class Recipe:
    """A checked recipe."""

    path: str
    text: str
    options: RecipeOptions
    stages: tuple[NamedStage, ...]
    folder: str
    """The folder of the file, where plugins may lie."""
    variables: Mapping[str, str]
    """Values given by --var."""

    @property
    def file(self) -> str:
        """The file of the recipe, in full."""
        return self.path if "://" in self.path else str(Path(self.path).resolve())


@cache
def recipe_model(plugins: tuple[str, ...] = ()) -> type[RecipeOptions]:
    """The recipe's options, with a field for each known format of sources, including those of plugins."""
    formats: dict[str, Any] = {}
    for name in REGISTRY.targets(plugins):
        cls = REGISTRY.load(name, plugins)
        formats[name] = (cls | None, Field(default=None, description=(cls.__doc__ or "").strip()))
    entry = create_model("SourceEntry", __base__=SourceEntry, **formats)
    sources = Field(min_length=1, description="Where documents come from.")
    return create_model("RecipeOptions", __base__=RecipeOptions, sources=(list[entry], sources))  # type: ignore[valid-type]


def load(
    path: str, variables: Mapping[str, str] | None = None, folder: str | None = None, text: str | None = None
) -> Recipe:
    """Reads and checks a recipe; raises `RecipeError` with every problem found.

    folder: where relative paths begin and plugins may lie; null: the file's own. text: the content of the file, if it was
    read already.
    """
    folder = folder or str(Path(path).resolve().parent)
    file = YamlFile(path, text)
    entry = file.data.get("variables")
    declared = {key: str(value) for key, value in entry.items()} if isinstance(entry, dict) else {}
    python_env = {"python_env": sysconfig.get_paths()["purelib"]}
    problems = file.substitute({**python_env, **declared, **(variables or {})})
    # At once: later messages may quote values.
    if secrets := file.secrets():
        raise RecipeError(secrets)
    data = dict(file.data)
    entries = data.pop("stages", [])
    add_search_path(folder)
    given = data.get("plugins")
    plugins = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    with relative_to(folder):
        options = validated(_model(plugins, file, problems), data, (), file, problems)
        stages = _stages(entries, plugins, file, problems)
    if options is not None:
        _check_alarms(options, stages, file, problems)
    if options is not None and options.train is not None:
        _check_mixture(options.train.mixture or [], options, stages, file, problems)
    if problems or options is None:
        raise RecipeError(problems)
    return Recipe(path, file.text, options, stages, folder, dict(variables or {}))


def _model(plugins: Sequence[str], file: YamlFile, problems: list[str]) -> type[RecipeOptions]:
    """The recipe's model. If a plugin cannot be loaded, that is one more problem, and the formats of plugins are left out."""
    try:
        return recipe_model(tuple(plugins))
    except InputError as error:
        problems.append(file.problem(("plugins",), str(error)))
        return recipe_model()


ROUTE = "route"
"""The entry of `stages` that groups others under one condition."""


@dataclass(frozen=True)
class _Entry:
    """An entry of `stages`: where it stands, what it says, and the condition of the routes around it."""

    location: Location
    given: Any
    only: Only | None


def _entries(given: Any, location: Location, only: Only | None, file: YamlFile, problems: list[str]) -> list[_Entry]:
    """All stages of a list, those within routes in their places."""
    if not isinstance(given, list):
        problems.append(file.problem(location, "expected a list of stages: `- gopher_quality: {}`"))
        return []
    entries: list[_Entry] = []
    for number, entry in enumerate(given):
        here: Location = (*location, number)
        if not (isinstance(entry, dict) and list(entry) == [ROUTE]):
            entries.append(_Entry(here, entry, only))
            continue
        route, place = entry[ROUTE], (*here, ROUTE)
        if not isinstance(route, dict) or set(route) != {"only", "stages"}:
            problems.append(
                file.problem(place, "expected `{only: …, stages: […]}`: a condition and the stages under it")
            )
            continue
        inner = _only(route["only"], (*place, "only"), file, problems)
        if inner is not None:
            inner = only.both(inner) if only is not None else inner
            entries += _entries(route["stages"], (*place, "stages"), inner, file, problems)
    return entries


def _only(given: Any, location: Location, file: YamlFile, problems: list[str]) -> Only | None:
    try:
        return Only.parse(given)
    except InputError as error:
        problems.append(file.problem(location, str(error)))
        return None


def _stages(given: Any, plugins: Sequence[str], file: YamlFile, problems: list[str]) -> tuple[NamedStage, ...]:
    before = len(problems)
    stages: list[NamedStage] = []
    for entry in _entries(given, ("stages",), None, file, problems):
        stage = _stage(entry, plugins, stages, file, problems)
        if stage is not None:
            stages.append(stage)
    # What a broken stage would add or make is unknown: later stages must not be blamed for its absence.
    if len(problems) == before:
        _check_columns(stages, file, problems)
        _check_artifacts(stages, problems)
        _check_sources(stages, file, problems)
    return tuple(stages)


def _stage(
    entry: _Entry, plugins: Sequence[str], before: Sequence[NamedStage], file: YamlFile, problems: list[str]
) -> NamedStage | None:
    name: Any = entry.given
    options: Any = {}
    if isinstance(name, dict) and len(name) == 1:
        name, options = next(iter(name.items()))
    if not isinstance(name, str):
        problems.append(file.problem(entry.location, "expected one stage: a name, or `name: {options}`"))
        return None
    try:
        cls = stage_class(name, plugins)
    except InputError as error:
        problems.append(file.problem(entry.location, str(error)))
        return None
    only, location = entry.only, (*entry.location, name)
    if isinstance(options, dict) and "only" in options:
        own = _only(options["only"], (*location, "only"), file, problems)
        if own is None:
            return None
        only = own if only is None else only.both(own)
        options = {key: value for key, value in options.items() if key != "only"}
    stage = validated(cls, {} if options is None else options, location, file, problems)
    if stage is None:
        return None
    count = sum(other.name == name for other in before) + 1
    place = file.problem(location, "").removesuffix(": ")
    return NamedStage(name if count == 1 else f"{name}#{count}", name, stage, only, place)


def _check_columns(stages: Sequence[NamedStage], file: YamlFile, problems: list[str]) -> None:
    """Columns that stages need, as far as the recipe says what the sources have; the survey of the input knows the rest."""
    known = {"id", "text", "source", "origin"}
    sources = file.data.get("sources")
    for source in sources if isinstance(sources, list) else []:
        for format_, options in source.items() if isinstance(source, dict) else []:
            if not isinstance(options, dict):
                continue
            carried = options.get("carry")
            if format_ != "files" and not carried:
                return  # it has what its files have
            known |= {name for name in carried if isinstance(name, str)} if isinstance(carried, list) else set()
    for named in stages:
        missing = sorted(set(named.columns_needed()) - known)
        if missing:
            message = f"needs the column {', '.join(missing)}, which no source carries and no earlier stage adds"
            problems.append(f"{named.place}: {named.label} {message}")
        known |= set(named.stage.columns_added()) | ({"parent"} if named.stage.makes_documents else set())


def _check_sources(stages: Sequence[NamedStage], file: YamlFile, problems: list[str]) -> None:
    """A source that an option names must be one of the recipe's, or made by an earlier generator."""
    entries = file.data.get("sources")
    known = [e["name"] for e in entries if isinstance(e, dict) and "name" in e] if isinstance(entries, list) else []
    for named in stages:
        for name in (*named.stage.sources_named(), *(named.only.sources() if named.only is not None else ())):
            if name not in known:
                message = (
                    f"there is no source {name!r}{nearest(str(name), known)} (known: {', '.join(map(str, known))})"
                )
                problems.append(f"{named.place}: {message}")
        known += [named.label] if named.stage.makes_documents else []


def _check_mixture(
    mixture: Sequence[Phase], options: RecipeOptions, stages: Sequence[NamedStage], file: YamlFile, problems: list[str]
) -> None:
    """A source in the mixture must be one of the recipe's, or made by a generator."""
    known = [source.name for source in options.sources]
    known += [named.label for named in stages if named.stage.makes_documents]
    for number, phase in enumerate(mixture):
        for name in phase.weights:
            if name not in known:
                message = f"there is no source {name!r}{nearest(name, known)} (known: {', '.join(known)})"
                problems.append(file.problem(("train", "mixture", number, "weights", name), message))


def _check_alarms(options: RecipeOptions, stages: Sequence[NamedStage], file: YamlFile, problems: list[str]) -> None:
    """A source with a floor of its own must be one of the recipe's, or made by a generator."""
    known = [source.name for source in options.sources]
    known += [named.label for named in stages if named.stage.makes_documents]
    for name in options.alarms.source:
        if name not in known:
            message = f"there is no source {name!r}{nearest(name, known)} (known: {', '.join(known)})"
            problems.append(file.problem(("alarms", "source", name), message))


def _check_artifacts(stages: Sequence[NamedStage], problems: list[str]) -> None:
    """An artifact (a trained classifier) must be made by one stage only, which stands before those that use it."""
    artifacts: list[str] = []
    for named in stages:
        twice = sorted(set(named.stage.makes()) & set(artifacts))
        if twice:
            message = f"an earlier stage leaves {', '.join(map(repr, twice))} already; rename it, or make it only once"
            problems.append(f"{named.place}: {message}")
        try:
            named.stage.check_made(artifacts)
        except ValueError as error:
            problems.append(f"{named.place}: {error}")
        artifacts += named.stage.makes()
