"""Trains a classifier on samples and evaluates it: removes copies, splits, trains, and scores the held-out documents.

All order comes from hashes of the texts, so the result does not depend on how documents were cut into parts. Fewer than
`LEAST` different texts of a class are refused: on 20 held-out documents an AUC is known to about 0.1 and no better.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.errors import InputError
from eyas.filters.classifiers.agreement import Agreement, agreement
from eyas.filters.classifiers.encoder import HEAD_FILE, Encoder, EncoderOptions, HeadScorer, stamp, train_head
from eyas.filters.classifiers.evaluation import Evaluation, Scorer, evaluate
from eyas.filters.classifiers.examples import WHERE, Examples
from eyas.filters.classifiers.fasttext_model import POSITIVE as POSITIVE_LABEL
from eyas.filters.classifiers.fasttext_model import FastTextOptions, FastTextScorer, train_fasttext
from eyas.filters.classifiers.metrics import sklearn_metrics
from eyas.filters.classifiers.models import FORMAT
from eyas.filters.classifiers.sampling import CLASSES, NEGATIVE, POSITIVE, SURVEY, sample_schema
from eyas.filters.classifiers.text import TextOptions, one_line

LEAST = 20
"""Fewest different texts of a class."""
TELLING_WORDS = 30
_FASTTEXT_PACKAGES = ("fasttext-community",)
_ENCODER_PACKAGES = ("torch", "transformers", "scikit-learn")


@dataclass(frozen=True)
class TrainingSpec:
    """What to train and how to judge it: the options of `train_classifier`, but for those that choose its samples."""

    name: str
    positives: Examples
    negatives: Examples
    model: FastTextOptions | EncoderOptions
    text: TextOptions
    held_out: float
    in_both: Literal["refuse", "drop"]
    report_threshold: float
    groups: tuple[str, ...]
    grade: str | None

    @property
    def carried(self) -> list[str]:
        """The columns that go with each example's text."""
        return [*self.groups, *([self.grade] if self.grade and self.grade not in self.groups else [])]

    def examples(self, number: int) -> Examples:
        """Where the examples of the class `number` come from."""
        return self.positives if number == POSITIVE else self.negatives


@dataclass(frozen=True)
class Learned:
    """A trained model and its evaluation. `files` lie in a temporary folder."""

    spec: TrainingSpec
    seed: int
    files: list[Path]
    evaluation: Evaluation
    sizes: dict[str, int]
    telling: Mapping[str, Sequence[tuple[str, float]]]
    """fastText only: words that push a score up and down most, with their logits."""
    agreement: Agreement | None = None
    """Agreement with the grades that the examples were chosen by, if the options name their column."""

    def description(self) -> dict[str, Any]:
        """The content of classifier.json."""
        spec = self.spec
        head = spec.model if isinstance(spec.model, EncoderOptions) else None
        return {
            "format": FORMAT,
            "name": spec.name,
            "kind": "encoder" if head else "fasttext",
            "labels": {"positive": _origin(spec.positives), "negative": _origin(spec.negatives)},
            "options": spec.model.model_dump(mode="json"),
            "text": spec.text.model_dump(mode="json"),
            "encoder": {"path": str(Path(head.encoder).resolve()), "stamp": stamp(Path(head.encoder))}
            if head
            else None,
            "seed": self.seed,
            "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files},
            "bytes": sum(path.stat().st_size for path in self.files),
            "sizes": self.sizes,
            "metrics": self.evaluation.figures(),
            "calibration": [item.to_json() for item in self.evaluation.reliability],
            "made_by": {name: version(name) for name in (_ENCODER_PACKAGES if head else _FASTTEXT_PACKAGES)},
        }

    def report(self) -> dict[str, Any]:
        """The content of report.json."""
        words = {
            side: [{"word": word, "logit": logit} for word, logit in pairs] for side, pairs in self.telling.items()
        }
        agreed = {"agreement": self.agreement.to_json()} if self.agreement else {}
        return {
            "name": self.spec.name,
            "sizes": self.sizes,
            **self.evaluation.to_json(),
            "telling_words": words,
            **agreed,
        }


def learn(spec: TrainingSpec, samples: Sequence[pa.Table], seed: int, folder: Path) -> Learned:
    """Trains and evaluates. ValueError if the examples do not allow it; `StageUnavailable` without scikit-learn."""
    sklearn_metrics()  # raises before the training, not after it
    examples = prepare(spec, samples, seed)
    tested = examples.tested
    model, files = _fit(spec, examples.train, seed, folder)
    groups = {name: tested.column(name).to_pylist() for name in spec.groups if _has_values(tested, name)}
    origins = tested.column(WHERE).to_pylist()
    evaluation = evaluate(model, tested.column("text"), examples.labels, groups, origins, spec.report_threshold)
    agreed = None
    if spec.grade is not None:
        graded = pc.is_valid(tested.column(spec.grade))
        scores = np.full(tested.num_rows, np.nan)
        scores[graded.to_numpy()] = model.scores(tested.column("text").filter(graded))
        agreed = agreement(scores, examples.labels, tested.column(spec.grade).to_pylist(), spec.report_threshold)
    telling = model.telling_words(TELLING_WORDS) if isinstance(model, FastTextScorer) else {}
    return Learned(spec, seed, files, evaluation, examples.sizes, telling, agreed)


def _has_values(table: pa.Table, column: str) -> bool:
    return bool(table.column(column).null_count < table.num_rows)


def _fit(spec: TrainingSpec, train: pa.Table, seed: int, folder: Path) -> tuple[Scorer, list[Path]]:
    labels = train.column("class").to_numpy() == POSITIVE
    if isinstance(spec.model, EncoderOptions):
        encoder = Encoder(Path(spec.model.encoder), spec.model.max_tokens)
        vectors = encoder.embed(train.column("text"), spec.model.pooling)
        known = ~np.isnan(vectors[:, 0])
        head = train_head(vectors[known], labels[known], spec.model.inverse_regularization)
        path = folder / HEAD_FILE
        path.write_text(json.dumps(head, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return HeadScorer(encoder, head, spec.model.pooling, spec.text.max_characters), [path]
    lines = one_line(train.column("text"), spec.text)
    path = train_fasttext(lines, labels, spec.model, seed, folder)
    return FastTextScorer(path, spec.text, POSITIVE_LABEL), [path]


@dataclass(frozen=True)
class Prepared:
    """Examples to learn from, in an order that mixes the classes, and documents to judge by."""

    train: pa.Table
    tested: pa.Table
    """Held-out examples, then the survey."""
    labels: list[bool | None]
    """Of `tested`; null for the survey."""
    sizes: dict[str, int]


def prepare(spec: TrainingSpec, samples: Sequence[pa.Table], seed: int) -> Prepared:
    """Keeps different texts only, and deals them to training and held-out by their hashes."""
    whole = pa.concat_tables([sample_schema(spec.carried).empty_table(), *samples]).combine_chunks()
    keys = _keys(whole.column("text"), spec.text, seed)
    classes = whole.column("class").to_numpy()
    rows = {number: _different(keys, classes == number) for number in CLASSES}
    both = rows[POSITIVE].keys() & rows[NEGATIVE].keys()
    if both and spec.in_both == "refuse":
        example = whole.column("text")[rows[POSITIVE][min(both)]].as_py()[:80]
        raise InputError(
            f"{spec.name}: {len(both):,} texts are examples of both classes, such as {example!r}. Make `positives` and "
            f"`negatives` exclude each other, or leave such texts out of both by `in_both: drop`"
        )
    train: dict[int, list[int]] = {}
    held_out: dict[int, list[int]] = {}
    for number in (POSITIVE, NEGATIVE):
        chosen = [rows[number][key] for key in sorted(rows[number].keys() - both)]
        if len(chosen) < LEAST:
            raise InputError(
                f"{spec.name}: {len(chosen)} different texts among the {CLASSES[number]} "
                f"({_origin(spec.examples(number))}), at least {LEAST} are needed; "
                f"widen the condition, or give more files"
            )
        held = max(round(len(chosen) * spec.held_out), 1)
        train[number], held_out[number] = chosen[held:], chosen[:held]
    labelled = rows[POSITIVE].keys() | rows[NEGATIVE].keys()
    survey = [rows[SURVEY][key] for key in sorted(rows[SURVEY].keys() - labelled)]
    # The other half of a hash mixes the classes: in the order of the first, the held-out would come before the rest.
    mixed = sorted(train[POSITIVE] + train[NEGATIVE], key=lambda row: keys[row][8:])
    tested = held_out[POSITIVE] + held_out[NEGATIVE] + survey
    labels = [True] * len(held_out[POSITIVE]) + [False] * len(held_out[NEGATIVE]) + [None] * len(survey)
    sizes = {
        "training_positives": len(train[POSITIVE]),
        "training_negatives": len(train[NEGATIVE]),
        "held_out_positives": len(held_out[POSITIVE]),
        "held_out_negatives": len(held_out[NEGATIVE]),
        "surveyed": len(survey),
        "copies_left_out": sum(int((classes == n).sum()) - len(rows[n]) for n in (POSITIVE, NEGATIVE)),
        "in_both_left_out": len(both),
    }
    return Prepared(whole.take(pa.array(mixed)), whole.take(pa.array(tested, pa.int64())), labels, sizes)


def _keys(text: pa.ChunkedArray, options: TextOptions, seed: int) -> list[bytes]:
    """A 128-bit hash of each text as the model sees it; empty for a text without any."""
    key = seed.to_bytes(8, "little")
    # A piece at a time: all lines at once would be as large as all texts again.
    pieces = (one_line(text.slice(start, 1000), options) for start in range(0, len(text), 1000))
    lines = (line for piece in pieces for line in piece)
    return [hashlib.blake2b(line.encode(), digest_size=16, key=key).digest() if line else b"" for line in lines]


def _different(keys: Sequence[bytes], mask: npt.NDArray[np.bool_]) -> dict[bytes, int]:
    """The first row of each different text among those of `mask`."""
    first: dict[bytes, int] = {}
    for row in np.flatnonzero(mask).tolist():
        if keys[row]:
            first.setdefault(keys[row], row)
    return first


def _origin(examples: Examples) -> str:
    return f"where {examples.where}" if examples.where is not None else f"files {', '.join(examples.files)}"
