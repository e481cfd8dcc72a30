"""Control tokens that a stage inserted become single ids; the same characters on a page stay characters."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from eyas.synthetic.long_context.fill_in_middle import FillInMiddle, Sentinels
from eyas.tokenizer_train.alphabet import BYTE_OF
from eyas.tokenizer_train.encoding.control import encode_with_control
from eyas.tokenizer_train.encoding.encoder import Encoder
from eyas.tokenizer_train.options import SPECIAL_TOKENS


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """Bytes and control tokens, no merges."""
    names = [*SPECIAL_TOKENS, *BYTE_OF]
    tokenizer = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return Encoder(tokenizer, threads=1)


TEXT = st.lists(st.sampled_from([*"aé中\U0010ffff ", "<|", *SPECIAL_TOKENS]), max_size=12).map("".join)


@given(
    st.lists(st.tuples(TEXT, st.sampled_from([None, [], [SPECIAL_TOKENS[2]], list(SPECIAL_TOKENS[2:5])])), max_size=6)
)
@settings(max_examples=100, deadline=None)
def test_ids_are_those_of_the_pieces_with_tokens_between(
    encoder: Encoder, rows: list[tuple[str, list[str] | None]]
) -> None:
    text = pa.array([text for text, _ in rows], pa.large_string())
    encoded = encode_with_control(encoder, text, pa.array([names for _, names in rows], pa.list_(pa.string())))
    assert encoded.type == encoder.encode(text).type
    for ids, (text_of_row, names) in zip(encoded.to_pylist(), rows, strict=True):
        data = b"".join(encoder.token_bytes(number) for number in ids)
        assert data == text_of_row.encode()
        for number, name in enumerate(SPECIAL_TOKENS):
            assert ids.count(number) == (text_of_row.count(name) if names and name in names else 0)


def test_sentinels_of_fill_in_middle_are_single_tokens(encoder: Encoder) -> None:
    texts = pa.array(["one text", "a page that spells <|fim_middle|>"], pa.large_string())
    docs = pa.table({"id": pa.array([1, 2], pa.uint64()), "text": texts})
    out = FillInMiddle(rate=1).map(docs)
    control = out.column("control_tokens").combine_chunks()
    ids = encode_with_control(encoder, out.column("text").combine_chunks(), control).to_pylist()
    assert [ids[0].count(encoder.control_id(mark)) for mark in Sentinels().all] == [1, 1, 1]
    assert not {encoder.control_id(mark) for mark in Sentinels().all} & set(ids[1])


def test_a_token_that_the_tokenizer_lacks_is_refused(encoder: Encoder) -> None:
    for name in ("<|nowhere|>", "a"):
        with pytest.raises(ValueError, match="but the tokenizer has no such token: name it under"):
            encode_with_control(encoder, pa.array(["x"], pa.large_string()), pa.array([[name]]))
