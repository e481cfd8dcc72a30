"""No constant's name has two values within text_kernels: a reader of one kernel may trust what he knows of another."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict

import numpy as np

from eyas import text_kernels


def constants() -> dict[str, dict[str, list[str]]]:
    """For each name in capitals, its values, and the modules that define or import it so."""
    values: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for module in pkgutil.walk_packages(text_kernels.__path__, "eyas.text_kernels."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.isupper() and isinstance(value, (int, str, tuple, dict, np.generic, np.ndarray)):
                values[name][repr(value)].append(module.name)
    return values


def test_no_name_has_two_values() -> None:
    values = constants()
    assert len(values) > 200
    assert {name: dict(where) for name, where in values.items() if len(where) > 1} == {}
