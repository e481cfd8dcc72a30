"""An evaluation: the trap of sorting by origin, the worst mistakes, documents without a score."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from eyas.filters.classifiers.evaluation import MOST_GROUPS, NO_GROUP, OTHERS, evaluate
from eyas.filters.classifiers.report import warnings


@dataclass
class Fixed:
    """Scores that were decided beforehand: a text is its score."""

    def scores(self, text: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float32]:
        return np.array([float(value.split()[0]) for value in text.to_pylist()], np.float32)


def test_a_score_that_only_knows_the_source_is_found_out() -> None:
    texts = [f"0.{9 if i % 2 else 1}{i % 7} {i}" for i in range(200)]
    source = ["wiki" if i % 2 else "forum" for i in range(200)]
    found = evaluate(Fixed(), texts, [bool(i % 2) for i in range(200)], {"source": source})
    table = found.tables[0]
    assert found.roc_auc == 1.0 and table.explained > 0.99
    assert table.group_auc == 1.0 and table.within_auc is None and table.mixed == 0
    said = " ".join(warnings(table, found.roc_auc))
    assert "sorts documents by source" in said
    assert "Guessing by source alone reaches an AUC of 1.000" in said and "No source has held-out examples" in said


def test_a_score_that_judges_within_sources_passes() -> None:
    texts = [f"0.{8 if i % 2 else 2}{i % 9} {i}" for i in range(200)]
    source = ["wiki" if i // 2 % 2 else "forum" for i in range(200)]
    found = evaluate(Fixed(), texts, [bool(i % 2) for i in range(200)], {"source": source})
    table = found.tables[0]
    assert (table.group_auc, table.within_auc, table.mixed) == (0.5, 1.0, 2)
    assert table.explained < 0.01 and warnings(table, found.roc_auc) == []


def test_the_worst_mistakes_come_first() -> None:
    texts = ["0.9 a", "0.2 b", "0.99 c", "0.55 d", "0.01 e", "0.4 f"]
    labels = [True, True, False, True, None, False]
    found = evaluate(Fixed(), texts, labels, {"lang": ["en", None, "de", "en", "fr", ""]}, list("abcdef"))
    assert [item.where for item in found.disagreements] == ["c", "b", "d", "f", "a"]
    assert found.disagreements[1].groups == {"lang": NO_GROUP} and found.disagreements[1].positive
    assert found.documents == 5 and found.positives == 3 and found.accuracy == 0.6
    assert found.precision == pytest.approx(2 / 3) and found.recall == pytest.approx(2 / 3)


def test_documents_without_a_score_or_a_label_count_where_they_can() -> None:
    texts = ["0.9 a", "0.1 b", "nan c", "0.7 d"]
    found = evaluate(Fixed(), texts, [True, False, True, None], {"source": ["x", "x", "x", "y"]})
    assert (found.documents, found.unscored) == (2, 1)
    rows = {row.name: row for row in found.tables[0].rows}
    assert (rows["x"].documents, rows["x"].positives, rows["x"].negatives) == (2, 1, 1)
    assert (rows["y"].documents, rows["y"].positives, rows["y"].above) == (1, 0, 1.0)
    json.dumps(found.to_json(), allow_nan=False)


def test_scores_beyond_probabilities_have_no_calibration() -> None:
    found = evaluate(Fixed(), ["3.5 a", "-0.5 b"], [True, False], threshold=3)
    assert not found.probability and found.brier is None and found.reliability == []
    assert "brier" not in found.figures() and found.accuracy == 1.0


def test_many_groups_end_in_one_row_of_others() -> None:
    count = 3 * MOST_GROUPS
    texts = [f"0.{i % 10} {i}" for i in range(2 * count)]
    names = [f"s{i % count}" for i in range(2 * count)]
    found = evaluate(Fixed(), texts, [i % 2 == 0 for i in range(2 * count)], {"source": names})
    rows = found.tables[0].rows
    assert len(rows) == MOST_GROUPS and rows[-1].name == OTHERS
    assert sum(row.documents for row in rows) == 2 * count
    assert sum(row.positives + row.negatives for row in rows) == 2 * count


def test_both_classes_are_needed() -> None:
    with pytest.raises(ValueError, match="needs both classes"):
        evaluate(Fixed(), ["0.5 a", "nan b"], [True, False])
