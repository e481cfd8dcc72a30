"""The split into training and held-out: different texts only, and refusals that say why."""

from __future__ import annotations

import pyarrow as pa
import pytest
from classifier_driver import stage, texts

from eyas.filters.classifiers.learning import LEAST, prepare
from eyas.filters.classifiers.sampling import CLASSES, NEGATIVE, POSITIVE, SURVEY, sample_schema
from eyas.filters.classifiers.text import one_line


def sample(*pieces: tuple[int, list[str]]) -> list[pa.Table]:
    """Samples as the stage's tasks leave them."""
    schema = sample_schema(["source"])
    made = [{"class": number, "text": text, "source": CLASSES[number]} for number, many in pieces for text in many]
    return [pa.Table.from_pylist(made, schema=schema)]


def test_the_same_text_is_never_on_both_sides() -> None:
    made = stage(groups=["source"], held_out=0.4, survey=5)
    good, bad = texts(True, 50), texts(False, 50)
    twins = [text.replace(" ", "\n") for text in good]  # to the model, the same text
    samples = sample(
        (POSITIVE, good + twins), (NEGATIVE, bad * 2 + ["", " \n"]), (SURVEY, [*good, "def f(): pass", ""])
    )
    found = prepare(made.spec, samples, 3)
    learned = set(one_line(found.train.column("text"), made.text))
    judged = one_line(found.tested.column("text"), made.text)
    assert not learned & set(judged) and len(set(judged)) == len(judged) == 41
    assert found.labels == [True] * 20 + [False] * 20 + [None]
    assert found.sizes["copies_left_out"] == 102 and found.train.num_rows == 60
    assert "positives" in found.train.column("source").to_pylist()[:20] and (
        "negatives" in found.train.column("source").to_pylist()[:20]
    )


def test_a_text_in_both_classes_is_refused_or_left_out() -> None:
    good, bad = texts(True, 30), texts(False, 30)
    samples = sample((POSITIVE, [*good, bad[0]]), (NEGATIVE, bad))
    with pytest.raises(ValueError, match=r"prose: 1 texts are examples of both classes, such as '.*`in_both: drop`"):
        prepare(stage(groups=["source"]).spec, samples, 0)
    found = prepare(stage(groups=["source"], in_both="drop").spec, samples, 0)
    assert found.sizes["in_both_left_out"] == 1
    seen = found.train.column("text").to_pylist() + found.tested.column("text").to_pylist()
    assert bad[0] not in seen and len(seen) == 59


def test_too_few_texts_are_refused() -> None:
    samples = sample((POSITIVE, texts(True, LEAST)), (NEGATIVE, ["a", "b", "b"] * 30))
    with pytest.raises(
        ValueError, match=r"prose: 2 different texts among the negatives \(where source = 'web'\), at least 20"
    ):
        prepare(stage(groups=["source"]).spec, samples, 0)
