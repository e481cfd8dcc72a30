"""Injection of LaTeX commands: which commands become tokens, and what is left of the counts to learn merges from."""
# Tested in tests/tokenizer_train/training/test_bpe.py.

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.text_kernels.pretokens.counts import PretokenCounts
from eyas.tokenizer_train.latex_commands import LatexOptions, named


def chosen(options: LatexOptions, pretokens: pa.LargeBinaryArray, counts: npt.NDArray[np.uint64]) -> tuple[str, ...]:
    """The commands to inject. With `corpus` they are the most frequent ones of the pretokens, ties in byte order."""
    commands = named(options)
    if commands is not None:
        return tuple(commands)
    rows = _commands(pretokens)
    frequent = rows[counts[rows] >= options.min_count]
    ranked = zip(
        (-counts[frequent].astype(np.int64)).tolist(), pretokens.take(pa.array(frequent)).to_pylist(), strict=True
    )
    return tuple(name.decode() for _, name in sorted(ranked)[: options.max_commands])


def without_commands(
    pretokens: pa.LargeBinaryArray, counts: npt.NDArray[np.uint64], injected: Sequence[str]
) -> tuple[pa.LargeBinaryArray, npt.NDArray[np.uint64]]:
    """The counts to learn merges from: without injected commands, and with other commands' names without the backslash.

    As pretokens of their own, commands would make BPE learn stubs such as `\\inft` and `\\alp`. Their names are words.
    """
    rows = _commands(pretokens)
    if not len(rows):
        return pretokens, counts
    is_word = np.ones(len(counts), np.bool_)
    is_word[rows] = False
    names = pretokens.take(pa.array(rows))
    unknown = pc.invert(pc.is_in(names, pa.array([command.encode() for command in injected], pa.large_binary())))
    table = PretokenCounts()
    table.add_counted(pretokens.filter(pa.array(is_word)), counts[is_word])
    bare = pc.binary_replace_slice(names.filter(unknown), 0, 1, b"")
    table.add_counted(bare, counts[rows][unknown.to_numpy(zero_copy_only=False)])
    return table.counts()


def _commands(pretokens: pa.LargeBinaryArray) -> npt.NDArray[np.int64]:
    """The rows that are commands. If the pattern keeps commands whole, a backslash before a letter begins one."""
    text = pretokens.view(pa.large_string())
    rows = np.flatnonzero(pc.starts_with(text, "\\").to_numpy(zero_copy_only=False))
    whole = pc.match_substring_regex(text.take(pa.array(rows)), r"^\\[A-Za-z]+$")
    kept: npt.NDArray[np.int64] = rows[whole.to_numpy(zero_copy_only=False)]
    return kept
