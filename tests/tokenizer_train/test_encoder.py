"""The encoder: the ids of `tokenizers`, in Arrow lists, with text that spells control tokens left as text."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pytest
from hostile import HOSTILE, TRAINING
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tokenizer_train import Encoder, encoder, train_bpe
from tokenizer_train.options import SPECIAL_TOKENS, TokenizerOptions

OPTIONS = TokenizerOptions.model_validate({"vocab_sizes": [600], "latex": {"inject": "builtin"}})


@lru_cache
def content() -> bytes:
    return train_bpe(TRAINING, OPTIONS).build(600).to_str().encode()


def column(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


@settings(deadline=None, max_examples=60)
@given(st.lists(HOSTILE, max_size=6), st.data())
def test_ids_are_those_of_tokenizers_for_any_slice(texts: list[str], data: st.DataObject) -> None:
    own = Tokenizer.from_str(content().decode())
    own.encode_special_tokens = True
    start = data.draw(st.integers(0, len(texts)))
    length = data.draw(st.integers(0, len(texts) - start))
    found = Encoder.from_bytes(content()).encode(column(texts).slice(start, length))
    found.validate(full=True)
    wanted = [own.encode(text, add_special_tokens=False).ids for text in texts[start : start + length]]
    assert found.to_pylist() == wanted


def test_more_texts_than_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Encoder.from_bytes(content())
    texts = [f"text {i} " * (i % 4) for i in range(25)]
    whole = ours.encode(column(texts))
    monkeypatch.setattr(encoder, "_BATCH", 7)
    assert ours.encode(column(texts)).equals(whole)
    assert len(whole) == 25


def test_control_tokens_in_text_stay_text() -> None:
    ours = Encoder.from_bytes(content())
    for token in SPECIAL_TOKENS:
        (ids,) = ours.encode(column([f"a{token}b {token}"])).to_pylist()
        assert not set(ids) & set(range(len(SPECIAL_TOKENS)))
        assert ours.decode(ids) == f"a{token}b {token}"
    assert (ours.pad, ours.bos, ours.eos) == (0, 1, 11)
    assert ours.decode([1, *ids, 11, 0]) == ours.decode(ids)


def test_nothing_gives_nothing_of_the_right_type() -> None:
    ours = Encoder.from_bytes(content())
    assert ours.encode(column([])).type == pa.large_list(pa.uint16())
    assert ours.encode(column(["", "", "a"])).to_pylist()[:2] == [[], []]


@pytest.mark.parametrize(("size", "expected"), [(1 << 16, pa.uint16()), ((1 << 16) + 1, pa.uint32())])
def test_ids_take_the_narrowest_type_that_holds_them_all(size: int, expected: pa.DataType) -> None:
    tokenizer = Tokenizer.from_str(content().decode())
    tokenizer.add_tokens([f"extra{i}x" for i in range(size - tokenizer.get_vocab_size())])
    ours = Encoder(tokenizer)
    assert ours.vocab_size == size
    found = ours.encode(column([f"extra{size - 601}x"]))
    assert found.type == pa.large_list(expected)
    assert found.to_pylist() == [[size - 1]]


def test_a_file_or_its_folder_will_do_and_anything_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content())
    for path in (tmp_path, tmp_path / "tokenizer.json", str(tmp_path)):
        assert Encoder.from_file(path).vocab_size == 600
    for wrong in (b"", b"{}", b'{"model": 1}', b"\xff\xfe"):
        (tmp_path / "tokenizer.json").write_bytes(wrong)
        with pytest.raises(ValueError, match=r"tokenizer\.json: not a tokenizer\.json"):
            Encoder.from_file(tmp_path)


def test_bytes_that_make_no_character_decode_to_the_replacement() -> None:
    ours = Encoder.from_bytes(content())
    (ids,) = ours.encode(column(["\U00010348"])).to_pylist()
    assert ours.decode(ids) == "\U00010348"
    assert len(ids) > 1
    assert "\ufffd" in ours.decode(ids[:1])
