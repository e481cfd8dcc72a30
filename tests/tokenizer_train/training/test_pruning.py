"""The sentence on what learning left out."""

from __future__ import annotations

from eyas.tokenizer_train.training.pruning import pruning_message


def test_it_says_what_was_left_out_and_why() -> None:
    summary = {"pruned_pretokens": 7, "raised_for_memory": True, "min_count": 1200, "pruned_text": 0.0234}
    assert pruning_message(summary) == (
        " Pretokens that occur fewer than 1,200 times were left out, because `memory` holds no more: 2.3% of the text."
    )
    assert "because of `min_count`" in pruning_message({**summary, "raised_for_memory": False})
    assert pruning_message({**summary, "pruned_pretokens": 0}) == ""
