"""MinHash deduplication against brute force: no wrong drop, the recall that the S-curve promises, the same for any cut."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from dedup_driver import Outcome, run
from near_copies import VOCABULARY, edited, jaccard, of_similarity, random_text, shingle_set

from eyas.corpus.shuffle import read_bucket
from eyas.corpus.store import Store
from eyas.filters.dedup import base, minhash
from eyas.filters.dedup.banding import probability
from eyas.filters.dedup.exact import ExactDedup
from eyas.filters.dedup.minhash import MinhashDedup
from eyas.text_kernels.words.words import words


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


def check(texts: list[str], outcomes: list[Outcome], threshold: float) -> None:
    """Every drop is right, and its score is the true similarity with a document that stays."""
    sets = [shingle_set(text) for text in texts]
    for i, outcome in enumerate(outcomes):
        if outcome.kept:
            assert (outcome.reason, outcome.score, outcome.of) == (None, None, None)
            continue
        assert outcome.of is not None
        assert outcomes[outcome.of].kept
        assert outcome.reason == "near_duplicate"
        assert outcome.score == jaccard(sets[i], sets[outcome.of])
        assert outcome.score >= threshold
    sizes = [1 + sum(other.of == i for other in outcomes) for i in range(len(texts))]
    for i, outcome in enumerate(outcomes):
        assert outcome.columns["cluster_size"] == sizes[i if outcome.of is None else outcome.of]


@pytest.mark.parametrize("threshold", [0.3, 0.7, 0.9])
@pytest.mark.parametrize("keep", ["longest", "first"])
def test_every_drop_is_as_alike_as_promised_to_one_that_stays(
    tmp_path: Path, corpus: list[str], threshold: float, keep: str
) -> None:
    outcomes = run(MinhashDedup(verify_jaccard=threshold, keep=keep), tmp_path, corpus, cuts=[30, 31, 120])
    check(corpus, outcomes, threshold)
    assert sum(not outcome.kept for outcome in outcomes) > 2
    for i, outcome in enumerate(outcomes):
        if outcome.of is not None:
            stays = (-len(corpus[outcome.of]), outcome.of) if keep == "longest" else (outcome.of,)
            assert stays < ((-len(corpus[i]), i) if keep == "longest" else (i,))


def test_bands_that_always_meet_find_all_that_brute_force_finds(tmp_path: Path, corpus: list[str]) -> None:
    """With bands of one row nearly every pair is a candidate: then no two that stay are alike."""
    outcomes = run(MinhashDedup(bands=200, rows=1, verify_jaccard=0.5), tmp_path, corpus)
    check(corpus, outcomes, 0.5)
    sets = [shingle_set(text) for text in corpus]
    kept = [i for i, outcome in enumerate(outcomes) if outcome.kept]
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
    outcomes = run(stage, tmp_path, texts)
    pairs = zip(outcomes[::2], outcomes[1::2], texts[::2], texts[1::2], strict=True)
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
    outcomes = run(MinhashDedup(bands=60, rows=3, verify_jaccard=0.7, keep="first"), tmp_path, chain)
    check(chain, outcomes, 0.7)
    kept = [i for i, outcome in enumerate(outcomes) if outcome.kept]
    assert len(kept) >= len(chain) / 3
    assert sum(not outcome.kept for outcome in outcomes) >= len(chain) / 3


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
    outcomes = run(MinhashDedup(), tmp_path, texts, cuts=[4])
    assert [outcome.kept for outcome in outcomes] == [True, True, True, True, False, True, False, True, True, False]
    assert [outcome.of for outcome in outcomes if not outcome.kept] == [3, 5, 7]
    case = run(MinhashDedup(fold_case=False), tmp_path / "case", texts)
    assert [outcome.kept for outcome in case][5:7] == [True, True]


def test_a_hundred_thousand_copies_of_one_page_give_edges_and_comparisons_in_proportion(tmp_path: Path) -> None:
    """All pairs would be 5 billion."""
    texts = [" ".join(VOCABULARY[:30])] * 100_000
    outcomes = run(MinhashDedup(), tmp_path, texts, cuts=[40_000])
    assert [outcome.kept for outcome in outcomes] == [True] + [False] * 99_999
    edges = sum(
        read_bucket(Store(str(tmp_path)), [f"pass/{path}"], 0).num_rows
        for path in (f"edges-1-union-find/{name}" for name in Store(str(tmp_path)).list("pass/edges-1-union-find"))
    )
    assert edges == 14 * 99_999
    assert outcomes[0].columns["cluster_size"] == 100_000


def test_documents_around_one_boilerplate_all_stay(tmp_path: Path) -> None:
    """Half of every document is the same: one component, and no two alike."""
    chance = random.Random(5)
    notice = random_text(chance, 60)
    texts = [" ".join([*notice, *random_text(chance, 60)]) for _ in range(3000)]
    outcomes = run(MinhashDedup(), tmp_path, texts)
    assert all(outcome.kept for outcome in outcomes)


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
        outcomes = run(MinhashDedup(keep=keep), tmp_path / keep, texts, cuts=[1])
        assert [outcome.kept for outcome in outcomes] == [i == stays for i in range(3)], keep
        assert outcomes[stays].columns == {"cluster_id": stays, "cluster_size": 3}
    exact = run(ExactDedup(), tmp_path / "exact", [text, text, f"{text} more"])
    sizes = [outcome.columns["cluster_size"] for outcome in exact if outcome.kept]
    assert sizes == [2, 1]
    both = run(MinhashDedup(), tmp_path / "both", [text, f"{text} more"], carry={"cluster_size": [2, 1]})
    assert [outcome.columns["cluster_size"] for outcome in both] == [3, 3]


def test_of_identical_documents_one_stays(tmp_path: Path) -> None:
    texts = [" ".join(random_text(random.Random(0), 50))] * 300
    outcomes = run(MinhashDedup(verify_jaccard=1.0), tmp_path, texts, cuts=[100, 200])
    assert [outcome.kept for outcome in outcomes] == [True] + [False] * 299
    assert {outcome.columns["cluster_size"] for outcome in outcomes} == {300}


def test_documents_dropped_before_take_no_part(tmp_path: Path) -> None:
    text = " ".join(VOCABULARY[:50])
    outcomes = run(MinhashDedup(), tmp_path, [text, "x y z", text, text], cuts=[2], gone=[0])
    assert [(outcome.kept, outcome.of) for outcome in outcomes] == [(True, None), (True, None), (False, 2)]


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    assert run(MinhashDedup(), tmp_path, []) == []
    assert list(MinhashDedup().plan([])) == []
    assert run(MinhashDedup(), tmp_path / "gone", ["a b c", "a b c"], gone=[0, 1]) == []


def test_folding_options_reach_the_words(tmp_path: Path) -> None:
    plain, changed = "on 12 May, they met; all of them", "on 34 May they met all of them"
    assert len(words(pa.array([plain], pa.large_string()))[0]) == 10
    strict = run(MinhashDedup(bands=200, rows=1, verify_jaccard=1.0), tmp_path / "strict", [plain, changed])
    assert [outcome.kept for outcome in strict] == [True, True]
    loose = MinhashDedup(bands=200, rows=1, verify_jaccard=1.0, fold_digits=True, skip_punctuation=True)
    assert [outcome.kept for outcome in run(loose, tmp_path / "loose", [plain, changed])] == [True, False]


def test_folding_may_differ_by_source(tmp_path: Path) -> None:
    """The driver's source is called s."""
    texts = ["in 1905 he wrote four papers", "in 1915 he wrote four papers"]
    for sources, dropped in ((("s", "web"), True), (("web",), False)):
        stage = MinhashDedup(bands=200, rows=1, verify_jaccard=1.0, fold_digits=sources)
        assert run(stage, tmp_path / sources[0], texts)[1].kept != dropped
    assert MinhashDedup(fold_digits=["web"], keep="source(wiki, web)").sources_named() == ("wiki", "web", "web")
