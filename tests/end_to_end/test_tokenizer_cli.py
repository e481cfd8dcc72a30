"""`eyas tokenizer …` as a user types it: train, encode, report, surgery, and what it says to mistakes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness import Ran
from tokenizers import Tokenizer

Eyas = Callable[..., Ran]


@pytest.fixture
def trained(eyas: Eyas, corpus: Path, tmp_path: Path) -> Path:
    """Two vocabularies of the small corpus."""
    sizes = ["--vocab-size", "700", "--vocab-size", "900"]
    told = eyas(
        *["tokenizer", "train", corpus, "--out", tmp_path / "tok", "--runs", tmp_path / "runs", "--workers", "0"],
        *[*sizes, "--latex", "\\frac,\\infty", "--reserved", "16"],
    )
    assert told.code == 0, told.err
    assert "700 tokens" in told.out
    assert "bytes per token" in told.out
    return tmp_path / "tok"


def test_train_writes_every_size_exact_and_nested(trained: Path) -> None:
    small, large = (Tokenizer.from_file(str(trained / size / "tokenizer.json")) for size in ("700", "900"))
    assert (small.get_vocab_size(), large.get_vocab_size()) == (700, 900)
    ids = large.get_vocab()
    assert all(ids[token] == number for token, number in small.get_vocab().items())
    assert [large.id_to_token(i) for i in (0, 1, 11, 12, 27)] == [
        *("<|pad|>", "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_0|>", "<|reserved_15|>")
    ]
    assert large.encode("\\frac\\infty\\in").tokens[:2] == ["\\frac", "\\infty"]
    assert (trained / "tokenizer.json").read_bytes() == (trained / "900" / "tokenizer.json").read_bytes()


def test_a_run_of_the_same_text_gives_the_same_bytes_whatever_the_partitions(
    eyas: Eyas, trained: Path, corpus: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "again.yaml"
    recipe.write_text(
        f"name: again\npartition_bytes: 30KB\nsources:\n  - name: other\n    jsonl: {{path: {corpus}}}\ntokenizer:\n"
        '  {vocab_sizes: [700, 900], latex: {inject: ["\\\\frac", "\\\\infty"]}, reserved_tokens: 16}\n'
    )
    assert eyas("run", recipe, "--runs", tmp_path / "runs", "--workers", "0").code == 0
    again = tmp_path / "runs" / "again" / "tokenizer"
    for size in ("700", "900"):
        assert (again / size / "tokenizer.json").read_bytes() == (trained / size / "tokenizer.json").read_bytes()
    counts = pa.concat_tables(pq.read_table(path) for path in sorted((again / "pretokens").glob("*.parquet")))
    assert counts.schema.names == ["pretoken", "count"]
    assert counts.num_rows > 1000


def test_transformers_and_the_llama_cpp_converter_take_it(trained: Path) -> None:
    transformers = pytest.importorskip("transformers")
    vocab = pytest.importorskip("gguf.vocab")
    loaded = transformers.AutoTokenizer.from_pretrained(str(trained))
    own = Tokenizer.from_file(str(trained / "tokenizer.json"))
    text = "def f(x): return x + 1  # naïve \\frac{1}{2}"
    assert loaded.encode(text, add_special_tokens=False) == own.encode(text, add_special_tokens=False).ids
    assert vocab.BpeVocab(trained).vocab_size == 900
    special = vocab.SpecialVocab(trained, load_merges=True)
    assert len(special.merges) == len(json.loads((trained / "tokenizer.json").read_text())["model"]["merges"])
    assert special.special_token_ids == {"pad": 0, "bos": 1, "eos": 11}


def test_encode_writes_ids_that_decode_to_the_text(eyas: Eyas, trained: Path, corpus: Path, tmp_path: Path) -> None:
    told = eyas("tokenizer", "encode", trained, corpus, "--out", tmp_path / "ids")
    assert told.code == 0, told.err
    table = pq.read_table(tmp_path / "ids" / "part-00000.parquet")
    assert table.schema.field("ids").type == pa.large_list(pa.uint16())
    texts = [json.loads(line)["text"] for file in sorted(corpus.glob("*.jsonl")) for line in file.open()]
    own = Tokenizer.from_file(str(trained / "tokenizer.json"))
    assert [own.decode(ids, skip_special_tokens=False) for ids in table.column("ids").to_pylist()] == texts
    again = eyas("tokenizer", "encode", trained, corpus, "--out", tmp_path / "ids")
    assert again.code == 3
    assert "there are part-*.parquet files already" in again.err


def test_encode_shows_the_tokens_of_a_text(eyas: Eyas, trained: Path) -> None:
    told = eyas("tokenizer", "encode", trained, "--text", "x\\frac12é\n")
    own = Tokenizer.from_file(str(trained / "tokenizer.json"))
    assert " ".join(map(str, own.encode("x\\frac12é\n").ids)) in told.out
    assert "tokens, 11 bytes" in told.out


def test_report_and_surgery_on_what_was_trained(eyas: Eyas, trained: Path, corpus: Path, tmp_path: Path) -> None:
    page, numbers = tmp_path / "page.html", tmp_path / "page.json"
    both = [trained / "700", trained / "900"]
    told = eyas("tokenizer", "report", *both, "--corpus", corpus, "--out", page, "--json-out", numbers)
    assert told.code == 0, told.err
    assert "<script" not in page.read_text()
    assert json.loads(numbers.read_text())
    told = eyas("tokenizer", "report", trained, "--corpus", corpus, "--out", page, "--json")
    assert len(json.loads(told.out)["summary"]) == 1
    told = eyas("tokenizer", "report", trained, "--corpus", corpus, "--json", "compared.json")
    assert told.code == 2 and "use --json-out compared.json" in told.err
    told = eyas("tokenizer", "surgery", trained, "--out", tmp_path / "cut", "--add", "\\sqrt", "--fuzz", "200")
    assert told.code == 0, told.err
    cut = Tokenizer.from_file(str(tmp_path / "cut" / "tokenizer.json"))
    assert cut.encode("\\sqrt").tokens == ["\\sqrt"]
    assert cut.get_vocab_size() == 901


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vocab-size", "90000"], "gives a vocabulary of .* at most, 90,000 was asked for"),
        (["--vocab-size", "400"], "400 has no room for 256 bytes, 12 control tokens and 280 LaTeX commands"),
        pytest.param(
            ["--vocab-size", "900", "--memory", "20KB"],
            "were left out, because `memory` holds no more",
            marks=pytest.mark.slow,
        ),
        (["--memory", "10"], "holds no pretoken at all"),
        (["--memory", "0"], "--memory: .*greater than 0"),
        (["--pretokenizer", "claude"], "--pretokenizer: .*falcon-h1"),
        (["--pretokenizer", "qwen", "--split-digits", "each"], "leave out split_digits"),
        (["--latex", "frac"], "not a LaTeX command"),
        (["--count-as", "nothing=2"], "no such source; there are corpus"),
        (["--count-as", "lang:de=x"], "expected NAME=NUMBER"),
        (["--count-as", "lang:de=2"], "no curated document has the lang 'de'"),
        (["--count-as", "corpus=0.0001"], "at least 0.001"),
        (["--count-as", "corpus=0"], "no text to learn from, or all of it has the weight 0"),
        (["--memory", "much"], "memory"),
        (["--weight", "corpus=2"], "write --count-as NAME=FACTOR"),
    ],
)
def test_mistakes_are_said_in_words(eyas: Eyas, corpus: Path, tmp_path: Path, options: list[str], message: str) -> None:
    link = tmp_path / "corpus"
    link.symlink_to(corpus)
    told = eyas(
        "tokenizer", "train", link, "--out", tmp_path / "t", "--runs", tmp_path / "runs", "--workers", "0", *options
    )
    assert told.code in (2, 3)
    assert re.search(message, told.err), told.err
    assert "Traceback" not in told.err


def test_a_report_on_text_files(eyas: Eyas, trained: Path, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number, line in enumerate((corpus / "0.jsonl").read_text().splitlines()):
        (tmp_path / "docs" / f"{number}.txt").write_text(json.loads(line)["text"])
    told = eyas("tokenizer", "report", trained, "--corpus", tmp_path / "docs", "--out", tmp_path / "r.html")
    assert told.code == 0, told.err


def test_encode_refuses_what_would_be_read_again_or_holds_nothing(eyas: Eyas, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "bad.jsonl").write_text("{}\n")
    told = eyas("tokenizer", "encode", trained, tmp_path / "docs", "--out", tmp_path / "docs" / "ids")
    assert "choose a folder outside of it" in told.err
    told = eyas("tokenizer", "encode", trained, tmp_path / "docs", "--out", tmp_path / "ids")
    assert told.code == 3
    assert "no document with text to encode; the first record" in told.err


def test_paths_that_hold_nothing(eyas: Eyas, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.txt").write_text("")
    (tmp_path / "x.docx").write_bytes(b"x")
    for path, message in (
        (tmp_path / "no", "no such file or folder"),
        (tmp_path / "empty", "no file there to read"),
        (tmp_path / "x.docx", "cannot tell the format"),
        (tmp_path / "blank.txt", "kept none of its 1 documents (empty 1)"),
    ):
        told = eyas("tokenizer", "train", path, "--out", tmp_path / "t", "--runs", tmp_path / "r", "--workers", "0")
        assert told.code == (6 if "blank" in path.name else 3)
        assert message in told.err


def test_one_letter_repeated_and_text_without_a_space(eyas: Eyas, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a" * 3_000_000)
    common = ["--out", tmp_path / "t", "--runs", tmp_path / "r", "--workers", "0", "--latex", "none"]
    told = eyas("tokenizer", "train", tmp_path / "a.txt", *common, "--vocab-size", "1000")
    assert told.code == 3
    assert "at most, 1,000 was asked for" in told.err
    (tmp_path / "a.txt").write_text("".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=500_000)))
    told = eyas("tokenizer", "train", tmp_path / "a.txt", *common, "--vocab-size", "600")
    assert told.code == 0, told.err
