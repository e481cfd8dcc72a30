"""From samples to a model and its evaluation: duplicates out, the split, training, and a look at what was left out.

Everything is ordered by hashes of the texts, so the result does not depend on how documents were cut into parts. Fewer than
`LEAST` different texts of a class are refused: of 20 held-out documents an AUC is known to about 0.1 and no better.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.errors import InputError
from eyas.filters.classifiers.agreement import Agreement, agreement
from eyas.filters.classifiers.encoder import HEAD_FILE, Encoder, EncoderOptions, HeadScorer, stamp, train_head
from eyas.filters.classifiers.evaluation import Evaluation, Scorer, evaluate
from eyas.filters.classifiers.examples import WHERE
from eyas.filters.classifiers.fasttext_model import POSITIVE as POSITIVE_LABEL
from eyas.filters.classifiers.fasttext_model import FastTextScorer, train_fasttext
from eyas.filters.classifiers.models import FORMAT
from eyas.filters.classifiers.sampling import CLASSES, NEGATIVE, POSITIVE, SURVEY, sample_schema
from eyas.filters.classifiers.text import TextOptions, one_line

if TYPE_CHECKING:
    from eyas.filters.classifiers.train import TrainClassifier

LEAST = 20
"""Fewest different texts of a class."""
TELLING_WORDS = 30


@dataclass(frozen=True)
class Learned:
    """A trained model with all that is told of it. `files` lie in a temporary folder."""

    stage: TrainClassifier
    seed: int
    files: list[Path]
    evaluation: Evaluation
    sizes: dict[str, int]
    telling: Mapping[str, Sequence[tuple[str, float]]]
    """fastText only: words that push a score up and down most, with their logits."""
    agreement: Agreement | None = None
    """With the grades that the examples were chosen by, if the stage names their column."""

    def description(self) -> dict[str, Any]:
        """The content of classifier.json."""
        stage = self.stage
        head = stage.kind if isinstance(stage.kind, EncoderOptions) else None
        return {
            "format": FORMAT,
            "name": stage.name,
            "kind": "encoder" if head else "fasttext",
            "labels": {"positive": _told(stage.positives), "negative": _told(stage.negatives)},
            "options": head.model_dump(mode="json") if head else stage.fasttext.model_dump(mode="json"),
            "text": stage.text.model_dump(mode="json"),
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
            side: [{"word": word, "logit": logit} for word, logit in found] for side, found in self.telling.items()
        }
        agreed = {"agreement": self.agreement.to_json()} if self.agreement else {}
        return {
            "name": self.stage.name,
            "sizes": self.sizes,
            **self.evaluation.to_json(),
            "telling_words": words,
            **agreed,
        }


_FASTTEXT_PACKAGES = ("fasttext-community",)
_ENCODER_PACKAGES = ("torch", "transformers", "scikit-learn")


def learn(stage: TrainClassifier, samples: Sequence[pa.Table], seed: int, folder: Path) -> Learned:
    """Trains and evaluates; ValueError, in words, if the examples do not allow it."""
    examples = prepare(stage, samples, seed)
    train, tested, labels = examples.train, examples.tested, examples.labels
    model, files = _fit(stage, train, seed, folder)
    groups = {name: tested.column(name).to_pylist() for name in stage.groups if _known(tested, name)}
    evaluation = evaluate(
        model, tested.column("text"), labels, groups, tested.column(WHERE).to_pylist(), stage.report_threshold
    )
    agreed = None
    if stage.grade is not None:
        graded = pc.is_valid(tested.column(stage.grade))
        scores = np.full(tested.num_rows, np.nan)
        scores[graded.to_numpy()] = model.scores(tested.column("text").filter(graded))
        agreed = agreement(scores, labels, tested.column(stage.grade).to_pylist(), stage.report_threshold)
    telling = model.telling_words(TELLING_WORDS) if isinstance(model, FastTextScorer) else {}
    return Learned(stage, seed, files, evaluation, examples.sizes, telling, agreed)


def _known(table: pa.Table, column: str) -> bool:
    return bool(table.column(column).null_count < table.num_rows)


def _fit(stage: TrainClassifier, train: pa.Table, seed: int, folder: Path) -> tuple[Scorer, list[Path]]:
    labels = train.column("class").to_numpy() == POSITIVE
    if isinstance(stage.kind, EncoderOptions):
        encoder = Encoder(Path(stage.kind.encoder), stage.kind.max_tokens)
        vectors = encoder.embed(train.column("text"), stage.kind.pooling)
        known = ~np.isnan(vectors[:, 0])
        head = train_head(vectors[known], labels[known], stage.kind.inverse_regularization)
        path = folder / HEAD_FILE
        path.write_text(json.dumps(head, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return HeadScorer(encoder, head, stage.kind.pooling, stage.text.max_characters), [path]
    lines = one_line(train.column("text"), stage.text)
    path = train_fasttext(lines, labels, stage.fasttext, seed, folder)
    return FastTextScorer(path, stage.text, POSITIVE_LABEL), [path]


@dataclass(frozen=True)
class Prepared:
    """Examples to learn from, in an order that mixes the classes, and documents to judge by."""

    train: pa.Table
    tested: pa.Table
    """Held-out examples, then the survey."""
    labels: list[bool | None]
    """Of `tested`; null for the survey."""
    sizes: dict[str, int]


def prepare(stage: TrainClassifier, samples: Sequence[pa.Table], seed: int) -> Prepared:
    """Different texts only, dealt to training and held-out by their hashes."""
    whole = pa.concat_tables([sample_schema(stage.carried).empty_table(), *samples]).combine_chunks()
    keys = _keys(whole.column("text"), stage.text, seed)
    classes = whole.column("class").to_numpy()
    rows = {number: _different(keys, classes == number) for number in CLASSES}
    both = rows[POSITIVE].keys() & rows[NEGATIVE].keys()
    if both and stage.in_both == "refuse":
        example = whole.column("text")[rows[POSITIVE][min(both)]].as_py()[:80]
        raise InputError(
            f"{stage.name}: {len(both):,} texts are examples of both classes, such as {example!r}. Make `positives` and "
            f"`negatives` exclude each other, or leave such texts out of both by `in_both: drop`"
        )
    split: dict[int, tuple[list[int], list[int]]] = {}
    for number in (POSITIVE, NEGATIVE):
        found = [rows[number][key] for key in sorted(rows[number].keys() - both)]
        if len(found) < LEAST:
            raise InputError(
                f"{stage.name}: {len(found)} different texts among the {CLASSES[number]} "
                f"({_told(getattr(stage, CLASSES[number]))}), at least {LEAST} are needed; "
                f"widen the condition, or give more files"
            )
        held = max(round(len(found) * stage.held_out), 1)
        split[number] = (found[held:], found[:held])
    labelled = rows[POSITIVE].keys() | rows[NEGATIVE].keys()
    survey = [rows[SURVEY][key] for key in sorted(rows[SURVEY].keys() - labelled)]
    # The other half of a hash mixes the classes: in the order of the first, the held-out would come before the rest.
    learned = sorted(split[POSITIVE][0] + split[NEGATIVE][0], key=lambda row: keys[row][8:])
    tested = split[POSITIVE][1] + split[NEGATIVE][1] + survey
    labels = [True] * len(split[POSITIVE][1]) + [False] * len(split[NEGATIVE][1]) + [None] * len(survey)
    sizes = {
        "training_positives": len(split[POSITIVE][0]),
        "training_negatives": len(split[NEGATIVE][0]),
        "held_out_positives": len(split[POSITIVE][1]),
        "held_out_negatives": len(split[NEGATIVE][1]),
        "surveyed": len(survey),
        "copies_left_out": sum(int((classes == n).sum()) - len(rows[n]) for n in (POSITIVE, NEGATIVE)),
        "in_both_left_out": len(both),
    }
    return Prepared(whole.take(pa.array(learned)), whole.take(pa.array(tested, pa.int64())), labels, sizes)


def _keys(text: pa.ChunkedArray, options: TextOptions, seed: int) -> list[bytes]:
    """A 128-bit hash of each text as the model sees it; empty for a text without any."""
    key = seed.to_bytes(8, "little")
    # A piece at a time: all lines at once would be as large as all texts again.
    pieces = (one_line(text.slice(start, 1000), options) for start in range(0, len(text), 1000))
    lines = (line for piece in pieces for line in piece)
    return [hashlib.blake2b(line.encode(), digest_size=16, key=key).digest() if line else b"" for line in lines]


def _different(keys: Sequence[bytes], mask: npt.NDArray[np.bool_]) -> dict[bytes, int]:
    """The first row of each different text among those of `mask`."""
    found: dict[bytes, int] = {}
    for row in np.flatnonzero(mask).tolist():
        if keys[row]:
            found.setdefault(keys[row], row)
    return found


def _told(examples: Any) -> str:
    return f"where {examples.where}" if examples.where is not None else f"files {', '.join(examples.files)}"
