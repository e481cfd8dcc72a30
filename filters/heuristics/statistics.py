"""Statistics of text that heuristic filters share: named counts, computed once for all filters of a pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.corpus.documents import HIDDEN
from eyas.corpus.measure import Measure
from eyas.filters.heuristics.symbols import SYMBOLS, TERMINALS
from eyas.text_kernels.statistics.text import Counted, text_statistics

COLUMN: Final = HIDDEN + "statistics"
_MEASURE: Final = b"measure"

Floats = npt.NDArray[np.float64]


class Statistics:
    """Counts of n documents by name; the names are those in `eyas.text_kernels.statistics.text.MEANING`, and n-grams."""

    def __init__(self, counts: npt.NDArray[np.int64], names: Sequence[str]) -> None:
        self._counts = counts
        self._columns = {name: column for column, name in enumerate(names)}

    def __getitem__(self, name: str) -> npt.NDArray[np.int64]:
        return self._counts[:, self._columns[name]]

    def __len__(self) -> int:
        return len(self._counts)

    def take(self, rows: npt.NDArray[Any]) -> Statistics:
        """The statistics of some of the documents, chosen by a mask or by their numbers."""
        return Statistics(self._counts[rows], list(self._columns))

    def ratio(self, part: str, whole: str) -> Floats:
        """For each document one count divided by another; NaN for 0/0."""
        return divide(self[part], self[whole])


def divide(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Floats:
    """part / whole; NaN for 0/0, which fails no rule."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / whole, np.float64)


@dataclass(frozen=True)
class TextMeasure:
    """The counts that a filter needs beside those that are always made. None: the filter does not use this option."""

    stop_words: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    """Lists of stop words by language; the list of "" is for all other languages."""
    terminals: str | None = None
    short_line: int | None = None
    top: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The column `lang`, if there are lists of stop words for several languages."""
        return ("lang",) if len(self.stop_words or ()) > 1 else ()

    def joined(self, other: Measure) -> TextMeasure | None:
        """The counts that both need; None if they need different lists or characters, which one walk cannot count."""
        if not isinstance(other, TextMeasure):
            return None
        single: dict[str, Any] = {}
        for name in ("stop_words", "terminals", "short_line"):
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours is not None and theirs is not None and ours != theirs:
                return None
            single[name] = theirs if ours is None else ours
        top, repeated = ((*self.top, *other.top), (*self.repeated, *other.repeated))
        return TextMeasure(**single, top=tuple(sorted(set(top))), repeated=tuple(sorted(set(repeated))))

    def covers(self, other: TextMeasure) -> bool:
        """Whether the counts for this measure serve the other, too."""
        return self.joined(other) == self

    def attach(self, docs: pa.Table) -> pa.Table:
        """The documents with their counts in a hidden column, whose metadata hold this measure."""
        counts = self._count(docs)
        values = pa.FixedSizeListArray.from_arrays(pa.array(counts.reshape(-1)), counts.shape[1])
        field = pa.field(COLUMN, values.type, metadata={_MEASURE: json.dumps(asdict(self)).encode()})
        if COLUMN in docs.column_names:
            return docs.set_column(docs.column_names.index(COLUMN), field, values)
        return docs.append_column(field, values)

    def of(self, docs: pa.Table) -> Statistics:
        """The statistics of the documents, from their hidden column if its measure covers this one, or else counted here."""
        if COLUMN in docs.column_names:
            attached = _read(docs.schema.field(COLUMN).metadata[_MEASURE])
            if attached.covers(self):
                names = attached._counted().names
                values = docs.column(COLUMN).combine_chunks().flatten().to_numpy()
                return Statistics(values.reshape(-1, len(names)), names)
        return Statistics(self._count(docs), self._counted().names)

    def _counted(self) -> Counted:
        lists = tuple(words for _, words in self.stop_words or (("", ()),))
        return Counted(SYMBOLS, lists, self.terminals or TERMINALS, self.short_line or 30, self.top, self.repeated)

    def _count(self, docs: pa.Table) -> npt.NDArray[np.int64]:
        return text_statistics(docs.column("text"), self._counted(), self._which(docs))

    def _which(self, docs: pa.Table) -> list[int] | None:
        """The list of stop words for each document, by its language."""
        if self.stop_words is None or len(self.stop_words) < 2:
            return None
        number = {language: i for i, (language, _) in enumerate(self.stop_words)}
        return [number.get(language, number[""]) for language in docs.column("lang").to_pylist()]


def _read(metadata: bytes) -> TextMeasure:
    data = json.loads(metadata)
    lists = data.pop("stop_words")
    words = None if lists is None else tuple((language, tuple(words)) for language, words in lists)
    return TextMeasure(words, data["terminals"], data["short_line"], tuple(data["top"]), tuple(data["repeated"]))
