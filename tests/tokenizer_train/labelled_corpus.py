"""A small corpus with labels of languages and kinds, hostile ones among them, and tokenizers trained on it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from eyas.tokenizer_train.report.sample import Sample

HOSTILE = (
    "<script>alert('x')</script><img src=x onerror=alert(1)> \u202egnp.exe \x00\x1b[31m $\\frac{1}{2}$ & \"quoted\" "
)


ENGLISH = "The quick brown fox jumps over the lazy dog, again and again, until it rains. "


LATEX = (
    r"Let $x \in \mathbb{R}$ and \[\frac{1}{2} \leq \alpha < \infty\] so that \(\sum_{i=1}^{n} x_i\) grows, $a$, $b$. "
)


@lru_cache
def content(size: int) -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<eos>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator([ENGLISH + HOSTILE + LATEX + "Größe 中文 Лиса 1234 " * 3] * 5, trainer)
    return str(tokenizer.to_str())


def tokenizers(folder: Path, *sizes: int) -> list[str]:
    paths = []
    for i, size in enumerate(sizes):
        own = folder / f"tokenizers <i>{i}"
        own.mkdir(parents=True, exist_ok=True)
        (own / "tokenizer.json").write_text(content(size))
        paths.append(str(own))
    return paths


def jsonl(path: Path, rows: Sequence[dict[str, object]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def corpus(folder: Path) -> str:
    rows: list[dict[str, object]] = []
    for i in range(40):
        rows.append({"text": f"{i} {HOSTILE}{ENGLISH * 20}", "lang": "en", "kind": "web"})
        rows.append({"text": f"{i} Größe und Länge, naïve Füße. " * 60, "lang": "de", "kind": "web"})
        rows.append({"text": f"{i} 敏捷的棕色狐狸跳过懒狗。" * 60, "lang": "<b>$x$</b>", "kind": "wiki"})
        rows.append(
            {"text": f"# {i}\n\ndef f(x):\n    if x:\n        return {i}\n" * 30, "kind": "code", "prog_lang": "<i>Py"}
        )
        rows.append({"text": LATEX * 12 + str(i), "kind": "math", "lang": "en"})
    rows.append({"text": "zu klein", "lang": "nds", "kind": "web"})
    jsonl(folder / "a.jsonl", rows[: len(rows) // 2])
    jsonl(folder / "b.jsonl.gz", rows[len(rows) // 2 :])
    return str(folder)


def texts(sample: Sample, name: str) -> list[str]:
    group = next(group for group in sample.groups if group.name == name)
    return [text for batch in sample.texts(group) for text in batch.to_pylist()]
