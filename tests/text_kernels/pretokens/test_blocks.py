"""Blocks of 64 characters against one pretoken after the other, under every rule, with all runs across block edges."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from drawings import drawing

from eyas.text_kernels.jit import kernel
from eyas.text_kernels.pretokens import blocks
from eyas.text_kernels.pretokens.blocks import BLOCK, ascii_starts
from eyas.text_kernels.pretokens.pretokens import pretoken_end, pretokens
from eyas.text_kernels.pretokens.rules import ANY, KIND_NUMBER, KIND_SPACE, NOTHING, ONE_SPACE, Rules, kinds
from eyas.text_kernels.types import I64, Bytes
from eyas.text_kernels.utf8 import buffers

ASCII = ["a", "Bc", "word", " the", " ", "  ", "\n", "\r\n", "\n\n", "\t", "\v", "\x1c", "\0", "1", "22", "333", "4444",
         ".", "..", " (", "'", "'s", "'LL", "'re", " 'd", "\\", "\\alpha", " \\in", "\\\\x", "_", "#", "\x7f"]  # fmt: skip
OTHER = [
    "é",
    "ß",
    "слово",
    "中文",
    "か",
    "हि",
    "\u0301",
    "٣",
    "½",
    "\u3000",
    "\u2028",
    "\x85",
    "…",
    "ſ",
    "'ſ",
    "𒐀",
    "ś",
    "Ň",
    "ś?",
    "ſ?",
    "👩\u200d",
]
FIELDS = {
    "latex": (0, 1),
    "contractions": (0, 1, 2),
    "before_letters": (NOTHING, ONE_SPACE, ANY),
    "digits": (0, 1, 3),
    "space_before_digits": (0, 1),
    "symbol_runs": (0, 1),
    "newlines_after_symbols": (0, 1),
    "newline_runs": (0, 1),
    "final_space": (0, 1),
    "marks": (0, 1),
    "ideographs": (0, 1),
}
EVERY = [Rules(*values) for values in product(*FIELDS.values())]


@kernel
def one_by_one(data: Bytes, offsets: I64, table: Bytes, rules: Rules, ends: I64) -> int:
    count = 0
    for document in range(len(offsets) - 1):
        position = offsets[document]
        while position < offsets[document + 1]:
            position = pretoken_end(data, position, offsets[document + 1], table, rules)
            ends[count] = position
            count += 1
    return count


def texts(seed: int) -> pa.LargeStringArray:
    """Long ones and short ones; some of ASCII only, some of long runs of one thing."""
    chance = random.Random(seed)
    documents = []
    for _ in range(40):
        among = chance.choice([ASCII, ASCII + OTHER, OTHER, chance.sample(ASCII + OTHER, 3), chance.sample(ASCII, 2)])
        documents.append("".join(chance.choices(among, k=chance.choice([0, 1, 7, 40, 400]))))
    return pa.array(documents, pa.large_string())


@pytest.mark.parametrize("latex", FIELDS["latex"])
@pytest.mark.parametrize("before_letters", FIELDS["before_letters"])
def test_blocks_cut_as_single_steps_do(latex: int, before_letters: int) -> None:
    rules_of = [rules for rules in EVERY if (rules.latex, rules.before_letters) == (latex, before_letters)]
    for number, rules in enumerate(rules_of):
        column = texts(number)
        data, offsets = buffers(column)
        ends = np.empty(len(data), np.int64)
        count = one_by_one(data, offsets, kinds(rules.marks, rules.ideographs), rules, ends)
        np.testing.assert_array_equal(pretokens(column, rules)[0], ends[:count], str(rules))


def test_bytes_that_are_no_text_lead_nowhere_else() -> None:
    data = np.frombuffer(b"\xf7\xbf\xbf\xbf" * 400 + b" the end of it, " * 9, np.uint8)
    column = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data))
    assert pretokens(column, EVERY[0])[0][-1] == len(data)


def test_classes_of_ascii_are_those_of_the_table() -> None:
    table = kinds(1, 0)[:128]
    assert np.flatnonzero(table == KIND_SPACE).tolist() == [9, 11, 12, 32]
    assert np.flatnonzero(table == KIND_NUMBER).tolist() == list(range(48, 58))


@kernel
def _of_block(data: Bytes, start: int, stop: int, rules: Rules) -> np.uint64:
    return ascii_starts(data, start, stop, rules)


def test_a_block_decides_most_of_its_text() -> None:
    """Or the fast way would be taken never, and no other test could tell."""
    text = b"def walk(self, path): return [self.open(name) for name in path]  # lists"
    data = np.frombuffer(text, np.uint8)
    starts = int(_of_block(data, 0, len(data), EVERY[0]._replace(before_letters=ONE_SPACE, symbol_runs=1)))
    assert starts.bit_length() > BLOCK - 10
    assert starts.bit_count() == 20


@kernel
def _of_masks(
    lead: Bytes, known: int, letters: np.uint64, numbers: np.uint64, white: np.uint64, newlines: np.uint64, rules: Rules
) -> np.uint64:
    return blocks._starts(lead, 0, known, known, letters, numbers, white, newlines, rules)


def test_the_example_of_the_module_is_true() -> None:
    rows = drawing(blocks.__doc__, "text", "letters", "numbers", "white", "symbols", "alone", "starts")
    text = "".join(rows["text"]).replace("·", " ")
    masks = {name: sum(1 << i for i, bit in enumerate(row) if bit == "1") for name, row in rows.items()}
    assert len(text) == 12
    for name, is_of in (("letters", str.isalpha), ("numbers", str.isdigit), ("white", str.isspace)):
        assert masks[name] == sum(1 << i for i, character in enumerate(text) if is_of(character))
    assert masks["symbols"] == (1 << 12) - 1 - masks["letters"] - masks["numbers"] - masks["white"]
    assert masks["alone"] == masks["symbols"] & ~(masks["white"] << 1) & ~(masks["symbols"] << 1)
    lead = np.zeros(BLOCK, np.uint8)
    lead[:12] = np.frombuffer(text.encode(), np.uint8)
    given = [np.uint64(masks[name]) for name in ("letters", "numbers", "white")]
    gpt_2 = Rules(0, 1, ONE_SPACE, 0, 1, 1, 0, 0, 1, 0, 0)
    assert int(_of_masks(lead, 12, *given, np.uint64(0), gpt_2)) == masks["starts"]
    ends = pretokens(pa.array([text], pa.large_string()), gpt_2)[0].tolist()
    assert ends == [*(i for i in range(12) if masks["starts"] >> i & 1), 12]
