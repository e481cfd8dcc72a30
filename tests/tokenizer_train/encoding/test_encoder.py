"""The encoder: the ids of `tokenizers`, in Arrow lists, with text that spells control tokens left as text."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pytest
from hostile import HOSTILE, TRAINING
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from eyas.tokenizer_train import Encoder, train_bpe
from eyas.tokenizer_train.encoding import encoder, fast_encoder
from eyas.tokenizer_train.options import SPECIAL_TOKENS, TokenizerOptions
from eyas.tokenizer_train.pretokenizer import PRESETS

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


def like_published(preset: str, normalizer: object = None, ignore_merges: bool = False) -> Tokenizer:
    """A small vocabulary with the pattern of a published tokenizer, trained by `tokenizers` itself."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = PRESETS[preset].to_tokenizers()
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TRAINING, trainer)
    tokenizer.add_special_tokens(["<|end|>"])
    return tokenizer


@lru_cache
def published() -> list[tuple[str, Tokenizer, Encoder]]:
    gpt2 = like_published("gpt-2")
    gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # as GPT-2's own file says it
    made = {
        "gpt-2": gpt2,
        "llama-3": like_published("llama-3", ignore_merges=True),
        "cl100k": like_published("cl100k"),
        "qwen": like_published("qwen", normalizers.NFC()),
    }
    for tokenizer in made.values():
        tokenizer.encode_special_tokens = True
    return [(name, tokenizer, Encoder(Tokenizer.from_str(tokenizer.to_str()))) for name, tokenizer in made.items()]


COMPOSED = [
    "e\u0301",
    "\u0301",
    "가",
    "\u1100\u1161\u11a8",
    "\u212b",
    "\u0344",
    "a\u0315\u0300",
    "<|end|>",
    "\U0001d15e",
    "שׁ",
]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.lists(HOSTILE | st.sampled_from(COMPOSED), max_size=4).map("".join), max_size=4))
def test_ids_of_published_kinds_are_those_of_tokenizers(texts: list[str]) -> None:
    for name, own, ours in published():
        assert ours.slow_because is None, name
        wanted = [own.encode(text, add_special_tokens=False).ids for text in texts]
        assert ours.encode(column(texts)).to_pylist() == wanted, name


def test_what_has_no_kernel_is_encoded_by_tokenizers_with_a_reason() -> None:
    own = like_published("llama-3")
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    ours = Encoder(Tokenizer.from_str(own.to_str()))
    assert "no kernel" in (ours.slow_because or "")
    lower = like_published("llama-3", normalizers.Lowercase())
    slow = Encoder(Tokenizer.from_str(lower.to_str()))
    assert slow.slow_because == "normalizer Lowercase"
    for tokenizer, encoder_ in ((own, ours), (lower, slow)):
        wanted = [tokenizer.encode(text, add_special_tokens=False).ids for text in TRAINING[:6]]
        assert encoder_.encode(column(TRAINING[:6])).to_pylist() == wanted


def test_added_tokens_that_are_no_control_tokens_are_found_in_text() -> None:
    own = like_published("llama-3")
    own.add_tokens(["<tool>", "lazy dog"])
    own.encode_special_tokens = True
    texts = ["a <tool> b", "the lazy dog", "nothing", "", "<tool", "lazy dog<tool>lazy dog"]
    found = Encoder(Tokenizer.from_str(own.to_str())).encode(column(texts))
    found.validate(full=True)
    assert found.to_pylist() == [own.encode(text, add_special_tokens=False).ids for text in texts]
    assert own.token_to_id("<tool>") in found.to_pylist()[0]


def test_added_tokens_are_found_before_text_is_composed() -> None:
    """`>` and U+0338 compose to U+226F: looked for afterwards, the token before would be gone."""
    own = like_published("qwen", normalizers.NFC())
    own.add_tokens([AddedToken("<think>", normalized=False), AddedToken("caf\u00e9", normalized=True)])
    own.encode_special_tokens = True
    texts = ["<think>\u0338 x", "a <think> b", "cafe\u0301", "caf\u00e9", "e\u0301"]
    ours = Encoder(Tokenizer.from_str(own.to_str()))
    assert ours.slow_because is None
    assert ours.encode(column(texts)).to_pylist() == [own.encode(text, add_special_tokens=False).ids for text in texts]


def test_a_vocabulary_with_gaps_has_room_for_its_largest_id() -> None:
    data = json.loads(content())
    vocab = data["model"]["vocab"]
    data["model"]["vocab"] = {token: number + (70_000 if number > 500 else 0) for token, number in vocab.items()}
    ours = Encoder.from_bytes(json.dumps(data).encode())
    own = Tokenizer.from_str(json.dumps(data))
    assert ours.vocab_size == 70_600
    assert ours.id_type == pa.uint32()
    found = ours.encode(column(TRAINING[:4])).to_pylist()
    assert found == [own.encode(text, add_special_tokens=False).ids for text in TRAINING[:4]]
    assert max(map(max, found)) > 70_000


def test_truncation_and_padding_in_a_file_are_ignored() -> None:
    own = Tokenizer.from_str(content().decode())
    whole = [own.encode(text, add_special_tokens=False).ids for text in TRAINING[:3]]
    own.enable_truncation(4)
    own.enable_padding(length=9)
    own.add_tokens(["fox"])
    found = Encoder.from_bytes(own.to_str().encode()).encode(column(TRAINING[:3])).to_pylist()
    assert [len(ids) for ids in found][1:] == [len(ids) for ids in whole][1:]
    assert len(found[0]) > 9


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_and_chunks_change_nothing(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{text} {i}" for i, text in enumerate(TRAINING)]
    whole = Encoder.from_bytes(content(), threads=1).encode(column(texts))
    monkeypatch.setattr(encoder, "_CHUNK_BYTES", 3000)
    ours = Encoder.from_bytes(content(), threads=threads)
    for _ in range(2):
        assert ours.encode(column(texts)).equals(whole)
    assert ours.encode(column(texts).slice(7, 30)).equals(whole.slice(7, 30))


def test_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{text} word{i} {'long' * (i % 30)}" for i, text in enumerate(TRAINING)]
    whole = Encoder.from_bytes(content(), threads=1).encode(column(texts))
    monkeypatch.setattr(fast_encoder, "MOST_PRETOKENS", 50)
    monkeypatch.setattr(encoder, "_CHUNK_BYTES", 2000)
    assert Encoder.from_bytes(content(), threads=1).encode(column(texts)).equals(whole)


@pytest.mark.parametrize("text", ["a" * 100_000, "ab" * 70_000, "x" * 64, "x" * 65, "é" * 40_000, "1" * 5000])
def test_long_pretokens(text: str) -> None:
    own = Tokenizer.from_str(content().decode())
    found = Encoder.from_bytes(content()).encode(column([text, "", text[:70]]))
    assert found.to_pylist() == [own.encode(t, add_special_tokens=False).ids for t in (text, "", text[:70])]


def test_texts_of_nothing_but_ends() -> None:
    """Eight bytes are read at a time; the last ones of a buffer have no eight after them."""
    own = Tokenizer.from_str(content().decode())
    ours = Encoder.from_bytes(content(), threads=1)
    for length in range(20):
        for letter in "az ":
            text = letter * length
            assert ours.encode(column([text])).to_pylist() == [own.encode(text, add_special_tokens=False).ids]


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
        with pytest.raises(ValueError, match=r"tokenizer\.json"):
            Encoder.from_file(tmp_path)


def test_bytes_that_make_no_character_decode_to_the_replacement() -> None:
    ours = Encoder.from_bytes(content())
    (ids,) = ours.encode(column(["\U00010348"])).to_pylist()
    assert ours.decode(ids) == "\U00010348"
    assert len(ids) > 1
    assert "\ufffd" in ours.decode(ids[:1])
