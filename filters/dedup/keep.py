"""The option `keep`, which chooses the copy that stays: `source(wiki, web), highest(quality), newest(date), longest`.

The first term in which copies differ decides; where they differ in none, the document with the lowest id stays, so the
choice never depends on the order of work. Each term ranks every document by a number, the least being the best, and those
numbers travel with the hashes: no document has to be read again to choose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator

from eyas.corpus.documents import text_lengths
from eyas.errors import InputError

F64 = npt.NDArray[np.float64]

PLAIN = ("first", "longest", "shortest")
ON_COLUMN = ("highest", "lowest", "newest", "oldest")
HELP = "first, longest, shortest, highest(COLUMN), lowest(COLUMN), newest(COLUMN), oldest(COLUMN), source(A, B, …)"
_TERM = re.compile(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*(?:,|$)")


@dataclass(frozen=True)
class Term:
    """One criterion: its name, and the arguments in its brackets."""

    name: str
    arguments: tuple[str, ...] = ()

    @property
    def column(self) -> str | None:
        """The column that it reads besides text and source."""
        return self.arguments[0] if self.name in ON_COLUMN else None

    def rank(self, docs: pa.Table) -> F64:
        """float64[documents]: the least is the best; a document without a value comes last."""
        if self.name in ("longest", "shortest"):
            size = text_lengths(docs).astype(np.float64)
            return -size if self.name == "longest" else size
        if self.name == "source":
            order = {name: place for place, name in enumerate(self.arguments)}
            names = docs.column("source").cast(pa.string()).to_pylist()
            return np.array([order.get(name, len(order)) for name in names], np.float64)
        assert self.column is not None
        if self.column not in docs.column_names:
            # A generator adds this column to its documents only.
            return np.full(docs.num_rows, np.inf)
        column = docs.column(self.column)
        number = self.name in ("highest", "lowest")
        values = _numbers(column, self, docs) if number else _times(column, self, docs)
        return np.nan_to_num(-values if self.name in ("highest", "newest") else values, nan=np.inf)


@lru_cache(maxsize=64)
def parse(expression: str) -> tuple[Term, ...]:
    """The terms of an expression without `first` (ties go to the lowest id anyway); ValueError if it cannot be read."""
    terms: list[Term] = []
    at = 0
    while at < len(expression):
        match = _TERM.match(expression, at)
        if match is None:
            raise InputError(f"`keep` cannot be read from {expression[at:]!r} on; it is a list of terms: {HELP}")
        at = match.end()
        terms.append(_term(match.group(1), match.group(2)))
    if not terms:
        raise InputError(f"`keep` is empty; it is a list of terms: {HELP}")
    return tuple(term for term in terms if term.name != "first")


def _term(name: str, inside: str | None) -> Term:
    arguments = tuple(part.strip() for part in inside.split(",")) if inside is not None else ()
    wanted = 0 if name in PLAIN else 1 if name in ON_COLUMN else max(len(arguments), 1) if name == "source" else -1
    if wanted < 0:
        raise InputError(f"`keep` knows no {name!r}; its terms are {HELP}")
    if len(arguments) != wanted or not all(arguments):
        needs = {0: "stands alone", 1: "needs one column in brackets"}.get(wanted, "needs names of sources in brackets")
        raise InputError(f"`keep`: {name} {needs}; its terms are {HELP}")
    return Term(name, arguments)


def _checked(expression: str) -> str:
    parse(expression)
    return expression


KeepExpression = Annotated[str, AfterValidator(_checked)]
"""The type of the option `keep`."""


def columns(expression: str) -> tuple[str, ...]:
    """The columns that an expression reads, besides text and source."""
    return tuple(term.column for term in parse(expression) if term.column is not None)


def sources(expression: str) -> tuple[str, ...]:
    """The sources that an expression names."""
    return tuple(name for term in parse(expression) if term.name == "source" for name in term.arguments)


def ranks(expression: str, docs: pa.Table) -> dict[str, pa.Array]:
    """The columns `rank0`, `rank1` …: in ascending order of these and then of id, the copy that should stay is first."""
    return {f"rank{number}": pa.array(term.rank(docs)) for number, term in enumerate(parse(expression))}


def rank_fields(expression: str) -> list[pa.Field]:
    """The fields of the columns that `ranks` returns."""
    return [pa.field(f"rank{number}", pa.float64()) for number in range(len(parse(expression)))]


def order(rows: pa.Table, *groups: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Positions that sort `rows` (columns `id`, `rank0` …) by `groups`, then by rank and id: the copy to keep first."""
    names = sorted((n for n in rows.column_names if n.startswith("rank")), key=lambda n: int(n[4:]))
    keys: Sequence[npt.NDArray[np.generic]] = [*groups, *(rows.column(n).to_numpy() for n in names)]
    positions: npt.NDArray[np.int64] = np.lexsort((rows.column("id").to_numpy(), *reversed(keys)))
    return positions


def check_type(term: Term, kind: pa.DataType) -> None:
    """InputError if copies cannot be ordered by a column of this type."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    time = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if number or pa.types.is_null(kind) or (term.name in ("newest", "oldest") and (time or text)):
        return
    wanted = "numbers" if term.name in ("highest", "lowest") else "dates, times, or texts in ISO 8601"
    raise InputError(
        f"`keep`: {term.name}({term.column}) needs {wanted}, found {kind}. Another type can be declared in the source: "
        f"`columns: {{{term.column}: float64}}`"
    )


def _numbers(column: pa.ChunkedArray, term: Term, docs: pa.Table) -> F64:
    """Values as float64, NaN for a missing one; InputError for a column that does not hold numbers, or numbers so large that
    neighbours are the same float64."""
    check_type(term, column.type)
    numbers: F64 = pc.fill_null(pc.cast(column, pa.float64(), safe=False), float("nan")).to_numpy()
    if pa.types.is_integer(column.type):
        exact = pc.fill_null(pc.equal(pc.cast(numbers, column.type, safe=False), column), True)
        _refuse(term, docs, column, ~exact.to_numpy(zero_copy_only=False))
    return numbers


def _refuse(term: Term, docs: pa.Table, column: pa.ChunkedArray, wrong: npt.NDArray[np.bool_]) -> None:
    """InputError that names values by which copies cannot be ordered, and their documents. A missing value is no such value:
    its document comes last."""
    places = np.flatnonzero(wrong)[:3].tolist()
    if not places:
        return
    shown = ", ".join(f"{str(column[i].as_py())[:40]!r} (document {docs.column('id')[i].as_py()})" for i in places)
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    expected = "ISO 8601" if is_text else "a number that is exact as float64"
    kind = "timestamp[us]" if is_text else "float64"
    raise InputError(
        f"`keep`: {term.name}({term.column}) cannot order {int(wrong.sum()):,} of these documents by their value: {shown}; "
        f"expected {expected}. A source with `columns: {{{term.column}: {kind}}}` sets such records aside"
    )


_FORMS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d")
"""Forms of ISO 8601; those with a time are also read with a zone."""


def _times(column: pa.ChunkedArray, term: Term, docs: pa.Table) -> F64:
    """Dates and times as microseconds, also those in ISO 8601 strings; numbers as they are; NaN for a missing one.

    Raises InputError, with examples, if there are strings that cannot be read.
    """
    check_type(term, column.type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        # A year and a month stand for the month's first day.
        text = pl.Series(column.to_pylist(), dtype=pl.String).str.replace(r"^(\d{4}-\d\d)$", "$1-01")
        merged = pl.Series([None] * len(text), dtype=pl.Datetime("us", "UTC"))
        for form in _FORMS:
            if "%H" in form:
                zoned = text.str.to_datetime(f"{form}%#z", strict=False, time_unit="us", time_zone="UTC")
                plain = text.str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone("UTC")
                merged = merged.fill_null(zoned).fill_null(plain)
            else:
                merged = merged.fill_null(text.str.to_date(form, strict=False).cast(pl.Datetime("us", "UTC")))
        _refuse(term, docs, column, (text.is_not_null() & merged.is_null()).to_numpy())
        return merged.dt.epoch("us").cast(pl.Float64).fill_null(float("nan")).to_numpy()
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        micro = pc.cast(column, pa.timestamp("us", getattr(column.type, "tz", None)), safe=False)
        return _numbers(pc.cast(micro, pa.int64()), term, docs)
    return _numbers(column, term, docs)
