"""Tables mark the best of a row and colour the others by their distance."""

from __future__ import annotations

from eyas.tokenizer_train.report.tables import MEASURES, heat


def test_the_best_of_a_row_is_bold_and_the_worst_is_warm() -> None:
    higher, lower = MEASURES[0], MEASURES[1]
    assert [cell["best"] for cell in heat([3.0, 4.001, 4.0, None], higher)] == [False, True, True, False]
    assert [cell["best"] for cell in heat([3.0, 4.0], lower)] == [True, False]
    best, near, far = (cell["colour"] for cell in heat([4.0, 3.9, 1.0], higher))
    assert len({best, near, far}) == 3
    assert heat([1.0], higher) == [{"shown": "1.00", "best": False, "colour": "transparent"}]
