"""Grouping keys: the same on every machine, and any number for a document."""

from __future__ import annotations

from eyas.synthetic.long_context.keys import KEYS, key_lists, key_of


def test_a_name_has_the_same_key_everywhere() -> None:
    assert key_of("s\0repo") == 9357928438470157076 and key_of("s\0repo2") != key_of("s\0repo")


def test_each_document_has_its_own_keys() -> None:
    lists = key_lists([[1, 2**64 - 1], [], [7]])
    assert lists.type == KEYS and lists.to_pylist() == [[1, 2**64 - 1], [], [7]] and key_lists([]).to_pylist() == []
