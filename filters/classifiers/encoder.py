"""Transformer classifiers in a local folder: a head trained on an encoder's embeddings, or an encoder with its own head.

The folder may hold CodeBERT, a sentence encoder or an edu-classifier; nothing is ever downloaded. The model sees documents
one at a time on one thread, so that a score depends on its document alone. In batches the score of one document changed by
1.6e-7 with the others, and padding ate the gain (all-MiniLM-L6-v2, 256 tokens: 10 documents/s singly, 8 in batches of 32).
"""

# Tested in tests/filters/classifiers/test_classify.py.

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from eyas.corpus.options import Options
from eyas.corpus.paths import RecipePath
from eyas.corpus.stage import StageUnavailable
from eyas.errors import InputError
from eyas.filters.classifiers.extra import load_extra

HEAD_FILE = "head.json"
_SUFFIXES = {".json", ".safetensors", ".bin", ".txt", ".model"}
_STAMP_BYTES = 1 << 20
_LARGE = 64 << 20


class EncoderOptions(Options):
    """An encoder and the logistic head that is trained on its embeddings."""

    encoder: RecipePath = Field(min_length=1)
    """Folder of a `transformers` encoder with its tokenizer (config.json, weights, tokenizer.json)."""
    pooling: Literal["mean", "cls"] = "mean"
    """A document's vector: the mean over its tokens (sentence encoders), or the first token's (BERT's [CLS])."""
    max_tokens: int = Field(default=256, ge=2)
    """How much of a document the encoder sees, in its own tokens (all-MiniLM: 256)."""
    inverse_regularization: float = Field(default=10.0, gt=0.0)
    """C of the logistic regression: larger trusts the examples more (scikit-learn: 1, too little for vectors of length 1:
    with 675 examples and all-MiniLM it left a calibration error of 0.11, 10 one of 0.04)."""

    @field_validator("encoder")
    @classmethod
    def _is_there(cls, value: str) -> str:
        if not (Path(value) / "config.json").is_file():
            raise InputError(
                f"no `transformers` model at {value}: expected a folder with config.json, weights and tokenizer. "
                f"Models are not downloaded here; give a local path"
            )
        return value


def stamp(path: Path) -> str:
    """A digest of a model's files: of their names, sizes and contents, but only the first and last MB of large files."""
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix in _SUFFIXES and p.is_file())
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        digest.update(f"{'' if path.is_file() else file.name}:{size}\n".encode())
        with file.open("rb") as data:
            if size <= _LARGE:
                digest.update(data.read())
            else:
                digest.update(data.read(_STAMP_BYTES))
                data.seek(-_STAMP_BYTES, 2)
                digest.update(data.read())
    return digest.hexdigest()


class Encoder:
    """A transformers model and its tokenizer; `head`: whether the model has a classification head of its own."""

    def __init__(self, path: Path, max_tokens: int | None, head: bool = False) -> None:
        """`max_tokens`: null for as many as the model takes."""
        self.path = path
        self._head = head
        self._wanted = max_tokens

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        purpose = f"the classifier {self.path}"
        load_extra("torch", purpose)
        transformers, logging = (load_extra(name, purpose) for name in ("transformers", "transformers.utils.logging"))
        kind = transformers.AutoModelForSequenceClassification if self._head else transformers.AutoModel
        bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(self.path), local_files_only=True)
            model = kind.from_pretrained(str(self.path), local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise StageUnavailable(f"the model {self.path} cannot be loaded: {error}") from error
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()
        return model.float().eval(), tokenizer

    @property
    def config(self) -> Any:
        """The model's configuration."""
        return self._loaded[0].config

    @cached_property
    def max_tokens(self) -> int:
        """Most tokens that the model takes."""
        limits = [self._loaded[1].model_max_length, getattr(self.config, "max_position_embeddings", None), self._wanted]
        known = [int(limit) for limit in limits if isinstance(limit, int) and 0 < limit < 1 << 30]
        return min(known, default=512)

    def outputs(self, text: pa.Array | pa.ChunkedArray) -> Iterator[tuple[Any, Any] | None]:
        """For each document the model's output and its attention mask; None for a document without a token."""
        import torch

        model, tokenizer = self._loaded
        with _one_thread(), torch.inference_mode():
            for document in text.to_pylist():
                tokens = tokenizer(document, truncation=True, max_length=self.max_tokens, return_tensors="pt")
                yield (model(**tokens), tokens["attention_mask"]) if tokens["input_ids"].shape[1] else None

    def embed(self, text: pa.Array | pa.ChunkedArray, pooling: str) -> npt.NDArray[np.float64]:
        """One vector of length 1 per document; NaN for a document without a token."""
        rows: list[npt.NDArray[np.float64] | None] = []
        for pair in self.outputs(text):
            if pair is None:
                rows.append(None)
                continue
            hidden, mask = pair[0].last_hidden_state[0].double(), pair[1][0].double()[:, None]
            vector = (hidden * mask).sum(0) / mask.sum() if pooling == "mean" else hidden[0]
            rows.append((vector / vector.norm().clamp_min(1e-12)).numpy())
        width = int(self.config.hidden_size)
        return np.array([np.full(width, np.nan) if row is None else row for row in rows]).reshape(-1, width)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Runs torch on one thread: with several, sums are added up in another order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train_head(vectors: npt.NDArray[np.float64], labels: npt.NDArray[np.bool_], inverse_regularization: float) -> Any:
    """A logistic regression by scikit-learn as JSON data: `coefficients` (as long as a vector) and `intercept`."""
    linear, pools = (load_extra(name, "a head on embeddings") for name in ("sklearn.linear_model", "threadpoolctl"))
    with pools.threadpool_limits(1):
        model = linear.LogisticRegression(C=inverse_regularization, max_iter=1000, tol=1e-6).fit(vectors, labels)
    return {"coefficients": model.coef_[0].tolist(), "intercept": float(model.intercept_[0])}


class HeadScorer:
    """Scores by the probability that a logistic head gives to an encoder's embedding."""

    def __init__(self, encoder: Encoder, head: Any, pooling: str, max_characters: int | None) -> None:
        self.encoder, self._pooling, self._max_characters = encoder, pooling, max_characters
        self._coefficients = np.array(head["coefficients"], np.float64)
        self._intercept = float(head["intercept"])
        if len(self._coefficients) != int(encoder.config.hidden_size):
            raise StageUnavailable(
                f"the head has {len(self._coefficients)} coefficients, but vectors of {encoder.path} have "
                f"{encoder.config.hidden_size}: train it again"
            )

    def scores(self, text: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float32]:
        """One probability per document; NaN for a document without a token."""
        vectors = self.encoder.embed(beginning(text, self._max_characters), self._pooling)
        # Row by row: a matrix product may add up in an order that depends on the number of rows.
        logits = np.array([float(np.dot(row, self._coefficients)) for row in vectors]) + self._intercept
        return (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)


class SequenceScorer:
    """Scores by an encoder with a classification head: a regression's value, or the probability of one label."""

    def __init__(self, encoder: Encoder, label: str | None, max_characters: int | None) -> None:
        """`label`: the name of the label, by default the last. `StageUnavailable` if the model has no such label."""
        self.encoder, self._max_characters = encoder, max_characters
        names = {int(number): str(name) for number, name in (encoder.config.id2label or {}).items()}
        self._regression = len(names) <= 1
        self._several = encoder.config.problem_type == "multi_label_classification"
        if label is not None and label not in names.values():
            raise StageUnavailable(
                f"the classifier {encoder.path} has no label {label!r}; its labels are {', '.join(names.values())}"
            )
        self._index = max(names, default=0) if label is None else next(i for i, n in names.items() if n == label)

    def scores(self, text: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float32]:
        """One score per document; NaN for a document without a token."""
        pairs = self.encoder.outputs(beginning(text, self._max_characters))
        scores = [math.nan if pair is None else self._score(pair[0].logits[0].double()) for pair in pairs]
        return np.array(scores, np.float32)

    def _score(self, logits: Any) -> float:
        if self._regression:
            return float(logits[0])
        values = logits.sigmoid() if self._several else logits.softmax(0)
        return float(values[self._index])


def beginning(text: pa.Array | pa.ChunkedArray, max_characters: int | None) -> pa.Array | pa.ChunkedArray:
    """The first characters of each document."""
    return text if max_characters is None else pc.utf8_slice_codeunits(text, 0, max_characters)
