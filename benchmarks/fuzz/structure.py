"""Changes a value within a structured file: bytes changed at random hardly ever get past a parser's first look."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

HOSTILE: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 3, 255, 256, 300, 65_536, 2**31, 2**32, 2**63, 10**30, -(2**63) - 1),
    *(0.5, -0.0, 1e308, float("nan"), "", "a", "Ġ", "é", "\ud800", "\0", "x" * 3000, "../../etc/passwd", "${name}"),
    *(
        "<|endoftext|>",
        "(a+)+$",
        "(?=x)",
        "[",
        "**/*",
        "1GB",
        [],
        {},
        [[]],
        [{}],
        {"type": "BPE"},
        ["a", "b"],
        {"": ""},
    ),
    [None],
)


def changed(value: Any, rng: random.Random) -> Any:
    """A copy of a JSON value in which one to three places are another value, gone, moved or doubled."""
    copy = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        places = list(_places(copy))
        if not places:
            return rng.choice(HOSTILE)
        holder, key = rng.choice(places)
        other_holder, other_key = rng.choice(places)
        how = rng.randrange(4)
        if how == 0:
            holder[key] = rng.choice(HOSTILE)
        elif how == 1:
            del holder[key]
        elif how == 2:
            holder[key] = json.loads(json.dumps(other_holder[other_key]))
        elif isinstance(holder, list):
            holder.insert(rng.randint(0, len(holder)), holder[key])
        else:
            holder[rng.choice(["", "type", "a", str(key) * 2])] = holder[key]
    return copy


def _places(value: Any) -> Any:
    """Every place in a value, as a holder and its key; of a long list or object only some are looked at."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys)[:40]:
        yield value, key
        yield from _places(value[key])


def json_mutator(
    head: int = 0, read: Callable[[bytes], Any] = json.loads
) -> Callable[[bytes, random.Random], bytes | None]:
    """A mutator of files that `read` reads, behind `head` bytes; None for bytes that it cannot read."""

    def mutate(data: bytes, rng: random.Random) -> bytes | None:
        try:
            value = read(data[head:])
            return data[:head] + json.dumps(changed(value, rng), ensure_ascii=rng.random() < 0.9).encode(
                errors="replace"
            )
        except Exception:  # whatever is no such file is left to the fuzzer's own changes
            return None

    return mutate
