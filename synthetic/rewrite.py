"""Rewriting: a language model says a document again in another form, or asks about it; the original stays.

A document is cut into pieces, each is rewritten, the pieces are joined; what comes back is measured against its source and
refused for a reason, or goes on as a new document with its `parent` through the later stages, so copies and rubbish are
caught by the same nets. What the budget did not reach is told as `budget_exhausted`. A request that failed is quarantined,
one by one; an endpoint that is down stops the run, and what was bought is kept.
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
from eyas.synthetic import answers as tidy
from eyas.synthetic.budget import Answer
from eyas.synthetic.chunks import join, split
from eyas.synthetic.client import BadAnswer, NotBought, Outcome, Request
from eyas.synthetic.engines import digest
from eyas.synthetic.forecast import Forecast, forecast
from eyas.synthetic.gates import MEASURES, Gates, measure, rules
from eyas.synthetic.options import ModelStage

NOT_BOUGHT, SCHEMA = "#not_bought", "#schema_invalid"
TOPIC_CHARACTERS = 300


@dataclass(frozen=True)
class _Made:
    """What became of one document."""

    text: str | None
    error: str | None
    scores: Mapping[str, float]
    not_bought: bool = False
    schema_invalid: bool = False


class Rewrite(ModelStage, Generator):
    """Rewrites documents by a language model: `rewrite: {prompt: wikipedia_style, max_documents: 100}`."""

    version: ClassVar[int] = 2

    max_input_characters: int = Field(default=6000, ge=1)
    """Longest piece that is rewritten at once, cut at the end of a paragraph, line or sentence (about 1,500 tokens)."""
    max_chunks: int | None = Field(default=None, ge=1)
    """How many pieces of a document are rewritten, from its beginning; null: all of it."""
    min_input_characters: int = Field(default=0, ge=0)
    """Shorter pieces are not sent (Nemotron-CC: 30 tokens, about 120); a document without another is no use to anyone."""
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
        return self

    @cached_property
    def _gates(self) -> Gates:
        return self._prompt.card.gates.but(self.gates)

    @cached_property
    def _wording(self) -> str:
        return self._prompt.wording(self.variables)

    def pieces(self, text: str) -> list[str]:
        """What is sent of a document, one request each."""
        if self._prompt.card.kind == "topic":
            return [text.strip()[:TOPIC_CHARACTERS]] if text.strip() else []
        found = [piece for piece in split(text, self.max_input_characters) if len(piece) >= self.min_input_characters]
        return found[: self.max_chunks]

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
        cut = [self.pieces(text) for text in texts]
        client = self.client()
        try:
            outcomes = iter(client.ask([self.request(piece, seed) for pieces in cut for piece in pieces]))
        finally:
            self._remembered.update(client.remembered)
            self._engine.close()
        made = [
            self._made(text, pieces, [next(outcomes) for _ in pieces], origin)
            for text, pieces, origin in zip(texts, cut, origins, strict=True)
        ]
        # The language is kept by most prompts; other columns say things of the source that need not hold of its rewrite.
        keeps = "lang" in docs.column_names and "language_code" not in self._prompt.card.variables
        inherited = {"lang": docs.column("lang")} if keeps else {}
        return pa.table(
            {
                "text": pa.array([one.text for one in made], pa.large_string()),
                PARENT.name: pa.array([[document] for document in docs.column("id").to_pylist()], PARENT.type),
                "error": pa.array([one.error for one in made], pa.string()),
                **inherited,
                NOT_BOUGHT: pa.array([one.not_bought for one in made]),
                SCHEMA: pa.array([one.schema_invalid for one in made]),
                **{f"#{name}": pa.array([one.scores.get(name, np.nan) for one in made]) for name in MEASURES},
            }
        )

    def _made(self, text: str, pieces: Sequence[str], outcomes: Sequence[Outcome], origin: str) -> _Made:
        """Joins the answers on the pieces of one document, and measures them."""
        for outcome in outcomes:
            if isinstance(outcome, BadAnswer):
                return _Made(None, str(outcome), {})
        if any(isinstance(outcome, NotBought) for outcome in outcomes):
            return _Made("", None, {}, not_bought=True)
        if not pieces:
            return _Made("", None, {"characters": -1.0})
        answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
        try:
            said, unfinished = self._said(pieces, answers)
        except ValueError as error:
            return _Made(f"{error}\n{answers[0].text}", None, {}, schema_invalid=True)
        scores = measure(
            self._gates,
            join(list(pieces)),
            said,
            prompt=self._wording,
            origin=origin,
            language=self._prompt.variables(self.variables).get("language_code"),
            unfinished=unfinished,
        )
        whole = f"{text.rstrip()}\n\n{said}" if self._prompt.card.kind == "append" else said
        return _Made(whole, None, scores)

    def _said(self, pieces: Sequence[str], answers: Sequence[Answer]) -> tuple[str, bool]:
        """The answers as one text, and whether one breaks off where it cannot be mended; ValueError for bad JSON."""
        card = self._prompt.card
        found: list[str] = []
        unfinished = False
        for piece, answer in zip(pieces, answers, strict=True):
            said = tidy.unwrap(answer.text, self._prompt.fence(piece), card.prefix, self._gates.code_parses)
            if self._prompt.schema is not None:
                pairs = tidy.read_json(said, self._prompt.schema)["pairs"]
                if card.kind == "append":
                    pairs = tidy.drawn_pairs(pairs, piece, digest(self._prompt.digest, piece))
                said = tidy.pairs_text(pairs)
            elif answer.finish == "length":
                said = said if self._gates.code_parses else tidy.whole_sentences(said)
                unfinished = unfinished or self._gates.code_parses or not said
            found.append(said)
        return join(found), unfinished

    def gate(self, generated: pa.Table) -> Verdict:
        scores = {name: generated.column(f"#{name}").to_numpy() for name in MEASURES}
        flags = [
            Rule(reason, generated.column(name).to_numpy().astype(bool), generated.column(name).to_numpy() * 1.0, 0.0)
            for reason, name in (("budget_exhausted", NOT_BOUGHT), ("schema_invalid", SCHEMA))
        ]
        return Verdict.first_failure([*flags, *rules(self._gates, scores)], generated.num_rows)

    def expected(self, documents: int, characters: int) -> Forecast:
        """What asking about so many documents with so many characters would take."""
        asked = min(documents, self.max_documents or documents)
        mean = characters / max(documents, 1)
        if self._prompt.card.kind == "topic":
            mean = min(mean, TOPIC_CHARACTERS)
        pieces = max(1.0, mean / self.max_input_characters)
        if self.max_chunks is not None:
            pieces = min(pieces, self.max_chunks)
        sent = min(mean / pieces, self.max_input_characters)
        return forecast(self, round(asked * pieces + 0.49), sent, len(self._wording))
