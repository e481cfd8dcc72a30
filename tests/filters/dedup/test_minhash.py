"""MinHash deduplication against brute force: no wrong drop, the recall that the S-curve promises, the same for any cut."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from dedup_driver import Fate, run
from near_copies import VOCABULARY, edited, jaccard, of_similarity, random_text, shingle_set

from eyas.corpus.shuffle import read_bucket
from eyas.corpus.store import Store
from eyas.filters.dedup import base, minhash
from eyas.filters.dedup.banding import probability
from eyas.filters.dedup.exact import ExactDedup
from eyas.filters.dedup.minhash import MinhashDedup
from eyas.filters.dedup.signatures import band_keys, lanes
from eyas.text_kernels.words.words import words

LANES = ["0x2a4c004b6ae97d7f", "0xfccac7c96d3a1e79", "0x93df7413971b78d9", "0x494f4724213d3138"]


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    """Families of copies edited and shortened more or less, and loners, in random order."""
    chance = random.Random(7)
    texts = [" ".join(random_text(chance, chance.randrange(1, 200))) for _ in range(40)]
    for _ in range(40):
        original = random_text(chance, chance.randrange(60, 200))
        copies = [edited(chance, original, chance.randrange(0, 10)) for _ in range(chance.randrange(1, 5))]
        texts += [" ".join(text[: len(text) - chance.randrange(12)]) for text in [original, *copies]]
    chance.shuffle(texts)
    return texts


def check(texts: list[str], fates: list[Fate], threshold: float) -> None:
    """Every drop is right, and its score is the true similarity with a document that stays."""
    sets = [shingle_set(text) for text in texts]
    for i, fate in enumerate(fates):
        if fate.kept:
            assert (fate.reason, fate.score, fate.of) == (None, None, None)
            continue
        assert fate.of is not None
        assert fates[fate.of].kept
        assert fate.reason == "near_duplicate"
        assert fate.score == jaccard(sets[i], sets[fate.of])
        assert fate.score >= threshold
    sizes = [1 + sum(other.of == i for other in fates) for i in range(len(texts))]
    for i, fate in enumerate(fates):
        assert fate.columns["cluster_size"] == sizes[i if fate.of is None else fate.of]


@pytest.mark.parametrize("threshold", [0.3, 0.7, 0.9])
@pytest.mark.parametrize("keep", ["longest", "first"])
def test_every_drop_is_as_alike_as_promised_to_one_that_stays(
    tmp_path: Path, corpus: list[str], threshold: float, keep: str
) -> None:
    fates = run(MinhashDedup(verify_jaccard=threshold, keep=keep), tmp_path, corpus, cuts=[30, 31, 120])
    check(corpus, fates, threshold)
    assert sum(not fate.kept for fate in fates) > 2
    for i, fate in enumerate(fates):
        if fate.of is not None:
            stays = (-len(corpus[fate.of]), fate.of) if keep == "longest" else (fate.of,)
            assert stays < ((-len(corpus[i]), i) if keep == "longest" else (i,))


def test_bands_that_always_meet_find_all_that_brute_force_finds(tmp_path: Path, corpus: list[str]) -> None:
    """With bands of one row nearly every pair is a candidate: then no two that stay are alike."""
    fates = run(MinhashDedup(bands=200, rows=1, verify_jaccard=0.5), tmp_path, corpus)
    check(corpus, fates, 0.5)
    sets = [shingle_set(text) for text in corpus]
    kept = [i for i, fate in enumerate(fates) if fate.kept]
    assert [(i, j) for i in kept for j in kept if i < j and jaccard(sets[i], sets[j]) >= 0.5] == []


@pytest.mark.parametrize("target", [None, {"jaccard": 0.6, "price_of_missing": 4, "lanes": 96}])
def test_recall_is_that_of_the_s_curve(tmp_path: Path, target: dict[str, float] | None) -> None:
    """200 pairs at each of nine similarities: what is found is binomial around the curve."""
    chance = random.Random(3)
    texts, levels = [], []
    for level in range(55, 96, 5):
        for _ in range(200):
            texts += of_similarity(chance, level / 100, 150)
            levels.append(level)
    stage = MinhashDedup(verify_jaccard=0.0, target=target) if target else MinhashDedup(verify_jaccard=0.0)
    fates = run(stage, tmp_path, texts)
    pairs = zip(fates[::2], fates[1::2], texts[::2], texts[1::2], strict=True)
    found = np.array([not (a.kept and b.kept) for a, b, _, _ in pairs])
    true = np.array([jaccard(shingle_set(a), shingle_set(b)) for a, b in zip(texts[::2], texts[1::2], strict=True)])
    assert np.abs(true - np.array(levels) / 100).max() < 0.01
    expected = probability(true, *stage.banding)
    for level in sorted(set(levels)):
        here = np.array(levels) == level
        deviation = np.sqrt((expected[here] * (1 - expected[here])).sum())
        assert abs(found[here].sum() - expected[here].sum()) <= 4 * deviation + 1, level
    deviation = np.sqrt((expected * (1 - expected)).sum())
    assert abs(found.sum() - expected.sum()) <= 3 * deviation


def test_a_chain_of_copies_is_not_cut_down_to_one(tmp_path: Path) -> None:
    """A≈B≈C≈…: neighbours share most of their text, the ends nothing (marin#6854)."""
    words_ = random_text(random.Random(1), 1000)
    chain = [" ".join(words_[start : start + 200]) for start in range(0, 800, 20)]
    fates = run(MinhashDedup(bands=60, rows=3, verify_jaccard=0.7, keep="first"), tmp_path, chain)
    check(chain, fates, 0.7)
    kept = [i for i, fate in enumerate(fates) if fate.kept]
    assert len(kept) >= len(chain) / 3
    assert sum(not fate.kept for fate in fates) >= len(chain) / 3


def test_the_same_for_any_cut_into_parts_and_buckets(
    tmp_path: Path, corpus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(MinhashDedup(), tmp_path / "whole", corpus)
    assert run(MinhashDedup(), tmp_path / "two", corpus, cuts=[77]) == whole
    monkeypatch.setattr(base, "SHARE", 16_000_000 / 20_000)
    cut = run(MinhashDedup(memory=16_000_000), tmp_path / "many", corpus, cuts=[0, 1, 50, 50, 140])
    assert cut == whole


def test_documents_without_words_stay_and_short_ones_compare_whole(tmp_path: Path) -> None:
    texts = ["", "\0", " ", "hello", "hello", "Hello there", "hello there", "a b c d", "a b c d e", "a b c d"]
    fates = run(MinhashDedup(), tmp_path, texts, cuts=[4])
    assert [fate.kept for fate in fates] == [True, True, True, True, False, True, False, True, True, False]
    assert [fate.of for fate in fates if not fate.kept] == [3, 5, 7]
    case = run(MinhashDedup(fold_case=False), tmp_path / "case", texts)
    assert [fate.kept for fate in case][5:7] == [True, True]


def test_a_hundred_thousand_copies_of_one_page_give_edges_and_comparisons_in_proportion(tmp_path: Path) -> None:
    """All pairs would be 5 billion."""
    texts = [" ".join(VOCABULARY[:30])] * 100_000
    fates = run(MinhashDedup(), tmp_path, texts, cuts=[40_000])
    assert [fate.kept for fate in fates] == [True] + [False] * 99_999
    edges = sum(
        read_bucket(Store(str(tmp_path)), [f"pass/{path}"], 0).num_rows
        for path in (f"edges-1-union-find/{name}" for name in Store(str(tmp_path)).list("pass/edges-1-union-find"))
    )
    assert edges == 14 * 99_999
    assert fates[0].columns["cluster_size"] == 100_000


def test_documents_around_one_boilerplate_all_stay(tmp_path: Path) -> None:
    """Half of every document is the same: one component, and no two alike."""
    chance = random.Random(5)
    notice = random_text(chance, 60)
    texts = [" ".join([*notice, *random_text(chance, 60)]) for _ in range(3000)]
    fates = run(MinhashDedup(), tmp_path, texts)
    assert all(fate.kept for fate in fates)


def test_a_cluster_that_does_not_fit_is_verified_from_a_file(tmp_path: Path, corpus: list[str]) -> None:
    """More shingles in one range than memory may hold: the same verdicts, paged by the system."""
    whole = run(MinhashDedup(), tmp_path / "whole", corpus)
    tight = MinhashDedup().model_copy(update={"memory": 4_000})  # below what the option allows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "SHARE", 1e-6)  # one range, whatever its size
        assert run(tight, tmp_path / "tight", corpus) == whole


def test_stars_in_files_decide_as_union_find(
    tmp_path: Path, corpus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(MinhashDedup(), tmp_path / "whole", corpus)
    monkeypatch.setattr(minhash, "LEAST_BYTES", 1e12)
    assert run(MinhashDedup(), tmp_path / "stars", corpus, cuts=[50, 120]) == whole
    assert (tmp_path / "stars/pass/stars-1").is_dir() and not (tmp_path / "whole/pass/stars-1").exists()


def test_which_copy_stays_is_an_expression_and_sizes_add_up_over_stages(tmp_path: Path) -> None:
    text = " ".join(VOCABULARY[:50])
    texts = [text, f"{text} more", f"{text} even more"]
    for keep, stays in (("first", 0), ("longest", 2), ("shortest", 0), ("source(nobody), longest", 2)):
        fates = run(MinhashDedup(keep=keep), tmp_path / keep, texts, cuts=[1])
        assert [fate.kept for fate in fates] == [i == stays for i in range(3)], keep
        assert fates[stays].columns == {"cluster_id": stays, "cluster_size": 3}
    exact = run(ExactDedup(), tmp_path / "exact", [text, text, f"{text} more"])
    sizes = [fate.columns["cluster_size"] for fate in exact if fate.kept]
    assert sizes == [2, 1]
    both = run(MinhashDedup(), tmp_path / "both", [text, f"{text} more"], carry={"cluster_size": [2, 1]})
    assert [fate.columns["cluster_size"] for fate in both] == [3, 3]


def test_of_identical_documents_one_stays(tmp_path: Path) -> None:
    texts = [" ".join(random_text(random.Random(0), 50))] * 300
    fates = run(MinhashDedup(verify_jaccard=1.0), tmp_path, texts, cuts=[100, 200])
    assert [fate.kept for fate in fates] == [True] + [False] * 299
    assert {fate.columns["cluster_size"] for fate in fates} == {300}


def test_documents_dropped_before_take_no_part(tmp_path: Path) -> None:
    text = " ".join(VOCABULARY[:50])
    fates = run(MinhashDedup(), tmp_path, [text, "x y z", text, text], cuts=[2], dead=[0])
    assert [(fate.kept, fate.of) for fate in fates] == [(True, None), (True, None), (False, 2)]


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    assert run(MinhashDedup(), tmp_path, []) == []
    assert list(MinhashDedup().plan([])) == []
    assert run(MinhashDedup(), tmp_path / "dead", ["a b c", "a b c"], dead=[0, 1]) == []


def test_folding_options_reach_the_words(tmp_path: Path) -> None:
    plain, changed = "on 12 May, they met; all of them", "on 34 May they met all of them"
    assert len(words(pa.array([plain], pa.large_string()))[0]) == 10
    strict = run(MinhashDedup(bands=200, rows=1, verify_jaccard=1.0), tmp_path / "strict", [plain, changed])
    assert [fate.kept for fate in strict] == [True, True]
    loose = MinhashDedup(bands=200, rows=1, verify_jaccard=1.0, fold_digits=True, skip_punctuation=True)
    assert [fate.kept for fate in run(loose, tmp_path / "loose", [plain, changed])] == [True, False]


def test_folding_may_differ_by_source(tmp_path: Path) -> None:
    """The driver's source is called s."""
    texts = ["in 1905 he wrote four papers", "in 1915 he wrote four papers"]
    for sources, dropped in ((("s", "web"), True), (("web",), False)):
        stage = MinhashDedup(bands=200, rows=1, verify_jaccard=1.0, fold_digits=sources)
        assert run(stage, tmp_path / sources[0], texts)[1].kept != dropped
    assert MinhashDedup(fold_digits=["web"], keep="source(wiki, web)").sources_named() == ("wiki", "web", "web")


# --- signatures -----------------------------------------------------------------------------------------------------


def twin(sets: list[list[int]], count: int) -> np.ndarray:
    """Signatures by definition: uint32[sets, count]."""
    a, b = lanes(count, seed=1)
    constants = list(zip(a.tolist(), b.tolist(), strict=True))
    lanes_of = [[min([(x * v + y) % 2**64 >> 32 for v in s], default=2**32 - 1) for x, y in constants] for s in sets]
    return np.array(lanes_of, np.uint32)


def test_band_keys_are_those_of_the_twin() -> None:
    chance = random.Random(5)
    expected = twin([[chance.randrange(2**64) for _ in range(size)] for size in (0, 1, 2, 30)], 12)
    keys = band_keys(expected, 4, 3).reshape(-1, 4)
    for document, row in enumerate(expected.tolist()):
        for band in range(4):
            key = 0x9E3779B97F4A7C15 * (band + 1) % 2**64
            for value in row[3 * band : 3 * band + 3]:
                key = (key ^ value) * 0xD6E8FEB86659FD93 % 2**64
                key ^= key >> 32
            assert int(keys[document, band]) == key


def test_the_hash_functions_never_change() -> None:
    """Signatures are kept and compared across runs and machines."""
    a, b = lanes(2, seed=1)
    assert [hex(value) for value in [*a.tolist(), *b.tolist()]] == LANES


def test_the_s_curve_is_the_formula_and_rises() -> None:
    assert probability(0.8, 14, 8) == pytest.approx(0.924, abs=0.001)
    curve = [float(probability(value / 10, 14, 8)) for value in range(11)]
    assert curve == sorted(curve)
    assert (curve[0], curve[-1]) == (0.0, 1.0)
