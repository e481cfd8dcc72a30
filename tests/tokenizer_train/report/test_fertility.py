"""Fertility: sums over groups against a plain count in Python."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa
import pytest
from hostile import TRAINING
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.tokenizer_train import Encoder, train_bpe
from eyas.tokenizer_train.options import TokenizerOptions
from eyas.tokenizer_train.report.fertility import Fertility, measure


@lru_cache
def encoder() -> Encoder:
    options = TokenizerOptions(vocab_sizes=[400])
    return Encoder(train_bpe(TRAINING, options).build(400))


WORDS = st.lists(st.sampled_from(["the", "über", "x=1", "中文", " ", "  ", "\n", "\t\n", "\u3000"]), max_size=9).map(
    "".join
)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(WORDS, st.sampled_from(["en", "de", None])), min_size=1, max_size=6))
def test_sums_are_those_of_a_plain_count(rows: list[tuple[str, str | None]]) -> None:
    table = pa.table({"text": pa.array([text for text, _ in rows], pa.large_string())})
    langs = pa.chunked_array([pa.array([lang for _, lang in rows], pa.string())])
    into: dict[str, Fertility] = {}
    # Two calls, as for two batches of a part.
    measure(encoder(), table.slice(0, 1), {"lang": langs.slice(0, 1)}, into)
    measure(encoder(), table.slice(1), {"lang": langs.slice(1)}, into)
    expected: dict[str, Fertility] = {"all": Fertility()}
    for text, lang in rows:
        for name in ["all", *([f"lang: {lang}"] if lang else [])]:
            total = expected.setdefault(name, Fertility())
            total.documents += 1
            total.bytes += len(text.encode())
            total.words += len(text.split())
            (ids,) = encoder().encode(pa.array([text], pa.large_string())).to_pylist()
            total.tokens += len(ids)
    assert into == expected


def test_ratios() -> None:
    sums = Fertility(documents=1, bytes=12, words=2, tokens=4).to_json()
    assert (sums["bytes_per_token"], sums["tokens_per_word"]) == (3.0, 2.0)
    assert Fertility().to_json()["bytes_per_token"] == 0.0


def test_a_dictionary_column_groups_as_well() -> None:
    table = pa.table({"text": pa.array(["a b", "c"], pa.large_string())})
    source = pa.chunked_array([pa.array(["web", "code"]).dictionary_encode()])
    into: dict[str, Fertility] = {}
    measure(encoder(), table, {"source": source}, into)
    assert {name: total.words for name, total in into.items()} == {"all": 3, "source: web": 2, "source: code": 1}
    assert into["all"].to_json()["tokens_per_word"] == pytest.approx(into["all"].tokens / 3)
