"""Rewriting: a language model puts a document into another form, or writes questions about it. The original stays.

A document is cut into pieces, each is rewritten, and the pieces are joined. The gates score the result against its source. A
rewrite that they refuse gets a reason; any other becomes a new document with its `parent` and passes the later stages, which
filter copies and rubbish as in any document. Documents beyond the budget get the reason `budget_exhausted`. A failed request
quarantines its document alone. An endpoint that is down stops the run, and answers already bought are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from eyas.corpus.documents import PARENT
from eyas.corpus.stage import Generator
from eyas.corpus.verdict import Rule, Verdict
from eyas.errors import InputError
from eyas.synthetic.answers import drawn_pairs, pairs_text, read_json, unwrap, whole_sentences
from eyas.synthetic.budget import Answer
from eyas.synthetic.chunks import join, split
from eyas.synthetic.client import BadAnswer, NotBought, Outcome, Request
from eyas.synthetic.engines import digest
from eyas.synthetic.forecast import Forecast
from eyas.synthetic.gates import MEASURES, Gates, measure, rules
from eyas.synthetic.options import ModelStage

NOT_BOUGHT, SCHEMA = "#not_bought", "#schema_invalid"
"""Hidden columns of a generated document, beside its scores: flags that `gate` reads."""
TOPIC_CHARACTERS = 300
"""A document that names a topic is sent up to this length."""


@dataclass(frozen=True)
class _Rewritten:
    """The outcome for one document: a text with its scores, or an error."""

    text: str | None
    error: str | None
    scores: Mapping[str, float]
    not_bought: bool = False
    schema_invalid: bool = False


class Rewrite(ModelStage, Generator):
    """Rewrites documents by a language model: `rewrite: {prompt: wikipedia_style, max_documents: 100}`."""

    version: ClassVar[int] = 2

    max_input_characters: int = Field(default=6000, ge=1)
    """Longest piece that is rewritten at once (about 1,500 tokens). Pieces end with a paragraph, line or sentence."""
    max_chunks: int | None = Field(default=None, ge=1)
    """How many pieces of a document are rewritten, from its beginning. null means all of them."""
    min_input_characters: int = Field(default=0, ge=0)
    """Shorter pieces are not sent (Nemotron-CC: 30 tokens, about 120). A document of shorter pieces only is refused."""
    gates: dict[str, Any] = {}
    """Thresholds that differ from the prompt's own: `{numbers_kept: 0.8, novelty: [0.1, 0.9], language: null}`."""

    @model_validator(mode="after")
    def _gates_and_kind(self) -> Rewrite:
        _ = self._gates
        card = self._prompt.card
        if card.kind == "score":
            raise InputError(f"the prompt {self._prompt.name!r} gives grades: it is for `annotate`")
        if card.kind == "append" and self._prompt.schema is None:
            raise InputError(f"the prompt {self._prompt.name!r} is of the kind `append`, which needs a schema.json")
        self._prompt.messages("A text.", self.variables)  # says now what cannot be rendered
        return self

    @cached_property
    def _gates(self) -> Gates:
        return self._prompt.card.gates.but(self.gates)

    @cached_property
    def _wording(self) -> str:
        return self._prompt.wording(self.variables)

    def pieces(self, text: str) -> list[str]:
        """The pieces of a document that are sent, in one request each."""
        if self._prompt.card.kind == "topic":
            return [text.strip()[:TOPIC_CHARACTERS]] if text.strip() else []
        pieces = [piece for piece in split(text, self.max_input_characters) if len(piece) >= self.min_input_characters]
        return pieces[: self.max_chunks]

    def request(self, piece: str, seed: int) -> Request:
        """The request for one piece."""
        return Request(
            self._prompt.messages(piece, self.variables),
            self.origin,
            self.longest_answer,
            self.temperature,
            seed,
            self._prompt.schema if self.structured else None,
        )

    def generate(self, docs: pa.Table, seed: int) -> pa.Table:
        texts, origins = docs.column("text").to_pylist(), docs.column("origin").to_pylist()
        pieces_of = [self.pieces(text) for text in texts]
        client = self.client()
        try:
            outcomes = iter(client.ask([self.request(piece, seed) for pieces in pieces_of for piece in pieces]))
        finally:
            self._answer_counts.update(client.answer_counts)
            self._engine.close()
        rewritten = [
            self._rewritten(text, pieces, [next(outcomes) for _ in pieces], origin)
            for text, pieces, origin in zip(texts, pieces_of, origins, strict=True)
        ]
        # Most prompts keep the language. Other columns describe the source and need not hold for its rewrite.
        keeps = "lang" in docs.column_names and "language_code" not in self._prompt.card.variables
        inherited = {"lang": docs.column("lang")} if keeps else {}
        return pa.table(
            {
                "text": pa.array([document.text for document in rewritten], pa.large_string()),
                PARENT.name: pa.array([[parent] for parent in docs.column("id").to_pylist()], PARENT.type),
                "error": pa.array([document.error for document in rewritten], pa.string()),
                **inherited,
                NOT_BOUGHT: pa.array([document.not_bought for document in rewritten]),
                SCHEMA: pa.array([document.schema_invalid for document in rewritten]),
                **{
                    f"#{name}": pa.array([document.scores.get(name, np.nan) for document in rewritten])
                    for name in MEASURES
                },
            }
        )

    def _rewritten(self, text: str, pieces: Sequence[str], outcomes: Sequence[Outcome], origin: str) -> _Rewritten:
        """Joins the answers to the pieces of one document, and scores them against the source."""
        for outcome in outcomes:
            if isinstance(outcome, BadAnswer):
                return _Rewritten(None, str(outcome), {})
        if any(isinstance(outcome, NotBought) for outcome in outcomes):
            return _Rewritten("", None, {}, not_bought=True)
        if not pieces:
            return _Rewritten("", None, {"characters": -1.0})
        answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
        try:
            answer, unfinished = self._joined(pieces, answers)
        except ValueError as error:
            return _Rewritten(f"{error}\n{answers[0].text}", None, {}, schema_invalid=True)
        scores = measure(
            self._gates,
            join(list(pieces)),
            answer,
            prompt=self._wording,
            origin=origin,
            language=self._prompt.variables(self.variables).get("language_code"),
            unfinished=unfinished,
        )
        whole = f"{text.rstrip()}\n\n{answer}" if self._prompt.card.kind == "append" else answer
        return _Rewritten(whole, None, scores)

    def _joined(self, pieces: Sequence[str], answers: Sequence[Answer]) -> tuple[str, bool]:
        """The answers as one text, and whether one breaks off beyond repair; ValueError for bad JSON."""
        card = self._prompt.card
        texts: list[str] = []
        unfinished = False
        for piece, answer in zip(pieces, answers, strict=True):
            text = unwrap(answer.text, self._prompt.fence(piece), card.prefix, self._gates.code_parses)
            if self._prompt.schema is not None:
                pairs = read_json(text, self._prompt.schema)["pairs"]
                if card.kind == "append":
                    pairs = drawn_pairs(pairs, piece, digest(self._prompt.digest, piece))
                text = pairs_text(pairs)
            elif answer.finish == "length":
                text = text if self._gates.code_parses else whole_sentences(text)
                unfinished = unfinished or self._gates.code_parses or not text
            texts.append(text)
        return join(texts), unfinished

    def gate(self, generated: pa.Table) -> Verdict:
        scores = {name: generated.column(f"#{name}").to_numpy() for name in MEASURES}
        flags = [
            Rule(reason, generated.column(name).to_numpy().astype(bool), generated.column(name).to_numpy() * 1.0, 0.0)
            for reason, name in (("budget_exhausted", NOT_BOUGHT), ("schema_invalid", SCHEMA))
        ]
        return Verdict.first_failure([*flags, *rules(self._gates, scores)], generated.num_rows)

    def expected(self, documents: int, characters: int) -> Forecast:
        """The forecast for rewriting so many documents with so many characters in all."""
        used = min(documents, self.max_documents or documents)
        mean = characters / max(documents, 1)
        if self._prompt.card.kind == "topic":
            mean = min(mean, TOPIC_CHARACTERS)
        pieces = max(1.0, mean / self.max_input_characters)
        if self.max_chunks is not None:
            pieces = min(pieces, self.max_chunks)
        piece = min(mean / pieces, self.max_input_characters)
        return self._forecast(round(used * pieces + 0.49), piece, len(self._wording))
