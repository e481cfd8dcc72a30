"""Sends many requests to a language model: bounded concurrency, retries, and a budget that must grant each request.

Time-outs, lost connections, 429 and 5xx are retried, and an answer that is no JSON is retried once. Pauses double; their
jitter is computed from the request. `Retry-After` stops all workers of the run. A request that fails every time costs its
document if the endpoint answers others, and stops the run if it does not. One thread runs asyncio: 2 % slower than a bare
client at 32 requests in flight (`benchmarks/synthetic.py`).
"""

from __future__ import annotations

import asyncio
import base64
import email.utils
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

from eyas.corpus.stage import StageUnavailable
from eyas.synthetic.budget import Answer, BudgetLedger, Charge, Exhausted, Grant, Terms, Wait
from eyas.synthetic.engines import Endpoint, Engine, digest

Messages = list[dict[str, str]]

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds before the first retry, and the longest pause: pauses double until they reach it."""
LONGEST_RETRY_AFTER = 600.0
"""Seconds. An endpoint that demands a longer pause stops the run."""
OVERHEAD = 16
"""More tokens than a chat template puts around a message."""


class BadAnswer(ValueError):
    """One request got no usable answer: its document is quarantined."""


@dataclass(frozen=True)
class NotBought:
    """The budget was spent before this request. `cap` names the limit that was reached."""

    cap: str


@dataclass(frozen=True)
class Request:
    """One chat completion. `origin` is the prompt's name and version."""

    messages: Messages
    origin: str
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    schema: Mapping[str, Any] | None = None
    """A JSON schema for the endpoint to enforce."""

    def key(self, model: str) -> str:
        """The cache key of its answer. At temperature 0 the seed is not part of it, because it changes nothing."""
        parameters = [self.max_tokens, self.temperature, self.seed if self.temperature else None, self.schema]
        texts = [message["content"] for message in self.messages]
        return digest(self.origin, model, json.dumps(parameters, sort_keys=True), *texts)

    @property
    def most_read(self) -> int:
        """A bound on the input tokens: no tokenizer makes more than one token of a byte."""
        return sum(len(message["content"].encode()) + OVERHEAD for message in self.messages)


Outcome = Answer | BadAnswer | NotBought


@dataclass(frozen=True)
class _Failure:
    """One attempt that gave no answer. `billed` has the values of `BudgetLedger.settle`."""

    event: str
    words: str
    billed: bool | None
    retry: bool = True
    pause: float | None = None
    """Seconds that the endpoint demands before the next request."""
    fatal: bool = False


class Client:
    """Sends requests to `engine`: at most `concurrency` at a time, each repeated at most `retries` times."""

    def __init__(self, engine: Engine, ledger: BudgetLedger, terms: Terms, retries: int, concurrency: int) -> None:
        self._engine, self._ledger, self._terms = engine, ledger, terms
        self._retries = 0 if engine.one_at_a_time else retries
        self._concurrency = 1 if engine.one_at_a_time else concurrency
        self._last_good = -1.0
        self._stopped: StageUnavailable | None = None
        self._url = ""
        self.answer_counts: Counter[str] = Counter()
        """Answers `bought` by this client, and answers `known` before."""

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome per request, in the order of requests; `StageUnavailable` if the endpoint cannot be used at all."""
        keys = [request.key(self._engine.identity) for request in requests]
        outcomes: dict[str, Outcome] = {}
        missing: dict[str, Request] = {}
        for key, request in zip(keys, requests, strict=True):
            if key in outcomes or key in missing:
                continue
            known = self._ledger.recall(key)
            if known is None:
                missing[key] = request
            else:
                outcomes[key] = known
        self.answer_counts["known"] += len(outcomes)
        if missing:
            # The event loop gets a thread of its own, because a notebook already runs one in this thread.
            with ThreadPoolExecutor(1) as pool:
                sending = pool.submit(asyncio.run, self._send_all(missing, outcomes))
                try:
                    sending.result()
                except BaseException:
                    # Requests in flight are paid for: their answers are awaited and kept, and no request is added.
                    self._stopped = self._stopped or StageUnavailable("stopped")
                    raise
        return [outcomes[key] for key in keys]

    async def _send_all(self, missing: Mapping[str, Request], outcomes: dict[str, Outcome]) -> None:
        import openai

        endpoint = self._engine.start()
        self._url = endpoint.url
        waiting = iter(missing.items())
        async with openai.AsyncOpenAI(
            base_url=endpoint.url, api_key=endpoint.key, max_retries=0, timeout=self._terms.timeout
        ) as client:
            count = min(self._concurrency, len(missing))
            await asyncio.gather(*(self._worker(client, endpoint, waiting, outcomes) for _ in range(count)))
        if self._stopped is not None:
            raise self._stopped

    async def _worker(
        self, client: Any, endpoint: Endpoint, waiting: Iterator[tuple[str, Request]], outcomes: dict[str, Outcome]
    ) -> None:
        for key, request in waiting:
            if self._stopped is not None:
                return
            try:
                outcomes[key] = await self._outcome(client, endpoint, key, request)
            except StageUnavailable as error:
                self._stopped = self._stopped or error
                return

    async def _outcome(self, client: Any, endpoint: Endpoint, key: str, request: Request) -> Outcome:
        begun, attempt = time.monotonic(), 0
        while self._stopped is None:
            decision = self._ledger.reserve(self._terms, Charge(key, request.most_read, request.max_tokens))
            if isinstance(decision, Answer):
                self.answer_counts["known"] += 1
                return decision
            if isinstance(decision, Exhausted):
                return NotBought(decision.cap)
            if isinstance(decision, Wait):
                await asyncio.sleep(min(decision.seconds, 1.0))
                continue
            result = await self._attempt(client, endpoint, request, decision)
            if isinstance(result, Answer):
                self._last_good = time.monotonic()
                self.answer_counts["bought"] += 1
                return result
            attempt += 1
            self._check_failure(result)
            retries = 1 if result.event == "bad_json" else self._retries
            if not result.retry or attempt > min(retries, self._retries):
                return self._give_up(result, attempt, begun)
            await self._rest(key, attempt, result)
        raise self._stopped

    def _check_failure(self, failure: _Failure) -> None:
        """Raises `StageUnavailable` if neither this request nor any other can succeed."""
        if failure.fatal:
            raise StageUnavailable(self._complaint(failure.words, 1))
        if failure.pause is not None and failure.pause > LONGEST_RETRY_AFTER:
            raise StageUnavailable(
                self._complaint(f"{failure.words} and demands a pause of {failure.pause:,.0f} s (Retry-After)", 1)
            )

    def _give_up(self, failure: _Failure, attempts: int, begun: float) -> BadAnswer:
        """Blames the request if it is at fault or others have succeeded since `begun`, and the endpoint otherwise."""
        if failure.event in ("bad_json", "empty", "refused_request") or self._last_good > begun:
            return BadAnswer(f"{failure.words} (attempts: {attempts})")
        raise StageUnavailable(self._complaint(failure.words, attempts))

    async def _rest(self, key: str, attempt: int, failure: _Failure) -> None:
        """Pauses before a retry. A pause that the endpoint demands holds for all workers."""
        chance = int.from_bytes(hashlib.sha256(f"{key} {attempt}".encode()).digest()[:4], "little") / 2**32
        pause = min(FIRST_PAUSE * 2.0 ** (attempt - 1), LONGEST_PAUSE) * (0.5 + chance / 2)
        if failure.pause is not None:
            self._ledger.pause(self._terms.account, failure.pause)
            # Jitter keeps the workers from starting again all at the same moment.
            pause = failure.pause + min(pause, 1.0) * chance
        end = time.monotonic() + pause
        while self._stopped is None and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.5))

    async def _attempt(self, client: Any, endpoint: Endpoint, request: Request, grant: Grant) -> Answer | _Failure:
        """Sends one request and settles it in any case."""
        result: Answer | _Failure = _Failure("interrupted", "was interrupted", True)
        try:
            result = _without_key(await self._send(client, endpoint, request, grant.seconds), endpoint.key)
        finally:
            answer = result if isinstance(result, Answer) else None
            events = [result.event] if isinstance(result, _Failure) else []
            if answer is not None and (answer.input > request.most_read or answer.output > request.max_tokens):
                events.append("more_tokens_than_reserved")
            billed = result.billed if isinstance(result, _Failure) else True
            self._ledger.settle(self._terms, grant, answer, events, billed=billed)
        return result

    async def _send(self, client: Any, endpoint: Endpoint, request: Request, seconds: float) -> Answer | _Failure:
        import openai

        fields: dict[str, Any] = dict(endpoint.extra)
        if request.schema is not None:
            fields["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": dict(request.schema), "strict": True},
            }
        begun = time.monotonic()
        try:
            # openai's own time limit is one for each read: a server that sends byte by byte would never reach it.
            async with asyncio.timeout(seconds):
                reply = await client.chat.completions.create(
                    model=endpoint.model,
                    messages=cast("Any", request.messages),
                    max_tokens=request.max_tokens,
                    temperature=request.temperature,
                    seed=request.seed,
                    extra_body=fields,
                )
            return _read(reply, time.monotonic() - begun)
        except (TimeoutError, openai.APITimeoutError):
            return _Failure("timeout", f"does not answer within {seconds:.0f} s", True)
        except openai.APIResponseValidationError as error:
            return _Failure("bad_json", f"the answer is not of the chat protocol: {error}", True)
        except openai.APIConnectionError as error:
            sent = type(error.__cause__).__name__ not in ("ConnectError", "ConnectTimeout")
            words = f"does not answer ({type(error).__name__}: {error.__cause__ or error})"
            return _Failure("connection_lost" if sent else "no_connection", words, True if sent else None)
        except openai.APIStatusError as error:
            return _status(error)
        except ValueError as error:
            return _Failure("bad_json", f"the answer is not JSON: {error}", True)

    def _complaint(self, words: str, attempts: int) -> str:
        return (
            f"the LLM endpoint {self._url} {words}; attempts: {attempts}, of at most {self._terms.timeout:.0f} s. "
            f"Check `endpoint:`, `model:` and the key in the environment, then run again: answers already paid for are kept."
        )


def _without_key(result: Answer | _Failure, key: str) -> Answer | _Failure:
    """The result with the key masked: some endpoints repeat it, in what they refuse or in an answer, which would be kept."""
    if key == "none":
        return result
    encoded = base64.b64encode(key.encode()).decode().rstrip("=")

    def masked(text: str) -> str:
        return text.replace(key, "(the key)").replace(encoded, "(the key)")

    if isinstance(result, Answer):
        return replace(result, text=masked(result.text))
    return replace(result, words=masked(result.words))


def _status(error: Any) -> _Failure:
    """The failure that an HTTP status other than 200 means."""
    message = str(error.message)
    status, words = int(error.status_code), f"answered {error.status_code}: {message}"
    pause = _retry_after(error.response.headers.get("retry-after"))
    if status == 429:
        return _Failure("rate_limited", words, False, pause=pause)
    if status in (408, 409, 425) or status >= 500:
        return _Failure("server_error", words, False, pause=pause)
    if status in (400, 413, 422):
        return _Failure("refused_request", f"the endpoint refused this request: {message}", False, retry=False)
    return _Failure("refused", words, False, retry=False, fatal=True)


def _retry_after(value: str | None) -> float | None:
    """The seconds of a `Retry-After` header, which is a number or a date (RFC 9110, 10.2.3); None if it is neither."""
    if not value:
        return None
    with suppress(ValueError):
        return max(float(value), 0.0)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _read(reply: Any, seconds: float) -> Answer | _Failure:
    """The text and the tokens of a chat completion, or the reason why it has none."""
    usage = getattr(reply, "usage", None)
    read, written = (int(getattr(usage, name, 0) or 0) for name in ("prompt_tokens", "completion_tokens"))
    choices = getattr(reply, "choices", None)
    if not choices:
        return _Failure("bad_json", f"the answer holds no choices: {str(reply)[:200]!r}", True)
    message = getattr(choices[0], "message", None)
    content = getattr(message, "content", None)
    finish = getattr(choices[0], "finish_reason", None)
    if not isinstance(content, str) or not content.strip() or finish == "content_filter":
        return _Failure("empty", f"the answer is empty (finish_reason: {finish})", True, retry=False)
    return Answer(content.strip(), finish, read, written, seconds)
