"""The report on tokenizers: what is sampled, that the page and the JSON are right and harmless, and errors in words."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from typer.testing import CliRunner

from eyas.pipelines.cli import tokenizer_report as tokenizer_report_cli
from eyas.tokenizer_train.report import sample as tokenizer_corpus
from eyas.tokenizer_train.report.examples import visible
from eyas.tokenizer_train.report.report import measure, report
from eyas.tokenizer_train.report.sample import LONGEST, Limits, Sample, sample_corpus
from eyas.tokenizer_train.report.tables import MEASURES, heat

HOSTILE = (
    "<script>alert('x')</script><img src=x onerror=alert(1)> \u202egnp.exe \x00\x1b[31m $\\frac{1}{2}$ & \"quoted\" "
)
ENGLISH = "The quick brown fox jumps over the lazy dog, again and again, until it rains. "
LATEX = (
    r"Let $x \in \mathbb{R}$ and \[\frac{1}{2} \leq \alpha < \infty\] so that \(\sum_{i=1}^{n} x_i\) grows, $a$, $b$. "
)


@lru_cache
def content(size: int) -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<eos>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator([ENGLISH + HOSTILE + LATEX + "Größe 中文 Лиса 1234 " * 3] * 5, trainer)
    return str(tokenizer.to_str())


def tokenizers(folder: Path, *sizes: int) -> list[str]:
    paths = []
    for i, size in enumerate(sizes):
        own = folder / f"tokenizers <i>{i}"
        own.mkdir(parents=True, exist_ok=True)
        (own / "tokenizer.json").write_text(content(size))
        paths.append(str(own))
    return paths


def jsonl(path: Path, rows: Sequence[dict[str, object]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def corpus(folder: Path) -> str:
    rows: list[dict[str, object]] = []
    for i in range(40):
        rows.append({"text": f"{i} {HOSTILE}{ENGLISH * 20}", "lang": "en", "kind": "web"})
        rows.append({"text": f"{i} Größe und Länge, naïve Füße. " * 60, "lang": "de", "kind": "web"})
        rows.append({"text": f"{i} 敏捷的棕色狐狸跳过懒狗。" * 60, "lang": "<b>$x$</b>", "kind": "wiki"})
        rows.append(
            {"text": f"# {i}\n\ndef f(x):\n    if x:\n        return {i}\n" * 30, "kind": "code", "prog_lang": "<i>Py"}
        )
        rows.append({"text": LATEX * 12 + str(i), "kind": "math", "lang": "en"})
    rows.append({"text": "zu klein", "lang": "nds", "kind": "web"})
    jsonl(folder / "a.jsonl", rows[: len(rows) // 2])
    jsonl(folder / "b.jsonl.gz", rows[len(rows) // 2 :])
    return str(folder)


class Tags(HTMLParser):
    """Counts the elements of a page, and keeps attributes that run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.running: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.running += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]


def texts(sample: Sample, name: str) -> list[str]:
    group = next(group for group in sample.groups if group.name == name)
    return [text for batch in sample.texts(group) for text in batch.to_pylist()]


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


def test_the_sample_is_bounded_spread_and_always_the_same(tmp_path: Path) -> None:
    for name in "abcd":
        rows = [{"text": f"{name}{i:04} " + "x" * 190, "lang": "en"} for i in range(500)]
        jsonl(tmp_path / f"{name}.jsonl", rows)
    limit = 40_000
    with_limit = sample_corpus([str(tmp_path)], Limits(max_bytes=limit))
    taken = texts(with_limit, "language: en")
    assert 0.8 * limit < sum(map(len, taken)) == with_limit.bytes["language: en"] <= limit
    assert with_limit.of_bytes["language: en"] == 4 * 500 * 196
    per_file = Counter(text[0] for text in taken)
    assert set(per_file) == set("abcd") and max(per_file.values()) < 2.5 * min(per_file.values())
    halves = Counter(int(text[1:5]) >= 250 for text in taken)
    assert min(halves.values()) > len(taken) / 4
    assert texts(sample_corpus([str(tmp_path)], Limits(max_bytes=limit)), "language: en") == taken
    everything = texts(sample_corpus([str(tmp_path)], Limits()), "language: en")
    assert len(everything) == 2000 and set(taken) <= set(everything)


def test_input_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    sizes = [Path(jsonl(tmp_path / f"{i}.jsonl", [{"text": f"{i} " * 1000}])).stat().st_size for i in range(20)]
    found = sample_corpus([str(tmp_path)], Limits(read_bytes=sum(sizes) // 2))
    assert 5 <= found.documents["language: other"] <= 10
    assert sample_corpus([str(tmp_path)], Limits(read_bytes=1)).documents["language: other"] == 1


def test_long_documents_count_up_to_a_limit_and_a_group_is_never_empty(tmp_path: Path) -> None:
    words = "слово " * LONGEST
    found = sample_corpus(
        [jsonl(tmp_path / "a.jsonl", [{"text": words}, {"text": "ы" * LONGEST}])], Limits(max_bytes=1)
    )
    (text,) = texts(found, "language: other")
    assert LONGEST - 12 <= len(text.encode()) <= LONGEST
    assert not text.endswith(" ") and (words + "ы" * LONGEST).count(text)


def group_of(folder: Path, **labels: object) -> str:
    text = labels.pop("text", ENGLISH * 1000)
    found = sample_corpus([jsonl(folder / "one.jsonl", [{"text": text, **labels}])], Limits())
    return found.groups[0].name


def test_groups_follow_labels_and_without_them_formulas(tmp_path: Path) -> None:
    assert group_of(tmp_path, lang="fr") == "language: fr"
    assert group_of(tmp_path, lang="fr", text=ENGLISH) == "language: other"
    assert group_of(tmp_path) == "language: other"
    assert group_of(tmp_path, prog_lang="Rust", lang="en") == "code: Rust"
    assert group_of(tmp_path, kind="code", lang="en") == "code: other"
    assert group_of(tmp_path, kind="math", lang="en") == "mathematics"
    assert group_of(tmp_path, source="my_code", lang="en") == "code: other"
    assert group_of(tmp_path, source="openwebmath", lang="en") == "mathematics"
    assert group_of(tmp_path, source="decoded", lang="en") == "language: en"
    assert group_of(tmp_path, lang="en", text=LATEX * 300) == "mathematics"
    assert group_of(tmp_path, lang="en", kind="web", text=LATEX * 600) == "language: en"
    # The folder is called after the test, `…_formulas0`, and may be called `math`: a path says nothing.
    assert group_of(tmp_path / "math", lang="en") == "language: en"


def test_only_the_largest_languages_have_their_own_group(tmp_path: Path) -> None:
    rows = [{"text": "word " * 20_000, "lang": f"l{i}"} for i in range(4) for _ in range(2**i)]
    found = sample_corpus([jsonl(tmp_path / "a.jsonl", rows)], Limits(languages=2))
    assert [group.name for group in found.groups] == ["language: l3", "language: l2", "language: other"]
    assert found.documents == {"language: l3": 8, "language: l2": 4, "language: other": 3}


def test_parquet_and_the_folder_of_a_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "passes").mkdir(parents=True)
    (run / "plan.json").write_text("{}")
    with pytest.raises(ValueError, match="no curated documents yet"):
        sample_corpus([str(run)], Limits())
    (run / "curated").mkdir()
    source = pa.array(["math_books", "web"]).dictionary_encode()
    table = pa.table(
        {"text": pa.array([ENGLISH * 999, "x"], pa.large_string()), "source": source, "lang": ["en", None]}
    )
    pq.write_table(table, run / "curated" / "part-00000.parquet")
    pq.write_table(table.slice(1), run / "passes" / "part-00000.parquet")
    assert sample_corpus([str(run)], Limits()).documents == {"mathematics": 1, "language: other": 1}
    both = [str(run / "curated" / "part-00000.parquet"), str(run / "passes")]
    assert sample_corpus(both, Limits()).documents == {"mathematics": 1, "language: other": 2}


def test_errors_name_the_path_and_what_was_expected(tmp_path: Path) -> None:
    (one,) = tokenizers(tmp_path, 300)
    good = jsonl(tmp_path / "good.jsonl", [{"text": ENGLISH}])
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": \n{"txt": "a"}\n')
    (tmp_path / "notes.docx").write_text("x")
    (tmp_path / "empty").mkdir()
    for path, told in [
        (tmp_path / "nowhere", "nowhere: no such file or folder; expected a run's folder"),
        (tmp_path / "notes.docx", "notes.docx: cannot tell the format"),
        (tmp_path / "empty", "empty: no file there to read"),
        (broken, "no document with text to measure on; the first record: .*broken.jsonl, line 1: not valid JSON"),
    ]:
        with pytest.raises(ValueError, match=told):
            report([one], [str(path)], out=None)
    with pytest.raises(ValueError, match=r"nothing\.json: no such file"):
        report([str(tmp_path / "nothing.json")], [good], out=None)
    with pytest.raises(ValueError, match="name one by --corpus"):
        report([one], [], out=None)
    with pytest.raises(ValueError, match="2 numbers of parameters for 1 widths"):
        report([one], [good], widths=[64], parameters=[1e6, 1e7], out=None)


def test_records_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": ENGLISH}) + '\n{"text": 3}\nnot json\n')
    (one,) = tokenizers(tmp_path, 300)
    out = tmp_path / "page.html"
    report([one], [str(path)], out=str(out))
    assert "2 records could not be read" in out.read_text()


def test_the_command_prints_a_summary_and_says_what_it_wrote(tmp_path: Path) -> None:
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


def test_tokens_hide_nothing() -> None:
    assert visible(b" a\tb\n") == "·a→\tb⏎\n"
    assert visible(" 中".encode()[:3]) == "·⟨E4⟩⟨B8⟩"
    assert visible("\u0301".encode()) == "◌\u0301"
    assert visible("\u200d\u202e\x1b".encode()) == "⟨U+200D⟩⟨U+202E⟩⟨U+001B⟩"
    assert visible(None) == "⟨control⟩"


def test_the_best_of_a_row_is_bold_and_the_worst_is_warm() -> None:
    higher, lower = MEASURES[0], MEASURES[1]
    assert [cell["best"] for cell in heat([3.0, 4.001, 4.0, None], higher)] == [False, True, True, False]
    assert [cell["best"] for cell in heat([3.0, 4.0], lower)] == [True, False]
    best, near, far = (cell["colour"] for cell in heat([4.0, 3.9, 1.0], higher))
    assert len({best, near, far}) == 3
    assert heat([1.0], higher) == [{"shown": "1.00", "best": False, "colour": "transparent"}]
