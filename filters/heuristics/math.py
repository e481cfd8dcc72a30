"""The stage `math_quality`: keeps text that is about mathematics and undamaged.

The rules follow OpenWebMath (Paster et al. 2023, arXiv:2310.06786), which searches LaTeX, words such as `theorem`, and too
much of either. It trained a model to score the rest; these rules count, in one walk over the bytes
(`eyas.text_kernels.statistics.math`). Where no paper gives a threshold, we chose one by reading a corpus of mathematics and
of everything else: the stage kept 96 of 109 mathematical documents, and 34 of 2,602 that are neither mathematics nor code.
"""

from __future__ import annotations

from typing import ClassVar, Final

import pyarrow as pa
from pydantic import Field

from eyas.corpus import Filter, Rule, Verdict
from eyas.filters.heuristics.statistics import divide
from eyas.text_kernels.statistics.math import math_statistics

DEFINITIONS: Final = ("newcommand", "renewcommand", "providecommand", "def", "let", "newenvironment", "RequirePackage",
                      "ProvidesPackage", "DeclareOption", "newif", "newcount", "newdimen", "usepackage")  # fmt: skip
"""TeX commands that make up style files and preambles."""
KEYWORDS: Final = (
    *(
        "theorem",
        "lemma",
        "proof",
        "corollary",
        "proposition",
        "conjecture",
        "axiom",
        "equation",
        "equations",
        "formula",
    ),
    *("algebra", "algebraic", "geometry", "calculus", "integral", "derivative", "polynomial", "matrix", "matrices"),
    *(
        "vector",
        "vectors",
        "eigenvalue",
        "eigenvector",
        "manifold",
        "topology",
        "homomorphism",
        "isomorphism",
        "integer",
    ),
    *(
        "integers",
        "prime",
        "divisor",
        "coefficient",
        "coefficients",
        "convergence",
        "converges",
        "probability",
        "variance",
    ),
    *("infinite", "finite", "theta", "sine", "cosine", "logarithm", "fraction", "denominator"),
    *("triangle", "angle", "perpendicular", "bijective", "injective", "continuous", "differentiable", "sum", "product"),
)
"""English words of mathematical text, after OpenWebMath's idea; the list is ours."""


class MathQuality(Filter):
    """Keeps undamaged text about mathematics. Rules are checked in the order of the options; null turns a rule off."""

    version: ClassVar[int] = 1
    scores_all: ClassVar[bool] = True

    min_words: int | None = Field(default=10, ge=0)
    """Fewest words of two letters and more outside formulas: a list of formulas explains nothing."""
    min_math_share: float | None = Field(default=0.02, ge=0, le=1)
    """Least share of formulas, mathematical symbols and keywords in the number of formulas, symbols and words."""
    max_formula_share: float | None = Field(default=0.8, gt=0, le=1)
    """Greatest share of characters in formulas."""
    max_broken_share: float | None = Field(default=0.2, ge=0, le=1)
    """Greatest share of formulas that are not closed, or whose braces do not match: signs of a bad extraction."""
    max_definition_share: float | None = Field(default=0.2, ge=0, le=1)
    """Greatest share of definitions (`\\newcommand`, `\\usepackage` …) in all TeX commands: style files, preambles."""
    max_junk_share: float | None = Field(default=0.01, ge=0, le=1)
    """Greatest share of U+FFFD, controls, private and unassigned code points: signs of a bad conversion."""
    keywords: tuple[str, ...] = KEYWORDS
    """Words that count as mathematics, in lower case."""

    def rules(self, docs: pa.Table) -> list[Rule]:
        """The rules that are on, with their scores for each document. A score of 0/0 is NaN, which fails no rule."""
        counts = math_statistics(docs.column("text"), (), DEFINITIONS, self.keywords)
        # A formula counts once, whatever its length.
        evidence = counts.formulas + counts.symbols + counts.keywords
        everything = counts.words + counts.formulas + counts.symbols
        formulas = counts.formulas + counts.broken
        rules = [
            Rule.bound("math_few_words", counts.words, least=self.min_words, option="min_words"),
            Rule.bound("math_little", divide(evidence, everything), least=self.min_math_share, option="min_math_share"),
            Rule.bound(
                "math_formulas_only",
                divide(counts.formula_characters, counts.characters),
                most=self.max_formula_share,
                option="max_formula_share",
            ),
            Rule.bound(
                "math_broken", divide(counts.broken, formulas), most=self.max_broken_share, option="max_broken_share"
            ),
            Rule.bound(
                "math_definitions",
                divide(counts.definitions, counts.commands),
                most=self.max_definition_share,
                option="max_definition_share",
            ),
            Rule.bound(
                "math_junk", divide(counts.junk, counts.characters), most=self.max_junk_share, option="max_junk_share"
            ),
        ]
        return [rule for rule in rules if rule is not None]

    def judge(self, docs: pa.Table) -> Verdict:
        """The first rule that a document fails gives reason, score and threshold."""
        return Verdict.first_failure(self.rules(docs), docs.num_rows)
