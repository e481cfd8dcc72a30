"""Option models: no unknown key, no change after the fact, and the docstring of a field as its help."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from eyas.corpus.options import Options


class Example(Options):
    """Options of an example."""

    size: int = 3
    """How large."""


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(ValidationError, match="sise"):
        Example.model_validate({"sise": 4})


def test_options_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Example(size=4).size = 5  # type: ignore[misc]


def test_a_docstring_is_the_help() -> None:
    assert Example.model_fields["size"].description == "How large."
