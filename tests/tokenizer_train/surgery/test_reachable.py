"""Reachability against its naive twin: every text up to some length, encoded; and the reasons for the rest."""

from __future__ import annotations

from hypothesis import given, settings
from small_vocabularies import all_texts, ids_of, small, trained, vocabularies
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from eyas.tokenizer_train.alphabet import to_characters
from eyas.tokenizer_train.formats import token_bytes
from eyas.tokenizer_train.surgery.reachable import find_witnesses, last_pair, reachability

NO_UTF8 = {0xC0, 0xC1, *range(0xF5, 0x100)}


def check_books(tokenizer: Tokenizer) -> None:
    """Every id is in one of the three lists, and every witness is one."""
    found = reachability(tokenizer)
    ids = sorted([*found.witnesses, *found.missing, *found.control])
    assert ids == sorted(tokenizer.get_vocab(with_added_tokens=True).values())
    tokenizer.encode_special_tokens = True
    for (number, _), row in zip(
        found.witnesses.items(), ids_of(tokenizer, list(found.witnesses.values())), strict=True
    ):
        assert number in row


@settings(deadline=None, max_examples=25)
@given(vocabularies())
def test_what_any_short_text_gives_has_a_witness(tokenizer: Tokenizer) -> None:
    emitted = {number for row in ids_of(tokenizer, all_texts(4)) for number in row}
    found = reachability(tokenizer)
    assert emitted <= set(found.witnesses)
    check_books(tokenizer)


@settings(deadline=None, max_examples=150)
@given(vocabularies(ignore_merges=False))
def test_the_last_pair_is_there_exactly_if_merges_make_the_token(tokenizer: Tokenizer) -> None:
    model = Tokenizer(tokenizer.model)  # no pre-tokenizer: the spelling is one pretoken
    from eyas.tokenizer_train.surgery.surgery import _Vocabulary

    vocabulary = _Vocabulary(tokenizer)
    ranks = {pair: number for number, pair in enumerate(vocabulary.merges)}
    for token, number in vocabulary.ids.items():
        pair = last_pair(token, ranks)
        assert (model.encode(token).ids == [number]) == (pair is not None or len(token) == 1)
        assert pair is None or (pair in ranks and "".join(pair) == token)


def test_only_impossible_bytes_have_no_text_in_a_vocabulary_of_bytes() -> None:
    found = reachability(small([], [], r"\p{L}+|.", False))
    assert set(found.missing) == NO_UTF8
    assert all(missing.proved and "UTF-8" in missing.why for missing in found.missing.values())


def test_each_reason_is_given() -> None:
    e_acute, half = to_characters("é".encode()), to_characters("é".encode())[0]
    merges = [("a", "1"), ("b", "b"), ("a", half)]
    extra = ["xyz", to_characters(b"a\xe4\xb8"), to_characters("中".encode()) + to_characters(b"\xe4")]
    found = {whole: reachability(small(merges, extra, r"\p{L}+|\p{N}+", whole)).missing for whole in (False, True)}
    ids = {token: 256 + number for number, token in enumerate(["a1", "bb", "a" + half, *extra])}
    for whole in (False, True):
        assert found[whole][ids["a1"]].why == "the pretokenizer cuts it: 'a' | '1'"
        assert not found[whole][ids["a1"]].proved
        assert ids["bb"] not in found[whole]
        assert ids["a" + half] not in found[whole]  # half of é after a: é completes it
        # Inside a character nothing is looked up whole: no merges is proof enough.
        assert found[whole][ids[extra[1]]].why == "no merges make it"
        assert found[whole][ids[extra[1]]].proved
    assert found[False][ids["xyz"]].proved and found[False][ids["xyz"]].why == "no merges make it"
    assert ids["xyz"] not in found[True]  # a pretoken that is a token
    assert e_acute not in ids


def test_a_completion_that_always_joins_leaves_no_text() -> None:
    """Every character that starts with 0xC3 is merged first of all, so that byte never stands alone."""
    lead = to_characters(b"\xc3")
    joined = [(lead, to_characters(bytes([byte]))) for byte in range(0x80, 0xC0)]
    assert 0xC3 in reachability(small(joined, [], r".+", False)).missing
    assert 0xC3 in reachability(small(joined[:-1], [], r".+", False)).witnesses  # one is left, found among 64


def test_a_witness_may_need_both_neighbours() -> None:
    """` a` is one pretoken only after a digit and before a full stop."""
    tokenizer = small([("Ġ", "a")], [], r"(?<=\d) a(?=\.)|.", False)
    assert "1 a." in reachability(tokenizer).witnesses[256]


def test_a_normalizer_makes_tokens_unreachable() -> None:
    tokenizer = small([("a", "b")], [], r".+", False)
    tokenizer.normalizer = normalizers.Replace("ab", "a")
    assert reachability(tokenizer).missing[256].why == "the normalizer changes it"


def test_known_texts_are_tried_before_they_count() -> None:
    tokenizer = small([("a", "b")], [], r".+", False)
    assert reachability(tokenizer, {256: "zzabzz"}).witnesses[256] == "zzabzz"
    assert reachability(tokenizer, {256: "nothing"}).witnesses[256] == "ab"
    assert find_witnesses(tokenizer, {256: b"ab"}, {97: "a"}) == {256: "ab"}


def test_control_tokens_are_listed_apart_and_the_tokenizer_stays_as_it_was() -> None:
    tokenizer = trained()
    tokenizer.add_tokens([AddedToken("two words", special=False)])
    found = reachability(tokenizer)
    assert len(found.control) == 12
    assert found.witnesses[700] == "two words"
    assert not tokenizer.encode_special_tokens
    check_books(tokenizer)
    tokens = token_bytes(tokenizer)
    assert all((tokens[number] or b"").decode(errors="ignore") in text for number, text in found.witnesses.items())


def test_byte_fallback_vocabularies_are_understood() -> None:
    letters = {"<unk>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}, "a": 257, "▁": 258, "▁a": 259}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[("▁", "a")], byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(["<unk>"])
    found = reachability(tokenizer)
    assert found.witnesses[259] == " a"
    assert set(found.missing) == {byte + 1 for byte in {*NO_UTF8, ord("a"), ord(" ")}}
    assert "byte fallback has no use" in found.missing[ord("a") + 1].why
