"""Samples the documents that a classifier learns from and is judged by, with memory bounded by the sample.

A sample holds the documents of lowest hash rank. It takes three steps, since parts do not know of each other: each part
notes the lowest ranks of its documents in each class; one task merges these and keeps the lowest of all; each part then
writes the text of those it holds. Besides the two classes there is a survey, documents of every kind: without it nobody
sees what a score does to text that is in neither class.
"""

# Tested in tests/filters/classifiers/test_train.py.

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.part import Part
from eyas.corpus.sampling import hash_rank
from eyas.corpus.task import Entry, TaskContext
from eyas.filters.classifiers.examples import WHERE, Examples, read_files

NEGATIVE, POSITIVE, SURVEY = 0, 1, 2
CLASSES = {POSITIVE: "positives", NEGATIVE: "negatives", SURVEY: "survey"}
RANKS = "lots"
"""Name of the first step and of its folder; on disk, since the first edition, a hash rank is called a lot."""
_RANKS = pa.schema([("class", pa.uint8()), ("lot", pa.uint64()), ("id", pa.uint64())])


def sample_schema(groups: Sequence[str]) -> pa.Schema:
    """Columns of a sample: class, text, where it came from, and the groups that the report shows."""
    strings = [(name, pa.string()) for name in (WHERE, *groups)]
    return pa.schema([("class", pa.uint8()), ("text", pa.large_string()), *strings])


def rank_documents(part: Part, wanted: dict[int, tuple[Examples | None, int]], context: TaskContext) -> Entry:
    """Notes the lowest ranks of one part. `wanted`: by class, the condition (None: every document) and how many."""
    columns = {"id"} | {name for examples, _ in wanted.values() if examples for name in examples.columns()}
    ranks = _RANKS.empty_table()
    matched = dict.fromkeys(wanted, 0)
    for docs in part.tables(context.store, sorted(columns)):
        ids = docs.column("id").to_numpy()
        here = hash_rank(ids, context.seed)
        for number, (examples, _) in wanted.items():
            mask = examples.matches(docs) if examples else np.ones(len(ids), np.bool_)
            matched[number] += int(mask.sum())
            ranks = pa.concat_tables([ranks, _rank_table(number, here[mask], ids[mask])])
        ranks = lowest(ranks, {number: count for number, (_, count) in wanted.items()})
    entry = context.store.write_table(f"{context.folder}/{RANKS}/{part.key}.parquet", ranks)
    return {"files": [entry.to_json()], **{CLASSES[number]: count for number, count in matched.items()}}


def _rank_table(number: int, ranks: np.ndarray, ids: np.ndarray) -> pa.Table:
    classes = pa.array(np.full(len(ids), number, np.uint8))
    return pa.table([classes, pa.array(ranks), pa.array(ids)], schema=_RANKS)


def lowest(ranks: pa.Table, counts: dict[int, int]) -> pa.Table:
    """The `counts` lowest ranks of each class; ties go to the lower id."""
    ranks = ranks.sort_by([("lot", "ascending"), ("id", "ascending")])
    pieces = [ranks.filter(pc.equal(ranks.column("class"), number)).slice(0, count) for number, count in counts.items()]
    return pa.concat_tables(pieces).combine_chunks()


def choose(parts: Sequence[str], counts: dict[int, int], context: TaskContext) -> Entry:
    """Merges the ranks of all parts (their keys) into one list of the chosen documents, ordered by id."""
    ranks = _RANKS.empty_table()
    for key in parts:
        more = context.store.read_table(f"{context.folder}/{RANKS}/{key}.parquet")
        ranks = lowest(pa.concat_tables([ranks, more]), counts)
    entry = context.store.write_table(f"{context.folder}/chosen.parquet", ranks.sort_by("id"))
    return {"files": [entry.to_json()], "chosen": ranks.num_rows}


def take_texts(part: Part, groups: Sequence[str], max_characters: int | None, context: TaskContext) -> Entry:
    """Writes the beginning of each chosen document of one part."""
    chosen = context.store.read_table(f"{context.folder}/chosen.parquet")
    of_part = chosen.filter(pc.equal(pc.shift_right(chosen.column("id"), pa.scalar(32, pa.uint64())), part.number))
    schema = sample_schema(groups)
    path = f"{context.folder}/sample/{part.key}.parquet"
    with context.store.parquet(path, schema) as output:
        for docs in part.tables(context.store, ["id", "text", "origin", *groups]) if of_part.num_rows else ():
            for number in CLASSES:
                ids = of_part.filter(pc.equal(of_part.column("class"), number)).column("id")
                rows = docs.filter(pc.is_in(docs.column("id"), ids.combine_chunks()))
                if rows.num_rows:
                    output.write(_sample(rows, number, schema, max_characters))
    return {"files": [output.published().to_json()], "documents": of_part.num_rows}


def _sample(rows: pa.Table, number: int, schema: pa.Schema, max_characters: int | None) -> pa.Table:
    text = rows.column("text")
    columns = {
        "class": pa.array(np.full(rows.num_rows, number, np.uint8)),
        "text": text if max_characters is None else pc.utf8_slice_codeunits(text, 0, max_characters),
        WHERE: rows.column("origin"),
    }
    for name in schema.names[len(columns) :]:
        known = name in rows.column_names
        columns[name] = rows.column(name).cast(pa.string()) if known else pa.nulls(rows.num_rows, pa.string())
    return pa.table(columns, schema=schema)


def take_files(
    number: int, examples: Examples, count: int, groups: Sequence[str], max_characters: int | None, context: TaskContext
) -> Entry:
    """Writes the examples of a class that come from files."""
    rows, figures = read_files(examples, count, max_characters, groups, context.seed)
    table = pa.Table.from_pylist([{**row, "class": number} for row in rows], schema=sample_schema(groups))
    entry = context.store.write_table(f"{context.folder}/sample/{CLASSES[number]}-files.parquet", table)
    return {"files": [entry.to_json()], "documents": len(rows), **figures}
