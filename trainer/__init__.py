"""A minimal Falcon-H1-style hybrid language model: its shapes, its maths, its training loop.

In every block, attention and a Mamba-2 state-space mixer read the same normalised input, their outputs are
summed, and an MLP follows. The package is small enough to read in one sitting and exact enough to exchange
weights with `transformers`' FalconH1ForCausalLM (fp32 logits agree to 1e-4: tests/trainer/test_hf.py).

Names below load on first use, so `import eyas.trainer` costs no torch import (1.5 s on a laptop core).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyas.lazy import lazy

if TYPE_CHECKING:
    from eyas.trainer.config import HybridConfig
    from eyas.trainer.generation import generate
    from eyas.trainer.hf import export_hf, load_hf
    from eyas.trainer.model import HybridLM
    from eyas.trainer.options import TrainOptions
    from eyas.trainer.training import train

__all__ = ["HybridConfig", "HybridLM", "TrainOptions", "export_hf", "generate", "load_hf", "train"]

__getattr__ = lazy(
    __name__,
    {
        "HybridConfig": "eyas.trainer.config",
        "HybridLM": "eyas.trainer.model",
        "TrainOptions": "eyas.trainer.options",
        "export_hf": "eyas.trainer.hf",
        "generate": "eyas.trainer.generation",
        "load_hf": "eyas.trainer.hf",
        "train": "eyas.trainer.training",
    },
)
