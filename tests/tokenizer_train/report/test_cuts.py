"""How tokens cut words, against plain counting in Python on hostile text."""

from __future__ import annotations

from compared_tokenizers import KINDS, column, loaded, naive_cut, naive_tokens, naive_words
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.tokenizer_train.report.cuts import content_words, cut


def test_kinds_of_tokenizers_are_what_the_tests_need() -> None:
    assert [loaded(kind).adds_space for kind in KINDS] == [False, True, False]
    assert naive_tokens(loaded("nfkc"), "½") is None
    assert naive_tokens(loaded("spaces"), "the 敏 \U0001f47d") is not None


@settings(deadline=None, max_examples=80)
@given(st.lists(HOSTILE, max_size=5), st.sampled_from(KINDS))
def test_cuts_are_those_of_plain_counting(texts: list[str], kind: str) -> None:
    one = loaded(kind)
    text = column(["before", *texts]).slice(1)
    spans = content_words(text)
    found = cut(one, text, one.encoder.encode(text), spans)
    for i, own in enumerate(texts):
        begin, stop = spans.doc_offsets[i], spans.doc_offsets[i + 1]
        expected = naive_words(own)
        assert stop - begin == len(expected)
        tokens = naive_tokens(one, own)
        assert bool(found.exact[i]) == (tokens is not None)
        made = list(zip(found.pieces[begin:stop].tolist(), found.alone[begin:stop].tolist(), strict=True))
        raw = own.encode()
        assert made == [(0, False) if tokens is None else naive_cut(tokens, raw, a, b) for a, b in expected]
