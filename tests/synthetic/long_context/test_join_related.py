"""Joined related documents: by common words or by a column, without copies."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from long_context_checks import TOPICS, check, docs

from eyas.synthetic.long_context.join_related import JoinRelated


def test_related_documents_are_joined_and_copies_are_not() -> None:
    rng = np.random.default_rng(1)
    words = {topic: [f"{topic}{i}" for i in range(15)] for topic in TOPICS}
    texts = [" ".join(rng.choice(words[TOPICS[i % 5]], 80)) for i in range(40)]
    texts += [texts[0]]
    table = docs(texts)
    stage = JoinRelated(target_tokens=3000, bytes_per_token=3, min_share=0.2)
    keys = stage.keys(table, 0, 0).to_pylist()
    topic = [i % 5 for i in range(40)]
    same = [bool(set(keys[i]) & set(keys[j])) for i in range(40) for j in range(i) if topic[i] == topic[j]]
    other = [bool(set(keys[i]) & set(keys[j])) for i in range(40) for j in range(i) if topic[i] != topic[j]]
    assert np.mean(same) > 0.05 and not any(other) and keys[0] == keys[40]
    group = table.filter(pa.array([*(t == 0 for t in topic), True]))
    joined_texts = stage.generate(group, 3)
    check(stage, group, joined_texts)
    assert [len(parents) for parents in joined_texts.column("parent").to_pylist()] == [8], "the copy was left out"
    assert joined_texts.equals(stage.generate(group, 3)) and not joined_texts.equals(stage.generate(group, 4))
    small = JoinRelated(target_tokens=700, bytes_per_token=3, min_share=0.2)
    check(small, group, small.generate(group, 3))
    assert small.generate(group, 3).num_rows == 3
    by_column = JoinRelated(column="site")
    sited = table.append_column("site", pa.array(["a", None, "b"] + ["a"] * 38))
    lists = by_column.keys(sited, 0, 0).to_pylist()
    assert lists[0] == lists[3] != lists[2] and lists[1] == [] and by_column.largest_group() is None


def test_empty_documents_have_no_relations() -> None:
    assert JoinRelated().keys(docs(["", "  \n", "one"]), 0, 0).to_pylist()[:2] == [[], []]
    assert JoinRelated().generate(docs(["", ""]), 0).num_rows == 0
