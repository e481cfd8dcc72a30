"""Which tokens of a vocabulary earn their place: never used, rarely used, or impossible to reach.

A token that training never sees keeps its random embedding and upsets the model when a prompt spells it (Land and
Bartolo 2024, arXiv:2405.05417). Counts depend on the sample: unused here is a candidate, not a verdict. Unreachable is
more: `reachable` really encodes texts to find one that gives the token, 3 s for a vocabulary of 262,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eyas.tokenizer_train.report.loaded import LoadedTokenizer
from eyas.tokenizer_train.surgery.reachable import Missing, reachability

RARE = 10
"""Fewer occurrences than this in the sample: a candidate for an under-trained token."""
LISTED = 200


@dataclass(frozen=True)
class TokenUse:
    """Ids by what becomes of them. Control tokens are in none of the lists, nor are single bytes, which make sure that any
    text can be written."""

    tokens: int
    """Tokens that are no control tokens."""
    control: int
    partial: int
    """Tokens whose bytes are not whole characters."""
    unused: npt.NDArray[np.int64]
    """Not once in the sample; the lowest ids are those that the vocabulary's own training found frequent."""
    rare: npt.NDArray[np.int64]
    """1 to 9 times in the sample."""
    unreachable: dict[int, Missing]
    """Tokens that no text was found for, and why, by id."""

    def to_json(self, loaded: LoadedTokenizer) -> dict[str, Any]:
        """Counts, shares of all tokens that are no control tokens, and the first 200 of each list."""
        lists = {"unused": self.unused, "rare": self.rare, "unreachable": np.array(sorted(self.unreachable), np.int64)}
        result: dict[str, Any] = {"tokens": self.tokens, "control": self.control, "partial": self.partial}
        for name, ids in lists.items():
            result[name] = {
                "count": len(ids),
                "share": len(ids) / max(self.tokens, 1),
                "first": [{"id": int(i), "text": _text(loaded.tokens[int(i)])} for i in ids[:LISTED]],
            }
        for entry in result["unreachable"]["first"]:
            missing = self.unreachable[entry["id"]]
            entry |= {"why": missing.why, "proved": missing.proved}
        return result


def _text(token: bytes | None) -> str:
    """A token as text; bytes that are no character as \\xE4."""
    return (token or b"").decode(errors="backslashreplace")


def token_use(loaded: LoadedTokenizer, counts: npt.NDArray[np.int64]) -> TokenUse:
    """`counts[i]`: how often the sample's text encodes to id i."""
    # A vocabulary may be larger than its highest id shows: what is missing there are control tokens.
    real = np.zeros(len(counts), np.bool_)
    real[: len(loaded.tokens)] = [token is not None for token in loaded.tokens]
    longer = np.zeros(len(counts), np.bool_)
    longer[: len(loaded.tokens)] = [len(token or b"") > 1 for token in loaded.tokens]
    partial = sum("\ufffd" in (token or b"").decode(errors="replace") for token in loaded.tokens)
    return TokenUse(
        tokens=int(real.sum()),
        control=loaded.vocab_size - int(real.sum()),
        partial=partial,
        unused=np.flatnonzero(longer & (counts == 0)),
        rare=np.flatnonzero(longer & (counts > 0) & (counts < RARE)),
        unreachable={i: why for i, why in reachability(loaded.tokenizer).missing.items() if longer[i]},
    )
