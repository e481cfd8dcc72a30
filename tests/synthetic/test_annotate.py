"""Grades by a language model: on a sample, beside the text, with a note on each failure."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fake_endpoint import FakeEndpoint, fake_endpoint
from pydantic import ValidationError

from eyas.corpus.documents import NOTE, documents
from eyas.synthetic.annotate import Annotate

TEXTS = [f"Text number {i} teaches {'much' if i % 2 else 'nothing'}." for i in range(40)]
DOCS = documents(list(range(40)), TEXTS, "s", [f"o{i}" for i in range(40)])


@pytest.fixture
def fake() -> Iterator[FakeEndpoint]:
    with fake_endpoint() as running:
        running.say = lambda text: json.dumps({"reason": "because", "score": 4 if "much" in text else 1})
        yield running


def test_a_sample_is_graded_and_the_rest_has_no_grade(fake: FakeEndpoint) -> None:
    out = Annotate(endpoint=fake.url, model="m", share=0.5).map(DOCS)
    grades = out.column("grade").to_pylist()
    assert out.column("id").equals(DOCS.column("id")) and out.column("text").equals(DOCS.column("text"))
    assert 10 < len(fake.asked) == sum(grade is not None for grade in grades) < 30
    assert all(grade in (None, 4.0 if i % 2 else 1.0) for i, grade in enumerate(grades))
    assert out.column(NOTE).null_count == 40
    half = Annotate(endpoint=fake.url, model="m", share=0.5).map(DOCS.slice(20))
    assert half.column("grade").to_pylist() == grades[20:], "the sample does not depend on the batch"


def test_a_document_that_cannot_be_graded_stays_with_a_note(fake: FakeEndpoint) -> None:
    fake.say = lambda text: '{"reason": "x", "score": 9}' if "number 3 " in text else '{"reason": "x", "score": 2}'
    fake.behaviour = lambda number, text: "bad_json" if "number 5 " in text else "good"
    stage = Annotate(endpoint=fake.url, model="m", retries=0, budget={"requests": 20}, concurrency=1)
    out = stage.map(DOCS)
    notes = out.column(NOTE).to_pylist()
    assert "not what the schema asks for" in notes[3] and "is not JSON" in notes[5]
    assert notes[20] == "not graded: budget_exhausted: requests" and len(fake.asked) == 20
    assert out.column("grade").null_count == 22


def test_mistakes_are_errors_in_words() -> None:
    with pytest.raises(ValidationError, match="gives no grades"):
        Annotate(prompt="distill")
    with pytest.raises(ValidationError, match="column of every document"):
        Annotate(column="text")
