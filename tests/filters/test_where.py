"""`where`: SQL over columns and statistics, one document at a time."""

from __future__ import annotations

import json

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.errors import InputError
from eyas.filters.sql_growth import check_growth
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
        ("RPAD(LEFT(text, 2), 3, '.') || lang = '12.en'", [1]),
        ("REPLACE(UPPER(text), ' ', '--') = '12--34--56'", [1]),
        (" AND ".join(["LENGTH(text) > 8"] * 60), [0, 3, 4]),
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
        ("REPLACE(text, '', text) = 'a'", "REPLACE can make a value more than 32 times as long as the document"),
        ("REPLACE(REPLACE(text, 'a', 'bbbbbbbb'), 'b', 'cccccccc') = 'a'", "REPLACE can make"),
        ("REGEXP_REPLACE(text, '(.*)', '" + "$1" * 40 + "') = 'a'", "REPLACE can make"),
        ("LPAD(text, 1000000000) = 'a'", "LPAD can make"),
        ("RPAD(text, CAST(words AS INT)) = 'a'", "RPAD can make"),
        ("LENGTH(" + " || ".join(["text"] * 40) + ") > 4", "can make"),
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


_PIECES = st.sampled_from(["a", "ß", "ŉ", "İ", "ﷺ", "$1", "", "ab", "é", "😀"])


def _grown(draw: st.DrawFn, depth: int) -> str:
    if not depth:
        return draw(st.sampled_from(["text", "lang", "'ab'", "'ŉ'"]))
    inner = _grown(draw, depth - 1)
    piece, other = draw(_PIECES), draw(_PIECES)
    shapes = [
        f"UPPER({inner})",
        f"LOWER({inner})",
        f"NORMALIZE({inner}, NFKD)",
        f"NORMALIZE({inner})",
        f"REPLACE({inner}, '{piece}', '{other}')",
        f"REGEXP_REPLACE({inner}, '({piece or '.'}*)', '{other}$1')",
        f"LPAD({inner}, {draw(st.integers(0, 30))}, '😀')",
        f"({inner} || {_grown(draw, depth - 1)})",
        f"CONCAT_WS('{piece}', {inner}, text)",
        f"COALESCE({inner}, text)",
    ]
    return draw(st.sampled_from(shapes))


@settings(max_examples=200)
@given(st.data(), st.text(st.sampled_from("aAßŉİﷺΐé😀 $1"), max_size=30))
def test_no_value_becomes_longer_than_its_bound(data: st.DataObject, text: str) -> None:
    """The bound is compared with what Polars makes of the expression."""
    expression = data.draw(st.composite(_grown)(2))
    parsed = pl.sql_expr(expression)
    try:
        bound = check_growth(json.loads(parsed.meta.serialize(format="json")))
    except InputError:
        return
    frame = pl.DataFrame({"text": [text], "lang": ["é"]})
    value = frame.select(parsed.alias("value"))["value"][0]
    columns = len(text.encode()) + len("é".encode())
    assert len((value or "").encode()) <= bound.times * columns + bound.more
