"""The template environment that all pages share: hostile text is escaped, a misspelt name is an error."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from eyas.corpus.show.page import BASE, templates

HOSTILE = "<script>alert(1)</script>"


def test_a_page_extends_the_shared_one_and_escapes_what_it_shows() -> None:
    environment = templates("eyas.filters.classifiers")
    source = (
        '{% extends "' + BASE + '" %}{% block title %}{{ t }}{% endblock %}{% block main %}<p>{{ t }}</p>{% endblock %}'
    )
    page = environment.from_string(source).render(t=HOSTILE)
    assert "<script" not in page and page.count("&lt;script&gt;") == 2
    assert "default-src 'none'" in page and page.startswith("<!doctype html>")


def test_a_name_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'missing' is undefined"):
        templates("eyas.filters.classifiers").from_string("{{ missing }}").render()


def test_filters_of_all_pages_and_of_one() -> None:
    environment = templates("eyas.filters.classifiers", twice=lambda text: text * 2)
    source = "{{ 12345|count }} {{ 0.1234|share }} {{ 12300000|human }} {{ 'ab'|twice }}"
    assert environment.from_string(source).render() == "12,345 12.3 % 12.3 MB abab"


def test_lines_of_tags_alone_leave_white_space_only_if_asked() -> None:
    source = "a\n  {% if true %}\nb\n  {% endif %}\n"
    assert templates("eyas.filters.classifiers").from_string(source).render() == "a\nb\n"
    assert templates("eyas.filters.classifiers", trim_blocks=False).from_string(source).render() == "a\n  \nb\n  "
