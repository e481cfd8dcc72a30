"""The report as a page: hostile text stays text, no script, and no time in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from classifier_driver import rows, stage, tiny_encoder, train

EVIL = "<script>alert(1)</script>\u202e$\\frac$ \0 ]]> &amp; <img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """Names of the tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_hostile_text_and_names_are_escaped(tmp_path: Path) -> None:
    made = rows(60, 60, 5)
    for row in made[:60]:
        row["text"] = f"{EVIL} {row['text']}"
        row["kind"] = EVIL
    page = (train(stage(held_out=0.4), tmp_path, made) / "report.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert not {"script", "img", "iframe", "link", "object"} & tags.names
    assert not any(name.startswith("on") for name in tags.attributes)
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"(src|href)=[\"']https?:", page)
    assert "default-src 'none'" in page


def test_it_answers_what_one_asks(tmp_path: Path) -> None:
    page = (train(stage(), tmp_path, rows(60, 60, 20)) / "report.html").read_text()
    for words in (
        "ROC AUC",
        "Precision and recall",
        "Calibration",
        "By source",
        "By kind",
        "By language",
        "What it gets wrong",
    ):
        assert words in page, words
    assert "Guessing by source alone reaches an AUC of 1.000" in page
    assert page.count("<svg") == 4 + 3 and page.count("<pre>") == 12
    assert "river" in page and "seed" in page


def test_an_encoder_has_its_page_too(tmp_path: Path) -> None:
    kind = {"encoder": str(tiny_encoder(tmp_path / "bert")), "pooling": "cls"}
    page = (train(stage(kind=kind, survey=0), tmp_path / "run", rows(40, 40)) / "report.html").read_text()
    assert "logistic head on" in page and "Words that weigh most" not in page and "scikit-learn" in page
