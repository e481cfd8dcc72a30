"""Stages by name: every one of ours has a kind, and a class without one is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eyas.corpus.registry import UnknownName, add_search_path
from eyas.corpus.stage import Stage
from eyas.errors import InputError
from eyas.pipelines.recipe.registry import stage_class, targets


@pytest.mark.parametrize("name", sorted(targets()))
def test_each_of_our_stages_is_of_a_kind_and_documented(name: str) -> None:
    cls = stage_class(name)
    assert issubclass(cls, Stage) and cls.kind_name and (cls.__doc__ or "").strip()
    undocumented = [option for option, field in cls.model_fields.items() if not field.description]
    assert undocumented == []


def test_an_unknown_stage_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="unknown stage 'gopher_qality'; did you mean 'gopher_quality'"):
        stage_class("gopher_qality")


def test_a_class_of_no_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kindless_stages.py").write_text(
        "from eyas.corpus import Stage\nclass Odd(Stage):\n    pass\nSTAGES = {'odd': 'kindless_stages:Odd'}\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    add_search_path(str(tmp_path))
    with pytest.raises(InputError, match="stage 'odd': Odd derives from Stage itself; derive it from Mapper, Filter"):
        stage_class("odd", ["kindless_stages"])
