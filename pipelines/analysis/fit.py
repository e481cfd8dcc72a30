"""Fits thresholds for each language to the scores of a finished run (`eyas fit`), without reading text.

The result is a file of about 1 KB a language for `by_language: FILE` of the heuristic stages. Of a large run it uses a
sample, chosen by a hash of (seed, id), because `fit` needs quantiles, and 1,000,000 documents give them to a thousandth.
"""

# Tested in tests/end_to_end/test_fit.py.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.corpus.sampling import hash_rank
from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.filters.languages.fit import Direction, Fitted, Method, fit
from eyas.filters.languages.thresholds import OPTIONS
from eyas.pipelines.engine.passes.base import Result
from eyas.pipelines.engine.passes.scores import ScoredRule, rules_of
from eyas.pipelines.engine.planning import Plan

SAMPLE = 1_000_000
"""Roughly how many documents to use at most."""


def fit_run(
    plan: Plan,
    store: Store,
    results: Mapping[str, Result],
    method: Method = "quantile",
    share: float = 0.05,
    reference: str = "en",
    min_documents: int = 200,
) -> list[Fitted]:
    """The thresholds of the rules whose thresholds may depend on the language, for each language of the run.

    Defaults are the thresholds of the recipe. Raises InputError without scores, languages, or a reference language.
    """
    stages = {named.label: named for planned in plan.passes for named in planned.stages}
    gathered = _gather(plan, store, results)
    if not gathered:
        raise InputError(
            f"{store.name()}: no filter of this run has thresholds by language ({', '.join(OPTIONS)}); "
            "add one, and `eyas run` the recipe"
        )
    scores: dict[str, npt.NDArray[np.float64]] = {}
    directions: dict[str, Direction] = {}
    defaults: dict[str, float] = {}
    languages: npt.NDArray[np.object_] | None = None
    for rule, (values, labels) in gathered.items():
        named = stages[rule.label]
        assert rule.option is not None
        name = f"{named.name}.{rule.option}"
        if languages is None:
            languages = labels
        if len(labels) != len(languages):
            raise InputError(
                f"{rule.label} judged other documents than the filters before it, because a stage in between changes or "
                "drops them; put the filters to fit next to each other"
            )
        # Two rules of one option (hashes and ellipses): what fails either fails both.
        if name in scores:
            values = np.fmax(scores[name], values) if rule.at_most else np.fmin(scores[name], values)
        scores[name] = values
        directions[name] = "at_most" if rule.at_most else "at_least"
        defaults[name] = _default(named.stage, rule.option)
    assert languages is not None
    return fit(scores, directions, defaults, languages, method, share, reference, min_documents)


def _default(stage: Any, option: str) -> float:
    """The threshold of an option, or of one size of n-grams: `top_n_grams[2]`."""
    name, _, size = option.partition("[")
    value = getattr(stage, name)
    return float(dict(value)[int(size[:-1])]) if size else float(value)


def _gather(
    plan: Plan, store: Store, results: Mapping[str, Result]
) -> dict[ScoredRule, tuple[npt.NDArray[np.float64], npt.NDArray[np.object_]]]:
    """By rule: the scores of all documents, and the documents' languages."""
    names = {named.label: named.name for planned in plan.passes for named in planned.stages}
    pieces: dict[ScoredRule, list[tuple[npt.NDArray[np.float64], npt.NDArray[np.object_]]]] = {}
    for scored in _files(plan, store, results):
        if "lang" not in scored.column_names:
            continue
        languages = np.array(scored.column("lang").to_pylist(), np.object_)
        for rule in rules_of(scored):
            option = (rule.option or "").partition("[")[0]
            if option in OPTIONS.get(names[rule.label], {}):
                key = ScoredRule(rule.column, rule.label, rule.reason, rule.option, rule.at_most, None)
                pieces.setdefault(key, []).append((scored.column(rule.column).to_numpy(), languages))
    return {
        rule: (np.concatenate([values for values, _ in parts]), np.concatenate([labels for _, labels in parts]))
        for rule, parts in pieces.items()
    }


def _files(plan: Plan, store: Store, results: Mapping[str, Result]) -> Iterator[pa.Table]:
    """The score files of the run, or a sample of their documents."""
    read = next(results[planned.digest].total("read").kept for planned in plan.passes if planned.reads)
    limit = np.uint64(min(SAMPLE / max(read, 1), 1.0) * (2.0**64 - 2**11))
    for planned in plan.passes:
        for paths in results[planned.digest].scores.values() if planned.digest in results else ():
            for path in paths:
                scored = store.read_table(path)
                chosen = hash_rank(scored.column("id").to_numpy(), plan.recipe.options.seed) <= limit
                yield scored.filter(pa.array(chosen)) if read > SAMPLE else scored
