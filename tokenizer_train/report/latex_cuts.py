r"""How a tokenizer cuts the LaTeX commands that mathematics really uses.

A command that is one token is read and written in one step. A command that begins with the token of another command is
worse than any other cut: `\infty` as `\in` + `fty` says "element of" first. Commands are found as TeX finds them: a
backslash and letters, where `\\` is a line break and begins none. Memory grows with the number of distinct commands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from eyas.text_kernels.utf8 import buffers
from eyas.tokenizer_train.report.cuts import Cuts, Spans
from eyas.tokenizer_train.report.loaded import LoadedTokenizer

_COMMAND = re.compile(rb"\\\\|\\[A-Za-z]+")
_OTHER = re.compile(rb"\s*(\\[A-Za-z]+)")
LISTED = 60
"""Commands that are listed one by one, the most frequent first."""
SEEN = 5
"""Occurrences from which a command counts among the distinct ones. The rest are typing errors and private macros."""
_MOST = 200_000
"""The most distinct commands that are counted."""


@dataclass
class Command:
    """One command in the mathematics of the corpus."""

    count: int = 0
    """Occurrences in texts that come back byte by byte."""
    whole: int = 0
    """Occurrences that are one token, with at most white space before the command."""
    other: int = 0
    """Occurrences that are cut, and whose first token is another command."""

    @property
    def is_whole(self) -> bool:
        """Whether at least half of its occurrences are one token."""
        return self.count > 0 and 2 * self.whole >= self.count


@dataclass
class LatexCuts:
    """Sums over the mathematics of the corpus."""

    commands: dict[str, Command] = field(default_factory=dict)

    def add(self, loaded: LoadedTokenizer, ids: pa.LargeListArray, names: Sequence[str], cuts: Cuts) -> None:
        """Adds the commands `names` of some texts, as from `command_spans`, with the cuts of their spans."""
        flat = ids.values.to_numpy(zero_copy_only=False)
        for i, name in enumerate(names):
            pieces = int(cuts.pieces[i])
            if pieces == 0 or (name not in self.commands and len(self.commands) >= _MOST):
                continue
            command = self.commands.setdefault(name, Command())
            command.count += 1
            command.whole += bool(cuts.alone[i])
            if pieces > 1:
                first = _OTHER.fullmatch(loaded.tokens[int(flat[cuts.first[i]])] or b"")
                command.other += first is not None and first[1] != name.encode()

    @property
    def occurrences(self) -> int:
        """All occurrences of commands."""
        return sum(command.count for command in self.commands.values())

    def ranked(self) -> list[tuple[str, Command]]:
        """The commands in the order of their frequency, the most frequent first."""
        return sorted(self.commands.items(), key=lambda item: (-item[1].count, item[0]))

    def to_json(self, loaded: LoadedTokenizer) -> dict[str, Any]:
        """The shares, and the most frequent commands with their pieces when they stand alone."""
        often = [(name, command) for name, command in self.ranked() if command.count >= SEEN]
        total = max(self.occurrences, 1)
        listed = often[:LISTED]
        infty = _shown(loaded, r"\infty")
        return {
            "occurrences": self.occurrences,
            "whole": sum(command.whole for command in self.commands.values()) / total,
            "begins_with_other": sum(command.other for command in self.commands.values()) / total,
            "distinct": len(often),
            "distinct_whole": sum(command.is_whole for _, command in often) / max(len(often), 1),
            "infty": infty,
            "infty_begins_with_in": len(infty) > 1 and infty[0] == r"\in",
            "commands": [
                {
                    "command": name,
                    "count": command.count,
                    "whole": command.whole / command.count,
                    "begins_with_other": command.other / command.count,
                    "pieces": _shown(loaded, name),
                }
                for name, command in listed
            ],
        }


def _shown(loaded: LoadedTokenizer, command: str) -> list[str]:
    """The tokens of a command that stands alone, without the space that a tokenizer puts before every text."""
    pieces = loaded.pieces(loaded.ids([command])[0])
    if loaded.adds_space and pieces and pieces[0].startswith(b" "):
        pieces = [pieces[0][1:], *pieces[1:]]
    return [piece.decode(errors="replace") for piece in pieces if piece]


def command_spans(text: pa.LargeStringArray) -> tuple[list[str], Spans]:
    """The commands of the texts, and where they are in the data buffer."""
    data, offsets = buffers(text)
    whole = memoryview(data)  # type: ignore[arg-type]
    names: list[str] = []
    start: list[int] = []
    counts = np.zeros(len(offsets), np.int64)
    for i in range(len(offsets) - 1):
        for match in _COMMAND.finditer(whole[offsets[i] : offsets[i + 1]]):
            if match[0] != b"\\\\":
                names.append(match[0].decode())
                start.append(int(offsets[i]) + match.start())
        counts[i + 1] = len(start)
    begin = np.array(start, np.int64)
    # Names are ASCII: as many bytes as characters.
    return names, Spans(begin, begin + np.array([len(name) for name in names], np.int64), counts)
