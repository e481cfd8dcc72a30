"""Reads a user's file of thresholds by language, and lists the options that may depend on the language.

The file is YAML (or JSON): language, stage, option, value. `eyas fit` writes such a file; users also write it by hand:

    de:
      gopher_quality: {max_avg_word_length: 15}
      gopher_repetition: {top_n_grams: [[2, 0.17], [3, 0.15], [4, 0.14]]}

Only names and kinds are checked here; stages check bounds when they are built. The trade: the options are listed a second
time, so that reading a file imports no stage. A test compares the lists with the stages. Reading the 18 built-in languages
written out in this form takes 60 ms.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from eyas.errors import InputError

Thresholds = dict[str, dict[str, dict[str, Any]]]
"""Values by language, stage and option."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z]+)*")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) and word for word in value)


def _is_n_grams(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(pair, list) and len(pair) == 2 for pair in value)
        and all(_is_count(n) and n > 0 and _is_number(share) for n, share in value)
        and all(value[i][0] < value[i + 1][0] for i in range(len(value) - 1))
    )


class Kind:
    """A kind of value that an option may have. `expected` completes the sentence "expected …"."""

    def __init__(self, expected: str, fits: Callable[[Any], bool]) -> None:
        self.expected = expected
        self.fits = fits


NUMBER: Final = Kind("a number, or null to turn the rule off", lambda value: value is None or _is_number(value))
COUNT: Final = Kind("a whole number, or null to turn the rule off", lambda value: value is None or _is_count(value))
FLAG: Final = Kind("true or false", lambda value: isinstance(value, bool))
SHARE: Final = Kind("a number", _is_number)
WORDS: Final = Kind("a list of texts, such as [der, die, und]", _is_words)
N_GRAMS: Final = Kind(
    "a list of [words, share] with ascending numbers of words, such as [[2, 0.2], [3, 0.18]]", _is_n_grams
)

OPTIONS: Final[dict[str, dict[str, Kind]]] = {
    "language": {"min_score": SHARE},
    "gopher_quality": {
        "min_doc_words": COUNT,
        "max_doc_words": COUNT,
        "min_avg_word_length": NUMBER,
        "max_avg_word_length": NUMBER,
        "max_symbol_word_ratio": NUMBER,
        "max_bullet_lines_ratio": NUMBER,
        "max_ellipsis_lines_ratio": NUMBER,
        "max_non_alpha_words_ratio": NUMBER,
        "min_stop_words": COUNT,
        "stop_words": WORDS,
    },
    "gopher_repetition": {
        "dup_line_frac": NUMBER,
        "dup_para_frac": NUMBER,
        "dup_line_char_frac": NUMBER,
        "dup_para_char_frac": NUMBER,
        "top_n_grams": N_GRAMS,
        "dup_n_grams": N_GRAMS,
    },
    "fineweb_quality": {
        "line_punct_thr": NUMBER,
        "line_punct_exclude_zero": FLAG,
        "short_line_thr": NUMBER,
        "char_duplicates_ratio": NUMBER,
        "new_line_ratio": NUMBER,
    },
}
"""Kinds by stage and option, named like the stages' options. `stop_chars` and `short_line_length` of fineweb_quality are
left out, because a stage counts them once for all languages."""


def is_language(label: Any) -> bool:
    """Whether `label` can be a language in the file: de, zh-cn, deu_Latn."""
    return isinstance(label, str) and _LANGUAGE.fullmatch(label) is not None


def read(path: str | Path) -> Thresholds:
    """A user's thresholds: values by language, stage and option.

    Raises ValueError with one line for every problem: file, language, stage, option, and the nearest valid name.
    """
    data = _parse(Path(path))
    problems = list(_problems(data))
    if problems:
        raise InputError("\n".join(f"{path}: {problem}" for problem in problems))
    return {language: {stage: dict(options) for stage, options in data[language].items()} for language in data}


def _problems(data: Any) -> Iterator[str]:
    if not isinstance(data, dict):
        yield f"expected languages, such as `de:` with stages under them; found {_kind(data)}"
        return
    for language, stages in data.items():
        if not is_language(language):
            yield f"{language}: not a language; expected a label of your language model, such as de or deu_Latn"
        elif not isinstance(stages, dict):
            yield f"{language}: expected stages ({', '.join(OPTIONS)}), found {_kind(stages)}"
        else:
            for stage, options in stages.items():
                yield from (f"{language}.{stage}{problem}" for problem in check(stage, options))


def check(stage: Any, options: Any) -> Iterator[str]:
    """The problems of one stage's thresholds, as ends of sentences that begin with the stage's name."""
    known = OPTIONS.get(stage) if isinstance(stage, str) else None
    if known is None:
        yield f": no stage whose thresholds depend on the language{_nearest(stage, OPTIONS)}"
        return
    if not isinstance(options, dict):
        yield f": expected options ({', '.join(known)}), found {_kind(options)}"
        return
    for option, value in options.items():
        kind = known.get(option) if isinstance(option, str) else None
        if kind is None:
            yield f".{option}: unknown option{_nearest(option, known)}"
        elif not kind.fits(value):
            yield f".{option}: expected {kind.expected}; found {_kind(value)}"


def _nearest(word: Any, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(names)}"


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    return f"the list {str(value)[:60]}" if isinstance(value, list) else str(value)[:60]


def _parse(path: Path) -> Any:
    """The file as plain Python values. A key that comes twice is an error in YAML and JSON alike."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    try:
        if path.suffix == ".json":
            return json.loads(text, object_pairs_hook=_once)
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: {str(error.problem).strip().splitlines()[0]}") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        names = [name for name, _ in pairs]
        raise InputError(f"the key {next(name for name in names if names.count(name) > 1)!r} comes twice")
    return data
