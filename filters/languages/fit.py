"""Fits thresholds to a user's documents, language by language, from scores that the ledger holds already.

A rule's threshold was chosen on English. Not the number carries over to another language, but its effect:

* `quantile`: the same share of the language's documents fails as fails in the reference language at its default;
* `tail`: a given share of each language's own documents fails (10 % is FineWeb-2's 10Tail);
* `mean_std`: as many standard deviations from the language's mean as the default lies from the reference's mean.

The methods follow those that were compared for FineWeb-2 (Penedo et al. 2025, arXiv:2506.20920). Its MedianRatio is left
out: a median may be 0, as all six of repeated n-grams are in 837 Hindi documents, and a ratio cannot scale that. The trade:
`quantile` and `tail` fix how many documents are dropped, whatever they are: on a clean corpus they drop good ones. 4 million
scores of 18 languages take 0.6 s on a busy machine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from eyas.errors import InputError
from eyas.filters.languages.thresholds import COUNT, N_GRAMS, OPTIONS, is_language

Direction: TypeAlias = Literal["at_least", "at_most"]
Method: TypeAlias = Literal["quantile", "tail", "mean_std"]
Floats: TypeAlias = npt.NDArray[np.float64]

_RULE: Final = re.compile(r"([a-z0-9_]+)\.([a-z0-9_]+)(?:\[([0-9]+)\])?")


@dataclass(frozen=True)
class Fitted:
    """The threshold of one rule for one language."""

    language: str
    rule: str
    """Stage and option, `gopher_quality.min_avg_word_length`; one length of n-grams is `….top_n_grams[2]`."""
    threshold: float
    default: float
    before: float
    """Share of the documents that fail at the default; 0 if there are no documents."""
    after: float
    """Share of the documents that fail at the threshold."""
    documents: int
    """Number of documents with a finite score."""
    kept: str | None
    """Why the default was kept; None if the threshold was fitted."""


def fit(
    scores: Mapping[str, npt.NDArray[Any]],
    directions: Mapping[str, Direction],
    defaults: Mapping[str, float],
    languages: Sequence[str | None] | npt.NDArray[Any],
    method: Method = "quantile",
    share: float = 0.05,
    reference: str = "en",
    min_documents: int = 200,
) -> list[Fitted]:
    """One result for each language and rule, sorted by language, rules in the order of `scores`.

    `scores`: rule to float64[documents]; scores that are not finite are left out. `directions`: a rule `at_least` fails
    scores below its threshold, a rule `at_most` those above. `languages`: the label of each document; None and "" are left
    out. Only `tail` uses `share`, only the other methods use `reference`. If equal scores allow no threshold with the wanted
    share, the nearest share is taken, the smaller of two. The default is kept if it gives that share already, or if there
    are fewer than `min_documents`. Raises ValueError for arguments that do not fit together.
    """
    labels = np.array([label or "" for label in languages], dtype=np.str_)
    _check(scores, directions, defaults, labels, method, share)
    names = [str(name) for name in np.unique(labels) if name]
    if method != "tail" and np.count_nonzero(labels == reference) < min_documents:
        raise InputError(
            f"method {method} compares with the language {reference!r}, which has "
            f"{np.count_nonzero(labels == reference)} of the documents; it needs {min_documents}. "
            f"Name another by `reference` (there are {', '.join(names[:8]) or 'none'}), or use the method tail"
        )
    members = {name: labels == name for name in names}
    results = []
    for name in names:
        for rule, values in scores.items():
            sign = 1.0 if directions[rule] == "at_least" else -1.0
            wanted = np.asarray(values, np.float64)
            fitted = _finite(sign * wanted[members[name]])
            other = _finite(sign * wanted[members[reference]]) if method != "tail" else fitted
            results.append(
                _fit_one(name, rule, fitted, other, sign, float(defaults[rule]), method, share, min_documents)
            )
    return results


def _check(
    scores: Mapping[str, npt.NDArray[Any]],
    directions: Mapping[str, Direction],
    defaults: Mapping[str, float],
    labels: npt.NDArray[np.str_],
    method: str,
    share: float,
) -> None:
    if method not in get_args(Method):
        raise InputError(f"unknown method {method!r}; there are {', '.join(get_args(Method))}")
    if not 0 < share <= 0.5:
        raise InputError(f"share must be above 0 and at most 0.5, got {share}: it is the part of the documents to fail")
    for rule, values in scores.items():
        if np.shape(values) != (len(labels),):
            raise InputError(
                f"{rule}: {np.shape(values)} scores for {len(labels)} documents; expected one for each document"
            )
        if directions.get(rule) not in get_args(Direction):
            raise InputError(f"{rule}: the direction must be at_least or at_most, got {directions.get(rule)!r}")
        if not math.isfinite(defaults.get(rule, math.nan)):
            raise InputError(f"{rule}: the default threshold must be a finite number, got {defaults.get(rule)!r}")


def _finite(values: Floats) -> Floats:
    """The finite values, ascending."""
    return np.sort(values[np.isfinite(values)])


def _fit_one(
    language: str,
    rule: str,
    scores: Floats,
    reference: Floats,
    sign: float,
    default: float,
    method: Method,
    share: float,
    min_documents: int,
) -> Fitted:
    """Fits one rule for one language. Times `sign`, every rule is one of `at_least`.

    `scores` and `reference`: the scores of the language and of the reference, times `sign`, ascending.
    """
    kept = None
    threshold = sign * default
    if len(scores) < min_documents:
        kept = f"fewer than {min_documents} documents"
    elif len(reference) < min_documents:
        kept = f"fewer than {min_documents} documents of the reference have a score"
    elif method == "mean_std":
        deviation = float(reference.std())
        if deviation > 0:
            steps = (threshold - float(reference.mean())) / deviation
            moved = float(scores.mean()) + steps * float(scores.std())
            threshold = float(f"{np.clip(moved, scores[0], scores[-1]):.4g}")
        else:
            kept = "all scores of the reference are equal"
    else:
        wanted = share if method == "tail" else _failing(reference, threshold)
        threshold = _at_share(scores, wanted, threshold)
    return Fitted(
        language=language,
        rule=rule,
        threshold=sign * threshold + 0.0,  # no minus zero
        default=default,
        before=_failing(scores, sign * default),
        after=_failing(scores, threshold),
        documents=len(scores),
        kept=kept,
    )


def _failing(ascending: Floats, threshold: float) -> float:
    """The share of the scores below the threshold."""
    return float(np.searchsorted(ascending, threshold, side="left")) / max(len(ascending), 1)


def _at_share(ascending: Floats, share: float, default: float) -> float:
    """The threshold that fails a share as near to `share` as equal scores allow; `default` if that does so already."""
    count = len(ascending)
    # Equal scores fail together, so the number that fails is the place of a jump in the sorted scores.
    jumps = np.flatnonzero(np.diff(ascending) > 0) + 1
    possible = np.concatenate(([0], jumps, [count]))
    failing = int(possible[np.argmin(np.abs(possible - share * count))])
    low = float(ascending[failing - 1]) if failing > 0 else -math.inf
    high = float(ascending[failing]) if failing < count else math.inf
    if low < default <= high:
        return default
    if high == 0 and failing > 0:
        high = low / 2  # stages refuse an upper bound of 0, which some read as "off"
    return _roundest(low, high)


def _roundest(low: float, high: float) -> float:
    """A number in (low, high], just below a finite `high`, of three significant digits or as many as needed."""
    if math.isinf(high):
        return math.nextafter(low, math.inf)
    size = math.floor(math.log10(abs(high))) if high else 0
    for decimals in range(max(0, 2 - size), 18):
        scale = 10.0**decimals
        candidate = math.floor(high * scale) / scale
        if low < candidate <= high:
            return candidate
    return high


def to_yaml(fitted: Sequence[Fitted], note: str = "") -> str:
    """The thresholds as a file that `eyas.filters.languages.read` reads; `note` (method, date, documents) heads it.

    A comment on every line says how many documents it rests on and what share of them fails. If a default was kept, the
    line is a comment only; a list of n-grams is written whole if any of its lengths was fitted. Raises ValueError for a
    rule that is not the name of a stage's option, or comes twice.
    """
    _check_names(fitted)
    lines = [f"# {line}" for line in note.splitlines()]
    for language in dict.fromkeys(result.language for result in fitted):
        results = [result for result in fitted if result.language == language]
        body: list[str] = []
        for stage in dict.fromkeys(_parts(result.rule)[0] for result in results):
            options = list(_options([result for result in results if _parts(result.rule)[0] == stage]))
            head = f"  {stage}:" if any(not line.startswith("#") for line in options) else f"  # {stage}"
            body += [head, *(f"    {line}" for line in options)]
        some = any(not line.lstrip().startswith("#") for line in body)
        lines += [f"{language}:" if some else f"# {language}", *body]
    if all(line.lstrip().startswith("#") for line in lines):
        lines.append("{}")
    return "\n".join(lines) + "\n"


def _check_names(fitted: Sequence[Fitted]) -> None:
    seen = set()
    for result in fitted:
        if not is_language(result.language):
            raise InputError(f"{result.language!r} is not a label of a language, such as de or deu_Latn")
        key = result.language, *_parts(result.rule)
        if key in seen:
            raise InputError(f"{result.rule} comes twice for {result.language}; fit one threshold for each option")
        seen.add(key)


def _parts(rule: str) -> tuple[str, str, int | None]:
    match = _RULE.fullmatch(rule)
    stage, option, length = match.groups() if match else ("", "", None)
    kind = OPTIONS.get(stage, {}).get(option)
    if kind is None or (kind is N_GRAMS) != (length is not None):
        raise InputError(
            f"{rule!r} is not a threshold of a stage; expected stage.option, such as gopher_quality.min_avg_word_length, "
            "or gopher_repetition.top_n_grams[2]"
        )
    return stage, option, int(length) if length is not None else None


def _options(fitted: Sequence[Fitted]) -> Iterator[str]:
    """The lines of one stage. Each option takes its results together: one, or one for each length of its n-grams."""
    for option in dict.fromkeys(_parts(result.rule)[1] for result in fitted):
        results = [result for result in fitted if _parts(result.rule)[1] == option]
        if all(result.kept for result in results):
            documents = max(result.documents for result in results)
            yield f"# {option}: the default is kept: {results[0].kept} ({documents:,})"
        elif _parts(results[0].rule)[2] is None:
            whole = OPTIONS[_parts(results[0].rule)[0]][option] is COUNT
            yield f"{option}: {_number(results[0].threshold, whole)}  # {_comment(results[0])}"
        else:
            yield f"{option}:"
            for result in sorted(results, key=lambda result: _parts(result.rule)[2] or 0):
                kept = f"; the default is kept: {result.kept}" if result.kept else ""
                pair = f"[{_parts(result.rule)[2]}, {_number(result.threshold, False)}]"
                yield f"  - {pair}  # {_comment(result)}{kept}"


def _comment(result: Fitted) -> str:
    return f"{result.documents:,} documents; {result.before:.2%} fail at {result.default:g}, {result.after:.2%} now"


def _number(value: float, whole: bool) -> str:
    if whole:
        return str(round(value))
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
