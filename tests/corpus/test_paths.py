"""Paths of recipes: where they begin, what digests see of them, and what messages say."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyas.corpus.options import Options
from eyas.corpus.paths import NameOrPath, RecipePath, ResolvedPath, relative_to, where_looked


class Model(Options):
    path: RecipePath = ""
    name: NameOrPath = "x"
    several: list[RecipePath] = []
    either: bool | RecipePath = False


@pytest.mark.parametrize("path", ["/a/b", "s3://bucket/x", "memory://x", "file:///a", ""])
def test_absolute_paths_and_urls_stay(path: str) -> None:
    with relative_to("/recipes"):
        assert Model(path=path).path == path and not isinstance(Model(path=path).path, ResolvedPath)


def test_relative_paths_begin_at_the_folder_and_digests_see_what_was_written(tmp_path: Path) -> None:
    with relative_to("/recipes/one"):
        model = Model(path="../data", several=["a", "b/*.txt"], either="t.json")
    assert (model.path, model.several, model.either) == (
        "/recipes/data",
        ["/recipes/one/a", "/recipes/one/b/*.txt"],
        "/recipes/one/t.json",
    )
    with relative_to("/elsewhere"):
        assert model.model_dump(mode="json") == Model(
            path="../data", several=["a", "b/*.txt"], either="t.json"
        ).model_dump(mode="json")
    again = pickle.loads(pickle.dumps(model))
    assert again == model and again.path.given == "../data"
    assert Model(path="data").path == "data"  # no recipe: as it is
    assert Model(either=True).either is True


def test_a_name_is_a_path_only_if_there_is_such_a_file(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    with relative_to(str(tmp_path)):
        assert Model(name="model.bin").name == str(tmp_path / "model.bin")
        assert Model(name="lid.176").name == "lid.176"


def test_messages_say_where_was_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with relative_to("/recipes"):
        there, nowhere = Model(path="data").path, Model(path="nothing").path
    assert f"there is {tmp_path}/data" in where_looked(there) and "relative to the recipe's folder" in where_looked(
        there
    )
    assert where_looked(nowhere).endswith("recipe's folder)") and where_looked("/x") == ""


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_every_path_is_dumped_as_it_was_written(path: str) -> None:
    with relative_to("/recipes"):
        assert Model(path=path).model_dump(mode="json")["path"] == path
