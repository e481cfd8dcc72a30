"""Settings for the trainer's tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# `shard_sets` and the fakes of the loop: pytest's importlib mode puts no test's folder on the path.
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "shards")]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors here are tiny: threads only wait for each other, badly so on a busy machine (30 s became 110 s)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
