"""The tokenizer pass: counts pretokens, learns BPE from them, writes one folder per size and measures fertility."""

# Tested in tests/end_to_end/test_tokenizer_cli.py.

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from eyas.corpus.part import Part
from eyas.corpus.store import FileEntry, Store
from eyas.corpus.task import Step, Steps, Task, TaskContext, entries_of
from eyas.errors import InputError
from eyas.pipelines.engine.passes.base import PassState, Result, files_of
from eyas.pipelines.engine.passes.records import AddedUpEntry, CountEntry, LearnedEntry, TokenizerSummary
from eyas.tokenizer_train.options import TokenizerOptions
from eyas.tokenizer_train.training.counting import bucket_number, choose_min_count, count_tasks, merge_tasks
from eyas.tokenizer_train.training.pruning import pruning_message

CELL_BYTES = 28
"""Memory of each cell of the merge loop, about (`eyas.tokenizer_train.training.merge_state`)."""

MEASURED_BYTES = 20_000_000
"""How much curated text fertility is measured on."""


def work(state: PassState) -> Steps[Result[TokenizerSummary]]:
    """Counts pretokens by part, adds them up by ranges of hashes, and lets one task learn and write."""
    options = state.plan.recipe.options.tokenizer
    assert options is not None
    curated = state.curated.parts
    size = sum(part.text_bytes for part in curated)
    if size == 0:
        raise InputError(
            "tokenizer: no curated document is left to learn from. The ledger (ledger/*.parquet, or `eyas explain`) says "
            "which stage dropped them; loosen it, or add sources."
        )
    buckets = bucket_number(curated, options)
    counted: list[CountEntry] = yield Step.of("count pretokens", count_tasks(curated, options, buckets))
    spills = files_of(counted)
    paths, spilled = [file.path for file in spills], sum(file.bytes for file in spills)
    merged: list[AddedUpEntry] = yield Step.of("add up counts", merge_tasks(paths, spilled, options, buckets))
    tables = files_of(merged)
    chosen = choose_min_count([entry["histogram"] for entry in merged], options, CELL_BYTES)
    mixture = _mixture(counted)
    _check_weights(options, mixture)
    run = partial(_train, tuple(curated), [file.path for file in tables], chosen, options)
    cells = sum(file.bytes for file in tables)
    entries = yield from entries_of(Step.of("learn merges", [Task("train", run, cells, all_cpus=True)]))
    summary = cast("TokenizerSummary", {**entries[0]["summary"], **chosen, "mixture": mixture})
    return Result(files=[*tables, *files_of(entries)], summary=summary)


def _mixture(counted: Sequence[CountEntry]) -> dict[str, dict[str, float]]:
    """Bytes by source and by language, as they are and with their weights."""
    sums: dict[str, dict[str, float]] = {}
    for entry in counted:
        for name, total in entry["mixture"].items():
            into = sums.setdefault(name, {"bytes": 0.0, "weighted": 0.0})
            for key in into:
                into[key] += total[key]
    return sums


def _check_weights(options: TokenizerOptions, mixture: dict[str, dict[str, float]]) -> None:
    """InputError for a weight whose source or language no document has."""
    for kind, weights in (("source", options.weights.source), ("lang", options.weights.lang)):
        known = sorted(name.partition(": ")[2] for name in mixture if name.startswith(f"{kind}: "))
        for name in weights:
            if name not in known:
                available = (
                    ", ".join(known[:30]) or "none: no document has this column (the stage `language` adds `lang`)"
                )
                raise InputError(
                    f"tokenizer: weights: {kind}: no curated document has the {kind} {name!r}; there are {available}"
                )


def _train(
    curated: Sequence[Part],
    tables: Sequence[str],
    chosen: dict[str, Any],
    options: TokenizerOptions,
    context: TaskContext,
) -> LearnedEntry:
    from eyas.tokenizer_train.encoding.encoder import Encoder
    from eyas.tokenizer_train.training.bpe import VocabularyTooLarge, learn, tokenizer_config
    from eyas.tokenizer_train.training.counting import read_counts

    try:
        vocabulary = learn(*read_counts(context.store, tables, chosen["min_count"]), options)
    except VocabularyTooLarge as error:
        raise VocabularyTooLarge(f"{error}{pruning_message(chosen)}") from None
    files: list[FileEntry] = []
    fertility = {}
    largest = max(options.vocab_sizes)
    for size in sorted(set(options.vocab_sizes)):
        content = vocabulary.build(size).to_str(pretty=True).encode()
        folders = [f"tokenizer/{size}", *(["tokenizer"] if size == largest else [])]
        for folder in folders:
            files.append(_write(context.store, f"{folder}/tokenizer.json", content))
            config = json.dumps(tokenizer_config(), indent=1).encode()
            files.append(_write(context.store, f"{folder}/tokenizer_config.json", config))
        fertility[str(size)] = _fertility(Encoder.from_bytes(content, threads=context.cpus), curated, context)
    index = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "vocab_sizes": sorted(set(options.vocab_sizes)),
        "latex_commands": len(vocabulary.commands),
        "options": options.model_dump(mode="json"),
    }
    files.append(context.store.write_json("tokenizer/index.json", index))
    summary = {"fertility": fertility, "merges": len(vocabulary.learned.left), **index}
    return {"files": [file.to_json() for file in files], "summary": summary}


def _write(store: Store, path: str, content: bytes) -> FileEntry:
    with store.create(path) as output:
        output.sink.write(content)
    return output.published()


def _fertility(encoder: object, curated: Sequence[Part], context: TaskContext) -> dict[str, dict[str, float]]:
    from eyas.tokenizer_train.encoding.encoder import Encoder
    from eyas.tokenizer_train.report.fertility import Fertility, measure

    assert isinstance(encoder, Encoder)
    sums: dict[str, Fertility] = {}
    # The same amount from each part, so that the first source does not stand for all.
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
