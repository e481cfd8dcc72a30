"""Surgery: ids that stay, texts that keep their ids (every short one, by brute force), every byte back, refusals."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hostile import HOSTILE, TRAINING
from hypothesis import given, settings
from hypothesis import strategies as st
from small_vocabularies import all_texts, ids_of, of_the_pipeline, small, trained, vocabularies
from tokenizers import Tokenizer, processors

from eyas.tokenizer_train.alphabet import to_characters
from eyas.tokenizer_train.formats import token_bytes
from eyas.tokenizer_train.surgery.proof import hostile_texts, prove
from eyas.tokenizer_train.surgery.reachable import reachability
from eyas.tokenizer_train.surgery.surgery import Changes, Operated, derivations, operate

TEXTS = all_texts(4)


def vocab(tokenizer: Tokenizer) -> dict[str, int]:
    return tokenizer.get_vocab(with_added_tokens=True)


def check(old: Tokenizer, done: Operated, texts: list[str]) -> None:
    """Ids are stable and without gaps, texts come back, and those without touched tokens have their ids."""
    touched = {*done.dropped, *done.swapped}
    ids = vocab(done.tokenizer)
    for text, number in vocab(old).items():
        if number not in touched:
            assert ids[text] == number
    assert len(set(ids.values())) == len(ids)
    for number in done.dropped:
        name = done.tokenizer.id_to_token(number)
        assert name == (None if number in done.trimmed else f"<|reserved_{number}|>")
    fresh = {*done.swapped, *done.added}
    before, after = list(ids_of(old, texts)), list(ids_of(done.tokenizer, texts))
    assert done.tokenizer.decode_batch(after, skip_special_tokens=False) == texts
    for text, was, now in zip(texts, before, after, strict=True):
        assert not set(now) & set(done.dropped)
        if not touched & set(was) and not fresh & set(now):
            assert was == now, text


def multi(tokenizer: Tokenizer) -> list[int]:
    """Ids of tokens of more than a byte."""
    return sorted(number for text, number in vocab(tokenizer).items() if len(text) > 1)


@settings(deadline=None, max_examples=40)
@given(vocabularies(), st.data())
def test_dropped_with_all_that_is_made_of_them_every_other_text_keeps_its_ids(old: Tokenizer, data: Any) -> None:
    chosen = data.draw(st.lists(st.sampled_from([0, *multi(old)]), max_size=3)) if multi(old) else []
    drop = tuple(f"id:{number}" for number in set(chosen) - {0})
    done = operate(old, Changes(drop=drop, cascade=True))
    assert set(chosen) - {0} <= set(done.dropped)
    check(old, done, TEXTS)


@settings(deadline=None, max_examples=25)
@given(vocabularies())
def test_unreachable_tokens_are_dropped_and_no_text_changes(old: Tokenizer) -> None:
    done = operate(old, Changes(drop_unreachable=True))
    assert done.before is not None
    assert not set(done.dropped) & set(done.before.witnesses)
    assert all(number > 255 for number in done.dropped)
    assert {n for n in done.before.missing if n > 255} == {*done.dropped, *done.needed}
    assert list(ids_of(old, TEXTS)) == list(ids_of(done.tokenizer, TEXTS))
    check(old, done, TEXTS)
    after = reachability(done.tokenizer)
    assert {number for number in after.missing if number > 255} == set(done.needed)


@settings(deadline=None, max_examples=40)
@given(vocabularies(ignore_merges=True), st.data())
def test_a_swap_touches_one_id(old: Tokenizer, data: Any) -> None:
    if not multi(old):
        return
    number = data.draw(st.sampled_from(multi(old)))
    done = operate(old, Changes(swap={f"id:{number}": "<|new|>"}, special=True, cascade=True))
    assert done.tokenizer.token_to_id("<|new|>") == number
    assert done.swapped == {number: (old.id_to_token(number), "<|new|>")}
    check(old, done, TEXTS)


@settings(deadline=None, max_examples=40)
@given(vocabularies(ignore_merges=False), st.integers(0, 12))
def test_a_nested_vocabulary_gives_its_ids_to_the_smaller_one(large: Tokenizer, kept: int) -> None:
    content = json.loads(large.to_str())["model"]
    merges = [tuple(pair) for pair in content["merges"]]
    usable = {to_characters(bytes([byte])) for byte in range(256)}
    for pair in merges[:kept]:
        if not set(pair) <= usable:
            return  # a merge whose parts come later: cut here, it would be no vocabulary
        usable.add(pair[0] + pair[1])
    old = small(merges[:kept], [], ".", False)
    old.pre_tokenizer = large.pre_tokenizer
    done = operate(old, Changes(donor=large))
    check(old, done, TEXTS)
    if len(json.loads(done.tokenizer.to_str())["model"]["merges"]) == len(merges):
        # No merge was left out, as a second way to an old token is: then both give the same tokens.
        names = [[done.tokenizer.id_to_token(n) for n in row] for row in ids_of(done.tokenizer, TEXTS)]
        assert names == [[large.id_to_token(n) for n in row] for row in ids_of(large, TEXTS)]


def test_a_trained_vocabulary_grows_into_its_larger_sister() -> None:
    old, large = trained(600), trained(700)
    done = operate(old, Changes(donor=large))
    assert len(done.added) == 100
    texts = [*TRAINING[:100], *hostile_texts(token_bytes(large), 300, 1)]
    for text in texts:
        assert done.tokenizer.encode(text).tokens == large.encode(text).tokens
    part = operate(old, Changes(donor=large, size=650))
    assert vocab(part.tokenizer) | vocab(done.tokenizer) == vocab(done.tokenizer)
    assert (part.tokenizer.get_vocab_size(), len(part.added)) == (650, 50)
    assert prove(old, part, texts, count=500)["holds"]
    with pytest.raises(ValueError, match=r"not nested.*is the first that it lacks"):
        operate(large, Changes(donor=old))


def test_cascade_goes_all_the_way_up() -> None:
    old = small([("a", "b"), ("ab", "b"), ("abb", "a"), ("b", "b")], [], r".+", False)
    assert set(operate(old, Changes(drop=("ab",), cascade=True)).dropped.values()) == {"ab", "abb", "abba"}
    with pytest.raises(ValueError, match=r"merges make 2 other tokens out of what is dropped: 'abb', 'abba'\. "):
        operate(old, Changes(drop=("ab",)))


def test_a_second_way_to_an_old_token_is_not_taken_from_the_larger_vocabulary() -> None:
    """`abb` is a token that no merges make, for `bb` goes first; with a + bb, texts without new tokens would change."""
    merges = [("b", "b"), ("a", "b"), ("ab", "b")]
    old = small(merges, [], r".+", False)
    done = operate(old, Changes(donor=small([*merges, ("a", "bb"), ("bb", "a")], [], r".+", False)))
    assert done.added == {259: "bba"}
    assert done.tokenizer.encode("abb").tokens == ["a", "bb"]
    check(old, done, TEXTS)


def test_what_a_larger_vocabulary_makes_of_a_dropped_token_is_left_out() -> None:
    merges = [("a", "b"), ("b", "b")]
    large = small([*merges, ("ab", "b"), ("bb", "a")], [], r".+", False)
    done = operate(small(merges, [], r".+", False), Changes(drop=("ab",), donor=large))
    assert (done.dropped, done.added) == ({256: "ab"}, {258: "bba"})
    check(small(merges, [], r".+", False), done, TEXTS)


def test_a_pair_that_comes_twice_counts_where_it_comes_last() -> None:
    """As `tokenizers` reads it; its trainer writes such files where a token is made in two ways."""
    listed = [("a", "b"), ("b", "b"), ("a", "b")]
    old = small([], ["ab", "bb", "zz"], r".+", False)
    content = json.loads(old.to_str())
    content["model"]["merges"] = listed
    old = Tokenizer.from_str(json.dumps(content))
    assert old.encode("abb").tokens == ["a", "bb"]
    check(old, operate(old, Changes(drop=("zz",))), TEXTS)
    content["model"]["vocab"] |= {"bba": 259}
    content["model"]["merges"] = [*listed, ("bb", "a"), ("b", "b")]
    with pytest.raises(ValueError, match="not nested"):  # there b + b comes after a + b
        operate(old, Changes(donor=Tokenizer.from_str(json.dumps(content))))


def test_dropping_refuses_what_others_are_made_of_and_cascade_takes_it_along() -> None:
    old = trained()
    pairs = derivations(vocab(old), [tuple(pair) for pair in json.loads(old.to_str())["model"]["merges"]])
    left, whole = next((pair[0], token) for token, pair in pairs.items() if len(pair[0]) > 1)
    with pytest.raises(ValueError, match=r"merges make \d+ other tokens out of what is dropped: .*--cascade"):
        operate(old, Changes(drop=(left,)))
    done = operate(old, Changes(drop=(left,), cascade=True))
    assert {left, whole} <= set(done.dropped.values())
    assert all(left not in set(pair) for pair in json.loads(done.tokenizer.to_str())["model"]["merges"])
    check(old, done, [*TRAINING[:100], *hostile_texts(token_bytes(old), 300, 2)])
    kept = json.loads(old.to_str())["model"]["merges"]
    new = json.loads(done.tokenizer.to_str())["model"]["merges"]
    assert new == [pair for pair in kept if pair in new]  # in their order


def test_a_new_token_is_emitted_where_it_is_a_whole_pretoken() -> None:
    old = trained()
    done = operate(old, Changes(swap={"\\alpha": "\\beta"}, add=(" zyzzyva", "ß")))
    number = old.token_to_id("\\alpha")
    assert done.swapped == {number: ("\\alpha", "\\beta")}
    assert done.added == {700: "Ġzyzzyva", 701: to_characters("ß".encode())}
    assert done.tokenizer.encode("$\\beta$").tokens == ["$", "\\beta", "$"]
    assert done.tokenizer.encode("a zyzzyva ß").ids[1] == 700
    assert number not in done.tokenizer.encode("\\alpha").ids
    check(old, done, [*TRAINING[:100], "\\alpha\\beta zyzzyvas", *hostile_texts(token_bytes(done.tokenizer), 300, 3)])


def test_control_tokens_are_added_but_no_text_spells_them() -> None:
    done = operate(trained(), Changes(add=("<|think|>", "two words"), special=True, size=768))
    assert [done.tokenizer.id_to_token(n) for n in (700, 701, 702, 767)] == [
        *("<|think|>", "two words", "<|reserved_702|>", "<|reserved_767|>")
    ]
    assert done.tokenizer.get_vocab_size() == 768
    assert done.tokenizer.encode("a<|think|>b").ids[1] == 700
    done.tokenizer.encode_special_tokens = True
    assert max(done.tokenizer.encode("<|think|>two words<|reserved_702|>").ids) < 700
    assert done.tokenizer.get_added_tokens_decoder()[700].special


def test_a_size_cuts_the_tail_off_and_placeholders_there_need_no_force() -> None:
    old = trained()
    done = operate(old, Changes(size=690))
    assert done.tokenizer.get_vocab_size() == 690
    assert sorted(done.dropped) == done.trimmed == list(range(690, 700))
    check(old, done, [*TRAINING[:100], "\\alpha\\frac"])
    padded = operate(old, Changes(size=704)).tokenizer
    assert vocab(operate(padded, Changes(size=700)).tokenizer) == vocab(old)
    dropped = operate(old, Changes(drop=("\\alpha",)))
    assert dropped.tokenizer.get_vocab_size() == 700 and dropped.trimmed == []


def test_lookup_of_whole_pretokens_is_turned_on_only_if_it_changes_nothing() -> None:
    plain = small([("a", "b")], [], r"\p{L}+|.", False)
    done = operate(plain, Changes(add=("bab",)))
    assert done.tokenizer.encode("bab bab1babb").tokens == ["bab", "Ġ", "bab", "1", "b", "ab", "b"]
    check(plain, done, TEXTS)
    mute = small([("a", "b")], ["ba"], r"\p{L}+|.", False)
    with pytest.raises(ValueError, match=r"with it 1 tokens that no merges make would be emitted too, such as 'ba'"):
        operate(mute, Changes(add=("bab",)))
    check(mute, operate(mute, Changes(add=("bab",), drop=("ba",))), TEXTS)


def test_added_tokens_behind_the_model_keep_their_ids_when_the_vocabulary_grows() -> None:
    old = small([("a", "b")], [], r"\p{L}+|.", True)
    old.add_special_tokens(["<s>", "</s>"])
    old.add_tokens(["<call>"])
    done = operate(old, Changes(add=("bab",), drop=("ab",)))
    assert done.added == {260: "bab"}
    check(old, done, [*TEXTS[:2000], "a<call>b"])
    with pytest.raises(ValueError, match="'<call>' cannot be added: it is a token already"):
        operate(old, Changes(add=("<call>",)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (Changes(drop=("a",)), r"'a' \(id \d+\) is a single byte"),
        (Changes(drop=("<|pad|>",)), r"'<\|pad\|>' \(id 0\) is a control token: dropping it needs --force"),
        (Changes(swap={"<|end_of_text|>": "x"}), r"is a control token"),
        (Changes(drop=("no such token",)), r"'no such token' is no token of this vocabulary"),
        (Changes(drop=("id:700",)), r"'id:700' is no token"),
        (Changes(add=("\\frac",)), r"cannot be added: it is a token already"),
        (Changes(add=("",)), r"it is empty"),
        (Changes(add=("zq", "zq")), r"cannot be added: it is a token already"),
        (Changes(add=("two words",)), r"could never be emitted.*but makes 'two' \| ' words'.*--special"),
        (Changes(swap={"\\alpha": "1.5"}), r"'1.5' could never be emitted"),
        (Changes(swap={"\\alpha": "\\x", "id:699": "\\y"}), r"one token is named twice"),
        (Changes(swap={"\\alpha": "\\beta"}, size=690), r"would take an id that a vocabulary of 690 does not have"),
        (Changes(add=("zyzzyva", "zyzzyvas"), size=701), r"2 new tokens after 700 ids do not fit into 701"),
        (Changes(size=200), r"is a single byte|is a control token"),
    ],
)
def test_what_must_not_be_done_is_refused(changes: Changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        operate(trained(), changes)


def test_control_tokens_go_by_force_but_not_what_the_post_processor_puts() -> None:
    old = trained()
    done = operate(old, Changes(drop=("<|file|>",), swap={"<|tool|>": "<|call|>"}, force=True, special=True))
    assert done.tokenizer.token_to_id("<|call|>") == old.token_to_id("<|tool|>")
    check(old, done, TRAINING[:50])
    old.post_processor = processors.TemplateProcessing("<|begin_of_text|> $A", None, [("<|begin_of_text|>", 1)])
    with pytest.raises(ValueError, match="put around every text by the post-processor"):
        operate(old, Changes(drop=("<|begin_of_text|>",), force=True))


def test_a_donor_that_cuts_text_otherwise_is_refused() -> None:
    donor = small([("a", "b"), ("ab", "b")], [], r".", False)
    with pytest.raises(ValueError, match="another pre_tokenizer"):
        operate(small([("a", "b")], [], r"\p{L}+|.", False), Changes(donor=donor))


def test_other_vocabularies_are_refused() -> None:
    from tokenizers import models

    word = Tokenizer(models.WordLevel(vocab={"the": 0, "[UNK]": 1}, unk_token="[UNK]"))
    with pytest.raises(ValueError, match=r"surgery needs a byte-level BPE.*this is a WordLevel"):
        operate(word, Changes(size=300))


@pytest.mark.parametrize("latex", [None, {"inject": ["\\frac", "\\alpha"]}])
def test_the_pipelines_own_vocabulary_can_be_operated(latex: object) -> None:
    old = of_the_pipeline(latex=latex)
    swap = {"<|reserved_3|>": "<|think|>", "<|reserved_4|>": "<|/think|>"}
    done = operate(old, Changes(swap=swap, drop=("id:17", "id:650"), special=True, drop_unreachable=True, cascade=True))
    assert done.tokenizer.token_to_id("<|think|>") == old.token_to_id("<|reserved_3|>")
    assert done.tokenizer.id_to_token(17) == "<|dropped_17|>"  # <|reserved_17|> is another id's
    assert done.tokenizer.id_to_token(650) == "<|reserved_650|>"
    proof = prove(old, done, TRAINING[:60], count=500)
    assert proof["holds"] and proof["vocabulary"] == {"before": 700, "after": 700}
    assert {entry["why"] for entry in proof["reachability"]["after"]["unreachable"]} >= {
        "no UTF-8 text holds these bytes"
    }


@settings(deadline=None, max_examples=100)
@given(HOSTILE)
def test_every_byte_comes_back_after_surgery(text: str) -> None:
    done = _operated()
    assert done.decode(done.encode(text, add_special_tokens=False).ids, skip_special_tokens=False) == text


@cache
def _operated() -> Tokenizer:
    changes = Changes(drop=("Ġthe", "\\alpha"), add=("\\infty", "Ⅷ"), cascade=True, drop_unreachable=True)
    return operate(trained(), changes).tokenizer
