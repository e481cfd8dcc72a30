"""Eyas: from raw text to a trained hybrid language model, by one YAML recipe and one run.

`from eyas import run, plan, Filter, ShardLoader, …` imports each name on first use, so `import eyas` costs neither numba,
Ray nor torch.
"""

# Tested in tests/test_structure.py.

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyas.lazy import lazy

if TYPE_CHECKING:
    from eyas.corpus.stage import CorpusStage, Filter, Generator, Joiner, Mapper
    from eyas.corpus.verdict import Verdict
    from eyas.pipelines.api import plan, run
    from eyas.shards.loader import ShardLoader
    from eyas.tokenizer_train.encoding.encoder import Encoder
    from eyas.tokenizer_train.training.bpe import train_bpe
    from eyas.trainer.model import HybridLM

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


_exported = lazy(
    __name__,
    {
        "CorpusStage": "eyas.corpus.stage",
        "Encoder": "eyas.tokenizer_train.encoding.encoder",
        "Filter": "eyas.corpus.stage",
        "Generator": "eyas.corpus.stage",
        "HybridLM": "eyas.trainer.model",
        "Joiner": "eyas.corpus.stage",
        "Mapper": "eyas.corpus.stage",
        "ShardLoader": "eyas.shards.loader",
        "Verdict": "eyas.corpus.verdict",
        "plan": "eyas.pipelines.api",
        "run": "eyas.pipelines.api",
        "train_bpe": "eyas.tokenizer_train.training.bpe",
    },
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("eyas")
    return _exported(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
