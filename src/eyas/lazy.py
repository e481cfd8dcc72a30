"""Names of a package that are imported on first use, so that `import eyas` and `eyas --help` load nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__`. `homes`: for each name of `package`, the module that defines it.

    No name may be that of a module below the package: importing `eyas.trainer.train` would replace the function `train`.
    """

    def load(name: str) -> Any:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it offers {', '.join(homes)}")

    return load
