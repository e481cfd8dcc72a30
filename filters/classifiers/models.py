"""Loads a classifier from disk as a scorer: a folder from `train_classifier`, a fastText file, or a transformers folder.

The folder from `train_classifier` holds `classifier.json`: the kind, the options, how text is prepared, and the sha256 of
each file, which is checked before the first score. Files are plain JSON or in fastText's format: nothing is unpickled.
"""

# Tested in tests/filters/classifiers/test_classify.py.

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from eyas.corpus.stage import StageUnavailable
from eyas.filters.classifiers.encoder import HEAD_FILE, Encoder, HeadScorer, SequenceScorer, stamp
from eyas.filters.classifiers.evaluation import Scorer
from eyas.filters.classifiers.fasttext_model import LABEL, MODEL_FILE, POSITIVE, FastTextScorer, load_fasttext
from eyas.filters.classifiers.text import PLAIN, TextOptions

DESCRIPTION = "classifier.json"
FORMAT = 1


def load(
    path: Path, label: str | None = None, max_tokens: int | None = None, max_characters: int | None = None
) -> Scorer:
    """The scorer at `path`. `label`, `max_tokens` and `max_characters` are for models not trained by Eyas.

    Raises `StageUnavailable` if there is no usable model.
    """
    if path.is_file():
        return _foreign_fasttext(path, label, max_characters)
    if (path / DESCRIPTION).is_file():
        return _trained(path)
    if (path / "config.json").is_file():
        classes = [str(name) for name in _json(path / "config.json").get("architectures") or []]
        if not any("ForSequenceClassification" in name for name in classes):
            raise StageUnavailable(
                f"{path} is a transformers model without a classification head ({', '.join(classes) or 'unnamed'}): "
                f"train one on it, by `train_classifier: {{kind: {{encoder: {path}}}}}`"
            )
        return SequenceScorer(Encoder(path, max_tokens, head=True), label, max_characters)
    if not path.exists():
        raise StageUnavailable(f"no classifier at {path}: no such file or folder")
    raise StageUnavailable(
        f"{path} is no classifier: expected {DESCRIPTION} (from train_classifier), config.json (from transformers), "
        f"or a fastText file"
    )


def fingerprint(path: Path) -> str:
    """A digest that changes whenever the model's scores would."""
    description = path / DESCRIPTION
    return stamp(description if description.is_file() else path)


def _foreign_fasttext(path: Path, label: str | None, max_characters: int | None) -> Scorer:
    if label is None:
        names = [name.removeprefix(LABEL) for name in load_fasttext(path).get_labels()]
        if POSITIVE not in names:
            raise StageUnavailable(
                f"the fastText model {path} does not say which of its labels is the good one: "
                f"add `label:` with one of {', '.join(names[:12])}"
            )
        label = POSITIVE
    return FastTextScorer(path, PLAIN.model_copy(update={"max_characters": max_characters}), label)


def _trained(path: Path) -> Scorer:
    about = _json(path / DESCRIPTION)
    try:
        if about["format"] != FORMAT:
            raise StageUnavailable(
                f"{path / DESCRIPTION} has format {about['format']}, this version reads {FORMAT}: train it again"
            )
        for name, sha256 in about["files"].items():
            if hashlib.sha256((path / name).read_bytes()).hexdigest() != sha256:
                raise StageUnavailable(f"{path / name} is not the file that {DESCRIPTION} describes: train it again")
        text = TextOptions(**about["text"])
        if about["kind"] == "fasttext":
            return FastTextScorer(path / MODEL_FILE, text, POSITIVE)
        head = _json(path / HEAD_FILE)
        encoder = Path(about["encoder"]["path"])
        if not (encoder / "config.json").is_file() or stamp(encoder) != about["encoder"]["stamp"]:
            raise StageUnavailable(
                f"the classifier {path} was trained on the encoder at {encoder}, which is not there or has changed: "
                f"put it back, or train again"
            )
        options = about["options"]
        return HeadScorer(Encoder(encoder, options["max_tokens"]), head, options["pooling"], text.max_characters)
    except (KeyError, TypeError, FileNotFoundError) as error:
        raise StageUnavailable(f"{path} is incomplete ({type(error).__name__}: {error}): train it again") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StageUnavailable(f"{path}: not valid JSON ({error})") from error
