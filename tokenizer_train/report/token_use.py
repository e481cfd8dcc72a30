"""Finds the tokens of a vocabulary that a sample never uses, rarely uses, or that no text can reach.

A token that training never sees keeps its random embedding and upsets the model when a prompt spells it (Land and
Bartolo 2024, arXiv:2405.05417). Counts depend on the sample, so an unused token is a candidate, not a verdict. An
unreachable one is more: `reachable` encodes texts to find one that gives the token, 3 s for a vocabulary of 262,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eyas.tokenizer_train.report.loaded import LoadedTokenizer
from eyas.tokenizer_train.surgery.reachable import Missing, reachability

RARE = 10
"""A token that occurs fewer times in the sample is a candidate for an under-trained token."""
LISTED = 200
"""Tokens of each list that the JSON shows."""


@dataclass(frozen=True)
class TokenUse:
    """Ids by their use. The lists hold neither control tokens nor single bytes, which a vocabulary needs so that any text
    can be written."""

    tokens: int
    """Tokens that are no control tokens."""
    control: int
    partial: int
    """Tokens whose bytes are not whole characters."""
    unused: npt.NDArray[np.int64]
    """Tokens that the sample lacks. The lowest ids were the most frequent in the vocabulary's own training."""
    rare: npt.NDArray[np.int64]
    """Tokens that occur 1 to 9 times in the sample."""
    unreachable: dict[int, Missing]
    """By id: tokens for which no text was found, and why."""

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
    """The token as text; bytes that are no character as \\xE4."""
    return (token or b"").decode(errors="backslashreplace")


def token_use(loaded: LoadedTokenizer, counts: npt.NDArray[np.int64]) -> TokenUse:
    """`counts[i]`: how often the sample's text encodes to id i."""
    # `counts` may be longer than the list of tokens; the ids beyond are control tokens.
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
