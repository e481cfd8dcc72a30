"""Asks a model for many answers: bounded concurrency, repetition of what may be repeated, a purse that allows each request.

What is repeated, after pauses that double (their jitter is computed from the request): time-outs, lost connections, 429 and
5xx, and once an answer that is no JSON. `Retry-After` holds for all workers of the run. A request that fails to the
end costs its document if the endpoint answers others, and stops the run if it does not. One thread and asyncio: 2 %
slower than a bare client at 32 requests in flight (benchmarks/synthetic.py).
"""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from eyas.corpus.stage import StageUnavailable
from eyas.synthetic.budget import Answer, Exhausted, Grant, PurseLike, Terms, Wait
from eyas.synthetic.engines import Endpoint, Engine, digest

Messages = list[dict[str, str]]

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds before the first repetition; they double up to the longest."""
LONGEST_RETRY_AFTER = 600.0
"""Seconds: an endpoint that asks for a longer pause stops the run."""
OVERHEAD = 16
"""Tokens that a chat template may put around a message, with room to spare."""


class BadAnswer(ValueError):
    """The model answered one request with something that is no answer."""


@dataclass(frozen=True)
class NotBought:
    """The budget was spent before this request: the cap that was reached."""

    cap: str


@dataclass(frozen=True)
class Request:
    """One chat completion. `origin`: the prompt's name and version."""

    messages: Messages
    origin: str
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    schema: Mapping[str, Any] | None = None
    """A JSON schema that the endpoint is to enforce."""

    def key(self, model: str) -> str:
        """What the answer is remembered by. At temperature 0 the seed says nothing."""
        parameters = [self.max_tokens, self.temperature, self.seed if self.temperature else None, self.schema]
        texts = [message["content"] for message in self.messages]
        return digest(self.origin, model, json.dumps(parameters, sort_keys=True), *texts)

    @property
    def most_read(self) -> int:
        """More tokens than the messages can be: no tokenizer makes more than one of a byte."""
        return sum(len(message["content"].encode()) + OVERHEAD for message in self.messages)


Outcome = Answer | BadAnswer | NotBought


@dataclass(frozen=True)
class _Failure:
    """One attempt that gave no answer. `billed`: see `Purse.settle`."""

    event: str
    words: str
    billed: bool | None
    retry: bool = True
    pause: float | None = None
    """What the endpoint asks for, in seconds."""
    fatal: bool = False


class Client:
    """Asks `engine`, at most `concurrency` requests at a time, each repeated at most `retries` times."""

    def __init__(self, engine: Engine, purse: PurseLike, terms: Terms, retries: int, concurrency: int) -> None:
        self._engine, self._purse, self._terms = engine, purse, terms
        self._retries = 0 if engine.one_at_a_time else retries
        self._concurrency = 1 if engine.one_at_a_time else concurrency
        self._last_good = -1.0
        self._stopped: StageUnavailable | None = None
        self._url = ""
        self.remembered: Counter[str] = Counter()
        """Answers that were bought, and those that were known before."""

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome per request, in their order; `StageUnavailable` if the endpoint cannot be used at all."""
        keys = [request.key(self._engine.identity) for request in requests]
        found: dict[str, Outcome] = {}
        missing: dict[str, Request] = {}
        for key, request in zip(keys, requests, strict=True):
            if key in found or key in missing:
                continue
            known = self._purse.recall(key)
            if known is None:
                missing[key] = request
            else:
                found[key] = known
        self.remembered["known"] += len(found)
        if missing:
            # A loop of its own thread: in a notebook there is one in this thread already.
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(asyncio.run, self._all(missing, found))
                try:
                    asked.result()
                except BaseException:
                    # What is under way is paid for: it is waited for and kept, nothing new is sent.
                    self._stopped = self._stopped or StageUnavailable("stopped")
                    raise
        return [found[key] for key in keys]

    async def _all(self, missing: Mapping[str, Request], found: dict[str, Outcome]) -> None:
        import openai

        endpoint = self._engine.start()
        self._url = endpoint.url
        waiting = iter(missing.items())
        async with openai.AsyncOpenAI(
            base_url=endpoint.url, api_key=endpoint.key, max_retries=0, timeout=self._terms.timeout
        ) as client:
            count = min(self._concurrency, len(missing))
            await asyncio.gather(*(self._worker(client, endpoint, waiting, found) for _ in range(count)))
        if self._stopped is not None:
            raise self._stopped

    async def _worker(
        self, client: Any, endpoint: Endpoint, waiting: Iterator[tuple[str, Request]], found: dict[str, Outcome]
    ) -> None:
        for key, request in waiting:
            if self._stopped is not None:
                return
            try:
                found[key] = await self._one(client, endpoint, key, request)
            except StageUnavailable as error:
                self._stopped = self._stopped or error
                return

    async def _one(self, client: Any, endpoint: Endpoint, key: str, request: Request) -> Outcome:
        begun, attempt = time.monotonic(), 0
        while self._stopped is None:
            leave = self._purse.reserve(self._terms, key, request.most_read, request.max_tokens)
            if isinstance(leave, Answer):
                self.remembered["known"] += 1
                return leave
            if isinstance(leave, Exhausted):
                return NotBought(leave.cap)
            if isinstance(leave, Wait):
                await asyncio.sleep(min(leave.seconds, 1.0))
                continue
            told = await self._attempt(client, endpoint, request, leave)
            if isinstance(told, Answer):
                self._last_good = time.monotonic()
                self.remembered["bought"] += 1
                return told
            attempt += 1
            self._check_failure(told)
            often = 1 if told.event == "bad_json" else self._retries
            if not told.retry or attempt > min(often, self._retries):
                return self._give_up(told, attempt, begun)
            await self._rest(key, attempt, told)
        raise self._stopped

    def _check_failure(self, told: _Failure) -> None:
        """Raises `StageUnavailable` where asking again, or for others, is of no use."""
        if told.fatal:
            raise StageUnavailable(self._complaint(told.words, 1))
        if told.pause is not None and told.pause > LONGEST_RETRY_AFTER:
            raise StageUnavailable(
                self._complaint(f"{told.words} and asks for a pause of {told.pause:,.0f} s (Retry-After)", 1)
            )

    def _give_up(self, told: _Failure, attempts: int, begun: float) -> BadAnswer:
        if told.event in ("bad_json", "empty", "refused_request") or self._last_good > begun:
            return BadAnswer(f"{told.words} (attempts: {attempts})")
        raise StageUnavailable(self._complaint(told.words, attempts))

    async def _rest(self, key: str, attempt: int, told: _Failure) -> None:
        """The pause before a repetition; one that the endpoint asked for holds for everybody."""
        chance = int.from_bytes(hashlib.sha256(f"{key} {attempt}".encode()).digest()[:4], "little") / 2**32
        pause = min(FIRST_PAUSE * 2.0 ** (attempt - 1), LONGEST_PAUSE) * (0.5 + chance / 2)
        if told.pause is not None:
            self._purse.pause(self._terms.account, told.pause)
            # All set out again at the same moment otherwise.
            pause = told.pause + min(pause, 1.0) * chance
        end = time.monotonic() + pause
        while self._stopped is None and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.5))

    async def _attempt(self, client: Any, endpoint: Endpoint, request: Request, grant: Grant) -> Answer | _Failure:
        """Sends one request and settles it, whatever becomes of it."""
        told: Answer | _Failure = _Failure("interrupted", "was interrupted", True)
        try:
            told = await self._send(client, endpoint, request, grant.seconds)
        finally:
            answer = told if isinstance(told, Answer) else None
            events = [told.event] if isinstance(told, _Failure) else []
            if answer is not None and (answer.input > request.most_read or answer.output > request.max_tokens):
                events.append("more_tokens_than_reserved")
            billed = told.billed if isinstance(told, _Failure) else True
            self._purse.settle(self._terms, grant, answer, events, billed=billed)
        return told

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
            # openai's own limit is on each read: a server that drips would hold a request for ever.
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
            return _status(error, endpoint.key)
        except ValueError as error:
            return _Failure("bad_json", f"the answer is not JSON: {error}", True)

    def _complaint(self, words: str, attempts: int) -> str:
        return (
            f"the LLM endpoint {self._url} {words}; attempts: {attempts}, of at most {self._terms.timeout:.0f} s. "
            f"Check `endpoint:`, `model:` and the key in the environment, then run again: what was bought is kept."
        )


def _status(error: Any, key: str) -> _Failure:
    """What an answer other than 200 means."""
    # Some endpoints tell the key that they do not like.
    message = str(error.message).replace(key, "(the key)") if key != "none" else str(error.message)
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
    """Seconds: the header is a number or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _read(reply: Any, seconds: float) -> Answer | _Failure:
    """The text and the tokens of a chat completion, or what is wrong with it."""
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
