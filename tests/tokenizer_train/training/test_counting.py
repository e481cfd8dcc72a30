"""Counting on many parts against one dictionary: whatever the parts, ranges, budget and weights, the same table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hostile import HOSTILE, TRAINING
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyas.corpus.documents import document_id, documents, text_bytes
from eyas.corpus.part import Part
from eyas.corpus.store import Store
from eyas.corpus.task import TaskContext
from eyas.tokenizer_train.options import TokenizerOptions
from eyas.tokenizer_train.pretokenizer import Pretokenizer
from eyas.tokenizer_train.training import counting
from eyas.tokenizer_train.training.counting import (
    bucket_number,
    choose_min_count,
    count_tasks,
    merge_tasks,
    read_counts,
    thresholds,
)


def parts_of(store: Store, texts: Sequence[str], cuts: Sequence[int], langs: Sequence[str] | None = None) -> list[Part]:
    """Parts that begin at `cuts`; every other one of the source "b"."""
    parts = []
    for number, (first, last) in enumerate(pairwise([0, *cuts, len(texts)])):
        ids = [document_id(number, 2 * row) for row in range(last - first)]
        extra = {} if langs is None else {"lang": pa.array(langs[first:last], pa.string())}
        source = "ab"[number % 2]
        table = documents(ids, list(texts[first:last]), source, ["o"] * len(ids), extra)
        path = f"documents/{number}.parquet"
        store.write_table(path, table)
        parts.append(Part(number, source, path, len(ids), len(ids), text_bytes(table)))
    return parts


def count(folder: Path, parts: Sequence[Part], **options: Any) -> tuple[Counter[bytes], dict[str, Any], list[Any]]:
    """The table, what `choose_min_count` says, and the entries of counting."""
    wanted = TokenizerOptions.model_validate({"latex": {"inject": "builtin"}, **options})
    store = Store(str(folder))
    context = TaskContext(store, "passes/x", seed=3)
    buckets = bucket_number(parts, wanted)
    counted = [task.run(context) for task in count_tasks(parts, wanted, buckets)]
    paths = [file["path"] for entry in counted for file in entry["files"]]
    merged = [task.run(context) for task in merge_tasks(paths, 0, wanted, buckets)]
    chosen = choose_min_count([entry["histogram"] for entry in merged], wanted, 28)
    tables = [file["path"] for entry in merged for file in entry["files"]]
    pretokens, counts = read_counts(store, tables, chosen["min_count"])
    rows = pretokens.to_pylist()
    assert len(set(rows)) == len(rows)
    return Counter(dict(zip(rows, counts.tolist(), strict=True))), chosen, counted


def naive(texts: Sequence[str], weights: Sequence[float] | None = None) -> Counter[bytes]:
    sums: Counter[bytes] = Counter()
    cutter = Pretokenizer(latex=True)
    for text, weight in zip(texts, weights or [1.0] * len(texts), strict=True):
        ends, _ = cutter.cut(pa.array([text], pa.large_string()))
        data = text.encode()
        for start, end in pairwise([0, *ends.tolist()]):
            sums[data[start:end]] += round(1000 * weight)
    return Counter({key: (value + 500) // 1000 for key, value in sums.items() if (value + 500) // 1000})


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HOSTILE, min_size=1, max_size=8), st.data())
def test_any_parts_give_the_same_table(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("counts")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=3)))
    found, _, _ = count(folder, parts_of(Store(str(folder)), texts, cuts))
    assert found == naive(texts)


def test_ranges_and_spills_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{text} {number} {'xyz' * (number % 40)}" for number, text in enumerate(TRAINING)]
    whole, _, entries = count(tmp_path / "a", parts_of(Store(str(tmp_path / "a")), texts, []))
    assert sum(len(entry["files"]) for entry in entries) == 1
    monkeypatch.setattr(counting, "bucket_number", lambda parts, options: 7)
    pieces, chosen, entries = count(
        tmp_path / "b", parts_of(Store(str(tmp_path / "b")), texts, [5, 5, 900]), memory=9000
    )
    assert sum(len(entry["files"]) for entry in entries) >= 3
    assert chosen["raised_for_memory"]
    assert chosen["pretokens"] == len(whole)
    assert pieces == {key: value for key, value in whole.items() if value >= chosen["min_count"]}
    assert pieces


def test_weights_are_a_mixture(tmp_path: Path) -> None:
    texts = ["aa bb"] * 3 + ["bb cc"] * 2 + ["dd ee"] * 4
    langs = ["en", "de", "en", "en", "de", "fr", "fr", "fr", "fr"]
    parts = parts_of(Store(str(tmp_path)), texts, [3, 5], langs)  # sources a, b, a
    weights = {"source": {"b": 2.5}, "lang": {"de": 0.5, "fr": 0}}
    found, _, entries = count(tmp_path, parts, weights=weights)
    assert found == naive(texts, [1, 0.5, 1, 2.5, 1.25, 0, 0, 0, 0])
    mixture = {name: total for entry in entries for name, total in entry["mixture"].items() if name == "source: b"}
    assert mixture == {"source: b": {"bytes": 10.0, "weighted": 5 * 2.5 + 5 * 1.25}}


def test_the_summary_counts_what_is_pruned(tmp_path: Path) -> None:
    texts = ["rare", "often often often", "twice twice"]
    found, chosen, _ = count(tmp_path, parts_of(Store(str(tmp_path)), texts, [1]), min_count=2)
    # " often" stands twice, "often", "twice" and "rare" once; " twice" once.
    assert found == {key: value for key, value in naive(texts).items() if value >= 2}
    assert (chosen["min_count"], chosen["raised_for_memory"]) == (2, False)
    assert chosen["pruned_pretokens"] == chosen["pretokens"] - len(found)
    kept = sum(len(key) * value for key, value in found.items())
    assert chosen["pruned_text"] == pytest.approx(1 - kept / sum(map(len, texts)))


def test_memory_raises_the_least_count_no_more_than_it_must(tmp_path: Path) -> None:
    texts = [
        " ".join(f"w{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10]}" for i in range(100) if i % (n + 1) == 0)
        for n in range(20)
    ]
    parts = parts_of(Store(str(tmp_path)), texts, [])
    whole = naive(texts)
    steps = thresholds(TokenizerOptions()).tolist()
    for memory in (10_000, 3_000, 1_500):
        found, chosen, _ = count(tmp_path, parts, memory=memory)
        least = chosen["min_count"]
        assert found == {key: value for key, value in whole.items() if value >= least}

        def cells(bound: int) -> int:
            return 28 * sum(len(key) + 1 for key, value in whole.items() if value >= bound)

        assert cells(least) <= memory
        assert least == 1 or cells(steps[steps.index(least) - 1]) > memory


def test_a_share_of_the_text_is_the_same_documents_every_time(tmp_path: Path) -> None:
    parts = parts_of(Store(str(tmp_path)), TRAINING, [400])
    half = sum(part.text_bytes for part in parts) // 2
    first, _, _ = count(tmp_path, parts, train_bytes=half)
    again, _, _ = count(tmp_path, parts, train_bytes=half)
    assert first == again
    share = sum(first.values()) / sum(naive(TRAINING).values())
    assert 0.4 < share < 0.6
