"""Rank files become tokenizers with the ids of a naive tiktoken; bytes of tokens; errors that say what to do."""

from __future__ import annotations

import base64
import itertools
import json
from functools import cache
from pathlib import Path

import pytest
from hostile import HOSTILE, TRAINING
from hypothesis import given, settings
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from eyas.tokenizer_train.alphabet import to_characters
from eyas.tokenizer_train.formats import byte_level, is_byte_level, read_tokenizer, token_bytes
from eyas.tokenizer_train.patterns import PUBLISHED, expression_of


def pieces(pattern: str, text: str) -> list[str]:
    """What a pattern cuts `text` into, by `tokenizers` itself."""
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return [piece for piece, _ in split.pre_tokenize_str(text)]


@cache
def learned(pattern: str) -> dict[bytes, int]:
    """Ranks learned on small text: 256 bytes in an order of their own, then merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TRAINING[:40], trainer)
    back = {to_characters(bytes([byte])): bytes([byte]) for byte in range(256)}
    return {b"".join(back[char] for char in token): number for token, number in tokenizer.get_vocab().items()}


def naive_ids(text: str, pattern: str, ranks: dict[bytes, int]) -> list[int]:
    """tiktoken's method in plain Python: a piece that is a token, else the lowest pair again and again."""
    ids: list[int] = []
    for piece in pieces(pattern, text):
        data = piece.encode()
        if data in ranks:
            ids.append(ranks[data])
            continue
        parts = [bytes([byte]) for byte in data]
        while True:
            found = [(ranks[a + b], at) for at, (a, b) in enumerate(itertools.pairwise(parts)) if a + b in ranks]
            if not found:
                break
            _, at = min(found)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        ids += [ranks[part] for part in parts]
    return ids


def write_ranks(path: Path, ranks: dict[bytes, int]) -> Path:
    path.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % number for token, number in ranks.items()))
    return path


@cache
def of_ranks(name: str) -> Tokenizer:
    ranks = learned(expression_of(name))
    return byte_level({number: token for token, number in ranks.items()}, expression_of(name))


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_ids_are_those_of_a_naive_tiktoken(name: str) -> None:
    @settings(deadline=None, max_examples=60)
    @given(HOSTILE)
    def check(text: str) -> None:
        found = of_ranks(name).encode(text, add_special_tokens=False).ids
        assert found == naive_ids(text, expression_of(name), learned(expression_of(name)))
        assert of_ranks(name).decode(found, skip_special_tokens=False) == text
        tokens = token_bytes(of_ranks(name))
        assert b"".join(tokens[number] or b"" for number in found) == text.encode()

    check()
    for text in TRAINING[:60]:
        assert of_ranks(name).encode(text).ids == naive_ids(text, expression_of(name), learned(expression_of(name)))


def test_tokens_out_of_order_and_tokens_that_no_merges_make() -> None:
    """`abc` ranks below its parts, `xyz` has none: merges follow the ranks, a whole piece is looked up first."""
    base = {bytes([byte]): byte for byte in range(256)}
    ranks = {**base, b"abc": 256, b"bc": 258, b"ab": 259, b"xyz": 260, b"cd": 257}
    tokenizer = byte_level({number: token for token, number in ranks.items()}, r"\p{L}+|.")
    for length in range(1, 6):
        for letters in itertools.product("abcdx", repeat=length):
            text = "".join(letters)
            assert tokenizer.encode(text).ids == naive_ids(text, r"\p{L}+|.", ranks), text
    assert tokenizer.encode("xyz").ids == [260]
    assert tokenizer.encode("xyza").ids == [120, 121, 122, 97]


@pytest.mark.parametrize(
    ("name", "text", "cut"),
    [
        ("gpt2", "we'll 12345 a\n  ", ["we", "'ll", " 12345", " a", "\n  "]),
        ("cl100k", "WE'LL 12345 a\n  ", ["WE", "'LL", " ", "123", "45", " a", "\n  "]),
        ("llama3", "WE'LL 12345 a\n  ", ["WE", "'LL", " ", "123", "45", " a", "\n", "  "]),
        ("qwen", "x 123 .)\n\n", ["x", " ", "1", "2", "3", " .)\n\n"]),
        ("o200k", "aBc we'll //\n/x", ["a", "Bc", " we'll", " //\n/", "x"]),
    ],
)
def test_patterns_cut_as_published(name: str, text: str, cut: list[str]) -> None:
    assert pieces(expression_of(name), text) == cut


def test_the_pattern_comes_from_the_number_of_ranks_the_name_or_the_caller(tmp_path: Path) -> None:
    pairs = itertools.islice(itertools.product(range(256), repeat=2), 50_000)
    tokens = [bytes([byte]) for byte in range(256)] + [bytes(pair) for pair in pairs]
    many = write_ranks(tmp_path / "any.tiktoken", {token: number for number, token in enumerate(tokens)})
    assert r" ?\\p{N}+" in read_tokenizer(many).to_str()  # 50,256: GPT-2
    few = learned(expression_of("cl100k"))
    cut = "WE'LL 12345 a\n  "
    for path, given_ in [
        ("cl100k_base.tiktoken", None),
        ("mine.tiktoken", "cl100k"),
        ("x.tiktoken", expression_of("cl100k")),
    ]:
        found = read_tokenizer(write_ranks(tmp_path / path, few), given_)
        assert found.encode(cut).ids == naive_ids(cut, expression_of("cl100k"), few)
    with pytest.raises(ValueError, match=r"mine.tiktoken: 600 ranks of no known family.*one of falcon-h1, llama-3"):
        read_tokenizer(tmp_path / "mine.tiktoken")


def test_tekken_keeps_its_pattern_its_size_and_its_control_tokens(tmp_path: Path) -> None:
    ranks = learned(expression_of("qwen"))
    entries = [{"rank": n, "token_bytes": base64.b64encode(t).decode(), "token_str": None} for t, n in ranks.items()]
    entries.sort(key=lambda entry: entry["rank"])
    config = {"pattern": expression_of("qwen"), "default_vocab_size": 500, "default_num_special_tokens": 25}
    content = {"config": config, "vocab": entries}
    path = tmp_path / "tekken_1.json"
    path.write_text(json.dumps(content))
    found = read_tokenizer(tmp_path)
    kept = {token: number for token, number in ranks.items() if number < 475}
    text = "the theory of 123 things"
    assert found.get_vocab_size() == 500
    assert found.encode(text).ids == [number + 25 for number in naive_ids(text, expression_of("qwen"), kept)]
    assert [found.id_to_token(number) for number in (0, 1, 2, 24)] == ["<unk>", "<s>", "</s>", "<SPECIAL_24>"]
    tokens = token_bytes(found)
    assert tokens[:25] == [None] * 25 and None not in tokens[25:]
    content["special_tokens"] = [{"rank": 1, "token_str": "<start>", "is_control": True}]
    path.write_text(json.dumps(content))
    assert read_tokenizer(path).token_to_id("<start>") == 1


def test_a_tokenizer_json_comes_as_it_is_but_uncut(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_str(of_ranks("gpt2").to_str())
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=10)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tekken.json").write_text("{}")  # tokenizer.json goes first
    found = read_tokenizer(tmp_path)
    assert found.encode(TRAINING[0]).ids == of_ranks("gpt2").encode(TRAINING[0]).ids
    with pytest.raises(ValueError, match=r"has its pattern in it"):
        read_tokenizer(tmp_path, "gpt2")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.model", b"\n\x0e\n\x05<unk>\x15\x00\x00", r"SentencePiece model.*save_pretrained.*give FOLDER"),
        ("tokenizer.model.v3", b"\n\x0e\n\x05<unk>\x15\x00\x00", r"SentencePiece model"),
        ("a.tiktoken", b"hello world\n", r"a.tiktoken: expected JSON, or lines of base64"),
        ("a.tiktoken", b"IQ== 0\nIg==\n", r"a.tiktoken:2: expected base64, a space and a rank"),
        ("a.tiktoken", b"IQ== 0\nIg= 1\n", r"a.tiktoken:2: not base64"),
        ("gpt2.tiktoken", b"IQ== 0\n", r"255 of the 256 bytes are no tokens"),
        ("tokenizer.json", b"{", r"tokenizer.json: not JSON"),
        ("tokenizer.json", b'{"model": {}}', r"tokenizer.json: not a tokenizer.json that"),
        ("tokenizer.json", b'{"vocab": {}}', r"tokenizer.json: expected a tokenizer.json"),
        ("tekken.json", b'{"config": {}, "vocab": []}', r"tekken.json: not a Tekken file.*default_num_special_tokens"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_was_expected(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_tokenizer(tmp_path / name)


def test_no_file_and_several_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no such file or folder; expected tokenizer\.json"):
        read_tokenizer(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"the folder holds no tokenizer\.json"):
        read_tokenizer(tmp_path)
    for name in ("a.tiktoken", "b.tiktoken"):
        write_ranks(tmp_path / name, {b"!": 0})
    with pytest.raises(ValueError, match=r"holds a\.tiktoken, b\.tiktoken; name one"):
        read_tokenizer(tmp_path)


def test_bytes_of_a_vocabulary_with_byte_fallback_and_of_added_tokens() -> None:
    vocab = {"<unk>": 0, "<s>": 1, "<0xE4>": 2, "▁the": 3, "▁▁": 4, "é": 5, "<0xGG>": 6}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(["<unk>", "<s>"])
    tokenizer.add_tokens([AddedToken("né▁ ", special=False)])
    wanted = [None, None, b"\xe4", b" the", b"  ", "é".encode(), b"<0xGG>", "né▁ ".encode()]
    assert token_bytes(tokenizer) == wanted
    assert not is_byte_level(tokenizer)


def test_bytes_of_other_vocabularies_are_refused() -> None:
    tokenizer = Tokenizer(models.WordLevel(vocab={"the": 0, "[UNK]": 1}, unk_token="[UNK]"))
    with pytest.raises(ValueError, match="WordLevel vocabulary is neither byte-level nor SentencePiece"):
        token_bytes(tokenizer)


def test_ids_without_a_token_have_no_bytes() -> None:
    tokens = {number if number < 200 else number + 5: bytes([number]) for number in range(256)}
    found = token_bytes(byte_level(tokens, "."))
    assert len(found) == 261
    assert found[200:205] == [None] * 5
    assert found[205] == bytes([200])
