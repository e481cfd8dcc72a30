"""The sample of a corpus: bounded, spread over all files, always the same, and grouped by labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labelled_corpus import ENGLISH, LATEX, jsonl, texts

from eyas.tokenizer_train.report.sample import LONGEST, Limits, sample_corpus


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
