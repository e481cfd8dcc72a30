"""minhash_dedup against brute force on real near-duplicates: every pair compared, nothing estimated.

`--corpus DIR` with `*.jsonl.gz` files of near-duplicates (field `text`), each file a set of its own; without them, licences
and notices of the installed packages. Of every pair of documents the true Jaccard similarity is computed. Told are: how many
pairs of each similarity share a band, beside what the S-curve promises, with three standard errors; of the documents that
a run dropped, how many are truly as similar to the one that stayed as promised (precision, which must be 100 %); and how
many pairs of documents that both stayed are as similar as that (missed). Pairs of one document are not independent, so
errors are those of dyadic data.

    python -m benchmarks.near_duplicates --corpus DIR/neardup
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import Options, Report, run, text_column
from eyas.filters.dedup.banding import probability
from eyas.filters.dedup.minhash import MinhashDedup
from eyas.filters.dedup.signatures import band_keys
from eyas.pipelines import run as run_recipe
from eyas.text_kernels.fingerprints.shingles import jaccard
from eyas.text_kernels.jit import kernel

LEAST = 0.4
"""Pairs below this are counted as nothing."""
EDGES = np.linspace(LEAST, 1.0, 13)
MOST_DOCUMENTS = 12_000
STAGE = MinhashDedup()

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


def measure(options: Options) -> Report:
    report = Report()
    for name, texts in _sets(options):
        _judge(name, texts, report)
    return report


def _sets(options: Options) -> Iterator[tuple[str, list[str]]]:
    """Every file's documents, the first few thousand; or licences and notices."""
    packed = sorted(options.corpus.rglob("*.jsonl.gz"))
    for file in packed:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            texts = [text for line in lines if (text := json.loads(line)["text"]).strip()]
        yield file.name.removesuffix(".jsonl.gz"), texts[:MOST_DOCUMENTS]
    if not packed:
        files = [f for f in sorted(options.corpus.rglob("*")) if f.is_file() and _is_notice(f)]
        texts = [f.read_text(encoding="utf-8", errors="replace") for f in files]
        yield "licences and notices", [text for text in texts if text.strip()][:MOST_DOCUMENTS]


def _is_notice(file: Path) -> bool:
    return any(word in file.name.upper() for word in ("LICENSE", "LICENCE", "COPYING", "NOTICE", "METADATA"))


def _judge(name: str, texts: Sequence[str], report: Report) -> None:
    column = text_column(texts)
    values, offsets = STAGE.shingle_sets(column, "s")
    keys = band_keys(STAGE.sketch(column, "s")[0], *STAGE.banding).reshape(len(texts), -1)
    left, right, similarity, met = _pairs(values, offsets, keys, LEAST)
    _recall(name, len(texts), left, right, similarity, met, report)
    fates = _run(texts)
    true = {(int(a), int(b)): float(s) for a, b, s in zip(left, right, similarity, strict=True)}
    dropped = [(i, of) for i, of in enumerate(fates) if of is not None]
    right_ones = sum(true.get((min(i, of), max(i, of)), 0.0) >= STAGE.verify_jaccard for i, of in dropped)
    stays = np.array([of is None for of in fates])
    above = similarity >= STAGE.verify_jaccard
    missed = int((stays[left] & stays[right] & above).sum())
    mark = "" if right_ones == len(dropped) else ": UNEQUAL"
    report.checked.append(
        f"{name}: {len(dropped):,} of {len(texts):,} documents dropped, {right_ones:,} of them truly similar{mark}; "
        f"{missed:,} of {int(above.sum()):,} similar pairs both stay"
    )
    if dropped:
        report.alone(f"{name}: precision of removals", 100.0 * right_ones / len(dropped), "%", 100.0)


@kernel
def _pairs(
    values: npt.NDArray[np.uint64], offsets: I64, keys: npt.NDArray[np.uint64], least: float
) -> tuple[I64, I64, F64, npt.NDArray[np.bool_]]:
    """Every pair (i < j) of at least this similarity: both, the similarity, and whether they share a band key."""
    left, right, similarity, met = [np.int64(0)], [np.int64(0)], [0.0], [False]
    for i in range(len(offsets) - 1):
        mine = values[offsets[i] : offsets[i + 1]]
        for j in range(i + 1, len(offsets) - 1):
            theirs = values[offsets[j] : offsets[j + 1]]
            if min(len(mine), len(theirs)) < least * max(len(mine), len(theirs)):
                continue
            value = jaccard(mine, theirs)
            if value >= least:
                left.append(np.int64(i))
                right.append(np.int64(j))
                similarity.append(value)
                met.append((keys[i] == keys[j]).any())
    return np.array(left)[1:], np.array(right)[1:], np.array(similarity)[1:], np.array(met)[1:]


def _recall(
    name: str,
    documents: int,
    left: I64,
    right: I64,
    similarity: F64,
    met: npt.NDArray[np.bool_],
    report: Report,
) -> None:
    """Pairs that met in a band, by similarity, beside the S-curve's promise."""
    expected = probability(similarity, *STAGE.banding)
    within = 0
    bins = 0
    for low, high in zip(EDGES[:-1], EDGES[1:], strict=True):
        here = (similarity >= low) & ((similarity < high) | ((high == EDGES[-1]) & (similarity <= 1.0)))
        if not here.any():
            continue
        surplus = met[here] - expected[here]
        error = _standard_error(documents, left[here], right[here], surplus)
        fits = abs(surplus.sum()) <= 3 * error + 1
        bins, within = bins + 1, within + fits
        report.checked.append(
            f"{name}, Jaccard {low:.2f}–{high:.2f}: {int(here.sum()):,} pairs, {met[here].mean():.3f} met, "
            f"{expected[here].mean():.3f} by the curve (± {3 * error / here.sum():.3f}){'' if fits else ', OUTSIDE'}"
        )
    report.alone(f"{name}: similarities within three errors of the curve", 100.0 * within / max(bins, 1), "%", 100.0)


def _standard_error(documents: int, left: I64, right: I64, surplus: F64) -> float:
    """Of the sum of `surplus`, whose terms are correlated if they share a document (Aronow et al. 2015, dyadic data)."""
    of_document = np.bincount(left, surplus, documents) + np.bincount(right, surplus, documents)
    variance = float((of_document**2).sum() - (surplus**2).sum())
    return float(np.sqrt(max(variance, float((surplus**2).sum()))))


def _run(texts: Sequence[str]) -> list[int | None]:
    """For each document the one that it was dropped as a copy of, or None, by a run of the engine."""
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"text": text_column(texts)}), f"{folder}/documents.parquet", row_group_size=1024)
        recipe = Path(folder, "recipe.yaml")
        recipe.write_text(
            f"name: near\nsources:\n  - name: documents\n    parquet: {{path: {folder}, glob: ['*.parquet']}}\n"
            "stages:\n  - minhash_dedup: {max_loss: 1}\n"
        )
        run_recipe(str(recipe), f"{folder}/runs", workers=0)
        ledger = pl.read_parquet(f"{folder}/runs/near/ledger/*.parquet")
    read = ledger.filter(pl.col("stage") == "read")["id"].sort().to_list()
    position = {document: number for number, document in enumerate(read)}
    fates: list[int | None] = [None] * len(texts)
    for row in ledger.filter(pl.col("reason") == "near_duplicate").iter_rows(named=True):
        fates[position[row["id"]]] = position[int(row["detail"].rpartition(" ")[2])]
    return fates


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
