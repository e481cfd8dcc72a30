"""LaTeX commands that become single tokens.

Once punctuation is split off, `\\` is always a pretoken of its own, so `\\frac` can never be learned by merges:
injection is a must, not a tweak. The list: commands of mathematics and document structure in everyday use,
by the groups in which a LaTeX manual introduces them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.text_kernels.pretokens.counts import PretokenCounts
from eyas.tokenizer_train.options import LatexOptions

_GROUPS = {
    "greek": "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi rho "
    "varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega",
    "fractions and roots": "frac dfrac tfrac cfrac sqrt binom over choose",
    "large operators": "sum prod coprod int iint iiint oint bigcup bigcap bigoplus bigotimes lim limsup liminf",
    "functions": "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh exp ln log lg max min sup inf arg det dim "
    "ker deg gcd hom Pr mod bmod pmod operatorname",
    "relations": "leq le geq ge neq ne equiv approx sim simeq cong propto ll gg prec succ mid parallel perp in notin ni "
    "subset supset subseteq supseteq models vdash",
    "binary operators": "times div pm mp cdot ast star circ bullet oplus otimes wedge vee cap cup setminus",
    "arrows": "to gets leftarrow rightarrow leftrightarrow Leftarrow Rightarrow Leftrightarrow longrightarrow mapsto "
    "uparrow downarrow implies iff hookrightarrow xrightarrow",
    "logic and sets": "forall exists nexists neg lnot land lor emptyset varnothing infty partial nabla aleph hbar ell Re Im "
    "top bot angle triangle complement",
    "delimiters": "left right big Big bigg Bigg langle rangle lfloor rfloor lceil rceil lvert rvert lVert rVert vert Vert",
    "dots and spaces": "ldots cdots vdots ddots dots quad qquad hspace vspace",
    "accents": "hat bar vec dot ddot tilde widehat widetilde overline underline overbrace underbrace overset underset "
    "stackrel prime",
    "alphabets": "mathbb mathbf mathcal mathfrak mathrm mathit mathsf mathscr boldsymbol text textbf textit texttt textrm "
    "emph rm bf it",
    "environments": "begin end item label ref eqref cite tag nonumber boxed hline cline multicolumn caption centering "
    "includegraphics footnote url href",
    "structure": "documentclass usepackage section subsection subsubsection chapter paragraph title author date maketitle "
    "tableofcontents newcommand renewcommand def newline newpage noindent par displaystyle textstyle limits nolimits not",
}
BUILTIN = tuple("\\" + name for names in _GROUPS.values() for name in names.split())


def named(options: LatexOptions | None) -> list[str] | None:
    """The commands that the options name, without repetition; None if they are to be found in the text."""
    if options is None:
        return []
    if options.inject == "corpus":
        return None
    return list(dict.fromkeys(BUILTIN if options.inject == "builtin" else options.inject))


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
