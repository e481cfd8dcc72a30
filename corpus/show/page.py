"""HTML pages: builds the template environment of a package, in which everything shown is escaped.

Every page extends `page.html.jinja`, which forbids scripts and network access by its Content-Security-Policy and holds
the style that all pages share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eyas.corpus.show.text import human

if TYPE_CHECKING:
    from jinja2 import Environment

BASE = "page.html.jinja"


def templates(package: str, trim_blocks: bool = True, **filters: Callable[[Any], str]) -> Environment:
    """The environment of the templates in the folder `templates/` of `package`; they may extend `page.html.jinja`.

    Filters of all pages: `human` (bytes: 12.3 MB), `count` (12,345), `share` (0.123: 12.3 %). `filters` adds those of one
    page. `trim_blocks`: whether a line that holds only a tag leaves no white space behind.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("eyas.corpus.show")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=trim_blocks,
        lstrip_blocks=trim_blocks,
    )
    environment.filters.update(human=human, count=count, share=share, **filters)
    return environment


def count(number: int) -> str:
    """A whole number with commas: 12,345."""
    return f"{number:,}"


def share(part: float) -> str:
    """A share as percentage: 0.123 is 12.3 %."""
    return f"{100 * part:.1f} %"
