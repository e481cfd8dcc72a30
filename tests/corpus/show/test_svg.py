"""Plots that are written into a page: whole, without script, and the same bytes twice."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from eyas.corpus.show.svg import HOT, inline_svg

HOSTILE = '<script>alert(1)</script> & "ü" \u202e'


def draw(axes: Any) -> None:
    axes.plot([0, 1, 2], [3, 1, 2], color=HOT)
    axes.set_xlabel(HOSTILE)


def test_it_is_one_element_in_which_text_stays_text() -> None:
    svg = inline_svg(draw, 4, 2)
    tree = ElementTree.fromstring(svg)
    assert tree.tag.endswith("svg") and "script" not in {element.tag.split("}")[-1] for element in tree.iter()}
    assert "&lt;script&gt;" in svg and HOT in svg
    assert any("alert(1)" in (element.text or "") for element in tree.iter())


def test_it_is_the_same_twice() -> None:
    assert inline_svg(draw, 4, 2) == inline_svg(draw, 4, 2)
