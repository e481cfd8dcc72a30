"""Sealed JSON: an object that begins with the sha256 of all bytes that follow, so that a flipped bit is noticed.

The seal comes first, and at a fixed place: among sorted keys, a flip in its own name would hide it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from eyas.errors import InputError

_SEAL = re.compile(rb'\{"seal": "([0-9a-f]{64})",\n')
_HEAD = b'{"seal": "'


class DamagedFile(InputError):
    """A file of a run does not hold the bytes that were written."""


def sealed(data: Mapping[str, Any]) -> bytes:
    """A JSON object that is not empty, as it is written: indented, with sorted keys, after its seal."""
    rest = json.dumps(data, indent=1, sort_keys=True).removeprefix("{").lstrip("\n").encode() + b"\n"
    return _HEAD + hashlib.sha256(rest).hexdigest().encode() + b'",\n' + rest


def unsealed(data: bytes, path: str) -> Any:
    """The JSON of a file, sealed or not, and without its seal; `DamagedFile` if it was changed, or is no JSON."""
    seal = _SEAL.match(data)
    if not (_never_sealed(data) if seal is None else _holds(data, seal)):
        raise DamagedFile(f"{path}: damaged or edited: its seal does not hold; delete it and run again")
    try:
        found = json.loads(data)
    except ValueError as error:
        raise DamagedFile(f"{path}: not valid JSON ({error}); delete it and run again") from error
    if seal is not None:
        del found["seal"]
    return found


def _holds(data: bytes, seal: re.Match[bytes]) -> bool:
    return hashlib.sha256(data[seal.end() :]).hexdigest().encode() == seal[1]


def _never_sealed(data: bytes) -> bool:
    """Whether a file without a valid seal never had one: where one byte is flipped, most of the head still says otherwise."""
    return sum(one == other for one, other in zip(data, _HEAD, strict=False)) < len(_HEAD) - 1
