"""The alarm when a source loses too much."""

from __future__ import annotations

import pytest

from eyas.corpus.ledger import Books
from eyas.errors import Alarm
from eyas.filters.dedup.lines import LineDedup
from eyas.filters.dedup.minhash import MinhashDedup


def test_a_source_that_loses_too_much_raises_the_alarm() -> None:
    stage = MinhashDedup(max_loss=0.8)
    lost = {"wiki": Books(1000, 300, 700), "boilerplate": Books(859_092, 2, 859_090), "tiny": Books(99, 1, 98)}
    with pytest.raises(Alarm, match=r"boilerplate: 859,090 of 859,092 documents \(100.0%\)") as alarm:
        stage.check(lost, {})
    assert "wiki" not in str(alarm.value) and "tiny" not in str(alarm.value) and "max_loss" in str(alarm.value)
    MinhashDedup(max_loss=1.0).check(lost, {})


def test_stages_that_cut_are_judged_by_bytes() -> None:
    books = {"web": Books(1000, 1000, 0, bytes_in=1_000_000, bytes_kept=40_000)}
    with pytest.raises(Alarm, match=r"web: 960,000 of 1,000,000 bytes of text \(96.0%\)"):
        LineDedup().check(books, {})
    MinhashDedup().check(books, {})
