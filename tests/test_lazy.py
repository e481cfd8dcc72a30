"""Names of a package that are imported on first use."""

from __future__ import annotations

import sys

import pytest

from eyas.lazy import lazy


def test_a_name_is_imported_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    load = lazy("somewhere", {"rgb_to_hsv": "colorsys", "missing": "colorsys"})
    assert "colorsys" not in sys.modules
    assert load("rgb_to_hsv")(0, 0, 0) == (0.0, 0.0, 0)
    assert "colorsys" in sys.modules
    with pytest.raises(AttributeError, match="missing"):
        load("missing")


def test_another_name_is_answered_with_those_there_are() -> None:
    load = lazy("somewhere", {"a": "colorsys", "b": "colorsys"})
    with pytest.raises(AttributeError, match="module 'somewhere' has no attribute 'c'; it offers a, b"):
        load("c")
