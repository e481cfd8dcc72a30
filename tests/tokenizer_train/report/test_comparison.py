"""The comparison of tokenizers against plain counting in Python, on hostile text and three kinds of tokenizer."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise, product

import numpy as np
import pyarrow as pa
import pytest
from hostile import HOSTILE, TRAINING
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from eyas.text_kernels.words.words import words
from eyas.tokenizer_train.formats import byte_level
from eyas.tokenizer_train.report.comparison import ALL, Figures, Group, compare, mean_ratio, renyi_efficiency, together
from eyas.tokenizer_train.report.cuts import content_words, cut
from eyas.tokenizer_train.report.digit_groups import describe, digit_groups
from eyas.tokenizer_train.report.latex_cuts import LatexCuts, command_spans
from eyas.tokenizer_train.report.loaded import LoadedTokenizer, labels
from eyas.tokenizer_train.report.overlap import overlaps
from eyas.tokenizer_train.report.price import FALCON_H1, parameters_of, prices
from eyas.tokenizer_train.report.token_use import RARE, token_use

KINDS = ("bytes", "spaces", "nfkc")
SPLIT = r"[^\s\p{L}\p{N}]|\p{L}+|\p{N}|\s+"


@lru_cache
def loaded(kind: str) -> LoadedTokenizer:
    """`bytes`: GPT-2's kind; `spaces`: Llama-2's, a space before every text; `nfkc`: one that changes texts."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=kind == "spaces", unk_token=None))
    special = [f"<0x{byte:02X}>" for byte in range(256)] if kind == "spaces" else []
    if kind == "spaces":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
    else:
        tokenizer.normalizer = normalizers.NFKC() if kind == "nfkc" else None
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    alphabet = [] if kind == "spaces" else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=alphabet, special_tokens=special, show_progress=False, limit_alphabet=300
    )
    tokenizer.train_from_iterator(TRAINING[:300], trainer)
    if kind == "spaces":
        # Bytes to fall back on are part of the vocabulary, not control tokens: only a trainer cannot say so.
        content = re.sub(r'"added_tokens": ?\[.*?\]', '"added_tokens":[]', tokenizer.to_str(), flags=re.DOTALL)
        tokenizer = Tokenizer.from_str(content)
    return LoadedTokenizer.of(tokenizer, kind)


def column(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def is_content(word: str) -> bool:
    splitter = pre_tokenizers.Split(Regex(r"[\p{L}\p{N}]"), "removed")
    return "".join(piece for piece, _ in splitter.pre_tokenize_str(word)) != word


def naive_words(text: str) -> list[tuple[int, int]]:
    """Byte spans of the words that hold a letter or number."""
    start, end, _ = words(column([text]))
    raw = text.encode()
    return [(a, b) for a, b in zip(start.tolist(), end.tolist(), strict=True) if is_content(raw[a:b].decode())]


def naive_tokens(one: LoadedTokenizer, text: str) -> list[tuple[int, int]] | None:
    """Byte spans of the tokens; None if they are not the text's bytes."""
    pieces = [one.tokens[i] or b"" for i in one.tokenizer.encode(text, add_special_tokens=False).ids]
    if one.adds_space and pieces and pieces[0][:1] == b" ":
        pieces[0] = pieces[0][1:]
    if b"".join(pieces) != text.encode():
        return None
    ends = np.cumsum([0, *map(len, pieces)]).tolist()
    return list(pairwise(ends))


def naive_cut(tokens: list[tuple[int, int]], raw: bytes, start: int, end: int) -> tuple[int, bool]:
    touched = [(a, b) for a, b in tokens if a < end and b > start]
    alone = len(touched) == 1 and raw[slice(*touched[0])].lstrip(b" \t\n\v\f\r") == raw[start:end]
    return len(touched), alone


def test_kinds_of_tokenizers_are_what_the_tests_need() -> None:
    assert [loaded(kind).adds_space for kind in KINDS] == [False, True, False]
    assert naive_tokens(loaded("nfkc"), "½") is None
    assert naive_tokens(loaded("spaces"), "the 敏 \U0001f47d") is not None


@settings(deadline=None, max_examples=80)
@given(st.lists(HOSTILE, max_size=5), st.sampled_from(KINDS))
def test_cuts_are_those_of_plain_counting(texts: list[str], kind: str) -> None:
    one = loaded(kind)
    text = column(["before", *texts]).slice(1)
    spans = content_words(text)
    found = cut(one, text, one.encoder.encode(text), spans)
    for i, own in enumerate(texts):
        begin, stop = spans.doc_offsets[i], spans.doc_offsets[i + 1]
        expected = naive_words(own)
        assert stop - begin == len(expected)
        tokens = naive_tokens(one, own)
        assert bool(found.exact[i]) == (tokens is not None)
        made = list(zip(found.pieces[begin:stop].tolist(), found.alone[begin:stop].tolist(), strict=True))
        raw = own.encode()
        assert made == [(0, False) if tokens is None else naive_cut(tokens, raw, a, b) for a, b in expected]


@settings(deadline=None, max_examples=4)
@given(st.lists(HOSTILE.filter(bool), min_size=1, max_size=6), st.lists(HOSTILE, max_size=4))
def test_figures_are_plain_sums(first: list[str], second: list[str]) -> None:
    groups = [Group("language: xx", "xx", "language"), Group("mathematics", "mathematics", "math")]
    texts = dict(zip((group.name for group in groups), (first, second), strict=True))
    own = [loaded(kind) for kind in KINDS]
    found = compare(own, groups, lambda group: [column(texts[group.name][:2]), column(texts[group.name][2:])])
    for one, measured in zip(own, found.tokenizers, strict=True):
        for name, part in [*texts.items(), (ALL, first + second)]:
            figures = measured.groups[name]
            ids = [one.tokenizer.encode(text, add_special_tokens=False).ids for text in part]
            tokens = [naive_tokens(one, text) for text in part]
            exact = [(t, raw) for t, raw in zip(tokens, part, strict=True) if t is not None]
            cuts = [naive_cut(t, raw.encode(), *word) for t, raw in exact for word in naive_words(raw)]
            assert (figures.documents, figures.tokens) == (len(part), sum(map(len, ids)))
            assert (figures.bytes, figures.characters) == (sum(len(t.encode()) for t in part), sum(map(len, part)))
            assert figures.words == sum(len(naive_words(text)) for text in part)
            assert figures.exact_words == len(cuts)
            assert figures.cut_words == sum(pieces > 1 for pieces, _ in cuts)
            assert figures.whole_words == sum(alone for _, alone in cuts)
            decoded = [one.tokenizer.decode(i, skip_special_tokens=False) for i in ids]
            lost = sum(t is None and a != b for t, a, b in zip(tokens, decoded, part, strict=True))
            assert figures.changed == lost
            counts = Counter(i for text in ids for i in text)
            power = sum((n / max(figures.tokens, 1)) ** 2.5 for n in counts.values())
            expected = math.log(power) / -1.5 / math.log(one.vocab_size) if counts else 0.0
            assert figures.renyi == pytest.approx(expected, abs=1e-12)
        rare = {i for i, n in counts.items() if n < RARE and len(one.tokens[i] or b"") > 1}
        real = {i for i, token in enumerate(one.tokens) if len(token or b"") > 1}
        assert set(measured.use.rare.tolist()) == rare
        assert set(measured.use.unused.tolist()) == real - set(counts)


def test_renyi_efficiency_of_known_distributions() -> None:
    assert renyi_efficiency(np.full(64, 3), 64) == pytest.approx(1)
    assert renyi_efficiency(np.array([5, 5, 0, 0]), 4) == pytest.approx(0.5)
    assert renyi_efficiency(np.array([9, 0, 0]), 3) == pytest.approx(0)
    even, uneven = np.array([10, 10, 10, 10]), np.array([37, 1, 1, 1])
    assert renyi_efficiency(uneven, 4) < renyi_efficiency(even, 4)
    assert renyi_efficiency(np.zeros(3, np.int64), 3) == 0


def test_sampling_error_is_nothing_for_texts_alike_and_falls_with_their_number() -> None:
    group = Group("language: en", "English", "language")

    def error(texts: list[str]) -> float:
        found = compare([loaded("bytes")], [group], lambda _: [column(texts)])
        return found.tokenizers[0].groups[group.name].relative_error

    mixed = ["the quick brown fox", "x=[1,2,3]+{}"]
    assert error(["the quick brown fox"] * 9) == pytest.approx(0, abs=1e-9)
    assert error(mixed * 50) == pytest.approx(error(mixed * 2) / 5)
    assert error(mixed) > 0.05


def test_nothing_to_measure_is_said() -> None:
    group = Group("language: en", "English", "language")
    with pytest.raises(ValueError, match="no text to measure on"):
        compare([loaded("bytes")], [group], lambda _: [])
    with pytest.raises(ValueError, match="no tokenizer"):
        compare([], [group], lambda _: [column(["a"])])


def test_averages_count_groups_alike_and_skip_empty_ones() -> None:
    figures = {"a": Figures(bytes=20, tokens=10), "b": Figures(bytes=4000, tokens=1000), "c": Figures()}
    assert mean_ratio(figures, ["a", "b", "c"]) == pytest.approx(3)
    assert mean_ratio(figures, ["c"]) is None
    assert together(figures.values()).bytes_per_token == pytest.approx(4020 / 1010)


def with_tokens(more: list[bytes], pattern: str) -> LoadedTokenizer:
    every = [bytes([byte]) for byte in range(256)] + more
    return LoadedTokenizer.of(byte_level(dict(enumerate(every)), pattern), "made")


TWO = [f"{n:02}".encode() for n in range(100)]
THREE = [f"{n:03}".encode() for n in range(1000)]


@pytest.mark.parametrize(
    ("more", "digits", "rule", "cut_of_7"),
    [
        (TWO + THREE, r"\p{N}", "each digit", (1,) * 7),
        (TWO + THREE, r"\p{N}{1,3}", "groups of 3 from the left", (3, 3, 1)),
        (TWO + THREE, r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))", "groups of 3 from the right", (1, 3, 3)),
        (TWO, r"\p{N}{1,2}", "groups of 2 from the left", (2, 2, 2, 1)),
        ([b"12", b"19", b"20", b"2000"], r"\p{N}+", "depends on the number", None),
    ],
)
def test_rules_of_numbers(more: list[bytes], digits: str, rule: str, cut_of_7: tuple[int, ...] | None) -> None:
    one = with_tokens(more, rf"{digits}|\p{{L}}+|\s+|[^\s\p{{L}}\p{{N}}]+")
    groups = digit_groups(one)
    assert describe(groups) == rule
    assert [group.numbers for group in groups[:4]] == [10, 90, 900, 1000]
    if cut_of_7 is not None:
        assert groups[6].cut == cut_of_7
    for group in groups:
        assert sum(group.cut) == group.digits
        assert group.least <= group.tokens <= group.most
        assert (group.share == 1) <= (group.least == group.most)
        assert group.same_in_text == 1


def test_a_space_that_joins_the_number_moves_cuts() -> None:
    pattern = r" ?\p{N}{1,3}|\p{L}+|\s+|[^\s\p{L}\p{N}]+"
    # ` 12` is a token, ` 123` is none: behind a space the first pair of digits stays together.
    one = with_tokens([b" 1", b" 12", b"23", b"123"], pattern)
    three = digit_groups(one)[2]
    alone = [one.pieces(ids) for ids in one.ids(["123", " 123"])]
    assert [list(map(len, pieces)) for pieces in alone] == [[3], [3, 1]]
    assert three.same_in_text < 1


LATEX = with_tokens(
    [b"in", b"\\in", b"fr", b"ac", b"frac", b"\\frac", b" \\frac"], r" ?\\[A-Za-z]+|[A-Za-z]+|[^A-Za-z]"
)


def latex_of(texts: list[str], one: LoadedTokenizer) -> LatexCuts:
    text, found = column(texts), LatexCuts()
    names, spans = command_spans(text)
    ids = one.encoder.encode(text)
    found.add(one, ids, names, cut(one, text, ids, spans))
    return found


def test_commands_whole_cut_and_misread() -> None:
    found = latex_of([r"a \frac{1}{2} \infty\in\frac \\frac \alpha", "", r"\infty 中\in"], LATEX)
    # Line break and letters: `\\frac` holds no command.
    assert {name: command.count for name, command in found.commands.items()} == {
        "\\frac": 2, "\\infty": 2, "\\in": 2, "\\alpha": 1,
    }  # fmt: skip
    assert {name for name, command in found.commands.items() if command.whole == command.count} == {"\\frac", "\\in"}
    assert found.commands["\\infty"].other == 2
    assert found.commands["\\alpha"].other == 0
    facts = found.to_json(LATEX)
    assert facts["infty"] == ["\\in", "f", "t", "y"]
    assert facts["infty_begins_with_in"]
    assert facts["whole"] == pytest.approx(4 / 7)
    assert facts["begins_with_other"] == pytest.approx(2 / 7)
    assert facts["commands"] == [] and facts["distinct"] == 0  # none is seen five times


@settings(deadline=None, max_examples=60)
@given(st.lists(HOSTILE, max_size=4))
def test_commands_are_found_where_a_scan_finds_them(texts: list[str]) -> None:
    names, spans = command_spans(column(["x", *texts]).slice(1))
    expected, start = [], 1
    for text in texts:
        raw, i = text.encode(), 0
        while i < len(raw):
            if raw[i : i + 1] != b"\\":
                i += 1
            elif raw[i + 1 : i + 2] == b"\\":
                i += 2
            else:
                end = i + 1
                while end < len(raw) and raw[end : end + 1].isalpha():
                    end += 1
                if end > i + 1:
                    expected.append((raw[i:end].decode(), start + i, start + end))
                i = end
        start += len(raw)
    assert list(zip(names, spans.start.tolist(), spans.end.tolist(), strict=True)) == expected
    assert spans.doc_offsets[-1] == len(expected)


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
    told = use.to_json(one)
    assert told["unreachable"]["first"] == [{"id": xyz, "text": "xyz", **told["unreachable"]["first"][0]}]
    assert told["unreachable"]["first"][0]["why"]
    assert told["unused"]["count"] == 2
    counts[ab] = RARE
    assert token_use(one, counts).rare.tolist() == []


def test_overlap_is_that_of_sets_of_bytes() -> None:
    own = [loaded("bytes"), loaded("spaces"), LATEX]
    found = overlaps(own)
    sets = [{token for token in one.tokens if token is not None} for one in own]
    for one, (a, b) in zip(found, product(sets, sets), strict=True):
        assert one.jaccard == pytest.approx(len(a & b) / len(a | b))
        assert one.share_of_a == pytest.approx(len(a & b) / len(a))
    assert [one.jaccard for one in found[::4]] == [1, 1, 1]
    assert 0 < found[1].jaccard < 1


def test_price_by_hand() -> None:
    small, large = prices([("small", 32_000, 4.0), ("large", 128_000, 4.4)], [2048], [1e9])
    assert small.flops_per_byte == pytest.approx(6 * (1e9 + 32_000 * 2048) / 4.0)
    assert large.relative == pytest.approx((1e9 + 128_000 * 2048) / 4.4 / ((1e9 + 32_000 * 2048) / 4.0))
    assert small.relative == 1
    assert small.embedding_parameters == 2 * 32_000 * 2048
    assert small.embedding_share == pytest.approx(131_072_000 / 1_131_072_000)


def test_a_large_vocabulary_pays_in_a_large_model_only() -> None:
    found = prices([("small", 32_000, 4.0), ("large", 256_000, 4.4)], [256, 5120])
    dear, cheap = (one.relative for one in found if one.label == "large")
    assert cheap < 1 < dear


def test_parameters_grow_with_the_width_and_are_falcons_at_its_widths() -> None:
    assert {width: parameters_of(width) for width in FALCON_H1} == FALCON_H1
    sizes = [parameters_of(width) for width in range(128, 9000, 64)]
    assert all(a < b for a, b in pairwise(sizes))
    with pytest.raises(ValueError, match="1 numbers of parameters for 2 widths"):
        prices([("a", 1, 1.0)], [256, 512], [1e6])
    with pytest.raises(ValueError, match="above 0"):
        prices([("a", 1, 1.0)], [256], [0.0])


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
