"""Injection of LaTeX commands: which commands become tokens, and what is left of the counts to learn merges from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.text_kernels.pretokens.counts import PretokenCounts
from eyas.tokenizer_train.latex_commands import LatexOptions, named


def chosen(options: LatexOptions, pretokens: pa.LargeBinaryArray, counts: npt.NDArray[np.uint64]) -> tuple[str, ...]:
    """The commands to inject; `corpus`: the most frequent pretokens that are commands, then in the order of bytes."""
    given = named(options)
    if given is not None:
        return tuple(given)
    rows = _commands(pretokens)
    frequent = rows[counts[rows] >= options.min_count]
    found = zip(
        (-counts[frequent].astype(np.int64)).tolist(), pretokens.take(pa.array(frequent)).to_pylist(), strict=True
    )
    return tuple(name.decode() for _, name in sorted(found)[: options.max_commands])


def without_commands(
    pretokens: pa.LargeBinaryArray, counts: npt.NDArray[np.uint64], injected: Sequence[str]
) -> tuple[pa.LargeBinaryArray, npt.NDArray[np.uint64]]:
    """What is left to learn from: no injected command, and of other commands the name without its backslash.

    As pretokens of their own, commands would make BPE learn stubs: `\\inft`, `\\alp`. Their names are words like others.
    """
    rows = _commands(pretokens)
    if not len(rows):
        return pretokens, counts
    there = np.ones(len(counts), np.bool_)
    there[rows] = False
    names = pretokens.take(pa.array(rows))
    unknown = pc.invert(pc.is_in(names, pa.array([command.encode() for command in injected], pa.large_binary())))
    table = PretokenCounts()
    table.add_counted(pretokens.filter(pa.array(there)), counts[there])
    bare = pc.binary_replace_slice(names.filter(unknown), 0, 1, b"")
    table.add_counted(bare, counts[rows][unknown.to_numpy(zero_copy_only=False)])
    return table.counts()


def _commands(pretokens: pa.LargeBinaryArray) -> npt.NDArray[np.int64]:
    """Rows that are a command. Where text is cut with commands whole, a backslash before an ASCII letter is one."""
    text = pretokens.view(pa.large_string())
    rows = np.flatnonzero(pc.starts_with(text, "\\").to_numpy(zero_copy_only=False))
    whole = pc.match_substring_regex(text.take(pa.array(rows)), r"^\\[A-Za-z]+$")
    kept: npt.NDArray[np.int64] = rows[whole.to_numpy(zero_copy_only=False)]
    return kept
