"""Hashed lines against plain Python."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from eyas.text_kernels.fingerprints.line_hashes import lines


def column(*texts: str) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["a", " b ", "é\u2003x", "\n", "\n\n", "\xad", "A", "5"]), max_size=12), max_size=4
    )
)
def test_lines_hash_alike_if_their_words_are_alike(pieces: list[list[str]]) -> None:
    documents = ["".join(piece) for piece in pieces]
    hashed = lines(column(*documents), paragraphs=False)
    keys: dict[tuple[int, int], str] = {}
    texts: dict[str, tuple[int, int]] = {}
    for number, text in enumerate(documents):
        data = text.encode()
        rows = range(hashed.offsets[number], hashed.offsets[number + 1])
        spans = [(hashed.start[i], hashed.end[i]) for i in rows]
        content = [" ".join(data[a:b].decode().replace("\xad", "").lower().split()) for a, b in spans]
        expected = [" ".join(line.replace("\xad", "").lower().split()) for line in text.split("\n")]
        assert content == [line for line in expected if line]
        for i, line in zip(rows, content, strict=True):
            key = (int(hashed.high[i]), int(hashed.low[i]))
            assert hashed.characters[i] == len(line)
            assert keys.setdefault(key, line) == line and texts.setdefault(line, key) == key
