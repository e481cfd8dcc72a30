"""Stages by name, loaded on first use: `eyas --help` imports neither torch nor ray.

Three origins, one form, `"name": "module:Class"`: the built-in table, entry points of the group `eyas.stages`, and the
dictionary `STAGES` of modules that a recipe names under `plugins:`.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from eyas.corpus.stage import CorpusStage, Filter, Generator, Mapper, Stage
from eyas.errors import InputError

BUILTIN = {
    "language": "eyas.filters.language:Language",
    "repair": "eyas.filters.repair:Repair",
    "url_filter": "eyas.filters.url:UrlFilter",
    "datatrove_filter": "eyas.filters.datatrove_stage:DatatroveFilter",
    "datatrove_formatter": "eyas.filters.datatrove_stage:DatatroveFormatter",
    "train_classifier": "eyas.filters.classifiers.train:TrainClassifier",
    "classify": "eyas.filters.classifiers.classify:Classify",
    "threshold": "eyas.filters.classifiers.threshold:Threshold",
    "gopher_quality": "eyas.filters.heuristics.gopher:GopherQuality",
    "gopher_repetition": "eyas.filters.heuristics.repetition:GopherRepetition",
    "c4_quality": "eyas.filters.heuristics.c4:C4Quality",
    "fineweb_quality": "eyas.filters.heuristics.fineweb:FineWebQuality",
    "line_cleanup": "eyas.filters.heuristics.lines:LineCleanup",
    "code_quality": "eyas.filters.heuristics.code:CodeQuality",
    "math_quality": "eyas.filters.heuristics.math:MathQuality",
    "where": "eyas.filters.where:Where",
    "exact_dedup": "eyas.filters.dedup.exact:ExactDedup",
    "minhash_dedup": "eyas.filters.dedup.minhash:MinhashDedup",
    "line_dedup": "eyas.filters.dedup.lines:LineDedup",
    "substring_dedup": "eyas.filters.dedup.substring:SubstringDedup",
    "mask_pii": "eyas.filters.privacy.mask_pii:MaskPII",
    "rewrite": "eyas.synthetic.rewrite:Rewrite",
    "annotate": "eyas.synthetic.annotate:Annotate",
    "fill_in_middle": "eyas.synthetic.long_context.fill_in_middle:FillInMiddle",
    "reorder_segments": "eyas.synthetic.long_context.reorder_segments:ReorderSegments",
    "join_repository": "eyas.synthetic.long_context.join_repository:JoinRepository",
    "join_related": "eyas.synthetic.long_context.join_related:JoinRelated",
    "retrieval_task": "eyas.synthetic.long_context.retrieval_task:RetrievalTask",
}


class UnknownStage(InputError):
    """No stage has this name; the message holds the nearest one."""


def targets(plugins: Sequence[str] = ()) -> dict[str, str]:
    """Every known stage: name to "module:Class"."""
    found = dict(BUILTIN)
    found.update({point.name: point.value for point in entry_points(group="eyas.stages")})
    for plugin in plugins:
        found.update(_plugin(plugin))
    return found


def _plugin(module: str) -> dict[str, str]:
    try:
        loaded = import_module(module)
    except Exception as error:  # a module of the user's may raise anything while it is imported
        raise InputError(
            f"plugin {module!r} cannot be imported: {type(error).__name__}: {error}. "
            f"Name a module that is installed or lies next to the recipe."
        ) from error
    stages = getattr(loaded, "STAGES", None)
    if not isinstance(stages, dict):
        raise InputError(f'plugin {module!r} declares no stages: give it STAGES = {{"my_stage": "{module}:MyStage"}}')
    return dict(stages)


def stage_class(name: str, plugins: Sequence[str] = ()) -> type[Stage]:
    """The class of the stage `name`; `UnknownStage` with the nearest name if there is none."""
    return _load(name, tuple(plugins))


@cache
def _load(name: str, plugins: tuple[str, ...]) -> type[Stage]:
    known = targets(plugins)
    if name not in known:
        raise UnknownStage(f"unknown stage {name!r}{nearest(name, known)} (`eyas stages` lists all)")
    module, _, attribute = known[name].partition(":")
    try:
        cls = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"stage {name!r}: {known[name]!r} cannot be loaded: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, Mapper | Filter | Generator | CorpusStage)):
        raise InputError(f"stage {name!r}: {known[name]} is not a Mapper, Filter, Generator or CorpusStage")
    return cls


def kind(cls: type[Stage]) -> str:
    """`mapper`, `filter`, `generator` or `corpus stage`."""
    names = {Mapper: "mapper", Filter: "filter", Generator: "generator", CorpusStage: "corpus stage"}
    return next(name for base, name in names.items() if issubclass(cls, base))


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing if no known word is near."""
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def add_search_path(folder: str) -> None:
    """Lets plugins that lie next to the recipe be imported."""
    if folder not in sys.path:
        # At the end: a file `filters.py` next to a recipe must not stand in for ours.
        sys.path.append(folder)
