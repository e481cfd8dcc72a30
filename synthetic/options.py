"""Options that every stage with a language model has: which model, how it is asked, what may be spent.

The purse of a run is one file in its folder, so that all stages, workers and restarts share it. A run on storage that is
not a local folder has to name a file by `cache:`, because SQLite cannot live in an object store.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import Counter
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr, field_validator, model_validator

from eyas.corpus.stage import Figures, Stage
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.errors import InputError
from eyas.synthetic.budget import Budget, Price, PurseLike, Terms
from eyas.synthetic.budget_actor import purse_at
from eyas.synthetic.client import Client
from eyas.synthetic.engines import Embedded, Engine, Remote, embedded_weights
from eyas.synthetic.forecast import Forecast
from eyas.synthetic.prompts import Prompt

PURSE = "answers.sqlite"
"""The purse's name in a run's folder."""
CONTEXT = 4096
"""Tokens that the embedded model reads and writes at most."""


class ModelStage(Stage):
    """What `rewrite` and `annotate` share."""

    operational: ClassVar[frozenset[str]] = frozenset(
        {"concurrency", "timeout", "retries", "api_key_env", "requests_per_minute", "tokens_per_minute", "cache"}
    )

    prompt: str = "wikipedia_style"
    """A built-in prompt (`eyas prompts` lists them), or the path of a folder with system.jinja and user.jinja."""
    variables: dict[str, str] = {}
    """Variables of the prompt: `{language: French, language_code: fr}` for `translate`."""
    model: str = "embedded"
    """`embedded` (SmolLM2-135M, for trying out the wiring), the path of a GGUF file, or a model of `endpoint`."""
    endpoint: str | None = None
    """Base URL of an OpenAI-compatible server (http://host:8000/v1); null: the embedded one."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the endpoint's key. The key itself never stands in a recipe."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Longest answer, in the model's tokens; null: what the prompt says, or 256."""
    temperature: float = Field(default=0.0, ge=0.0)
    """0 gives the same text every time."""
    structured: bool = True
    """Whether the endpoint is asked to enforce a prompt's JSON schema (vLLM, SGLang, llama.cpp, hosted models do)."""
    budget: Budget = Budget()
    """The most this prompt and model may spend in this run's folder: requests, tokens, money, minutes."""
    price: Price = Price()
    """What a million tokens cost, for `budget.money` and the report."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Most requests a minute, over all workers."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Most tokens a minute, over all workers."""
    concurrency: int = Field(default=8, ge=1)
    """Requests in flight per task; the embedded model takes one at a time."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds that one request may take, all of it."""
    retries: int = Field(default=8, ge=0)
    """How often a request is repeated, with growing pauses, after a time-out, a lost connection, a rate limit or a server
    error: 8 outlast two minutes."""
    cache: str | None = None
    """A SQLite file for purse and answers, which runs of one machine may share; null: `answers.sqlite` in the run."""

    _place: str = PrivateAttr(default=":memory:")
    _remembered: Counter[str] = PrivateAttr(default_factory=Counter)

    @field_validator("prompt")
    @classmethod
    def _exists(cls, value: str) -> str:
        _ = Prompt.find(value).card
        return value

    @model_validator(mode="after")
    def _checked(self) -> ModelStage:
        if self.endpoint is not None and self.model == "embedded":
            raise InputError("`endpoint` is set, so `model` must name one of its models")
        if self.budget.money is not None and not (self.price.input or self.price.output):
            raise InputError(
                "`budget.money` is set, so `price` must say what a million tokens cost: {input: …, output: …}"
            )
        self._prompt.variables(self.variables)
        return self

    def fingerprint(self) -> Any:
        weights = None if self.endpoint is not None else embedded_weights(self.model).stat().st_size
        return [self._prompt.digest, weights]

    @cached_property
    def _prompt(self) -> Prompt:
        return Prompt.find(self.prompt)

    @cached_property
    def _engine(self) -> Engine:
        if self.endpoint is not None:
            return Remote(self.endpoint, self.model, self.api_key_env)
        return Embedded(self.model, CONTEXT)

    @property
    def prompt_kind(self) -> str:
        """What the prompt makes."""
        return self._prompt.card.kind

    @property
    def origin(self) -> str:
        """What answers are remembered by besides messages, model and parameters: gates judge, they do not ask."""
        return f"{self._prompt.name} {self._prompt.card.version}"

    @property
    def longest_answer(self) -> int:
        """Tokens of an answer at most."""
        return self.max_tokens or self._prompt.card.max_tokens or 256

    @property
    def terms(self) -> Terms:
        """What each request is held to. Whoever changes a prompt's wording goes on with the same account."""
        return Terms(
            f"{self._prompt.name} by {self._engine.identity}",
            self.budget,
            self.price,
            self.requests_per_minute,
            self.tokens_per_minute,
            self.timeout,
        )

    def held(self, store: Store) -> str:
        if self.cache is not None:
            return os.path.abspath(self.cache)
        if store.local:
            return os.path.abspath(store.path(PURSE))
        raise InputError(
            f"the run's folder {store.url} is no local one, and the purse is a SQLite file: name a local path, on the "
            f"machine from which the run is started, by `cache: PATH`"
        )

    def open(self, context: TaskContext) -> None:
        place = self.held(context.store)
        self._remembered = Counter()
        if place != self._place:
            self._place = place
            self.__dict__.pop("_purse", None)

    @cached_property
    def _purse(self) -> PurseLike:
        return purse_at(self._place)

    @abstractmethod
    def expected(self, documents: int, characters: int) -> Forecast:
        """What so many documents with so many characters would take."""

    def forecast(self, documents: int, characters: int) -> str:
        return self.expected(documents, characters).line()

    def client(self) -> Client:
        """A client that pays from the run's purse."""
        return Client(self._engine, self._purse, self.terms, self.retries, self.concurrency)

    def figures(self) -> Figures:
        """What the account has spent so far, and how many answers were bought or known in this task."""
        account = self.terms.account
        return Figures(account, dict(self._remembered), {**self._purse.spent(account), "budget": self._told_budget()})

    def _told_budget(self) -> str:
        caps = {name: cap for name, cap in self.budget.model_dump().items() if cap is not None}
        return ", ".join(f"{cap:,g} {name}" for name, cap in caps.items()) or "none"
