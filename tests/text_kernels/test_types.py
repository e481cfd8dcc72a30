"""Each short name stands for one type of numbers."""

from __future__ import annotations

import typing

import numpy as np
import pytest

from eyas.text_kernels import types


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("Bytes", np.uint8), ("U16", np.uint16), ("U32", np.uint32), ("U64", np.uint64), ("I32", np.int32),
        ("I64", np.int64), ("F64", np.float64), ("Bools", np.bool_),
    ],
)  # fmt: skip
def test_names_of_array_types(name: str, dtype: type) -> None:
    _, numbers = typing.get_args(getattr(types, name))
    assert typing.get_args(numbers) == (dtype,)
