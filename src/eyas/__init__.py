"""Eyas: from raw text to a trained hybrid language model, by one YAML recipe and one run.

`from eyas import run, plan, Filter, ShardLoader, …` imports each name on first use, so `import eyas` costs neither numba,
Ray nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyas.corpus.stage import CorpusStage, Filter, Generator, Joiner, Mapper
    from eyas.corpus.verdict import Verdict
    from eyas.pipelines.verbs import plan, run
    from eyas.shards.loader import ShardLoader
    from eyas.tokenizer_train.bpe import train_bpe
    from eyas.tokenizer_train.encoder import Encoder
    from eyas.trainer.model import HybridLM

# No name here may be that of a room: importing `eyas.trainer` would replace it.
_HOMES = {
    "CorpusStage": "eyas.corpus.stage",
    "Encoder": "eyas.tokenizer_train.encoder",
    "Filter": "eyas.corpus.stage",
    "Generator": "eyas.corpus.stage",
    "HybridLM": "eyas.trainer.model",
    "Joiner": "eyas.corpus.stage",
    "Mapper": "eyas.corpus.stage",
    "ShardLoader": "eyas.shards.loader",
    "Verdict": "eyas.corpus.verdict",
    "plan": "eyas.pipelines.verbs",
    "run": "eyas.pipelines.verbs",
    "train_bpe": "eyas.tokenizer_train.bpe",
}

__all__ = [
    "CorpusStage",
    "Encoder",
    "Filter",
    "Generator",
    "HybridLM",
    "Joiner",
    "Mapper",
    "ShardLoader",
    "Verdict",
    "__version__",
    "plan",
    "run",
    "train_bpe",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("eyas")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
