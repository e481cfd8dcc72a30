"""LaTeX commands that become single tokens.

Once punctuation is split off, `\\` is always a pretoken of its own, so `\\frac` can never be learned by merges:
injection is a must, not a tweak. The list: commands of mathematics and document structure in everyday use,
by the groups in which a LaTeX manual introduces them.
"""

from __future__ import annotations

from tokenizer_train.options import LatexOptions

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


def commands(options: LatexOptions | None) -> list[str]:
    """The commands to inject, without repetition, in the order given."""
    if options is None:
        return []
    return list(dict.fromkeys(BUILTIN if options.inject == "builtin" else options.inject))
