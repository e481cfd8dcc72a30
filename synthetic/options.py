"""Options shared by all stages that use a language model: which model, how requests are sent, what may be spent.

A run's budget ledger is one file in its folder, so that all stages, workers and restarts share it. A run in an object store
must name a local file by `cache:`, because SQLite cannot live in an object store.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr, field_validator, model_validator

from eyas.corpus.paths import NameOrPath, RecipePath
from eyas.corpus.stage import Figures, SharedResource, Stage
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.errors import InputError
from eyas.synthetic.budget import Budget, BudgetLedger, Price, Terms
from eyas.synthetic.budget_actor import ledger_at, serve
from eyas.synthetic.client import Client
from eyas.synthetic.engines import Embedded, Engine, Remote, embedded_weights
from eyas.synthetic.forecast import Forecast, forecast
from eyas.synthetic.prompts import Prompt

LEDGER_FILE = "answers.sqlite"
"""The budget ledger's name in a run's folder."""
CONTEXT = 4096
"""The embedded model's context window: input and output tokens together."""
DEFAULT_MAX_TOKENS = 256
"""The longest answer, if neither recipe nor prompt sets a limit."""


class ModelStage(Stage):
    """The base of `rewrite` and `annotate`."""

    operational: ClassVar[frozenset[str]] = frozenset(
        {"concurrency", "timeout", "retries", "api_key_env", "requests_per_minute", "tokens_per_minute", "cache"}
    )

    prompt: NameOrPath = "wikipedia_style"
    """A built-in prompt (`eyas prompts` lists them), or the path of a folder with system.jinja and user.jinja."""
    variables: dict[str, str] = {}
    """Variables of the prompt: `{language: French, language_code: fr}` for `translate`."""
    model: NameOrPath = "embedded"
    """`embedded` (SmolLM2-135M, for trying out the wiring), the path of a GGUF file, or a model of `endpoint`."""
    endpoint: str | None = None
    """Base URL of an OpenAI-compatible server (http://host:8000/v1). null means the embedded one."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the endpoint's key. A recipe never holds the key itself."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Longest answer, in the model's tokens. null means the prompt's own limit, or 256 if it has none."""
    temperature: float = Field(default=0.0, ge=0.0)
    """Sampling temperature. 0 gives the same text every time."""
    structured: bool = True
    """Whether the endpoint must enforce a prompt's JSON schema (vLLM, SGLang, llama.cpp and hosted models can)."""
    budget: Budget = Budget()
    """The most this prompt and model may spend in this run's folder: requests, tokens, money, minutes."""
    price: Price = Price()
    """What a million tokens cost, for `budget.money` and the report."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Most requests a minute, over all workers."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Most tokens a minute, over all workers."""
    concurrency: int = Field(default=8, ge=1)
    """Requests in flight per task. The embedded model takes one at a time."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds that one request may take in total."""
    retries: int = Field(default=8, ge=0)
    """How often a request is repeated, with growing pauses, after a time-out, a lost connection, a rate limit or a server
    error. 8 repetitions outlast an outage of two minutes."""
    cache: RecipePath | None = None
    """A SQLite file for budget and answers, which runs on one machine may share. null means `answers.sqlite` in the run."""

    _ledger_path: str = PrivateAttr(default=":memory:")
    _answer_counts: Counter[str] = PrivateAttr(default_factory=Counter)

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

    def packages_needed(self) -> Mapping[str, str]:
        package = "xllamacpp" if self.endpoint is None else "openai"
        return {package: "pip install 'eyas[synthetic]'"}

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
        """The kind of the prompt's output: rewrite, append, topic or score."""
        return self._prompt.card.kind

    @property
    def origin(self) -> str:
        """Part of the cache key, beside messages, model and parameters. Gates are not part of it: changing them never asks
        again."""
        return f"{self._prompt.name} {self._prompt.card.version}"

    @property
    def longest_answer(self) -> int:
        """The most tokens of an answer."""
        return self.max_tokens or self._prompt.card.max_tokens or DEFAULT_MAX_TOKENS

    @property
    def terms(self) -> Terms:
        """The conditions of each request. Prompt and model name the account, so new wording keeps the same account."""
        return Terms(
            f"{self._prompt.name} by {self._engine.identity}",
            self.budget,
            self.price,
            self.requests_per_minute,
            self.tokens_per_minute,
            self.timeout,
        )

    def _ledger_file(self, store: Store) -> str:
        """The path of the ledger; InputError if the run's folder cannot hold one."""
        if self.cache is not None:
            return os.path.abspath(self.cache)
        if store.local:
            return os.path.abspath(store.path(LEDGER_FILE))
        raise InputError(
            f"the run's folder {store.url} is not local, and the budget is kept in a SQLite file: name a local path, on "
            f"the machine from which the run is started, by `cache: PATH`"
        )

    def shared_resource(self, store: Store) -> SharedResource:
        """The budget ledger, for which a cluster of several nodes needs an actor."""
        path = self._ledger_file(store)
        return SharedResource(path, partial(serve, path))

    def open(self, context: TaskContext) -> None:
        path = self._ledger_file(context.store)
        self._answer_counts = Counter()
        if path != self._ledger_path:
            self._ledger_path = path
            self.__dict__.pop("_ledger", None)

    @cached_property
    def _ledger(self) -> BudgetLedger:
        return ledger_at(self._ledger_path)

    @abstractmethod
    def expected(self, documents: int, characters: int) -> Forecast:
        """The forecast for so many documents with so many characters in all."""

    def forecast(self, documents: int, characters: int) -> str:
        return self.expected(documents, characters).line()

    def _forecast(self, requests: int, characters: float, wording: int) -> Forecast:
        """The forecast of `requests` pieces of `characters` each under a prompt of `wording` characters."""
        follows_source = self.prompt_kind == "rewrite"
        return forecast(
            requests, characters, wording, self.longest_answer, self.price, self.budget, follows_source=follows_source
        )

    def client(self) -> Client:
        """A client that pays from the run's budget."""
        return Client(self._engine, self._ledger, self.terms, self.retries, self.concurrency)

    def figures(self) -> Figures:
        """The account's spending so far, and the number of answers bought or known in this task."""
        account = self.terms.account
        totals = {**self._ledger.spent(account), "budget": self._budget_line()}
        return Figures(account, dict(self._answer_counts), totals)

    def _budget_line(self) -> str:
        caps = {name: cap for name, cap in self.budget.model_dump().items() if cap is not None}
        return ", ".join(f"{cap:,g} {name}" for name, cap in caps.items()) or "none"
