"""Merges on real text, ours and `tokenizers`', for several patterns and settings: every one compared, in order.

    python -m benchmarks.identical_merges --corpus DIR/docs --megabytes 50

What is claimed is equality, at a vocabulary of 32,768; the times are told because they are there.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from benchmarks.common import Options, Report, read_texts, run, text_column
from benchmarks.tokenizer_training import SIZE, counted
from eyas.tokenizer_train.alphabet import to_characters
from eyas.tokenizer_train.options import SPECIAL_TOKENS
from eyas.tokenizer_train.pretokenizer import PRESETS, Pretokenizer
from eyas.tokenizer_train.training.merging import learn_merges

SETS: dict[str, tuple[Pretokenizer, dict[str, Any]]] = {
    "Falcon-H1": (PRESETS["falcon-h1"], {"min_frequency": 2, "special_tokens": SPECIAL_TOKENS}),
    "Falcon-H1, tokens below 8 bytes": (PRESETS["falcon-h1"], {"max_token_length": 8}),
    "GPT-2": (PRESETS["gpt-2"], {}),
    "Llama-3, control tokens that are words": (PRESETS["llama-3"], {"special_tokens": ["the", "tion", "<s>"]}),
    "Qwen, pairs that occur 50 times": (PRESETS["qwen"], {"min_frequency": 50, "max_token_length": 16}),
    "digits joined, CJK apart": (Pretokenizer(split_digits="none", split_cjk=True), {"min_frequency": 2}),
}


def measure(options: Options) -> Report:
    texts = read_texts(options)
    column = text_column(texts)
    report = Report()
    for name, (pretokenizer, chosen) in SETS.items():
        special = chosen.get("special_tokens", [])
        begun = time.perf_counter()
        rest = {key: value for key, value in chosen.items() if key != "special_tokens"}
        table = counted(column, pretokenizer.rules, 2)
        learned = learn_merges(*table.counts(), SIZE, special, **rest)
        ours = time.perf_counter() - begun
        names = [t.decode() if i < len(special) else to_characters(t) for i, t in enumerate(learned.tokens)]
        pairs: dict[tuple[int, int], None] = {}
        for pair in zip(learned.left.tolist(), learned.right.tolist(), strict=True):
            pairs.pop(pair, None)  # of the same pair twice, `tokenizers` keeps the later rank
            pairs[pair] = None
        begun = time.perf_counter()
        theirs = _with_tokenizers(texts, pretokenizer, chosen)
        equal = [(names[left], names[right]) for left, right in pairs] == theirs
        again = len(learned.left) - (len(learned.tokens) - 256 - len(special))
        told = f"{name}: {len(theirs):,} merges, of which {again} make a token that was there"
        report.checked.append(told + ("" if equal else " UNEQUAL"))
        rates = (column.nbytes / 1e6 / ours, column.nbytes / 1e6 / (time.perf_counter() - begun))
        report.against(f"{name}, 32K", *rates, "tokenizers", "MB/s", 1.0, equal)
    return report


def _with_tokenizers(texts: Sequence[str], pretokenizer: Pretokenizer, chosen: dict[str, Any]) -> list[tuple[str, str]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pretokenizer.to_tokenizers()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=SIZE, initial_alphabet=alphabet, show_progress=False, **chosen)
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", measure, None))
