"""Patterns of paths: `*` and `?` within a name, `**` across folders, `[a-z]` for one character of several.

They are matched by RE2, through Arrow, in time linear in the length of a path. Python's `re` goes back and forth: with
`*a*a*a*a*b` it takes nine seconds for a name of 200 letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from fsspec.utils import glob_translate

from eyas.errors import InputError


def matches_any(paths: Sequence[str], patterns: Sequence[str]) -> npt.NDArray[np.bool_]:
    """For each path whether it matches one of the patterns. InputError, which names it, if a pattern cannot be read."""
    # Bytes of a file name that are not UTF-8 match `*` and `?` only.
    names = pa.array([path.encode("utf-8", "replace").decode() for path in paths], pa.string())
    found = np.zeros(len(paths), np.bool_)
    for pattern in patterns:
        try:
            # The same end of a text is \Z to Python and \z to RE2.
            expression = "^" + glob_translate(pattern).removesuffix(r"\Z") + r"\z"
            hits = pc.match_substring_regex(names, expression)
        except (ValueError, re.error) as error:  # Arrow's errors of this kind are ValueErrors
            raise InputError(
                f"the pattern {pattern!r} cannot be read: {error}. `*` stands for any part of a name, `?` for a character, "
                f"`[abc]` for one of several, and `**`, between slashes, for any folders"
            ) from error
        found |= hits.to_numpy(zero_copy_only=False)
    return found
