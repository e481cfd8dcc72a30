"""Joined documents: the parents come out byte for byte, targets hold, orders are right, answers can be found again."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from eyas.corpus.documents import PARENT, SPANS, documents
from eyas.synthetic.long_context import join_repository, joined
from eyas.synthetic.long_context.dependencies import in_order
from eyas.synthetic.long_context.imports import Files, imported_files
from eyas.synthetic.long_context.join_related import JoinRelated
from eyas.synthetic.long_context.join_repository import JoinRepository
from eyas.synthetic.long_context.joined import TargetJoiner, filled, runs_up_to
from eyas.synthetic.long_context.marks import FILE, REPOSITORY
from eyas.synthetic.long_context.questions import sentences, terms
from eyas.synthetic.long_context.retrieval_task import RetrievalTask

ROOMS = ["alpha", "bravo", "gamma", "delta", "omega"]


def docs(texts: Sequence[str], origins: Sequence[str] | None = None) -> pa.Table:
    """A document table."""
    ids = [(3 << 32) + i for i in range(len(texts))]
    return documents(ids, list(texts), "s", list(origins or [f"/code/r/{i}.py" for i in range(len(texts))]))


def check(stage: TargetJoiner, table: pa.Table, made: pa.Table) -> None:
    """Every joined text holds its parents byte for byte, each once, and keeps to its target."""
    text_of = dict(zip(table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True))
    used: list[int] = []
    for row in made.to_pylist():
        assert joined.restore(row["text"], row[SPANS.name]) == [text_of[parent] for parent in row[PARENT.name]]
        assert stage.least <= len(row["text"].encode()) <= stage.limit
        used += row[PARENT.name]
    assert len(set(used)) == len(used)


HOSTILE_TEXT = st.text(max_size=30) | st.sampled_from(
    ["", "\r\n", "\n\n", "é\u0301\U0010ffff\0", "<|fil", "e|>\n", "import os\n"]
)


@given(
    st.dictionaries(st.sampled_from(["a.py", "b/c.py", "d.js", "e/.h", "ü \r.rs", "x.go"]), HOSTILE_TEXT, min_size=2)
)
@settings(max_examples=100, deadline=None)
def test_a_repository_comes_apart_again_byte_for_byte(files: dict[str, str]) -> None:
    stage = JoinRepository(root="/code", min_files=1)
    table = docs(list(files.values()), [f"/code/repo/{path}" for path in files])
    keys = stage.keys(table, 0, 0)
    assert pc.list_value_length(keys).to_pylist() == [1] * len(files) and len(set(keys.flatten().to_pylist())) == 1
    made = stage.generate(table, 0)
    check(stage, table, made)
    name, back = join_repository.restore(made.column("text")[0].as_py())
    assert name == "repo" and {path: text.encode() for path, text in back} == {p: t.encode() for p, t in files.items()}
    shuffled = stage.generate(table.take(pa.array(np.arange(len(files))[::-1])), 0)
    assert shuffled.column("text") == made.column("text"), "the order of the input does not matter"


def test_files_that_cannot_be_told_apart_take_no_part() -> None:
    stage = JoinRepository(root="/code", levels=2)
    origins = ["/code/a/b/c.py", "/code/a/c.py", "/elsewhere/a/b/c.py", "/code/a/b/new\nline.py", "/code/a/b/d.py"]
    table = docs(["x", "x", "x", "x", f"a page spells {FILE}"], origins)
    assert pc.list_value_length(stage.keys(table, 0, 0)).to_pylist() == [1, 0, 0, 0, 0]
    assert stage.places(table)[0] == ("a/b", "c.py")
    by_pattern = JoinRepository(pattern=r"/code/(?P<repository>\w+)/(?P<path>.*)")
    assert by_pattern.places(table)[1] == ("a", "c.py")
    columns = table.append_column("repo", pa.array(["q"] * 5)).append_column("file", pa.array(["m.py"] * 4 + [None]))
    by_column = JoinRepository(repository_column="repo", path_column="file")
    assert by_column.columns_needed() == ("repo", "file") and by_column.places(columns)[:1] == [("q", "m.py")]
    for wrong in (
        {"pattern": "("},
        {"pattern": "x"},
        {"path_column": "file"},
        {"file_mark": REPOSITORY},
        {"max_documents": 3},
    ):
        with pytest.raises(ValidationError):
            JoinRepository(**wrong)
    with pytest.raises(ValueError, match="expected a text of join_repository"):
        join_repository.restore("plain")


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("pkg/a.py", "from . import b\nimport repo.pkg.c, os\n", {"pkg/b.py", "pkg/c.py"}),
        ("pkg/sub/x.py", "from ..b import (f,\n  g)\nfrom repo.pkg import c\n", {"pkg/b.py", "pkg/c.py"}),
        ("top.py", "import pkg.sub\nfrom types import X\nif X:\n    import pkg.b\n", {"pkg/sub/__init__.py"}),
        ("web/a.ts", "import {x} from './b'\nconst c = require(\"../web/c\")", {"web/b.tsx", "web/c/index.js"}),
        ("src/m.c", '#include "m.h"\n# include <lib/n.h>\n#include <stdio.h>', {"src/m.h", "include/lib/n.h"}),
        ("cmd/main.go", 'import (\n\tu "github.com/o/repo/util"\n)\nfunc f() {\n"cmd/x"\n}', {"util/u.go", "util/v.go"}),
        ("src/main.rs", "mod parse;\nuse crate::ast::Node;\nuse std::io;", {"src/parse.rs", "src/ast/mod.rs"}),
        ("A.java", "import com.x.B;\nimport static com.x.C.f;", {"j/com/x/B.java", "j/com/x/C.java"}),
        ("notes.txt", "import pkg.b", set()),
    ],
)  # fmt: skip
def test_imports_are_found(path: str, text: str, wanted: set[str]) -> None:
    known = ["pkg/b.py", "pkg/c.py", "pkg/__init__.py", "pkg/sub/__init__.py", "pkg/types.py", "web/b.tsx"]
    known += ["web/c/index.js", "src/m.h", "include/lib/n.h", "util/u.go", "util/v.go", "src/parse.rs"]
    known += ["src/ast/mod.rs", "j/com/x/B.java", "j/com/x/C.java"]
    assert imported_files(path, text, Files([*known, path], "repo")) - {"pkg/__init__.py"} == wanted


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefghz"))))
def test_a_file_follows_what_it_asks_for_unless_they_ask_in_a_circle(asks: dict[str, set[str]]) -> None:
    order = in_order(asks)
    assert sorted(order) == sorted(asks)
    assert order == in_order({path: set(asks[path]) for path in sorted(asks, reverse=True)})

    def reach(start: str) -> set[str]:
        found, new = set(), [start]
        while new:
            for other in asks.get(new.pop(), set()) & set(asks) - found:
                found.add(other)
                new.append(other)
        return found

    for path in asks:
        for other in asks[path] & set(asks):
            if path != other and not any(one in reach(one) for one in {path, other} | reach(path)):
                assert order.index(other) < order.index(path)


@given(st.lists(st.integers(0, 12)), st.integers(1, 12))
def test_runs_and_fills_keep_to_the_limit(sizes: list[int], limit: int) -> None:
    items = list(range(len(sizes)))
    for cut, ordered in ((runs_up_to, True), (filled, False)):
        runs = list(cut(items, sizes, limit))
        assert all(sum(sizes[i] for i in run) <= limit and run for run in runs)
        flat = [i for run in runs for i in run]
        assert sorted(flat) == [i for i in items if sizes[i] <= limit] and (not ordered or flat == sorted(flat))


def page(number: int, topic: str) -> str:
    """A page of its own about a topic."""
    return "\n".join(
        f"The {topic} of page {number} has line {number * 37 + i} and says {topic} again." for i in range(12)
    )


def test_related_documents_are_joined_and_copies_are_not() -> None:
    rng = np.random.default_rng(1)
    words = {topic: [f"{topic}{i}" for i in range(15)] for topic in ROOMS}
    texts = [" ".join(rng.choice(words[ROOMS[i % 5]], 80)) for i in range(40)]
    texts += [texts[0]]
    table = docs(texts)
    stage = JoinRelated(target_tokens=3000, bytes_per_token=3, min_share=0.2)
    keys = stage.keys(table, 0, 0).to_pylist()
    topic = [i % 5 for i in range(40)]
    same = [bool(set(keys[i]) & set(keys[j])) for i in range(40) for j in range(i) if topic[i] == topic[j]]
    other = [bool(set(keys[i]) & set(keys[j])) for i in range(40) for j in range(i) if topic[i] != topic[j]]
    assert np.mean(same) > 0.05 and not any(other) and keys[0] == keys[40]
    group = table.filter(pa.array([*(t == 0 for t in topic), True]))
    made = stage.generate(group, 3)
    check(stage, group, made)
    assert [len(parents) for parents in made.column("parent").to_pylist()] == [8], "the copy was left out"
    assert made.equals(stage.generate(group, 3)) and not made.equals(stage.generate(group, 4))
    small = JoinRelated(target_tokens=700, bytes_per_token=3, min_share=0.2)
    check(small, group, small.generate(group, 3))
    assert small.generate(group, 3).num_rows == 3
    by_column = JoinRelated(column="site")
    sited = table.append_column("site", pa.array(["a", None, "b"] + ["a"] * 38))
    lists = by_column.keys(sited, 0, 0).to_pylist()
    assert lists[0] == lists[3] != lists[2] and lists[1] == [] and by_column.largest_group() is None


def test_an_empty_document_is_related_to_nothing() -> None:
    assert JoinRelated().keys(docs(["", "  \n", "one"]), 0, 0).to_pylist()[:2] == [[], []]
    assert JoinRelated().generate(docs(["", ""]), 0).num_rows == 0


def answer_of(question: str, texts: list[str]) -> str:
    """The answer, found again in the documents by whoever reads the question."""
    number, sentence = re.match(r"In document (\d+), (?:which|a) sentence follows this one: (.*)", question).groups()
    found = sentences(texts[int(number) - 1])
    assert found.count(sentence) == 1
    following = found[found.index(sentence) + 1]
    if "\nIt has one name or number" not in question:
        return following
    homes = {term: {n for n, text in enumerate(texts, 1) if term in terms(text)} for term in terms(following)}
    pairs = [(term, *(found - {int(number)})) for term, found in homes.items() if len(found) == 2]
    assert len(pairs) == 1
    term, other = pairs[0]
    return f"{term} in document {other}: " + next(s for s in sentences(texts[other - 1]) if term in terms(s))


def test_answers_stand_in_the_documents_and_can_be_found_again() -> None:
    texts = [
        page(i, ROOMS[i % 5]) + f"\nAt last Keystone{i // 2} was seen in room {i}.\nThe end of {i} is near."
        for i in range(60)
    ]
    table = docs(texts)
    stage = RetrievalTask(target_tokens=8000, questions=4, two_hops_share=0.5, share=1)
    made = stage.generate(table, 5)
    check(stage, table, made)
    kinds: list[str] = []
    for row in made.to_pylist():
        parents = joined.restore(row["text"], row[SPANS.name])
        tail = row["text"].encode()[row[SPANS.name][-1] :].decode()
        asked = tail.rstrip("\n").split("\n\nQuestion: ")[1:]
        assert 1 <= len(asked) <= 4
        for item in asked:
            question, _, answer = item.rpartition("\nAnswer: ")
            assert answer == answer_of(question, parents)
            assert answer.rpartition(": ")[2] in row["text"][: -len(tail)]
        kinds += row["long_context"].split(" ")[1].split(",")
    assert made.num_rows >= 2 and set(kinds) == {"next_sentence", "two_hops"}
    assert made.equals(stage.generate(table, 5)) and not made.equals(stage.generate(table, 6))
    none = RetrievalTask(target_tokens=8000, two_hops_share=0, share=1).generate(table, 5)
    assert "two_hops" not in "".join(none.column("long_context").to_pylist())


@given(
    st.lists(
        st.text(max_size=60) | st.just("A sentence of fair length, is it not?\nAnd one more of a fair length.\n"),
        min_size=2,
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_hostile_documents_are_asked_about_or_not_at_all(texts: list[str]) -> None:
    table = docs(texts)
    stage = RetrievalTask(target_tokens=8000, min_share=0, share=1)
    check(stage, table, stage.generate(table, 0))


def test_retrieval_groups_are_drawn_by_chance_and_questions_need_room() -> None:
    table = docs(["x"] * 3000)
    keys = RetrievalTask(target_tokens=8000).keys(table, 1, 10 * 8 * 24_000).flatten().to_numpy()
    counts = np.bincount(keys.astype(np.int64))
    assert len(counts) == 10 and counts.min() > 200
    with pytest.raises(ValidationError, match="more than half of the target"):
        RetrievalTask(target_tokens=1000, questions=4)
