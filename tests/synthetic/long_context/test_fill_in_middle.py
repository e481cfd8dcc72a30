"""Fill-in-the-middle: undone byte for byte, at the shares of the options, and the same in any batch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from long_context_checks import HOSTILE, docs, within
from pydantic import ValidationError

from eyas.corpus.documents import CONTROL, SPANS
from eyas.synthetic.long_context import fill_in_middle
from eyas.synthetic.long_context.fill_in_middle import FillInMiddle, Sentinels, cut_in_three
from eyas.synthetic.long_context.marks import FILE, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX


@given(st.lists(HOSTILE, max_size=8), st.integers(0, 2**40), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=150, deadline=None)
def test_fill_in_middle_is_undone_byte_for_byte(texts: list[str], seed: int, spm: float) -> None:
    out = FillInMiddle(rate=1, spm_share=spm, seed=seed).map(docs(texts))
    kinds, moved = out.column("fim").to_pylist(), out.column("text").to_pylist()
    assert [fill_in_middle.restore(t, k).encode() for t, k in zip(moved, kinds, strict=True)] == [
        t.encode() for t in texts
    ]
    for text, kind, control in zip(moved, kinds, out.column(CONTROL.name).to_pylist(), strict=True):
        if kind == "sentinel":
            assert FIM_PREFIX in text and control is None
            continue
        assert kind in ({0.0: ("psm",), 0.5: ("psm", "spm"), 1.0: ("spm",)}[spm])
        assert control == list(Sentinels().all) and text.startswith(FIM_PREFIX)
        assert text.startswith(FIM_PREFIX + FIM_SUFFIX) or kind == "psm"


@given(HOSTILE, st.data(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_two_cuts_are_undone(text: str, data: st.DataObject, spm: bool) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    assume(FIM_PREFIX not in text)
    moved = cut_in_three(text, start, end, spm, Sentinels())
    assert fill_in_middle.restore(moved, "spm" if spm else "psm") == text


def test_the_form_is_that_of_the_paper() -> None:
    assert cut_in_three("abcdef", 2, 4, False, Sentinels()) == f"{FIM_PREFIX}ab{FIM_SUFFIX}ef{FIM_MIDDLE}cd"
    assert cut_in_three("abcdef", 2, 4, True, Sentinels()) == f"{FIM_PREFIX}{FIM_SUFFIX}ef{FIM_MIDDLE}abcd"


def test_shares_are_those_of_the_options_and_cuts_are_uniform() -> None:
    text, n = "x" * 99, 20_000
    out = FillInMiddle(rate=0.3, spm_share=0.2, seed=5).map(docs([text] * n, first=1 << 33))
    kinds = out.column("fim").to_pylist()
    cut = kinds.count("psm") + kinds.count("spm")
    assert within(cut, 0.3, n) and within(kinds.count("spm"), 0.2, cut)
    psm = [t for t, k in zip(out.column("text").to_pylist(), kinds, strict=True) if k == "psm"]
    prefixes = [t.index(FIM_SUFFIX) - len(FIM_PREFIX) for t in psm]
    assert abs(np.mean(prefixes) - 33) < 2, "the lower of two uniform cuts lies at a third"
    assert FillInMiddle(rate=0).map(docs([text])).column("text").to_pylist() == [text]


def test_batches_and_neighbours_change_nothing() -> None:
    stage = FillInMiddle(rate=0.6, seed=3)
    table = docs([f"first {i}\n\nsecond {i}\n\nthird {i}\n\nfourth" for i in range(200)])
    whole = stage.map(table)
    parts = pa.concat_tables([stage.map(table.slice(i, 7)) for i in range(0, 200, 7)])
    assert whole.equals(parts) and whole.column("text") != table.column("text")
    backwards = stage.map(table.take(pa.array(range(199, -1, -1))))
    assert backwards.column("text").to_pylist() == whole.column("text").to_pylist()[::-1]


def test_a_text_with_a_sentinel_is_left_unchanged_and_noted() -> None:
    texts = [f"a {FIM_MIDDLE} b", "plain"]
    out = FillInMiddle(rate=1).map(docs(texts))
    assert out.column("fim").to_pylist()[0] == "sentinel" and out.column("text")[0].as_py() == texts[0]
    assert out.column(CONTROL.name).to_pylist()[0] is None, "a sentinel on a page is no control token"
    assert fill_in_middle.restore(texts[0], "sentinel") == texts[0]
    with pytest.raises(ValueError, match="expected a text cut by fill_in_middle"):
        fill_in_middle.restore("plain", "psm")


def test_joined_texts_are_cut_only_by_option_and_never_within_a_control_token() -> None:
    table = docs([FILE * 40] * 50).append_column(CONTROL, [[[FILE]] * 50]).append_column(SPANS, [[[0, 3]] * 50])
    assert FillInMiddle(rate=1).map(table).column("text") == table.column("text")
    out = FillInMiddle(rate=1, joined=True).map(table)
    assert all(text.count(FILE) == 40 for text in out.column("text").to_pylist())
    assert out.column(CONTROL.name)[0].as_py() == [FILE, *Sentinels().all]


def test_ambiguous_sentinels_are_refused() -> None:
    for wrong in ({"prefix": ""}, {"prefix": "<|a|>", "suffix": "<|a|>"}, {"prefix": "abca"}, {"prefix": "|>x"}):
        with pytest.raises(ValidationError, match="mark"):
            Sentinels(**wrong)
    assert Sentinels(prefix="<PRE>", suffix="<SUF>", middle="<MID>").all[0] == "<PRE>"
