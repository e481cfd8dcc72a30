"""The tokenizer pass: learns BPE on the curated documents, writes one folder per size, measures fertility."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from corpus.chance import lot
from corpus.part import Part
from corpus.store import FileEntry, Store
from corpus.task import Entry, Step, Task, TaskContext
from pipelines.passes.base import PassState, Result
from tokenizer_train.options import TokenizerOptions

MEASURED_BYTES = 20_000_000
"""How much curated text fertility is measured on."""


def work(state: PassState) -> Generator[Step, list[Entry], Result]:
    """One task: `tokenizers` trains on all cores of one machine."""
    options = state.plan.recipe.options.tokenizer
    assert options is not None
    curated = state.of_kind("curated").parts
    size = sum(part.text_bytes for part in curated)
    if size == 0:
        raise ValueError(
            "tokenizer: no curated document is left to learn from. The ledger (ledger/*.parquet, or `eyas explain`) says "
            "which stage dropped them; loosen it, or add sources."
        )
    run = partial(_train, tuple(curated), options)
    entries = yield Step.of("tokenizer", [Task("train", run, size, all_cpus=True)])
    result = Result(summary=entries[0]["summary"])
    result.files = [FileEntry.from_json(file) for file in entries[0]["files"]]
    return result


def _train(curated: Sequence[Part], options: TokenizerOptions, context: TaskContext) -> Entry:
    from tokenizer_train.bpe import build, tokenizer_config, train_bpe
    from tokenizer_train.encoder import Encoder
    from tokenizer_train.latex import commands

    share = min(1.0, options.train_bytes / max(sum(part.text_bytes for part in curated), 1))
    found = train_bpe(_texts(curated, share, context), options)
    files: list[FileEntry] = []
    fertility = {}
    largest = max(options.vocab_sizes)
    for size in sorted(set(options.vocab_sizes)):
        content = build(found, options, size).to_str(pretty=True).encode()
        folders = [f"tokenizer/{size}", *(["tokenizer"] if size == largest else [])]
        for folder in folders:
            files.append(_write(context.store, f"{folder}/tokenizer.json", content))
            config = json.dumps(tokenizer_config(), indent=1).encode()
            files.append(_write(context.store, f"{folder}/tokenizer_config.json", config))
        fertility[str(size)] = _fertility(Encoder.from_bytes(content), curated, context)
    index = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "vocab_sizes": sorted(set(options.vocab_sizes)),
        "latex_commands": len(commands(options.latex)),
        "options": options.model_dump(mode="json"),
    }
    files.append(context.store.write_json("tokenizer/index.json", index))
    summary = {"fertility": fertility, "merges": len(found.merges), "share": share, **index}
    return {"files": [file.to_json() for file in files], "summary": summary}


def _write(store: Store, path: str, content: bytes) -> FileEntry:
    with store.create(path) as output:
        output.sink.write(content)
    return output.published()


def _texts(curated: Sequence[Part], share: float, context: TaskContext) -> Iterator[str]:
    """The documents to learn from: each is taken, or not, by a hash of (seed, id)."""
    limit = np.uint64(min(share * 2.0**64, 2.0**64 - 2**11))
    for part in curated:
        for docs in part.tables(context.store, ["id", "text"]):
            if share < 1.0:
                docs = docs.filter(pa.array(lot(docs.column("id").to_numpy(), context.seed) <= limit))
            yield from docs.column("text").to_pylist()


def _fertility(encoder: object, curated: Sequence[Part], context: TaskContext) -> dict[str, dict[str, float]]:
    from tokenizer_train.encoder import Encoder
    from tokenizer_train.fertility import Fertility, measure

    assert isinstance(encoder, Encoder)
    sums: dict[str, Fertility] = {}
    # The same amount from each part, so that the first source does not speak for all.
    quota = max(MEASURED_BYTES // max(len(curated), 1), 1)
    for part in curated:
        seen = 0
        for docs in part.tables(context.store, ["text", "source", "lang"]):
            groups = {name: docs.column(name) for name in ("source", "lang") if name in docs.column_names}
            measure(encoder, docs, groups, sums)
            seen += docs.nbytes
            if seen >= quota:
                break
    return {name: total.to_json() for name, total in sums.items()}
