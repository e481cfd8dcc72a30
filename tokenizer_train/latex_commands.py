r"""LaTeX commands that become single tokens: the option that names them, and the built-in list.

Where punctuation is split off, a backslash is always a pretoken of its own, so merges can never learn `\frac`:
injection is a must, not a tweak. The built-in list holds commands of mathematics and document structure in everyday use,
by the groups in which a LaTeX manual introduces them. This module imports nothing heavy, because every recipe loads it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from eyas.corpus.options import Options
from eyas.errors import InputError

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


class LatexOptions(Options):
    """LaTeX commands as single tokens: `latex: {inject: builtin}`."""

    inject: Literal["builtin", "corpus"] | list[str] = "builtin"
    """`builtin`: the common commands of mathematics and documents. `corpus`: the most frequent commands of the text. Or a
    list such as [\\frac, \\sqrt]."""
    max_commands: int = Field(default=300, ge=1)
    """The largest number of commands to take from the text (`corpus`)."""
    min_count: int = Field(default=100, ge=1)
    """The least number of times that a command of the text must occur (`corpus`)."""

    @field_validator("inject")
    @classmethod
    def _commands(cls, value: str | list[str]) -> str | list[str]:
        for command in [] if isinstance(value, str) else value:
            if not (command.startswith("\\") and command[1:].isascii() and command[1:].isalpha()):
                raise InputError(f"{command!r} is not a LaTeX command: a backslash and ASCII letters, such as \\frac")
        return value


def named(options: LatexOptions | None) -> list[str] | None:
    """The commands that the options name, each once; None if training must look for them in the text."""
    if options is None:
        return []
    if options.inject == "corpus":
        return None
    return list(dict.fromkeys(BUILTIN if options.inject == "builtin" else options.inject))
