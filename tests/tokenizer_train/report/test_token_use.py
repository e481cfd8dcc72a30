"""Tokens that a sample uses rarely or never, and tokens that no text reaches."""

from __future__ import annotations

import numpy as np
from compared_tokenizers import with_tokens

from eyas.tokenizer_train.report.token_use import RARE, token_use


def test_tokens_that_are_rare_unused_or_out_of_reach() -> None:
    # `xyz` is a token, but the pretokenizer cuts x off.
    one = with_tokens([b"ab", b"xyz", b"cd"], r"x|[a-wyz]+|\s+|[^a-z\s]+")
    ab, xyz, cd = (one.tokens.index(token) for token in (b"ab", b"xyz", b"cd"))
    counts = np.zeros(len(one.tokens), np.int64)
    counts[[ab, one.tokens.index(b"a")]] = RARE - 1, 1
    use = token_use(one, counts)
    assert use.rare.tolist() == [ab]
    assert use.unused.tolist() == [xyz, cd]
    assert list(use.unreachable) == [xyz]
    assert (use.tokens, use.control, use.partial) == (259, 0, 128)
    lists = use.to_json(one)
    assert lists["unreachable"]["first"] == [{"id": xyz, "text": "xyz", **lists["unreachable"]["first"][0]}]
    assert lists["unreachable"]["first"][0]["why"]
    assert lists["unused"]["count"] == 2
    counts[ab] = RARE
    assert token_use(one, counts).rare.tolist() == []
