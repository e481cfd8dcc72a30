"""Packages of the extra `classifiers`: loaded when needed, and named where they are missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from classifier_driver import rows, stage, train

from eyas.corpus import StageUnavailable
from eyas.filters.classifiers.extra import load_extra


def test_a_module_is_imported_by_name() -> None:
    assert load_extra("json", "a test").dumps([1]) == "[1]"


def test_training_without_scikit_learn_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(StageUnavailable, match=r"needs scikit-learn: pip install 'eyas\[classifiers\]'"):
        train(stage(), tmp_path, rows(30, 30))
    assert not list(tmp_path.rglob("model.bin"))
