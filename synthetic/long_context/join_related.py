"""Joins related documents, so that one helps to predict the next (In-Context Pretraining, Shi et al. 2024, arXiv:2310.10638).

That paper finds neighbours by embeddings. Here two documents are related if they share a band of a small MinHash sketch of
their words, at the other end of the curve that deduplication uses: with 32 bands of 3 rows, two documents of Jaccard 0.3
share a band with probability 0.58, two of 0.04 with 0.002. The trade: documents are related by common words, not by meaning,
and some stay alone. In 19 MB of eleven kinds of text, two documents of a joined text have a Jaccard of 0.23, two random ones
of 0.04; 43 % of the text came into texts of 16K to 32K tokens.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from eyas.corpus.sampling import GOLDEN, MASK, hash_rank, mix
from eyas.synthetic.long_context.joined import Joined, TargetJoiner, table_of
from eyas.synthetic.long_context.keys import KEYS, key_lists, key_of
from eyas.text_kernels.fingerprints.minhash import signatures
from eyas.text_kernels.fingerprints.shingles import jaccard, shingles
from eyas.text_kernels.words.words import word_hashes

U64 = npt.NDArray[np.uint64]
COPY_WORDS = 5
"""Words in a shingle when copies are recognised."""
_SEED = 0x10C  # Of the sketch. It is not the recipe's, so that another seed draws other groups, not other relations.


class JoinRelated(TargetJoiner):
    """Joins related documents: `join_related: {target_tokens: 65536}`."""

    version: ClassVar[int] = 1

    column: str | None = None
    """Documents with the same value in this column are related (an embedding's cluster, a site). null means by a sketch.
    Do not use `cluster_id`: deduplication leaves one document of each cluster."""
    bands: int = Field(default=32, ge=1, le=64)
    """Bands of the sketch. More bands find less similar pairs (ours)."""
    rows: int = Field(default=3, ge=1, le=8)
    """Hash values in a band. More rows demand greater similarity (ours; minhash_dedup: 8)."""
    shingle_words: int = Field(default=1, ge=1, le=16)
    """Words in a shingle. More words demand common phrases (ours; minhash_dedup: 5)."""
    max_group: int = Field(default=1000, ge=2)
    """Bands shared by more documents are ignored: a licence text or a page's footer relates nothing (ours)."""
    max_jaccard: float = Field(default=0.7, ge=0.0, le=1.0)
    """A document at least this similar to one in the joined text is left out as a copy. Similarity is by shingles of 5
    words, as in minhash_dedup's `verify_jaccard`. With 1, only equal documents are left out."""
    separator: str = "\n\n"
    """Text between two documents."""

    def columns_needed(self) -> tuple[str, ...]:
        return () if self.column is None else (self.column,)

    def largest_group(self) -> int | None:
        return self.max_group if self.column is None else None

    def keys(self, docs: pa.Table, seed: int, total_bytes: int) -> pa.Array:
        if self.column is not None:
            return key_lists([[] if v is None else [key_of(str(v))] for v in docs.column(self.column).to_pylist()])
        a, b = _lanes(self.bands * self.rows)
        sketches, full = signatures(docs.column("text"), self.shingle_words, a, b)
        keys = _band_keys(sketches, self.bands, self.rows)
        ends = np.cumsum([0, *(full * self.bands)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), pa.array(keys[full].ravel())).cast(KEYS)

    def generate(self, docs: pa.Table, seed: int) -> pa.Table:
        ids = docs.column("id").to_numpy()
        order = np.argsort(hash_rank(ids, seed), kind="stable")
        text = docs.column("text").combine_chunks()
        values, offsets = shingles(*word_hashes(text), COPY_WORDS)
        sets = [values[start:end] for start, end in zip(offsets, offsets[1:], strict=False)]
        gap = len(self.separator.encode())
        sizes = [len(document.as_buffer()) for document in text]
        joined_texts: list[Joined] = []
        waiting = [row for row in order.tolist() if sizes[row] <= self.limit]
        while waiting:
            taken, waiting = self._fill(waiting, sizes, sets, gap)
            joined = Joined("related")
            for place, row in enumerate(taken):
                joined.add_words(self.separator if place else "")
                joined.add(int(ids[row]), text[row].as_py())
            if len(taken) > 1 and joined.size >= self.least:
                joined_texts.append(joined)
        return table_of(joined_texts)

    def _fill(self, waiting: list[int], sizes: list[int], sets: list[U64], gap: int) -> tuple[list[int], list[int]]:
        """Rows for one text, and those left for the next. A copy of a taken row is in neither."""
        taken, left, space = [waiting[0]], [], self.limit - sizes[waiting[0]]
        for row in waiting[1:]:
            if sizes[row] + gap > space:
                left.append(row)
            elif all(jaccard(sets[row], sets[other]) < self.max_jaccard for other in taken):
                taken.append(row)
                space -= sizes[row] + gap
        return taken, left


def _lanes(count: int) -> tuple[U64, U64]:
    """Constants of `count` hash functions, drawn by SplitMix64."""
    states = [(_SEED + (number + 1) * GOLDEN) & MASK for number in range(2 * count)]
    drawn = mix(np.array(states, np.uint64))
    return drawn[:count] | np.uint64(1), drawn[count:]


def _band_keys(sketches: npt.NDArray[np.uint32], bands: int, rows: int) -> U64:
    """uint64[documents, bands]: two keys are equal if all hash values of the band are. Different bands differ in keys."""
    keys = np.broadcast_to(np.arange(1, bands + 1, dtype=np.uint64), (len(sketches), bands))
    for row in range(rows):
        keys = mix(keys + sketches.reshape(len(sketches), bands, rows)[:, :, row].astype(np.uint64) * np.uint64(GOLDEN))
    return keys
