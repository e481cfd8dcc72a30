"""The proof of surgery fails when something is wrong; the command writes a folder that transformers loads."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from hostile import TRAINING
from small_vocabularies import trained
from tokenizers import Tokenizer
from typer.testing import CliRunner

import eyas.tokenizer_train.surgery.proof as module
from eyas.pipelines.cli.tokenizer_surgery import surgery
from eyas.tokenizer_train.formats import read_tokenizer, token_bytes
from eyas.tokenizer_train.surgery.proof import hostile_texts, prove
from eyas.tokenizer_train.surgery.surgery import Changes, operate


class TestProof:
    """A proof must fail when something is wrong."""

    def test_it_holds_and_counts(self) -> None:
        old = trained()
        proof = prove(old, operate(old, Changes(drop=("\\alpha",), add=("\\beta",))), TRAINING[:50], count=200, seed=3)
        assert proof["holds"]
        assert proof["ids"]["kept"] == 699
        assert (proof["ids"]["dropped"], proof["ids"]["added"]) == ({699: "\\alpha"}, {700: "\\beta"})
        assert proof["round_trip"]["texts"] == 250
        same = proof["same_ids"]
        assert same["texts"] == 250 + proof["reachability"]["before"]["reachable"]
        assert same["compared"] + same["with_touched_tokens"] == same["texts"] and same["with_touched_tokens"] > 0
        assert json.loads(json.dumps(proof))["holds"]

    def broken(self, change: str) -> dict[str, Any]:
        old = trained()
        done = operate(old, Changes(drop=("\\alpha",)))
        content = json.loads(done.tokenizer.to_str())
        model = content["model"]
        if change == "ids":
            a, b = "Ġthe", "\\frac"
            model["vocab"][a], model["vocab"][b] = model["vocab"][b], model["vocab"][a]
        elif change == "merges":
            model["merges"] = model["merges"][100:]
        elif change == "decoder":
            content["normalizer"] = None
            content["decoder"] = {"type": "Fuse"}
            content["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = True
        elif change == "cut":
            cut = content["pre_tokenizer"]["pretokenizers"][0]["pattern"]
            cut["Regex"] = "<\\|reserved_\\d+\\|>|" + cut["Regex"]
        return prove(old, dataclasses.replace(done, tokenizer=Tokenizer.from_str(json.dumps(content))), count=200)

    def test_ids_that_moved(self) -> None:
        proof = self.broken("ids")
        assert not proof["holds"] and {entry["token"] for entry in proof["ids"]["changed"]} == {"Ġthe", "\\frac"}

    def test_merges_that_are_gone(self) -> None:
        proof = self.broken("merges")
        assert not proof["holds"] and proof["same_ids"]["failures"]

    def test_bytes_that_do_not_come_back(self) -> None:
        proof = self.broken("decoder")
        assert not proof["holds"] and proof["round_trip"]["failures"]

    def test_text_that_spells_a_placeholder(self) -> None:
        proof = self.broken("cut")
        assert not proof["holds"] and not proof["same_ids"]["failures"]
        assert proof["control_tokens_spelled_by_text"] == ["<|reserved_699|>"]


def test_hostile_texts_are_the_same_for_a_seed() -> None:
    tokens = token_bytes(trained())
    assert hostile_texts(tokens, 50, 1) == hostile_texts(tokens, 50, 1) != hostile_texts(tokens, 50, 2)
    text = "".join(hostile_texts(tokens, 2000, 1))
    assert max(text) > "\U00100000" and {"\0", "\\", "\u3000"} <= set(text)


def run(*arguments: str) -> Any:
    """The command as the lead registers it."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(surgery)
    return CliRunner().invoke(app, list(arguments))


def test_the_command_writes_a_folder_that_transformers_loads(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    old, out = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    trained().save(str(old / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<|pad|>",
        "added_tokens_decoder": {
            "6": {"content": "<|file|>", "special": True},
            "0": {"content": "<|pad|>", "special": True},
        },
    }
    (old / "tokenizer_config.json").write_text(json.dumps(config))
    result = run(
        *(str(old), "--out", str(out), "--drop", "Ġthe", "--cascade", "--swap", "\\alpha=\\beta", "--drop-unreachable"),
        *("--drop", "<|file|>", "--force", "--add", "zyzzyva", "--size", "768", "--fuzz", "500"),
    )
    assert result.exit_code == 0, result.output
    assert "the proof holds" in result.output and "id 6: '<|file|>' dropped" in result.output
    assert json.loads((out / "surgery.json").read_text())["holds"]
    assert "6" not in json.loads((out / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    loaded = transformers.AutoTokenizer.from_pretrained(str(out))
    ours = read_tokenizer(out)
    assert len(loaded) == 768 and loaded.pad_token_id == 0
    assert loaded.convert_ids_to_tokens(6) == "<|reserved_6|>"
    for text in [*TRAINING[:5], "\\beta zyzzyva the", " a  b "]:
        ids = loaded.encode(text, add_special_tokens=False)
        assert ids == ours.encode(text, add_special_tokens=False).ids
        assert loaded.decode(ids, clean_up_tokenization_spaces=False) == text


def test_the_command_adds_from_files(tmp_path: Path) -> None:
    trained(600).save(str(tmp_path / "small.json"))
    trained(700).save(str(tmp_path / "large.json"))
    (tmp_path / "words.txt").write_text("zyzzyva\n Größe\n")
    (tmp_path / "check.txt").write_text("the quick\nbrown fox\n")
    arguments = (str(tmp_path / "small.json"), "--fuzz", "100", "--check", str(tmp_path / "check.txt"))
    for name, size in (("large.json", 700), ("words.txt", 602)):
        out = tmp_path / name.replace(".", "_")
        result = run(*arguments, "--out", str(out), "--add-from", str(tmp_path / name))
        assert result.exit_code == 0, result.output
        assert read_tokenizer(out).get_vocab_size() == size
        assert (out / "tokenizer_config.json").exists()


def test_the_command_fails_with_its_proof_and_writes_no_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_changed_ids", lambda old, new, touched: [{"token": "x", "before": 1, "after": 2}])
    trained().save(str(tmp_path / "tokenizer.json"))
    result = run(str(tmp_path / "tokenizer.json"), "--out", str(tmp_path / "new"), "--drop", "\\alpha", "--fuzz", "10")
    assert result.exit_code == 1
    assert "the proof fails" in result.output
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["surgery.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do: give --drop-unreachable"),
        (["--swap", "\\alpha"], "expected OLD=NEW"),
        (["--swap", "\\alpha=x", "--swap", "\\alpha=y"], "is swapped twice"),
    ],
)
def test_the_command_names_what_is_missing(tmp_path: Path, arguments: list[str], message: str) -> None:
    trained().save(str(tmp_path / "tokenizer.json"))
    result = run(str(tmp_path / "tokenizer.json"), "--out", str(tmp_path / "new"), *arguments)
    assert isinstance(result.exception, ValueError) and message in str(result.exception)
    same = run(str(tmp_path / "tokenizer.json"), "--out", str(tmp_path), "--drop", "\\alpha")
    assert "holds the tokenizer that is changed" in str(same.exception)
