"""One small run with a stage of every kind, which tests of engine, report and analysis read."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator

import pytest

from eyas.pipelines.api import run
from eyas.pipelines.engine.engine import Outcome

RECIPE = """
name: small
seed: 5
partition_bytes: 20KB
tolerance: 0.5
plugins: [small_run_stages]
sources: [{name: pages, jsonl: {path: "%s", carry: [lang]}}]
stages:
  - gopher_quality: {min_doc_words: 30}
  - shout
  - exact_dedup
  - pairs
  - echo: {max_documents: 7}
tokenizer: {vocab_sizes: [320]}
shards: {sequence_length: 64, held_out: 0.2}
"""
STAGES = '''
"""A mapper, a generator and a joiner."""
import pyarrow as pa
import pyarrow.compute as pc
from eyas.corpus import Generator, Joiner, Mapper

STAGES = {name.lower(): f"small_run_stages:{name}" for name in ("Shout", "Echo", "Pairs")}

class Shout(Mapper):
    """Adds an exclamation mark."""
    def map(self, docs):
        louder = pc.binary_join_element_wise(docs.column("text").cast(pa.string()), "!", "")
        return docs.set_column(docs.column_names.index("text"), "text", louder.cast(pa.large_string()))

class Echo(Generator):
    """Repeats a document; fails where it says so."""
    def generate(self, docs, seed):
        texts = docs.column("text").to_pylist()
        return pa.table({"text": texts, "parent": [[i] for i in docs.column("id").to_pylist()],
                         "error": pa.nulls(len(texts), pa.string())})

class Pairs(Joiner):
    """Joins documents by the parity of their length."""
    def keys(self, docs, seed, total_bytes):
        return pa.array([[len(text) % 2] for text in docs.column("text").to_pylist()], pa.list_(pa.uint64()))
    def generate(self, docs, seed):
        text = "\\n".join(docs.column("text").to_pylist())
        return pa.table({"text": [text], "parent": [docs.column("id").to_pylist()], "error": pa.nulls(1, pa.string())})
'''
WORDS = """the of and to that with have be cats dogs sat mats river stone
where under walking slowly Vögel 日本 naïve""".split()  # noqa: SIM905


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """100 documents, of which 20 are too short, 10 are copies and 2 are broken."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "in").mkdir()
    dice = random.Random(0)
    texts = [" ".join(dice.choice(WORDS) for _ in range(dice.randint(40, 80))) for _ in range(68)]
    texts += [
        f"the river of cats and dogs with that stone under mats {number} have to be where <script> \x1b[2J"
        for number in range(20)
    ]
    lines = [json.dumps({"text": text, "lang": "en"}) for text in [*texts, *texts[:10]]]
    dice.shuffle(lines)
    (folder / "in" / "pages.jsonl").write_text("\n".join([*lines, '{"text": ', '{"text": 3}']) + "\n")
    (folder / "small_run_stages.py").write_text(STAGES)
    (folder / "recipe.yaml").write_text(RECIPE % (folder / "in"))
    path = [*sys.path]
    yield run(str(folder / "recipe.yaml"), str(folder / "runs"), workers=0)
    sys.path[:] = path
