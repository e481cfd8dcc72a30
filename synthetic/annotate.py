"""Annotation: a language model grades a sample of the documents by a rubric, for a classifier to learn.

FineWeb-Edu worked so: a large model gave 460,000 grades from 0 to 5, a small model learned them and scored the whole corpus.
Here the grade is a column, null outside the sample, and a classifier reads it by conditions:
`train_classifier: {name: edu, positives: {where: "grade >= 3"}, negatives: {where: "grade < 3"}, grade: grade}`. A document
that could not be graded stays, without a grade; the ledger's detail says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from eyas.corpus.documents import COLUMNS, NOTE
from eyas.corpus.paths import NameOrPath
from eyas.corpus.sampling import hash_rank
from eyas.corpus.stage import Mapper
from eyas.errors import InputError
from eyas.synthetic.answers import read_json, unwrap
from eyas.synthetic.chunks import split
from eyas.synthetic.client import BadAnswer, NotBought, Outcome, Request
from eyas.synthetic.forecast import Forecast
from eyas.synthetic.options import ModelStage


class Annotate(ModelStage, Mapper):
    """Grades a share of the documents by a language model and a rubric; keeps every document."""

    version: ClassVar[int] = 1

    prompt: NameOrPath = "educational_value"
    """A built-in prompt of the kind `score`, or the path of your own prompt folder."""
    column: str = Field(default="grade", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the added column: float32, null where there is no grade."""
    share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the documents that is graded, chosen by a hash of (sample_seed, id)."""
    sample_seed: int = Field(default=0, ge=0)
    """Another seed grades another sample."""
    max_input_characters: int = Field(default=3000, ge=1)
    """How much of a document's beginning the model sees (FineWeb-Edu: 3,000 characters or so)."""

    @model_validator(mode="after")
    def _score_prompt(self) -> Annotate:
        if self.prompt_kind != "score" or "score" not in ((self._prompt.schema or {}).get("properties") or {}):
            raise InputError(
                f"the prompt {self._prompt.name!r} gives no grades: expected `kind: score` in its prompt.yaml, and a "
                f"schema.json with the number `score`"
            )
        if self.column in COLUMNS:
            raise InputError(f"{self.column!r} is a column of every document; choose another `column:`")
        self._prompt.messages("A text.", self.variables)  # says now what cannot be rendered
        return self

    def columns_added(self) -> Mapping[str, pa.DataType]:
        return {self.column: pa.float32()}

    def map(self, docs: pa.Table) -> pa.Table:
        """`docs` with the grades, and a note on each document of the sample that could not be graded."""
        ranks = hash_rank(docs.column("id").to_numpy(), self.sample_seed)
        chosen = np.flatnonzero(ranks < np.uint64(min(int(self.share * 2**64), 2**64 - 1)))
        texts = docs.column("text").take(pa.array(chosen)).to_pylist()
        heads = [next(iter(split(text, self.max_input_characters)), "") for text in texts]
        grades: list[float | None] = [None] * docs.num_rows
        notes: list[str | None] = [None] * docs.num_rows
        for row, head, outcome in zip(chosen.tolist(), heads, self._ask(heads), strict=True):
            try:
                grades[row] = self._grade(head, outcome)
            except ValueError as error:
                notes[row] = f"not graded: {error}"
        added = {self.column: pa.array(grades, pa.float32()), NOTE: pa.array(notes, pa.string())}
        for name, values in added.items():
            at = docs.column_names.index(name) if name in docs.column_names else None
            docs = docs.append_column(name, values) if at is None else docs.set_column(at, name, values)
        return docs

    def _ask(self, heads: list[str]) -> list[Outcome]:
        client = self.client()
        try:
            return client.ask([self._request(head) for head in heads])
        finally:
            self._answer_counts.update(client.answer_counts)
            self._engine.close()

    def _request(self, head: str) -> Request:
        schema = self._prompt.schema if self.structured else None
        messages = self._prompt.messages(head, self.variables)
        return Request(messages, self.origin, self.longest_answer, self.temperature, self.sample_seed, schema)

    def _grade(self, head: str, outcome: Outcome) -> float:
        if isinstance(outcome, BadAnswer):
            raise outcome
        if isinstance(outcome, NotBought):
            raise InputError(f"budget_exhausted: {outcome.cap}")
        graded: Any = read_json(unwrap(outcome.text, self._prompt.fence(head)), self._prompt.schema or {})
        return float(graded["score"])

    def expected(self, documents: int, characters: int) -> Forecast:
        """The forecast for grading the sample of so many documents with so many characters in all."""
        head = min(characters / max(documents, 1), self.max_input_characters)
        return self._forecast(round(documents * self.share + 0.49), head, len(self._prompt.wording(self.variables)))
