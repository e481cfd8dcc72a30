"""Devices, types, compiling and memory: automatic choices, and what the machine lacks is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from fake_loader import OPTIONS, FakeLoader

from eyas.trainer.config import HybridConfig
from eyas.trainer.device import check_memory, out_of_memory, pick_compile, pick_device, pick_dtype
from eyas.trainer.training import train


def test_a_model_too_large_is_refused_before_it_is_built(tmp_path: Path) -> None:
    options = OPTIONS.model_copy(update={"preset": "34b", "model": {"layers": 7200}})
    with pytest.raises(ValueError, match=r"billion weights needs .* GB .* smaller preset"):
        train(FakeLoader(), options, str(tmp_path), seed=1)


def test_a_device_or_compiler_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        assert pick_device("auto").type == "cpu"
        with pytest.raises(ValueError, match="cuda"):
            pick_device("cuda")
    assert pick_dtype("float32", torch.device("cpu")) == torch.float32
    assert pick_dtype("bfloat16", torch.device("cpu")) == torch.bfloat16
    monkeypatch.setattr(shutil, "which", lambda name: None)
    config, cpu = HybridConfig.preset("tiny"), torch.device("cpu")
    assert not pick_compile(OPTIONS.model_copy(update={"steps": 10**9}), config, 1024, cpu)
    with pytest.raises(ValueError, match=r"needs a C\+\+ compiler"):
        pick_compile(OPTIONS.model_copy(update={"compile": True}), config, 1024, cpu)


def test_only_long_runs_are_compiled_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    config, cpu = HybridConfig.preset("tiny"), torch.device("cpu")
    assert not pick_compile(OPTIONS, config, 1024, cpu)
    assert pick_compile(OPTIONS.model_copy(update={"steps": 10**6}), config, 1024, cpu)
    assert not pick_compile(OPTIONS.model_copy(update={"steps": 10**6, "compile": False}), config, 1024, cpu)


def test_memory_is_checked_by_share_and_failed_allocations_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    config, cpu = HybridConfig.preset("tiny"), torch.device("cpu")
    monkeypatch.setattr("eyas.trainer.device._free_bytes", lambda device: config.parameters * 12.0)
    with pytest.raises(ValueError, match="billion weights needs"):
        check_memory(config, cpu, 1)
    check_memory(config, cpu, 2)
    assert out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert not out_of_memory(RuntimeError("shapes do not match"))
