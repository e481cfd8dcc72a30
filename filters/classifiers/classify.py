"""The stage `classify`: scores documents by a classifier and decides nothing; a `threshold` after it decides.

The model is named as `train_classifier` named it earlier in the same recipe, or given by its path. It is a file, not an
object: each worker loads its own. fastText scores about 6,000 documents of 6 KB a second on one busy core, a small
transformer about 10.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
from pydantic import Field, PrivateAttr

from eyas.corpus.documents import COLUMNS
from eyas.corpus.paths import NameOrPath
from eyas.corpus.sources.listing import list_files
from eyas.corpus.stage import Mapper, StageUnavailable
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.errors import InputError, nearest
from eyas.filters.classifiers.evaluation import Scorer
from eyas.filters.classifiers.models import fingerprint, load


class Classify(Mapper):
    """Adds a score by a classifier; keeps every document."""

    model: NameOrPath = Field(min_length=1)
    """The name of an earlier `train_classifier`; or the path of a folder that one wrote, of a fastText file, or of a
    `transformers` folder with a classification head."""
    column: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the float32 column that is added; null: the model's name and `_score`."""
    label: str | None = None
    """For a model not trained by Eyas: the label whose probability is the score (transformers: by default the last)."""
    max_tokens: int | None = Field(default=None, ge=2)
    """For a transformers model not trained by Eyas: most tokens of a document that it sees; null: as many as it takes."""
    max_characters: int | None = Field(default=None, ge=1)
    """For a model not trained by Eyas: how much of a document it sees, in code points; null: all of it."""

    _place: tuple[Store, str] | None = PrivateAttr(default=None)
    """Where an earlier stage of this run left the model."""

    @property
    def score_column(self) -> str:
        """The name of the column that is added."""
        stem = Path(self.model).name.split(".")[0]
        return self.column or f"{''.join(c if c.isalnum() else '_' for c in stem)}_score"

    def columns_added(self) -> Mapping[str, pa.DataType]:
        return {self.score_column: pa.float32()}

    def check_made(self, made: Sequence[str]) -> None:
        if self.score_column in COLUMNS:
            raise InputError(f"{self.score_column!r} is a column of every document; choose another `column:`")
        if self.model in made or _exists(self.model):
            return
        known = f"the classifiers trained before this stage: {', '.join(made)}" if made else "none is trained before it"
        raise InputError(
            f"no classifier {self.model!r}, neither a name nor a path that exists{nearest(self.model, made)} ({known})"
        )

    def fingerprint(self) -> Any:
        if Path(self.model).exists():
            return fingerprint(Path(self.model))
        if "://" not in self.model or not _exists(self.model):
            return None
        files = list_files(self.model, ["**"], [], "classify")
        return [[file.relative, file.bytes, file.stamp] for file in files]

    def open(self, context: TaskContext) -> None:
        place = context.artifacts.get(self.model)
        if self._place is not None and self._place[1] == place:
            return
        self._place = None if place is None else (context.store, place)
        self.__dict__.pop("_scorer", None)

    @cached_property
    def _scorer(self) -> Scorer:
        if self._place is None:
            if Path(self.model).exists():
                return load(Path(self.model), self.label, self.max_tokens, self.max_characters)
            if not _exists(self.model):
                raise StageUnavailable(f"classify: no classifier {self.model!r}: no such path, and no stage made it")
            store, folder = _split(self.model)
        else:
            store, folder = self._place
        if store.local:
            return load(Path(store.path(folder)), self.label, self.max_tokens, self.max_characters)
        with tempfile.TemporaryDirectory(prefix="eyas-classifier-") as copy:
            local = Path(copy) / Path(folder).name
            store.fs.get(store.path(folder), str(local), recursive=True)
            scorer = load(local, self.label, self.max_tokens, self.max_characters)
            # One score loads the whole model: the copy goes away with this block.
            scorer.scores(pa.array(["a"], pa.large_string()))
            return scorer

    def prepare(self) -> None:
        _ = self._scorer

    def map(self, docs: pa.Table) -> pa.Table:
        """`docs` with the score, null where the model gives none."""
        scores = self._scorer.scores(docs.column("text"))
        column = pa.array(scores, pa.float32(), mask=np.isnan(scores))
        name = self.score_column
        if name in docs.column_names:
            return docs.set_column(docs.column_names.index(name), name, column)
        return docs.append_column(name, column)


def _exists(path: str) -> bool:
    try:
        fs, root = fsspec.core.url_to_fs(path)
        return bool(fs.exists(root))
    except (ImportError, ValueError, OSError):
        return False


def _split(url: str) -> tuple[Store, str]:
    parent, _, name = url.rstrip("/").rpartition("/")
    return Store(parent or "."), name
