"""Which copy stays: the expression, its errors, and its effect in both stages."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyas.filters.dedup.exact import ExactDedup
from eyas.filters.dedup.keep import columns, order, parse, ranks
from eyas.filters.dedup.minhash import MinhashDedup


def table(rows: list[dict[str, Any]], **kinds: pa.DataType) -> pa.Table:
    base = {"id": pa.uint64(), "text": pa.large_string(), "source": pa.string()}
    filled = [{"text": "", "source": "s", **row} for row in rows]
    return pa.Table.from_pylist(filled, schema=pa.schema([*base.items(), *kinds.items()]))


def chosen(expression: str, docs: pa.Table) -> list[int]:
    """Ids, the one that should stay first."""
    keyed = pa.table({"id": docs.column("id"), **ranks(expression, docs)})
    return [int(docs.column("id")[int(at)].as_py()) for at in order(keyed)]


def test_terms_are_asked_from_left_to_right_and_ties_go_to_the_lowest_id() -> None:
    rows = [
        {"id": 5, "source": "web", "q": 0.9, "text": "aaaa"},
        {"id": 4, "source": "wiki", "q": 0.1, "text": "a"},
        {"id": 3, "source": "wiki", "q": None, "text": "aaaaaa"},
        {"id": 2, "source": "other", "q": 0.95, "text": "aa"},
        {"id": 1, "source": "wiki", "q": 0.1, "text": "a"},
    ]
    docs = table(rows, q=pa.float64())
    assert chosen("first", docs) == [1, 2, 3, 4, 5]
    assert chosen("longest", docs) == [3, 5, 2, 1, 4]
    assert chosen("shortest, first", docs) == [1, 4, 2, 5, 3]
    assert chosen("source(wiki, web), highest(q), longest", docs) == [1, 4, 3, 5, 2]
    assert chosen("lowest(q)", docs) == [1, 4, 5, 2, 3]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.timestamp("s"), [datetime(2024, 1, 2), None, datetime(2025, 1, 1), datetime(1970, 1, 1)]),
        (pa.date32(), [date(2024, 1, 2), None, date(2025, 1, 1), date(1960, 1, 1)]),
        (
            pa.timestamp("us", "Europe/Berlin"),
            [
                datetime(2024, 1, 2, tzinfo=UTC),
                None,
                datetime(2025, 1, 1, tzinfo=UTC),
                datetime(1970, 1, 1, tzinfo=UTC),
            ],
        ),
        (pa.int64(), [5, None, 7, -1]),
        (pa.string(), ["2024-01-02T03:04:05Z", None, "2025-01-01", "1999-12-31 23:59:59"]),
        (pa.string(), ["2024-05-01T10:00", None, "2024-06", "20240430"]),
        (pa.dictionary(pa.int32(), pa.string()), ["2024-05-01", None, "2024-06-01", "2020-01-01"]),
        (pa.timestamp("ns"), [1_700_000_000_000_000_001, None, 1_800_000_000_000_000_001, 5]),
        (pa.int64(), [2**60, None, 2**61, 1]),
        (pa.large_string(), ["2024-01-02T03:04:05.25+02:00", None, "2025-01-01T00:00:00", "2023-01-01"]),
    ],
)
def test_newest_and_oldest_read_times_of_many_kinds(kind: pa.DataType, values: list[Any]) -> None:
    docs = table([{"id": i, "when": value} for i, value in enumerate(values)], when=kind)
    assert chosen("newest(when)", docs) == [2, 0, 3, 1]
    assert chosen("oldest(when)", docs) == [3, 0, 2, 1]


@given(st.text(max_size=30))
def test_any_other_text_is_refused_in_words(text: str) -> None:
    try:
        terms = parse(text)
    except ValueError as error:
        assert "first, longest" in str(error)
    else:
        assert all(
            term.name in ("longest", "shortest", "highest", "lowest", "newest", "oldest", "source") for term in terms
        )


@pytest.mark.parametrize(
    "expression",
    ["", "biggest", "longest(x)", "highest", "highest(a, b)", "source()", "source", "longest longest", "newest(a"],
)
def test_wrong_expressions(expression: str) -> None:
    with pytest.raises(ValueError, match="keep"):
        parse(expression)
    with pytest.raises(ValueError, match="keep"):
        MinhashDedup(keep=expression)


def test_columns_are_asked_of_the_recipe() -> None:
    assert columns("source(a), highest(q), newest(date)") == ("q", "date")
    assert MinhashDedup(keep="highest(lang_score), longest").columns_needed() == ("lang_score",)
    assert ExactDedup(by="url", keep="newest(date)").columns_needed() == ("date", "url")


def test_numbers_are_wanted_where_numbers_are_compared() -> None:
    docs = table([{"id": 1, "q": "high"}], q=pa.string())
    with pytest.raises(ValueError, match="needs numbers"):
        ranks("highest(q)", docs)


def test_the_order_does_not_depend_on_that_of_the_rows() -> None:
    chance = random.Random(0)
    rows = [{"id": i, "source": chance.choice("abc"), "text": "x" * chance.randrange(4)} for i in range(50)]
    expected = chosen("source(b), longest", table(rows))
    chance.shuffle(rows)
    assert chosen("source(b), longest", table(rows)) == expected


def test_a_column_of_dates_that_nobody_can_read_is_an_error() -> None:
    docs = table([{"id": 1, "when": "yesterday"}, {"id": 2, "when": None}], when=pa.string())
    with pytest.raises(
        ValueError, match=r"newest\(when\) cannot order 1 .* value: 'yesterday' \(document 1\); expected ISO 8601"
    ):
        ranks("newest(when)", docs)


def test_one_value_that_cannot_be_ordered_is_named_among_those_that_can() -> None:
    docs = table([{"id": 1, "when": "2024-01-01"}, {"id": 2, "when": "soon"}], when=pa.string())
    with pytest.raises(ValueError, match=r"'soon' \(document 2\)"):
        ranks("oldest(when)", docs)
    docs = table([{"id": 1, "q": 2**53 + 1}, {"id": 2, "q": 2**53}], q=pa.int64())
    with pytest.raises(ValueError, match="9007199254740993"):
        ranks("highest(q)", docs)


def test_a_missing_date_comes_last() -> None:
    assert chosen("newest(when)", table([{"id": 1, "when": None}], when=pa.string())) == [1]


def test_a_column_that_only_generated_documents_have_counts_as_empty() -> None:
    assert chosen("highest(quality), shortest", table([{"id": 1, "text": "aa"}, {"id": 2, "text": "a"}])) == [2, 1]
