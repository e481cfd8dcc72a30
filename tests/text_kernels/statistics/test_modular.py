"""Polynomial hashes modulo 2^61 - 1 against Python's integers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.jit import kernel
from eyas.text_kernels.statistics.modular import BASE, PRIME, append, first_powers, power_of, span
from eyas.text_kernels.types import U64


@kernel
def _span(items: U64, first: int, last: int, powers: U64) -> np.uint64:
    """The hash of `items[first:last]`, from the prefix hashes of both ends."""
    state = before = np.uint64(0)
    for i in range(last):
        state = append(state, items[i])
        if i == first - 1:
            before = state
    return span(before, state, power_of(last - first, powers))


@settings(deadline=None)
@given(st.lists(st.integers(0, 0x10FFFF), min_size=1, max_size=30), st.data())
def test_a_span_is_hashed_as_if_it_stood_alone(items: list[int], data: st.DataObject) -> None:
    last = data.draw(st.integers(1, len(items)))
    first = data.draw(st.integers(0, last - 1))
    value = 0
    for item in items[first:last]:
        value = (value * int(BASE) + item + 1) % int(PRIME)
    assert int(_span(np.array(items, np.uint64), first, last, first_powers())) == value


def test_powers() -> None:
    assert [int(power) for power in first_powers()[:3]] == [1, int(BASE), int(BASE) ** 2 % int(PRIME)]
