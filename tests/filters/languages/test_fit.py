"""Fitting: the asked share fails, nearest of all thresholds; what was right stays; what is written reads back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyas.filters.languages import read
from eyas.filters.languages.fit import Fitted, fit, to_yaml

RULE = "gopher_repetition.dup_line_frac"
scores = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.integers(0, 9).map(float), st.sampled_from([0.0, math.nan, math.inf])),
    max_size=60,
)
directions = st.sampled_from(["at_least", "at_most"])


def fails(values, threshold, direction):
    return values < threshold if direction == "at_least" else values > threshold


def one(values, direction="at_most", default=0.3, **options):
    options = {"method": "tail", "min_documents": 1, **options}
    return fit({RULE: np.array(values)}, {RULE: direction}, {RULE: default}, ["de"] * len(values), **options)[0]


@given(
    values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200, unique=True),
    direction=directions,
    share=st.floats(0.01, 0.5),
)
def test_tail_fails_the_asked_share_within_one_document(values, direction, share):
    result = one(values, direction, share=share)
    assert abs(result.after - share) <= 1 / len(values)
    assert result.after == fails(np.array(values), result.threshold, direction).mean()


@given(values=scores, direction=directions, share=st.floats(0.01, 0.5), default=st.floats(-10, 10))
def test_no_threshold_comes_nearer_to_the_share(values, direction, share, default):
    values = np.array(values)
    finite = values[np.isfinite(values)]
    results = fit(
        {RULE: values},
        {RULE: direction},
        {RULE: default},
        ["de"] * len(values),
        method="tail",
        share=share,
        min_documents=1,
    )
    assert len(results) == (len(values) > 0)
    for result in results:
        assert result.documents == len(finite)
        assert result.kept is None if len(finite) else result.threshold == default
        if len(finite):
            edges = np.concatenate((finite, np.nextafter(finite, -np.inf), np.nextafter(finite, np.inf)))
            best = min(abs(fails(finite, edge, direction).mean() - share) for edge in edges)
            assert abs(result.after - share) == pytest.approx(best, abs=1e-12)
            assert result.before == fails(finite, default, direction).mean()
            assert result.after == fails(finite, result.threshold, direction).mean()


@given(values=scores, direction=directions, default=st.floats(-10, 10))
def test_the_reference_keeps_its_defaults(values, direction, default):
    values = np.array([*values, 1.0])
    result = fit({RULE: values}, {RULE: direction}, {RULE: default}, ["en"] * len(values), min_documents=1)[0]
    assert result.threshold == default
    assert result.before == result.after


@given(
    english=st.lists(st.floats(0, 1), min_size=1, max_size=80),
    german=st.lists(st.floats(0, 9), min_size=1, max_size=80, unique=True),
    direction=directions,
)
def test_quantile_carries_the_share_over(english, german, direction):
    values = np.array(english + german)
    languages = np.array(["en"] * len(english) + ["de"] * len(german))
    results = fit({RULE: values}, {RULE: direction}, {RULE: 0.3}, languages, min_documents=1)
    de, en = results
    assert (de.language, en.language) == ("de", "en")
    assert abs(de.after - en.before) <= 1 / len(german)


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=80), share=st.floats(0.01, 0.4), more=st.floats(0.01, 0.1))
def test_a_greater_share_never_loosens_a_threshold(values, share, more):
    assert one(values, "at_least", share=share).after <= one(values, "at_least", share=share + more).after
    assert one(values, "at_most", share=share).after <= one(values, "at_most", share=share + more).after


def test_a_fitted_language_is_fitted_for_good():
    values = np.random.default_rng(1).normal(0.2, 0.1, 1000)
    once = one(values, share=0.1)
    assert one(values, default=once.threshold, share=0.1).threshold == once.threshold


def test_thresholds_are_round_and_counts_stay_whole():
    assert one(np.linspace(0, 1, 1001), share=0.1).threshold == pytest.approx(0.9)
    assert len(repr(one(np.random.default_rng(2).random(1000), share=0.1).threshold)) <= 6
    counts = one(np.arange(1000.0), "at_least", default=50, share=0.1)
    assert (counts.threshold, counts.after) == (100, 0.1)


def test_an_upper_bound_is_never_zero():
    result = one([0.0] * 96 + [0.2, 0.3, 0.4, 0.5], share=0.05)
    assert 0 < result.threshold < 0.2
    assert result.after == 0.04


def test_mean_and_deviation_carry_over():
    random = np.random.default_rng(3)
    english, german = random.normal(5, 1, 5000), random.normal(6, 2, 5000)
    languages = ["en"] * 5000 + ["de"] * 5000
    german_result = fit(
        {RULE: np.concatenate((english, german))}, {RULE: "at_most"}, {RULE: 7.0}, languages, method="mean_std"
    )[0]
    assert german_result.threshold == pytest.approx(10, abs=0.2)  # two deviations above the mean
    flat = fit({RULE: np.ones(10)}, {RULE: "at_most"}, {RULE: 7.0}, ["en"] * 10, method="mean_std", min_documents=5)[0]
    assert (flat.threshold, flat.kept) == (7, "all scores of the reference are equal")


def test_too_few_documents_keep_the_default_and_say_so():
    values = np.concatenate((np.arange(300.0), np.arange(199.0), [math.nan] * 50))
    languages = ["en"] * 300 + ["de"] * 249
    german = fit({RULE: values}, {RULE: "at_most"}, {RULE: 100.0}, languages)[0]
    assert (german.threshold, german.documents, german.kept) == (100, 199, "fewer than 200 documents")
    assert german.before == german.after == 98 / 199


def test_documents_without_a_language_are_left_out():
    results = fit(
        {RULE: np.arange(4.0)}, {RULE: "at_most"}, {RULE: 1.0}, ["de", None, "", "de"], method="tail", min_documents=1
    )
    assert [(result.language, result.documents) for result in results] == [("de", 2)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "median"}, "quantile, tail, mean_std"),
        ({"method": "tail", "share": 0.0}, "above 0 and at most 0.5"),
        ({"reference": "fr"}, "there are de, en"),
        ({"defaults": {}}, "default threshold"),
        ({"defaults": {RULE: math.nan}}, "default threshold"),
        ({"directions": {RULE: "below"}}, "at_least or at_most"),
        ({"scores": {RULE: np.zeros(3)}}, "expected one for each document"),
    ],
)
def test_arguments_that_do_not_fit(options, said):
    arguments = {
        "scores": {RULE: np.zeros(2)},
        "directions": {RULE: "at_most"},
        "defaults": {RULE: 1.0},
        "min_documents": 1,
    }
    with pytest.raises(ValueError, match=said):
        fit(**{**arguments, "languages": ["de", "en"], **options})


def result(rule, threshold, kept=None, language="de"):
    return Fitted(language, rule, threshold, 0.5, 0.1, 0.05, 1234, kept)


def test_what_is_written_reads_back(tmp_path):
    fitted = [
        result("gopher_quality.min_doc_words", 42.0),
        result("gopher_quality.max_avg_word_length", 12.5),
        result("gopher_repetition.top_n_grams[3]", 0.15),
        result("gopher_repetition.top_n_grams[2]", 0.5, "fewer than 200 documents"),
        result("gopher_repetition.dup_line_frac", 0.5, "fewer than 200 documents"),
        result("language.min_score", 0.5, "fewer than 200 documents", "fr"),
        result("language.min_score", 1e-7, language="no"),
    ]
    text = to_yaml(fitted, "method tail, share 5 %\n2026-11-23: {not yaml")
    path = tmp_path / "fitted.yaml"
    path.write_text(text, encoding="utf-8")
    assert read(path) == {
        "de": {
            "gopher_quality": {"min_doc_words": 42, "max_avg_word_length": 12.5},
            "gopher_repetition": {"top_n_grams": [[2, 0.5], [3, 0.15]]},
        },
        "no": {"language": {"min_score": 1e-7}},
    }
    assert text.startswith("# method tail, share 5 %\n# 2026-11-23: {not yaml\nde:\n")
    assert "max_avg_word_length: 12.5  # 1,234 documents; 10.00% fail at 0.5, 5.00% now" in text
    assert "# dup_line_frac: the default is kept: fewer than 200 documents (1,234)" in text
    assert "[2, 0.5]  # 1,234 documents; 10.00% fail at 0.5, 5.00% now; the default is kept" in text


@given(threshold=st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_reads_back(threshold, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "number.yaml"
    path.write_text(to_yaml([result(RULE, threshold)]), encoding="utf-8")
    assert read(path) == {"de": {"gopher_repetition": {"dup_line_frac": threshold}}}


@pytest.mark.parametrize("fitted", [[], [result(RULE, 0.5, "fewer than 200 documents")]])
def test_nothing_fitted_is_an_empty_file(tmp_path, fitted):
    path = tmp_path / "fitted.yaml"
    path.write_text(to_yaml(fitted, "nothing"), encoding="utf-8")
    assert read(path) == {}


@pytest.mark.parametrize(
    "rule", ["dup_line_frac", "gopher_repetition.dup", "gopher_repetition.top_n_grams", f"{RULE}[2]", "a.b\nc: d"]
)
def test_rules_that_name_no_option_are_refused(rule):
    with pytest.raises(ValueError, match=r"expected stage\.option"):
        to_yaml([result(rule, 1.0)])


def test_hostile_labels_and_doubles_are_refused():
    with pytest.raises(ValueError, match="not a label of a language"):
        to_yaml([result(RULE, 1.0, language="de: {}\nfr")])
    with pytest.raises(ValueError, match="comes twice"):
        to_yaml([result(RULE, 1.0), result(RULE, 2.0)])
