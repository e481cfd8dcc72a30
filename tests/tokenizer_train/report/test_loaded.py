"""Labels of tokenizers differ and are short; tokens have the bytes that they stand for."""

from __future__ import annotations

from compared_tokenizers import loaded
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from eyas.tokenizer_train.report.loaded import LoadedTokenizer, labels

PART = st.sampled_from(["tokenizer.json", "tokenizer", "32768", "ours", "llama", "..", "a b", "x.tiktoken", "\x1b[31m"])


@given(st.lists(st.lists(PART, min_size=1, max_size=4).map("/".join), max_size=8))
def test_labels_differ_and_are_printable(paths: list[str]) -> None:
    found = labels(paths)
    assert len(set(found)) == len(found) == len(paths)
    assert all(label and label.isprintable() for label in found)


def test_labels_are_short() -> None:
    paths = [
        "runs/quick/tokenizer/8192",
        "runs/quick/tokenizer",
        "a/llama/tokenizer.json",
        "b/llama/",
        "x/o200k_base.tiktoken",
    ]
    assert labels(paths) == ["quick/8192", "quick", "a/llama", "b/llama", "o200k_base"]


def test_gemmas_runs_of_spaces_stand_for_spaces() -> None:
    one = loaded("spaces")
    tokenizer = Tokenizer.from_str(one.tokenizer.to_str())
    tokenizer.add_tokens(["▁▁▁"])
    again = LoadedTokenizer.of(tokenizer, "gemma")
    assert again.tokens[tokenizer.token_to_id("▁▁▁")] == b"   "
