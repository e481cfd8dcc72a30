"""A set of hashes is the set of its entries."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.filters.url_lists import HashSet


@given(st.sets(st.binary(max_size=8)), st.lists(st.binary(max_size=8)))
@settings(deadline=None)
def test_a_hash_set_is_a_set(members: set[bytes], asked: list[bytes]) -> None:
    """Empty strings apart, which are never members."""
    found = HashSet([sorted(members)[:2], sorted(members)[2:]])
    assert len(found) == len(members - {b""})
    expected = [entry in members and entry != b"" for entry in [*asked, *members]]
    assert found.contains([*asked, *members]).tolist() == expected
    assert HashSet().contains(asked).tolist() == np.zeros(len(asked), np.bool_).tolist()
