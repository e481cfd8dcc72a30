"""Rewriting: a language model says a document's beginning again in another style; the original stays.

What comes back is a new document with its `parent`, and goes through the later stages like any other, so copies and
rubbish are caught by the same nets. Failed requests are quarantined, one by one; an endpoint that is
down stops the run, and the parts that were finished are kept.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator

from corpus.documents import PARENT
from corpus.stage import Generator
from corpus.verdict import Rule, Verdict
from synthetic.engines import BadAnswer, Engine, embedded, embedded_weights, endpoint
from synthetic.prompts import Prompt


class Rewrite(Generator):
    """Rewrites documents by a language model: `rewrite: {prompt: wikipedia_style, max_documents: 100}`."""

    operational: ClassVar[frozenset[str]] = frozenset({"concurrency", "timeout", "retries", "api_key_env"})

    prompt: str = "wikipedia_style"
    """A built-in prompt, or the path of a folder with system.jinja and user.jinja."""
    model: str = "embedded"
    """`embedded` (SmolLM2-135M, for trying out the wiring), the path of a GGUF file, or a model of `endpoint`."""
    endpoint: str | None = None
    """Base URL of an OpenAI-compatible server (http://host:8000/v1); null: the embedded one."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the endpoint's key. The key itself never stands in a recipe."""
    max_input_characters: int = Field(default=1500, ge=1)
    """How much of a document's beginning is rewritten, cut at the end of a paragraph or line where there is one."""
    max_tokens: int = Field(default=256, ge=1)
    """Longest answer, in the model's tokens."""
    temperature: float = Field(default=0.0, ge=0.0)
    """0 gives the same text every time."""
    min_output_characters: int = Field(default=40, ge=0)
    """A shorter answer is dropped as `too_short`."""
    max_copied: float = Field(default=0.9, ge=0.0, le=1.0)
    """An answer of which a larger share of lines stands in its source word for word is dropped as `copied`."""
    concurrency: int = Field(default=8, ge=1)
    """Requests in flight per task; the embedded model takes one at a time."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds that one request may take."""
    retries: int = Field(default=4, ge=0)
    """How often a request is repeated, with growing pauses, after a time-out, a rate limit or a server error."""

    @field_validator("prompt")
    @classmethod
    def _exists(cls, value: str) -> str:
        Prompt.find(value)
        return value

    @model_validator(mode="after")
    def _named_model(self) -> Rewrite:
        if self.endpoint is not None and self.model == "embedded":
            raise ValueError("`endpoint` is set, so `model` must name one of its models")
        return self

    def fingerprint(self) -> Any:
        weights = None if self.endpoint is not None else embedded_weights(self.model).stat().st_size
        return [self._prompt.digest, weights]

    @cached_property
    def _prompt(self) -> Prompt:
        return Prompt.find(self.prompt)

    def generate(self, docs: pa.Table, seed: int) -> pa.Table:
        heads = [self._head(text) for text in docs.column("text").to_pylist()]
        if self.endpoint is not None:
            engine = endpoint(self.endpoint, self.model, self.api_key_env, self.timeout, self.retries, self.concurrency)
            answers = self._ask(engine, heads, seed)
        else:
            with embedded(self.model, 4096, self.timeout) as engine:
                answers = self._ask(engine, heads, seed)
        texts = [None if isinstance(answer, BadAnswer) else answer for answer in answers]
        errors = [str(answer) if isinstance(answer, BadAnswer) else None for answer in answers]
        parents = [[document] for document in docs.column("id").to_pylist()]
        # The language is kept by the prompt; other columns say things of the source that need not hold of its rewrite.
        inherited = {"lang": docs.column("lang")} if "lang" in docs.column_names else {}
        return pa.table(
            {
                "text": pa.array(texts, pa.large_string()),
                PARENT.name: pa.array(parents, PARENT.type),
                "error": pa.array(errors, pa.string()),
                **inherited,
                "_copied": pa.array(
                    [None if t is None else _copied(t, h) for t, h in zip(texts, heads, strict=True)], pa.float64()
                ),
            }
        )

    def _ask(self, engine: Engine, heads: list[str], seed: int) -> list[str | BadAnswer]:
        requests = [self._prompt.messages(head) for head in heads]
        answers = engine.answers(requests, max_tokens=self.max_tokens, temperature=self.temperature, seed=seed)
        # Small models like to copy the fence along.
        return [_without(self._prompt.fence(head), answer) for answer, head in zip(answers, heads, strict=True)]

    def _head(self, text: str) -> str:
        """The beginning of a document, up to `max_input_characters`."""
        if len(text) <= self.max_input_characters:
            return text
        head = text[: self.max_input_characters]
        for end in ("\n\n", "\n", " "):
            at = head.rfind(end)
            if at > self.max_input_characters // 2:
                return head[:at]
        return head

    def gate(self, generated: pa.Table) -> Verdict:
        length = pc.utf8_length(generated.column("text")).to_numpy()
        copied = generated.column("_copied").to_numpy()
        rules = [
            Rule("too_short", length < self.min_output_characters, length, self.min_output_characters),
            Rule("copied", copied > self.max_copied, copied, self.max_copied),
        ]
        return Verdict.first_failure(rules, generated.num_rows)


def _without(fence: str, answer: str | BadAnswer) -> str | BadAnswer:
    if isinstance(answer, BadAnswer):
        return answer
    return answer.replace(fence, "").strip() or BadAnswer("the answer is nothing but the fence")


def _copied(answer: str, source: str) -> float:
    """The share of the answer's lines, by characters, that stand in the source word for word."""
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    total = sum(map(len, lines))
    return sum(len(line) for line in lines if line in source) / total if total else 0.0
