"""Sealed JSON comes back as it was, and each flipped bit of it is noticed; JSON without a seal is read as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyas.corpus.sealed import DamagedFile, sealed, unsealed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text().filter(lambda name: name != "seal"), JSON, min_size=1, max_size=4))
def test_what_is_sealed_comes_back_and_is_json_for_others(data: dict[str, object]) -> None:
    assert unsealed(sealed(data), "x.json") == data
    assert {name: value for name, value in json.loads(sealed(data)).items() if name != "seal"} == data


def test_each_flipped_bit_is_noticed() -> None:
    whole = sealed({"digest": "ab12", "files": [{"path": "a", "bytes": 12}], "format": 1})
    for position in range(8 * len(whole)):
        data = bytearray(whole)
        data[position // 8] ^= 1 << position % 8
        with pytest.raises(DamagedFile, match=r"x\.json"):
            unsealed(bytes(data), "x.json")


@pytest.mark.parametrize("text", ['{\n "digest": "ab"\n}\n', '{"a": 1}', "[]", "3", '{"sea": "1", "x": 2}'])
def test_json_without_a_seal_is_read(text: str) -> None:
    assert unsealed(text.encode(), "x.json") == json.loads(text)


@pytest.mark.parametrize("text", ["", "{", "nothing"])
def test_what_is_no_json_is_named(text: str) -> None:
    with pytest.raises(DamagedFile, match=r"x\.json: not valid JSON"):
        unsealed(text.encode(), "x.json")
