"""LaTeX options: which commands they name, and which commands they refuse."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from eyas.tokenizer_train.latex_commands import BUILTIN, LatexOptions, named


def test_options_name_the_builtin_list_a_list_of_their_own_or_leave_it_to_the_text() -> None:
    assert named(None) == []
    assert named(LatexOptions()) == list(BUILTIN)
    assert named(LatexOptions(inject=["\\in", "\\frac", "\\in"])) == ["\\in", "\\frac"]
    assert named(LatexOptions(inject="corpus")) is None


def test_the_builtin_list_holds_each_command_once() -> None:
    assert len(set(BUILTIN)) == len(BUILTIN)
    assert {"\\frac", "\\alpha", "\\infty", "\\begin"} <= set(BUILTIN)
    assert LatexOptions(inject=list(BUILTIN)).inject == list(BUILTIN)  # each of them is a command


@pytest.mark.parametrize("command", ["frac", "\\fr ac", "\\", "\\1", "\\é"])
def test_what_is_no_command_is_refused(command: str) -> None:
    with pytest.raises(ValidationError, match="is not a LaTeX command"):
        LatexOptions(inject=[command])
