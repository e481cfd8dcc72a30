"""The report on tokenizers: the page and the JSON are right and harmless, and errors say what to do."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer
from labelled_corpus import ENGLISH, content, corpus, jsonl, texts, tokenizers
from tokenizers import Tokenizer
from typer.testing import CliRunner

from eyas.pipelines.cli import tokenizer_report as tokenizer_report_cli
from eyas.tokenizer_train.report import sample as tokenizer_corpus
from eyas.tokenizer_train.report.measured import measure
from eyas.tokenizer_train.report.report import report


class Tags(HTMLParser):
    """Counts the elements of a page, and keeps attributes that run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.running: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.running += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]


def test_the_page_is_whole_and_nothing_hostile_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_corpus, "LEAST", 1000)
    out, numbers = tmp_path / "out" / "page.html", tmp_path / "out" / "page.json"
    paths = tokenizers(tmp_path, 360, 410)
    rows = report(paths, [corpus(tmp_path / "docs")], out=str(out), json_out=str(numbers))
    page = out.read_text()
    parsed = Tags()
    parsed.feed(page)
    assert parsed.running == []
    assert not {"script", "img", "iframe", "object", "b_"} & set(parsed.tags)
    # The hostile pieces are there, escaped: labels of languages, of tokenizers, tokens of the text.
    assert "<b>$x$" not in page and "&lt;b&gt;$x$&lt;/b&gt;" in page
    assert "<i>Py" not in page and "&lt;i&gt;Py" in page
    assert "<i>0" not in page and "tokenizers &lt;i&gt;0" in page
    assert "\x1b" not in page and "\x00" not in page and "\u202e" not in page
    assert re.search(r"<span[^>]*>[^<]*⟨(U\+202E|E2)", page)
    for anchor in (
        "summary",
        "bytes",
        "words",
        "renyi",
        "numbers",
        "latex",
        "examples",
        "use",
        "overlap",
        "price",
        "exact",
    ):
        assert f'id="{anchor}"' in page
    assert [row["vocab_size"] for row in rows] == [360, 410]
    assert rows[1]["all"] > rows[0]["all"] and rows[0]["changed"] == 0
    data = json.loads(numbers.read_text())
    assert data["summary"] == rows
    assert [one["path"] for one in data["tokenizers"]] == paths


def test_figures_in_the_json_are_plain_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_corpus, "LEAST", 1000)
    path = tokenizers(tmp_path, 400)
    found = measure(path, [corpus(tmp_path / "docs")], widths=[64, 128], parameters=[1e6, 2e6])
    data = found.to_json()
    own = Tokenizer.from_str(content(400))
    sums = {"tokens": 0, "bytes": 0}
    for name in ("language: en", "language: de", "language: other", "code: <i>Py", "mathematics"):
        figures = data["tokenizers"][0]["groups"][name]
        expected = texts(found.sample, name)
        count = sum(len(own.encode(text, add_special_tokens=False).ids) for text in expected)
        assert figures["tokens"] == count
        assert figures["bytes"] == sum(len(text.encode()) for text in expected)
        assert figures["bytes_per_token"] == pytest.approx(figures["bytes"] / count)
    for figures in [v for k, v in data["tokenizers"][0]["groups"].items() if k != "all"]:
        sums = {key: sums[key] + figures[key] for key in sums}
    assert {key: data["tokenizers"][0]["groups"]["all"][key] for key in sums} == sums
    assert data["summary"][0]["english"] == data["tokenizers"][0]["groups"]["language: en"]["bytes_per_token"]
    assert [one["width"] for one in data["price"]] == [64, 128]
    ratio = sums["bytes"] / sums["tokens"]
    assert data["price"][0]["flops_per_byte"] == pytest.approx(6 * (1e6 + 400 * 64) / ratio)
    # \alpha is in every text of mathematics twelve times; it is found in each occurrence.
    commands = {one["command"]: one["count"] for one in data["tokenizers"][0]["latex"]["commands"]}
    assert commands["\\alpha"] == 40 * 12
    found.sample.close()


@pytest.mark.parametrize("count", [1, 8])
def test_one_to_eight_tokenizers_fit(tmp_path: Path, count: int) -> None:
    path = jsonl(tmp_path / "docs.jsonl", [{"text": ENGLISH * 3, "lang": "en"}])
    out = tmp_path / "page.html"
    rows = report(tokenizers(tmp_path, 300) * count, [path], out=str(out))
    assert len({row["name"] for row in rows}) == count
    assert out.read_text().count('class="label"') % count == 0
    with pytest.raises(ValueError, match="9 tokenizers to compare; name 1 to 8"):
        report(tokenizers(tmp_path, 300) * 9, [path])


def test_errors_name_the_path_and_what_was_expected(tmp_path: Path) -> None:
    (one,) = tokenizers(tmp_path, 300)
    good = jsonl(tmp_path / "good.jsonl", [{"text": ENGLISH}])
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": \n{"txt": "a"}\n')
    (tmp_path / "notes.docx").write_text("x")
    (tmp_path / "empty").mkdir()
    for path, message in [
        (tmp_path / "nowhere", "nowhere: no such file or folder; expected a run's folder"),
        (tmp_path / "notes.docx", "notes.docx: cannot tell the format"),
        (tmp_path / "empty", "empty: no file there to read"),
        (broken, "no document with text to measure on; the first record: .*broken.jsonl, line 1: not valid JSON"),
    ]:
        with pytest.raises(ValueError, match=message):
            report([one], [str(path)], out=None)
    with pytest.raises(ValueError, match=r"nothing\.json: no such file"):
        report([str(tmp_path / "nothing.json")], [good], out=None)
    with pytest.raises(ValueError, match="name one by --corpus"):
        report([one], [], out=None)
    with pytest.raises(ValueError, match="2 numbers of parameters for 1 widths"):
        report([one], [good], widths=[64], parameters=[1e6, 1e7], out=None)


def test_the_page_counts_records_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": ENGLISH}) + '\n{"text": 3}\nnot json\n')
    (one,) = tokenizers(tmp_path, 300)
    out = tmp_path / "page.html"
    report([one], [str(path)], out=str(out))
    assert "2 records could not be read" in out.read_text()


def test_the_command_prints_a_summary_and_the_files_that_it_wrote(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(tokenizer_report_cli.report)
    docs = jsonl(tmp_path / "a.jsonl", [{"text": ENGLISH * 1000, "lang": "en"}])
    out, numbers = str(tmp_path / "page.html"), str(tmp_path / "page.json")
    arguments = [
        *tokenizers(tmp_path, 300, 400),
        "--corpus",
        docs,
        "--out",
        out,
        "--json-out",
        numbers,
        "--width",
        "512",
    ]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    data = json.loads(Path(numbers).read_text())
    for row in data["summary"]:
        assert f"{row['english']:.2f}" in result.output
    assert out in result.output and numbers in result.output and "width 512" in result.output
    with pytest.raises(ValueError, match="--max-bytes many: expected a number of bytes"):
        CliRunner().invoke(app, [*arguments, "--max-bytes", "many"], catch_exceptions=False)
