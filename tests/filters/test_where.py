"""`where`: SQL over columns and statistics, one document at a time."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.where import Where

TEXTS = ["The quick brown fox jumps.", "12 34 56", "", "a b a b a b a b a b a b", "Ein Satz auf Deutsch."]


def docs(texts: list[str] = TEXTS) -> pa.Table:
    languages = [None if not text else "de" if "Deutsch" in text else "en" for text in texts]
    return pa.table(
        {
            "id": pa.array(range(len(texts)), pa.uint64()),
            "text": pa.array(texts, pa.large_string()),
            "lang": pa.array(languages, pa.string()),
        }
    )


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("words >= 4", [0, 3, 4]),
        ("letters / characters > 0.6", [0, 4]),
        ("lang = 'de' OR words < 1", [2, 4]),
        ("lang IS NULL", [2]),
        ("text LIKE '%fox%'", [0]),
        ("repeated_2_grams / characters > 0.3", [3]),
        ("top_2_gram > 10", [3]),
        ("CASE WHEN lang = 'en' THEN words > 3 ELSE true END", [0, 2, 3, 4]),
        ("words IN (3, 12)", [1, 3]),
        ("true", [0, 1, 2, 3, 4]),
        ("1 > 2", []),
    ],
)
def test_conditions(keep: str, expected: list[int]) -> None:
    verdict = Where(keep=keep, reason="mine").judge(docs())
    assert [number for number, kept in enumerate(verdict.kept.to_pylist()) if kept] == expected
    assert set(verdict.reason.to_pylist()) <= {None, "mine"}


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("words > avg(words)", "'Agg' looks at several documents"),
        ("count(*) > 1", "'Len' looks at several documents"),
        ("row_number() OVER (ORDER BY words) > 2", "looks at several documents"),
        ("created > now()", "is a clock"),
        ("created > CURRENT_DATE", "is a clock"),
        ("words >", "not an SQL expression"),
        ("words > (SELECT 1 FROM x)", "not an SQL expression"),
    ],
)
def test_what_is_no_condition_on_one_document_is_refused(keep: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Where(keep=keep)


def test_columns_that_the_expression_names_are_needed() -> None:
    stage = Where(keep="words > 3 AND quality > 0.5 AND source = 'x' AND top_3_gram < 9")
    assert stage.columns_needed() == ("quality",)
    with pytest.raises(ValueError, match="gives Float64, not true or false"):
        Where(keep="words + 1").judge(docs())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_a_decision_depends_on_its_document_only(texts: list[str]) -> None:
    stage = Where(keep="letters / characters > 0.4 AND words > 1 AND text NOT LIKE '%a%'")
    together = stage.judge(docs(texts)).kept.to_pylist()
    assert together == [stage.judge(docs([text])).kept[0].as_py() for text in texts]
