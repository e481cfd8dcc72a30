"""The kernels' cache: an edit to an inlined helper in another file must not leave the old code running."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from eyas.text_kernels import jit

HELPER = "from eyas.text_kernels.jit import helper\n\n@helper\ndef answer():\n    return {}\n"
KERNEL = """from jit_helper_case import answer
from eyas.text_kernels.jit import kernel

@kernel
def ask():
    return answer()
"""


def ask(folder: Path, answer: int) -> int:
    (folder / "jit_helper_case.py").write_text(HELPER.format(answer))
    jit._sources_digest.cache_clear()
    for name in ("jit_helper_case", "jit_kernel_case"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return int(importlib.import_module("jit_kernel_case").ask())


def test_an_edited_helper_is_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "jit_kernel_case.py").write_text(KERNEL)
    assert ask(tmp_path, 1) == 1
    assert list(tmp_path.rglob("*.nbi")), "the compiled form is cached"
    assert ask(tmp_path, 22) == 22
