"""Plugins and runs of the first edition: what is rewritten, what is left alone, and that writing twice changes nothing."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from eyas.errors import InputError
from eyas.pipelines.engine.migrate import migrate
from eyas.pipelines.engine.planning import RUN_FORMAT

OLD = '''"""A stage; its text speaks of filters and from corpus to corpus."""
from corpus import Filter, Verdict
from corpus.documents import NOTE
import corpus.stage
import filters as heuristics
import shards
from corpuscle import cell
import trainers
from eyas.corpus import Mapper

def later():
    from text_kernels.words import words
    return words

class Ä(Filter):
    cheap: ClassVar[bool] = True
    cheaper = 1
'''
NEW = '''"""A stage; its text speaks of filters and from corpus to corpus."""
from eyas.corpus import Filter, Verdict
from eyas.corpus.documents import NOTE
import eyas.corpus.stage
from eyas import corpus
import eyas.filters as heuristics
from eyas import shards
from corpuscle import cell
import trainers
from eyas.corpus import Mapper

def later():
    from eyas.text_kernels.words import words
    return words

class Ä(Filter):
    scores_all: ClassVar[bool] = True
    cheaper = 1
'''


def test_a_plugin_is_rewritten_once(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(OLD, encoding="utf-8")
    (change,) = migrate(str(plugin), write=False)
    assert change.what == "imports, `cheap` is called `scores_all`" and plugin.read_text(encoding="utf-8") == OLD
    assert migrate(str(plugin), write=True) == [change]
    assert plugin.read_text(encoding="utf-8") == NEW
    ast.parse(NEW)
    assert migrate(str(plugin), write=True) == []


def test_a_recipe_leads_to_the_plugins_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for path in ("mine/stages.py", "other.py"):
        (tmp_path / path).write_text("from corpus import Filter\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: x\nplugins: [mine.stages, installed_elsewhere]\n")
    assert [Path(change.path).name for change in migrate(str(recipe), write=True)] == ["stages.py"]
    assert (tmp_path / "other.py").read_text() == "from corpus import Filter\n"
    recipe.write_text("name: x\n")
    assert migrate(str(recipe), write=True) == []


def test_a_run_is_converted_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "passes/x"
    folder.mkdir(parents=True)
    (tmp_path / "plan.json").write_text(json.dumps({"passes": [{"folder": "passes/x"}, {"folder": "passes/none"}]}))
    (folder / "manifest.json").write_text(json.dumps({"parts": [{"number": 0, "alive": 3}], "books": {}}))
    changes = migrate(str(tmp_path), write=False)
    assert len(changes) == 2 and json.loads((tmp_path / "plan.json").read_text()).get("format") is None
    assert migrate(str(tmp_path), write=True) == changes
    assert json.loads((folder / "manifest.json").read_text())["parts"] == [{"number": 0, "kept": 3}]
    assert json.loads((tmp_path / "plan.json").read_text())["format"] == RUN_FORMAT
    assert migrate(str(tmp_path), write=True) == []


def test_what_is_none_of_them_or_newer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a plugin"):
        migrate(str(tmp_path), write=True)
    (tmp_path / "plan.json").write_text('{"format": "eyas-run-99", "passes": []}')
    with pytest.raises(InputError, match="format 'eyas-run-99', this version reads"):
        migrate(str(tmp_path), write=True)
    (tmp_path / "latin.py").write_bytes("# ü".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.py: cannot be read"):
        migrate(str(tmp_path / "latin.py"), write=True)
