"""Makes the recipe that `eyas tokenizer train` runs: sources and a tokenizer, from the options of the command line.

The trade: the text is copied into a run's folder first, so a training that was killed goes on where it stopped, on a laptop
or a cluster. The recipe lies in that folder, where stages can be added to it.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from eyas.corpus.sources import REGISTRY
from eyas.corpus.sources.base import ColumnSource, Source
from eyas.corpus.sources.by_path import sources_of
from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.tokenizer_train.options import TokenizerOptions

PRODUCTS = ("tokenizer.json", "tokenizer_config.json")


def checked(options: dict[str, Any]) -> TokenizerOptions:
    """The options as the recipe will read them; ValueError that names the option as it is typed."""
    try:
        return TokenizerOptions.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if str(part) not in ("function-after", "source", "lang")]
        named = f"{_option(place[0])}: " if place else ""
        raise InputError(named + first["msg"].removeprefix("Value error, ")) from None


def _option(name: str) -> str:
    """How an option of a recipe is typed: `vocab_sizes` as `--vocab-size`."""
    return "--count-as" if name == "weights" else "--" + name.replace("_", "-").removesuffix("s")


_PEEK = 1_000_000
"""Bytes of a piece of a file that is looked at for the names of its fields."""


def run_name(out: str) -> str:
    """The name of the run that makes the folder `out`; it contains a hash of the path, so no other folder shares it."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", out.rstrip("/").rsplit("/", 1)[-1]).strip("-.") or "tokenizer"
    whole = out if "://" in out else str(Path(out).resolve())
    return f"tokenizer-{stem}-{hashlib.sha256(whole.encode()).hexdigest()[:6]}"


def recipe_text(paths: Sequence[str], name: str, seed: int, tokenizer: dict[str, Any]) -> str:
    """The recipe as YAML; ValueError for a path that cannot be read."""
    entries: list[dict[str, Any]] = []
    for path in paths:
        for source in sources_of(path, "PATH"):
            entries.append({"name": _name(path, [entry["name"] for entry in entries]), **_entry(source)})
    text = io.StringIO()
    YAML().dump({"name": name, "seed": seed, "sources": entries, "tokenizer": tokenizer}, text)
    return text.getvalue()


def _entry(source: Source) -> dict[str, Any]:
    form = next(name for name in REGISTRY.targets() if REGISTRY.load(name) is type(source))
    options = source.model_dump(mode="json", exclude_defaults=True)
    options["path"] = source.path if "://" in source.path else str(Path(source.path).resolve())
    options.pop("origin_column", None)
    if isinstance(source, ColumnSource):
        # Only what `--count-as` can weigh by: everything else would be read and written for nothing.
        bare = source.model_copy(update={"columns": [], "origin_column": None})
        first = next(iter(bare.splits(bare.files("PATH"), _PEEK)), None)
        fields = bare.survey(first).seen if first is not None else []
        options |= {"columns": [name for name in ("lang",) if name in fields]}
    return {form: options}


def _name(path: str, taken: Sequence[str]) -> str:
    """A name for the source: the last part of the path, with a number if the name is taken."""
    stem = path.rstrip("/").removesuffix("/curated").rsplit("/", 1)[-1].split(".")[0]
    base = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "text"
    number = 1
    while (name := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return name


def copy_products(run: Store, sizes: Sequence[int], out: str) -> list[str]:
    """Copies the tokenizer, and those of all sizes, to the folder `out`; returns the files written."""
    target = Store(out)
    folders = [""] + ([f"{size}/" for size in sorted(set(sizes))] if len(set(sizes)) > 1 else [])
    written = []
    for folder in folders:
        for product in PRODUCTS:
            with run.open(f"tokenizer/{folder}{product}") as file, target.create(f"{folder}{product}") as output:
                output.sink.write(file.read())
            written.append(target.path(f"{folder}{product}"))
    return written
