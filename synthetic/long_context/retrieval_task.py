"""Joins documents to a target length and appends questions: search in real documents, and two hops between them.

The needle-in-a-haystack test (Kamradt 2023) and RULER (Hsieh et al. 2024, arXiv:2404.06654) plant a needle in unrelated text,
where a model can find it by its strangeness. Here the needle is part of a document. The trade: documents that share no name
or number give no question of two hops, and a question of one hop replaces it; the column `long_context` lists the kinds of
questions. 9 MB/s on one core.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from eyas.corpus.sampling import MASK, hash_rank
from eyas.errors import InputError
from eyas.synthetic.long_context.joined import Joined, TargetJoiner, filled, table_of
from eyas.synthetic.long_context.keys import key_lists
from eyas.synthetic.long_context.marks import uniform
from eyas.synthetic.long_context.questions import LONGEST_QUESTION, Context, Question

GROUP_TARGETS = 8
"""A random group of documents has about so many times the target's length of text; a sixteenth of it is left over."""
_HEADING = 40  # More than the bytes of "\n\nDocument 12345\n\n".


class RetrievalTask(TargetJoiner):
    """Joins random documents and appends questions: `retrieval_task: {target_tokens: 65536, share: 0.05}`."""

    version: ClassVar[int] = 1

    questions: int = Field(default=4, ge=1, le=64)
    """Questions at the end of each text (ours)."""
    two_hops_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """The share of questions that lead from one document to another, where documents allow it (ours)."""
    share: float = Field(default=0.05, ge=0.0, le=1.0)
    """The share of the corpus that is used, in random groups (ours: no report gives a share)."""

    @model_validator(mode="after")
    def _questions_fit(self) -> RetrievalTask:
        if self.questions * LONGEST_QUESTION > self.limit // 2:
            raise InputError(
                f"{self.questions} questions may take {self.questions * LONGEST_QUESTION:,} bytes, more than half of the "
                f"target of {self.limit:,}: ask fewer, or raise `target_tokens`"
            )
        return self

    def keys(self, docs: pa.Table, seed: int, total_bytes: int) -> pa.Array:
        groups = max(total_bytes // (GROUP_TARGETS * self.limit), 1)
        drawn = hash_rank(hash_rank(docs.column("id").to_numpy(), seed), 21) % np.uint64(groups)
        return key_lists([[key] for key in drawn.tolist()])

    def generate(self, docs: pa.Table, seed: int) -> pa.Table:
        ids = docs.column("id").to_numpy()
        order = np.argsort(hash_rank(hash_rank(ids, seed), 22), kind="stable").tolist()
        texts = docs.column("text").to_pylist()
        sizes = [len(texts[row].encode()) + _HEADING for row in order]
        space = self.limit - self.questions * LONGEST_QUESTION
        joined_texts = []
        for run in filled(order, sizes, space):
            joined = self._with_questions(ids[run], [texts[row] for row in run], seed) if len(run) > 1 else None
            if joined is not None and joined.size >= self.least:
                joined_texts.append(joined)
        return table_of(joined_texts)

    def _with_questions(self, ids: npt.NDArray[np.uint64], texts: list[str], seed: int) -> Joined | None:
        """The documents with questions after them; None if they allow no question."""
        questions = self._questions(Context(texts), int(ids[0]), seed)
        if not questions:
            return None
        joined = Joined("retrieval " + ",".join(question.kind for question in questions))
        for number, (document, text) in enumerate(zip(ids.tolist(), texts, strict=True), 1):
            joined.add_words(f"{'' if number == 1 else chr(10) * 2}Document {number}\n\n")
            joined.add(document, text)
        for question in questions:
            joined.add_words(f"\n\nQuestion: {question.question}\nAnswer: {question.answer}")
        joined.add_words("\n")
        return joined

    def _questions(self, context: Context, first: int, seed: int) -> list[Question]:
        """Different questions about the documents, drawn by the id of the first one and the seed."""
        drawn = int(hash_rank(np.array([first], np.uint64), seed)[0])
        start = np.array([(drawn + i) & MASK for i in range(self.questions)], np.uint64)
        places = hash_rank(start, 23).tolist()
        hops = uniform(start, seed, 24) < self.two_hops_share
        questions: dict[str, Question] = {}
        for draw, two in zip(places, hops.tolist(), strict=True):
            question = (context.two_hops(draw) if two else None) or context.next_sentence(draw)
            if question is not None:
                questions.setdefault(question.question, question)  # A question drawn twice appears once.
        return list(questions.values())
