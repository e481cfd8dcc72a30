"""BPE: exact sizes and ids, nested vocabularies, whole LaTeX commands, and every byte back."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pytest
from hostile import HOSTILE, TRAINING
from hypothesis import given, settings
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from eyas.tokenizer_train import Pretokenizer, train_bpe
from eyas.tokenizer_train.latex_commands import BUILTIN, named
from eyas.tokenizer_train.options import SPECIAL_TOKENS, TokenizerOptions
from eyas.tokenizer_train.training.bpe import VocabularyTooLarge, tokenizer_config

SIZES = [600, 650, 700]


def options(**changes: object) -> TokenizerOptions:
    return TokenizerOptions.model_validate({"vocab_sizes": SIZES, "latex": {"inject": "builtin"}, **changes})


@lru_cache
def tokenizer(size: int = 700) -> Tokenizer:
    return train_bpe(TRAINING, options()).build(size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("changes", [{}, {"latex": None}, {"split_punctuation": False}, {"split_digits": "none"}])
def test_the_size_is_exact_and_ids_have_no_gaps(size: int, changes: dict[str, object]) -> None:
    wanted = options(**changes, vocab_sizes=[size])
    vocab = train_bpe(TRAINING, wanted).build(size).get_vocab(with_added_tokens=True)
    assert sorted(vocab.values()) == list(range(size))
    assert [vocab[token] for token in SPECIAL_TOKENS] == list(range(12))
    assert (vocab["<|pad|>"], vocab["<|begin_of_text|>"], vocab["<|end_of_text|>"]) == (0, 1, 11)
    assert all(letter in vocab for letter in pre_tokenizers.ByteLevel.alphabet())
    assert all(command in vocab for command in named(wanted.latex))


@pytest.mark.parametrize("punctuation", [True, False])
def test_a_smaller_vocabulary_is_what_its_own_training_gives(punctuation: bool) -> None:
    together = options(split_punctuation=punctuation)
    found = train_bpe(TRAINING, together)
    for size in SIZES:
        alone = options(split_punctuation=punctuation, vocab_sizes=[size])
        separate = train_bpe(TRAINING, alone).build(size)
        assert found.build(size).to_str() == separate.to_str()


def test_merges_are_those_of_a_direct_training() -> None:
    """The same texts, one by one, through a trainer set up here: our batching and options change nothing."""
    direct = Tokenizer(models.BPE())
    direct.pre_tokenizer = Pretokenizer(latex=False).to_tokenizers()
    trainer = trainers.BpeTrainer(
        vocab_size=450, min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    direct.train_from_iterator(iter(TRAINING), trainer)
    wanted = [tuple(pair) for pair in json.loads(direct.to_str())["model"]["merges"]]
    plain = options(latex=None, vocab_sizes=[450 + len(SPECIAL_TOKENS)])
    found = train_bpe(iter(TRAINING), plain)
    assert found.merges(450 + len(SPECIAL_TOKENS)) == wanted


def test_training_twice_gives_the_same_file() -> None:
    again = train_bpe(list(TRAINING), options()).build(700)
    assert again.to_str() == tokenizer().to_str()


@pytest.mark.parametrize("punctuation", [True, False])
def test_a_command_learned_by_merges_does_not_cost_a_place(punctuation: bool) -> None:
    texts = [*TRAINING, *[r"\alpha \alpha\alpha \beta"] * 500]
    wanted = options(split_punctuation=punctuation, latex={"inject": ["\\alpha", "\\gamma"]}, vocab_sizes=[380])
    found = train_bpe(texts, wanted).build(380)
    assert found.get_vocab_size() == 380
    assert found.encode(r"\alpha\gamma").tokens == ["\\alpha", "\\gamma"]


def test_every_builtin_command_is_one_token_and_never_its_beginning() -> None:
    for command in BUILTIN:
        assert tokenizer().encode(command).tokens == [command]
        assert command in tokenizer().encode(f"Let $x {command}{{1}}$ be").tokens
        longer = tokenizer().encode(command + "zzq").tokens
        assert command not in longer
        assert longer[0] == "\\"


def test_infty_is_not_in_followed_by_something() -> None:
    only = options(latex={"inject": ["\\in"]}, vocab_sizes=[400])
    small = train_bpe(TRAINING, only).build(400)
    assert small.encode(r"\in").tokens == ["\\in"]
    assert "\\in" not in small.encode(r"x \to \infty").tokens
    assert tokenizer().encode(r"x\in\mathbb{R}").tokens == ["x", "\\in", "\\mathbb", "{", "R", "}"]


@settings(deadline=None, max_examples=200)
@given(HOSTILE)
def test_every_byte_comes_back(text: str) -> None:
    ids = tokenizer().encode(text, add_special_tokens=False).ids
    assert tokenizer().decode(ids, skip_special_tokens=False) == text


def test_text_that_gives_too_few_pairs_is_a_clear_error_that_names_the_largest_size() -> None:
    text = ["abababab cdcdcdcd"] * 5
    with pytest.raises(
        VocabularyTooLarge, match=r"gives a vocabulary of \d+ at most, 5,000 was asked for.*vocab_sizes"
    ) as caught:
        train_bpe(text, options(latex=None, vocab_sizes=[300, 5000]))
    largest = int(str(caught.value).split("vocabulary of ")[1].split()[0])
    fits = options(latex=None, vocab_sizes=[max(largest, 300)])
    if largest >= 300:
        assert train_bpe(text, fits).build(largest).get_vocab_size() == largest
    with pytest.raises(VocabularyTooLarge):
        train_bpe(text, options(latex=None, vocab_sizes=[max(largest + 1, 300)]))
    with pytest.raises(VocabularyTooLarge):
        train_bpe([], options())


def test_a_size_without_room_for_bytes_and_commands_is_refused() -> None:
    with pytest.raises(ValueError, match=r"300 has no room for 256 bytes, 12 control tokens and \d+ LaTeX commands"):
        train_bpe(TRAINING, options(vocab_sizes=[300, 700]))


@pytest.mark.parametrize("name", ["\\frac", "\u0120", "A", "\u0120the"])
def test_a_control_token_spelled_like_another_token_is_refused(name: str) -> None:
    wanted = options(special_tokens=[*SPECIAL_TOKENS, name], vocab_sizes=[1000])
    with pytest.raises(ValueError, match="is spelled as a byte, a LaTeX command or a learned token"):
        train_bpe(TRAINING, wanted)


def test_commands_are_taken_from_the_text_by_frequency() -> None:
    texts = [*TRAINING, *[r"\alpha \beta\beta \rare \gamma\gamma\gamma {\beta}"] * 50]
    wanted = options(latex={"inject": "corpus", "max_commands": 3, "min_count": 60}, vocab_sizes=[600])
    found = train_bpe(texts, wanted)
    counts = {
        name: sum(text.count(name) for text in texts) for name in (r"\beta", r"\gamma", r"\infty", r"\in", r"\alpha")
    }
    assert counts[r"\beta"] == counts[r"\gamma"] == 150
    assert found.commands[:2] == (r"\beta", r"\gamma")
    assert len(found.commands) == 3
    tokenizer_ = found.build(600)
    assert tokenizer_.get_vocab_size() == 600
    assert tokenizer_.encode(r"\beta\gamma").tokens == [r"\beta", r"\gamma"]
    assert tokenizer_.encode(r"\rare").tokens[0] == "\\"


@pytest.mark.parametrize("latex", [None, {"inject": "builtin"}])
def test_no_token_is_a_stub_of_a_command(latex: object) -> None:
    texts = [*TRAINING, *[r"\alphabet \alphabeta \mathopen"] * 500]
    vocabulary = train_bpe(texts, options(latex=latex, pretokenizer="falcon-h1", vocab_sizes=[700])).vocab(700)
    assert [token for token in vocabulary if token.startswith("\\") and token not in BUILTIN] == ["\\"]


def test_transformers_loads_the_folder_and_gives_the_same_ids(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    (tmp_path / "tokenizer.json").write_text(tokenizer().to_str(pretty=True))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer_config()))
    loaded = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert (loaded.pad_token_id, loaded.bos_token_id, loaded.eos_token_id) == (0, 1, 11)
    assert len(loaded) == 700
    for text in [*TRAINING[:5], " a  b ", "e\u0301 , . !", "", "\\infty ' s"]:
        ids = loaded.encode(text, add_special_tokens=False)
        assert ids == tokenizer().encode(text, add_special_tokens=False).ids
        assert loaded.decode(ids) == text
