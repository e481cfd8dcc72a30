"""Trains fastText classifiers and scores by them: a linear layer on a bag of words and word n-grams (Joulin et al. 2017).

DCLM chose its training data by such a model with bigrams, and found it better than embeddings, perplexity and an LLM's
own judgement (Li et al. 2024, section 4.4). One thread and a fixed seed give the same bytes every time; several threads
do not (fastText#116, #257). On a busy core, training on 3,600 documents of 6 KB takes 2 s, and scoring does 6,000 a second.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from eyas.corpus.options import Options
from eyas.corpus.stage import StageUnavailable
from eyas.errors import InputError
from eyas.filters.classifiers.text import TextOptions, one_line

LABEL = "__label__"
END = "</s>"
POSITIVE, NEGATIVE = "positive", "negative"
MODEL_FILE = "model.bin"


class FastTextOptions(Options):
    """How fastText learns. DCLM took fastText's defaults and bigrams, for 400,000 documents; these are for fewer."""

    dim: int = Field(default=32, ge=1, le=1000)
    """Length of a word's vector (fastText: 100). The file grows with it: 4 bytes times words and buckets."""
    word_ngrams: int = Field(default=2, ge=1, le=5)
    """Longest run of words that is a feature (DCLM: 2)."""
    epochs: int = Field(default=5, ge=1, le=1000)
    """Times that each text is seen (fastText and DCLM: 5)."""
    learning_rate: float = Field(default=0.3, gt=0.0, le=10.0)
    """First step size, which falls to 0 (fastText and DCLM: 0.1, too small for few texts: on 3,600 it left a Brier score of
    0.029, 0.3 one of 0.006)."""
    min_count: int = Field(default=3, ge=1)
    """Fewest occurrences that make a word a feature (fastText: 1)."""
    buckets: int = Field(default=200_000, ge=1)
    """Slots that the n-grams are hashed into (fastText: 2,000,000, which is 800 MB at its 100 dimensions)."""


def train_fasttext(
    lines: Sequence[str], labels: npt.NDArray[np.bool_], options: FastTextOptions, seed: int, folder: Path
) -> Path:
    """Trains on `lines` in their order, which must mix the classes; returns the model's file in `folder`.

    Raises ValueError if fastText cannot learn from them.
    """
    import fasttext

    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", newline="\n") as examples:
        for line, positive in zip(lines, labels.tolist(), strict=True):
            examples.write(f"{LABEL}{POSITIVE if positive else NEGATIVE} {line}\n")
        examples.flush()
        try:
            model = fasttext.train_supervised(
                input=examples.name,
                dim=options.dim,
                wordNgrams=options.word_ngrams,
                epoch=options.epochs,
                lr=options.learning_rate,
                minCount=options.min_count,
                bucket=options.buckets,
                minn=0,
                maxn=0,
                loss="softmax",
                thread=1,
                seed=seed % (1 << 31),
                verbose=0,
            )
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"fastText could not learn from these {len(lines):,} texts: {error}. "
                f"Lower `learning_rate` or `min_count`, or give more texts"
            ) from error
    path = folder / MODEL_FILE
    model.save_model(str(path))
    return path


class FastTextScorer:
    """Scores by the probability that a fastText model gives to one label."""

    def __init__(self, path: Path, text: TextOptions, label: str) -> None:
        """`label`: without `__label__`; `StageUnavailable` if the file is no model or has no such label."""
        self.path = path
        self.text = text
        self._label = LABEL + label
        known = [name.removeprefix(LABEL) for name in self.model.get_labels()]
        if label not in known:
            raise StageUnavailable(
                f"the classifier {path} has no label {label!r}; its labels are {', '.join(known[:12])}: name one in `label:`"
            )

    @cached_property
    def model(self) -> Any:
        """The loaded model."""
        return load_fasttext(self.path)

    def scores(self, text: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float32]:
        """One probability per document; NaN for a document without a word that the model knows."""
        scores = np.full(len(text), np.nan, np.float32)
        labels, probabilities = self.model.predict(one_line(text, self.text), k=-1)
        for i, (names, values) in enumerate(zip(labels, probabilities, strict=True)):
            if len(names):
                # fastText adds 1e-5 before a logarithm, so a probability may come out a little above 1.
                scores[i] = min(float(values[list(names).index(self._label)]), 1.0)
        return scores

    def telling_words(self, count: int) -> dict[str, list[tuple[str, float]]]:
        """The words that push a score up and down most: a word's own logit times the root of its count in training."""
        words, counts = self.model.get_words(include_freq=True)
        names = self.model.get_labels()
        output = np.asarray(self.model.get_output_matrix(), np.float64)
        direction = output[names.index(LABEL + POSITIVE)] - output[names.index(LABEL + NEGATIVE)]
        # Not get_word_vector(): this fastText returns vectors of length 1, and the length is what a word has learned.
        logits = np.asarray(self.model.get_input_matrix()[: len(words)], np.float64) @ direction
        # fastText counts the end of a line as a word: it is in every text, weighs much and means nothing.
        weight = logits * np.sqrt(np.asarray(counts, np.float64)) * np.array([word != END for word in words])
        order = np.lexsort((np.arange(len(words)), -weight))
        up = [(words[i], round(float(logits[i]), 3)) for i in order[:count] if weight[i] > 0]
        down = [(words[i], round(float(logits[i]), 3)) for i in order[::-1][:count] if weight[i] < 0]
        return {POSITIVE: up, NEGATIVE: down}


def load_fasttext(path: Path) -> Any:
    """The fastText model at `path`; `StageUnavailable` if the file is no model, or a model without labels."""
    import fasttext

    try:
        model = fasttext.load_model(str(path))
        model.predict("a word")
    except ValueError as error:
        raise StageUnavailable(f"the classifier {path} is not a fastText model with labels: {error}") from error
    return model
