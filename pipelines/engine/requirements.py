"""What a run needs besides its input: packages, a model that fits, names that exist, room on the disk.

All of it is found out in about a second, before Ray starts, so that a run of hours does not end at its last pass.
"""

# Tested in tests/end_to_end/test_check.py.

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from eyas.corpus.show.text import human
from eyas.corpus.sources.base import ColumnSource
from eyas.corpus.sources.columns import schema_of
from eyas.corpus.store import Store
from eyas.errors import EyasError, InputError, StorageError
from eyas.pipelines.engine.columns import at_place, layout_of, look
from eyas.pipelines.engine.passes.curated_files import chosen
from eyas.pipelines.engine.planning import Plan
from eyas.pipelines.recipe.recipe import RecipeOptions

KEPT_SHARE = 1.2
"""Bytes that the passes and the curated documents take for each byte of text, compressed: about 0.4 for each copy, and up to
three copies (read, rewritten, published)."""
TOKEN_BYTES = 4
BYTES_OF_A_TOKEN = 3.5
"""Text bytes of a token, on the low side: code and other languages than English have fewer."""
WEIGHT_BYTES = 4 * (1 + 2 * 3)
"""Bytes on disk of each weight: the model, and two checkpoints with Adam's two moments."""
PACKED = {".gz": 4, ".zst": 4, ".bz2": 5, ".xz": 5, ".parquet": 3}
"""Bytes of text in a byte of a compressed file, about."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    topic: str
    level: Literal["ok", "warning", "error"]
    message: str


def requirements(planned: Plan, store: Store) -> Iterator[Finding]:
    """What is missing, or would be; nothing for what is in order."""
    yield from _carried(planned)
    yield from _columns(planned, store)
    yield from _packages(planned)
    yield from _setups(planned)
    yield from _model(planned.recipe.options)
    yield from _disk(planned, store)


def require(planned: Plan, store: Store) -> list[str]:
    """Raises InputError with everything that is missing; returns the warnings."""
    findings = list(requirements(planned, store))
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        only_disk = all(finding.topic == "disk" for finding in errors)
        kind = StorageError if only_disk else InputError
        raise kind("\n".join(finding.message for finding in errors))
    return [finding.message for finding in findings]


def _carried(planned: Plan) -> Iterator[Finding]:
    for entry in planned.recipe.options.sources:
        if isinstance(entry.source, ColumnSource) and entry.source.carry:
            yield Finding(
                "sources",
                "warning",
                f"source {entry.name!r}: `carry` keeps these fields only, and as text; `columns: "
                f"[{', '.join(entry.source.carry)}]` keeps their types, and without either every field stays",
            )


def _columns(planned: Plan, store: Store) -> Iterator[Finding]:
    """Whether the fields that the recipe names and the columns that its stages need are there; not for a finished pass."""
    if store.exists(f"{planned.passes[0].folder}/manifest.json"):
        return
    try:
        inputs = schema_of(look(planned.recipe, planned.partitions))
        chosen(layout_of(inputs, planned.recipe.stages).schema, planned.recipe.options.curated)
    except EyasError as error:
        yield Finding("columns", "error", str(error))


def _packages(planned: Plan) -> Iterator[Finding]:
    wanted: dict[str, tuple[str, str]] = {}
    for named in planned.recipe.stages:
        for package, command in named.stage.packages_needed().items():
            wanted.setdefault(package, (f"stage {named.label!r}", command))
    if planned.recipe.options.train is not None:
        for package in ("torch", "safetensors"):
            wanted.setdefault(package, ("`train`", "pip install 'eyas[train]'"))
    for package, (user, command) in wanted.items():
        if find_spec(package) is None:
            yield Finding("packages", "error", f"{user} needs the package {package}, which is not installed: {command}")


def _setups(planned: Plan) -> Iterator[Finding]:
    for named in planned.recipe.stages:
        try:
            named.stage.check_setup()
        except EyasError as error:
            yield Finding("stages", "error", f"{at_place(named)}{error}")


def _model(options: RecipeOptions) -> Iterator[Finding]:
    """Whether the model can be made for the vocabulary, and whether a model to start from has it."""
    if options.train is None or options.tokenizer is None or options.shards is None:
        return
    vocabulary = max(options.tokenizer.vocab_sizes)
    try:
        if options.train.start_from is not None:
            from eyas.trainer.loading import config_of

            known = config_of(options.train.start_from)[0].vocab_size
            if known != vocabulary:
                yield Finding(
                    "model",
                    "error",
                    f"train: start_from: the model at {options.train.start_from} has a vocabulary of {known:,}, this "
                    f"recipe's tokenizer one of {vocabulary:,}: set `vocab_sizes: [{known}]`, or leave `start_from` out",
                )
        else:
            options.train.config(vocabulary, options.shards.sequence_length)
    except (EyasError, ValueError, OSError) as error:
        yield Finding("model", "error", f"train: {error}")


def needed_bytes(planned: Plan) -> int:
    """About how many bytes a run takes on disk."""
    text = sum(split.bytes * _unpacked(split.path) for part in planned.partitions for split in part.splits)
    options = planned.recipe.options
    size = text * KEPT_SHARE
    if options.shards is not None:
        size += text / BYTES_OF_A_TOKEN * TOKEN_BYTES
    if options.train is not None and options.tokenizer is not None and options.train.start_from is None:
        # A model that cannot be made is said elsewhere.
        with suppress(EyasError):
            size += options.train.config(max(options.tokenizer.vocab_sizes)).parameters * WEIGHT_BYTES
    return int(size)


def _unpacked(path: str) -> int:
    return next((factor for ending, factor in PACKED.items() if path.endswith(ending)), 1)


def _disk(planned: Plan, store: Store) -> Iterator[Finding]:
    if not store.local:
        return
    folder = store.root
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder) or "/"
    free, needed = shutil.disk_usage(folder).free, needed_bytes(planned)
    if free >= needed:
        return
    # Only now: a folder of a million files takes minutes to look through.
    there = sum(
        os.path.getsize(os.path.join(place, name))
        for place, _, names in os.walk(store.root)
        for name in names
        if not os.path.islink(os.path.join(place, name))
    )
    if free + there < needed / 2:
        yield Finding(
            "disk",
            "error",
            f"{folder} has {human(free)} free, but this run needs about {human(needed)}: make room, choose another place by "
            f"--runs, or take less input (`max_bytes`)",
        )
    elif free + there < needed:
        yield Finding(
            "disk", "warning", f"{folder} has {human(free)} free, and this run may need about {human(needed)}"
        )
