"""How tokens cut spans of text (words, commands), by one walk over ids and bytes together.

The walk compares every byte, so it also finds whether the tokens of a text, joined, are that text. Where they are not
(the tokenizer normalises), the spans of that text do not count. 200 MB/s on one core, where encoding runs at 2 to 40.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eyas.text_kernels.jit import kernel
from eyas.text_kernels.utf8 import buffers, decode
from eyas.text_kernels.words.rules import ACTION, CONTENT, actions
from eyas.text_kernels.words.words import words
from eyas.tokenizer_train.report.loaded import LoadedTokenizer

Numbers = npt.NDArray[np.int64]
_BLANK: Final = 0x20


@dataclass(frozen=True)
class Spans:
    """Spans of texts in ascending order, without overlap: span s is bytes `start[s]:end[s]` of the data buffer."""

    start: Numbers
    end: Numbers
    doc_offsets: Numbers
    """The spans of text i are `doc_offsets[i]` to `doc_offsets[i + 1]`."""


@dataclass(frozen=True)
class Cuts:
    """How a tokenizer cuts spans; for a text that does not come back byte by byte, everything is 0."""

    exact: npt.NDArray[np.bool_]
    """Per text: whether its tokens, joined, are its bytes."""
    pieces: npt.NDArray[np.int32]
    """Per span: how many tokens it touches; 1 if it is not cut."""
    alone: npt.NDArray[np.bool_]
    """Per span: whether it is one token, which holds nothing else but white space before it."""
    first: Numbers
    """Per span: the place of its first token among all ids."""


def content_words(text: pa.LargeStringArray) -> Spans:
    """The words of `eyas.text_kernels.words.words` that hold a letter, a number or an ideograph, so not punctuation.

    One rule for all scripts: runs of letters and numbers are words, and each Han character and each kana is one.
    """
    start, end, doc_offsets = words(text)
    data, _ = buffers(text)
    keep = np.zeros(len(start), np.bool_)
    _have_content(data, start, end, actions(), keep)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])
    return Spans(start[keep], end[keep], before[doc_offsets])


def cut(loaded: LoadedTokenizer, text: pa.LargeStringArray, ids: pa.LargeListArray, spans: Spans) -> Cuts:
    """How the tokens `ids` of each of `text` cut `spans`."""
    data, offsets = buffers(text)
    count = len(spans.start)
    cuts = Cuts(
        np.zeros(len(text), np.bool_), np.zeros(count, np.int32), np.zeros(count, np.bool_), np.zeros(count, np.int64)
    )
    # Copied, because read-only views would be another signature, hence a second compilation.
    flat = np.array(ids.values.to_numpy(zero_copy_only=False), np.uint32)
    where = np.array(ids.offsets.to_numpy(zero_copy_only=False), np.int64)
    tokens = (loaded.data, loaded.offsets, loaded.adds_space)
    marked = (spans.start, spans.end, spans.doc_offsets)
    _cut(data, offsets, flat, where, *tokens, *marked, cuts.exact, cuts.pieces, cuts.alone, cuts.first)
    return cuts


@kernel
def _have_content(
    data: npt.NDArray[np.uint8], start: Numbers, end: Numbers, table: npt.NDArray[np.uint8], keep: npt.NDArray[np.bool_]
) -> None:
    for word in range(len(start)):
        position = start[word]
        while position < end[word] and not keep[word]:
            code, width = decode(data, position)
            keep[word] = (CONTENT >> (int(table[code]) & ACTION)) & 1
            position += width


@kernel
def _cut(
    data: npt.NDArray[np.uint8],
    offsets: Numbers,
    ids: npt.NDArray[np.uint32],
    id_offsets: Numbers,
    token_data: npt.NDArray[np.uint8],
    token_offsets: Numbers,
    adds_space: bool,
    start: Numbers,
    end: Numbers,
    doc_offsets: Numbers,
    exact: npt.NDArray[np.bool_],
    pieces: npt.NDArray[np.int32],
    alone: npt.NDArray[np.bool_],
    first: Numbers,
) -> None:
    """Fills `exact`, `pieces`, `alone` and `first`."""
    for document in range(len(offsets) - 1):
        position, stop = offsets[document], offsets[document + 1]
        span, last_span = doc_offsets[document], doc_offsets[document + 1]
        same = True
        for number in range(id_offsets[document], id_offsets[document + 1]):
            token = ids[number]
            byte, token_end = token_offsets[token], token_offsets[token + 1]
            # The space that the tokenizer puts before the text is no byte of it.
            if adds_space and number == id_offsets[document] and byte < token_end and token_data[byte] == _BLANK:
                byte += 1
            begin = position
            while same and byte < token_end:
                same = position < stop and data[position] == token_data[byte]
                byte += 1
                position += 1
            if not same:
                break
            while span < last_span and start[span] < position and begin < position:
                if pieces[span] == 0:
                    first[span] = number
                pieces[span] += 1
                if end[span] > position:
                    break
                only_space = pieces[span] == 1
                for before in range(begin, start[span]):
                    only_space = only_space and (data[before] == _BLANK or 9 <= data[before] <= 13)
                alone[span] = only_space and end[span] == position
                span += 1
        exact[document] = same and position == stop
        if not exact[document]:
            pieces[doc_offsets[document] : last_span] = 0
            alone[doc_offsets[document] : last_span] = False
            first[doc_offsets[document] : last_span] = 0
