"""Which choice in a tokenizer costs what: bytes per token, and bits per byte of a small model trained on the same bytes.

    python -m benchmarks.tokenizer_ablation --corpus DIR/docs --megabytes 60 --train-megabytes 0.8 --width 128 --json OUT

Six tokenizers of one size learn from one sample: Falcon-H1's choices (each digit and each symbol for itself, LaTeX commands
whole), and five that change one of them. Falcon-H1's authors found that bytes per token rank tokenizers otherwise than
models do (docs/internals/falcon_h1.md §7), so each trains `tiny`, or a model of another width in its proportions.

Held equal: documents and their order, the bytes of every step, the context (a window of text is never cut, whatever its
tokens), weights at the start, optimiser, schedule, steps; and the held-out bytes, each scored exactly once: a window is
<|begin_of_text|> and its tokens, all of which count. Not equal: tokens, so short tokens compute more, and the gradient is
the mean over tokens, as `trainer` takes it. The trade: a megabyte teaches spelling, not arithmetic, so this ranks nothing
but large effects. The run above, 20 minutes on two shared cores: 3.67 bits per byte, and one seed's difference between two
tokenizers varies by 0.04, more than most differences.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.common import Document, Options, machine, read_documents, text_column
from eyas.tokenizer_train import Encoder, train_bpe
from eyas.tokenizer_train.options import TokenizerOptions

BASE = "base"
VARIANTS: dict[str, dict[str, Any]] = {
    BASE: {},
    "digits groups_of_3": {"split_digits": "groups_of_3"},
    "digits none": {"split_digits": "none"},
    "latex off": {"latex": None},
    "punctuation off": {"split_punctuation": False},
    "llama-3 pattern": {"pretokenizer": "llama-3"},
}
"""What differs from base. The last two cut runs of symbols, contractions and newlines as Llama-3 does; the very last also
groups digits by three, and cuts marks from their letters."""
TRAINED = ("English", "other languages", "code", "mathematics")
"""Groups of documents, in equal shares of the training bytes."""
RICH = {"digits": (re.compile(rb"[0-9]+"), 0.15), "LaTeX": (re.compile(rb"\\[A-Za-z]+"), 0.08)}
"""Groups of windows, of any document, with at least this share of their bytes in matches."""
HELD_OUT = 8
"""One document of so many is held out."""
WINDOW, STEP = 2000, 8000
"""Bytes of a document that are read at once; bytes of text in a step, at least."""

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Job:
    """One run of a model. Windows are ids with <|begin_of_text|> before them."""

    name: str
    seed: int
    vocab_size: int
    width: int
    steps: list[list[Ids]]
    scored: dict[str, list[Ids]]
    deadline: float


def windows(text: str) -> list[str]:
    """Pieces of at most `WINDOW` bytes; a character that two pieces would share is left out."""
    data = text.encode()
    return [data[at : at + WINDOW].decode(errors="ignore") for at in range(0, len(data), WINDOW)]


def bytes_of(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def group_of(document: Document) -> str | None:
    """None where the language is not known."""
    if document.kind in ("code", "math"):
        return "code" if document.kind == "code" else "mathematics"
    return document.lang and ("English" if document.lang == "en" else "other languages")


def steps_of(documents: Sequence[Document], wanted: float) -> list[list[str]]:
    """`wanted` bytes of windows, up to four of a document, the groups as equal at every step as windows allow."""
    supply: dict[str, list[str]] = {group: [] for group in TRAINED}
    for document in documents:
        if group := group_of(document):
            pieces = windows(document.text)
            supply[group] += pieces[(len(pieces) - 1) // 2 :][:4]
    taken = dict.fromkeys(TRAINED, (0, 0))
    steps: list[list[str]] = [[]]
    while sum(size for size, _ in taken.values()) < wanted:
        group = min(TRAINED, key=lambda one: taken[one][0])
        size, number = taken[group]
        if number == len(supply[group]):
            raise ValueError(f"too little text of {group} to train on: raise --megabytes or lower --train-megabytes")
        if bytes_of(steps[-1]) >= STEP:
            steps.append([])
        steps[-1].append(supply[group][number])
        taken[group] = size + len(supply[group][number].encode()), number + 1
    return steps


def held_of(documents: Sequence[Document]) -> dict[str, list[str]]:
    """By group, one window of each document: its middle, or the one that is richest in digits or LaTeX."""
    held: dict[str, list[str]] = {group: [] for group in (*TRAINED, *RICH)}
    for document in documents:
        pieces = windows(document.text)
        if group := group_of(document):
            held[group].append(pieces[(len(pieces) - 1) // 2])  # beginnings are licences and menus
        for name, (pattern, least) in RICH.items():
            share, best = max((sum(map(len, pattern.findall(p.encode()))) / len(p.encode()), p) for p in pieces if p)
            if share >= least and len(best) >= 200:
                held[name].append(best)
    return {name: found for name, found in held.items() if found}


def learn(job: Job) -> dict[str, list[float]]:
    """Trains one model and scores the held-out windows: `bits` of each by group; {} if it would start too late."""
    import torch

    from eyas.trainer.model import HybridLM
    from eyas.trainer.options import TrainOptions
    from eyas.trainer.schedule import plan_of
    from eyas.trainer.training import make_optimizer, pick_dtype

    if time.time() > job.deadline:
        return {}
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    shape = {"d_model": job.width, "d_ff": job.width * 5 // 2, "ssm_heads": job.width // 64, "kv_heads": 1}
    options = TrainOptions(steps=len(job.steps), model={**shape, "attention_heads": job.width // 128})
    model = HybridLM(options.config(job.vocab_size))
    optimizer = make_optimizer(model, options)
    narrow = pick_dtype("auto", torch.device("cpu")) == torch.bfloat16
    for number, step in enumerate(job.steps, 1):
        for group in optimizer.param_groups:
            group["lr"] = plan_of(options, number).rate * group["factor"]
        ids_bl = torch.from_numpy(np.concatenate(step))[None]
        segments_bl = torch.from_numpy(np.repeat(np.arange(len(step)), [len(one) for one in step]))[None]
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            loss = model.loss(ids_bl, segments_bl)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    model.requires_grad_(False)
    bits: dict[str, list[float]] = {}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        for name, found in job.scored.items():
            means = [float(model.loss(torch.from_numpy(one)[None])) for one in found]
            bits[name] = [mean * (len(one) - 1) / math.log(2) for mean, one in zip(means, found, strict=True)]
    return bits


def ratio(bits: Floats, sizes: Floats) -> tuple[float, float]:
    """Bits per byte and its standard error over documents (ratio estimator: Cochran, Sampling Techniques, 1977)."""
    found = float(bits.sum() / sizes.sum())
    spread = float(np.square(bits - found * sizes).sum()) * len(bits) / max(len(bits) - 1, 1)
    return found, math.sqrt(spread) / float(sizes.sum())


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything, as it goes into the JSON file."""
    drawn = {document.text: document for document in read_documents(Options(arguments.corpus, arguments.megabytes, 1))}
    documents = list(drawn.values())  # no exact copies; near copies may be in training and held out, the same for all
    learned = [document for number, document in enumerate(documents) if number % HELD_OUT]
    whole, texts = [document.text for document in learned], steps_of(learned, arguments.train_megabytes * 1e6)
    held_out = held_of(documents[::HELD_OUT])
    scored = {name: _first(held, arguments.scored_kilobytes * 1000) for name, held in held_out.items()}
    results: dict[str, dict[str, Any]] = {}
    jobs: list[Job] = []
    deadline = time.time() + 60 * arguments.minutes
    for name, changes in VARIANTS.items():
        chosen = {"vocab_sizes": [arguments.size], "latex": {}, **changes}
        vocabulary = train_bpe(whole, TokenizerOptions.model_validate(chosen))
        encoder = Encoder(vocabulary.build(arguments.size), threads=1)
        per_token = {g: bytes_of(h) / sum(len(ids) - 1 for ids in _encode(encoder, h)) for g, h in held_out.items()}
        steps = [_encode(encoder, step) for step in texts]
        tokens = sum(len(ids) - 1 for step in steps for ids in step)
        results[name] = {"options": changes, "bytes_per_token": per_token, "train_tokens": tokens}
        held = {group: _encode(encoder, found) for group, found in scored.items()}
        for seed in range(arguments.seeds):
            jobs.append(Job(name, seed, arguments.size, arguments.width, steps, held, deadline))
    jobs.sort(key=lambda job: job.seed)  # stable: a deadline costs the last seeds first
    runs = run_all(jobs, arguments.threads)
    seeds = min(map(len, runs.values()))
    if not seeds:
        raise ValueError("not one seed was done for all tokenizers: raise --minutes or lower --train-megabytes")
    groups = {**{name: [name] for name in scored}, "all four": [one for one in TRAINED if one in scored]}
    noise: dict[str, float | None] = {}
    for group, parts in groups.items():
        sizes = np.array([len(text.encode()) for part in parts for text in scored[part]], np.float64)
        bits_sn = {n: np.array([[b for part in parts for b in one[part]] for one in runs[n][:seeds]]) for n in VARIANTS}
        compared, noise[group] = compare(bits_sn, sizes)
        for name, one in compared.items():
            results[name].setdefault("bits_per_byte", {})[group] = one
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()}
    return {
        "settings": {**settings, "seeds": seeds, "steps": len(texts)},
        "train_bytes": sum(map(bytes_of, texts)),
        "tokenizer_bytes": bytes_of(whole),
        "held_out": {name: {"documents": len(held), "bytes": bytes_of(held)} for name, held in held_out.items()},
        "scored": {name: {"documents": len(held), "bytes": bytes_of(held)} for name, held in scored.items()},
        "seed_noise": noise,
        "tokenizers": results,
    }


def run_all(jobs: Sequence[Job], threads: int) -> dict[str, list[dict[str, list[float]]]]:
    """What `learn` returns, by tokenizer and seed, of the jobs that were not too late.

    In processes of one thread: two threads that wait for each other are 5 times slower where others compute too.
    """
    runs: dict[str, list[dict[str, list[float]]]] = {job.name: [] for job in jobs}
    with ProcessPoolExecutor(threads, mp_context=multiprocessing.get_context("spawn")) as pool:
        for job, bits in zip(jobs, pool.map(learn, jobs), strict=True):
            runs[job.name] += [bits] if bits else []
            print(f"{job.name}, seed {job.seed}: {'done' if bits else 'too late'}", file=sys.stderr)
    return runs


def _first(texts: Sequence[str], size: float) -> list[str]:
    """Texts from the first on, until they have `size` bytes."""
    ends = np.cumsum([len(one.encode()) for one in texts])
    return list(texts[: int(np.searchsorted(ends, size)) + 1])


def _encode(encoder: Encoder, texts: Sequence[str]) -> list[Ids]:
    found = encoder.encode(text_column(texts))
    return [np.concatenate([[encoder.bos], ids.values.to_numpy()]).astype(np.int64) for ids in found]


def compare(bits_sn: Mapping[str, Floats], sizes: Floats) -> tuple[dict[str, dict[str, Any]], float | None]:
    """Of each tokenizer bits per byte and what it has `more` than base, with standard errors over documents.

    `bits_sn`: of each seed and document. The number: the standard deviation of one seed's `more`, pooled; None of one seed.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, bits in bits_sn.items():
        (mean, error), (more, more_error) = (ratio(b.mean(0), sizes) for b in (bits, bits - bits_sn[BASE]))
        by_seed = ((bits - bits_sn[BASE]).sum(1) / sizes.sum()).tolist()
        found[name] = {"mean": mean, "error": error, "more": more, "more_error": more_error, "more_by_seed": by_seed}
    several = len(bits_sn[BASE]) > 1
    spreads = [np.var(one["more_by_seed"], ddof=1) for name, one in found.items() if several and name != BASE]
    return found, math.sqrt(float(np.mean(spreads))) if several else None


def show(found: Mapping[str, Any]) -> None:
    """Two tables, and what was held equal."""
    console = Console() if sys.stdout.isatty() else Console(width=180)
    settings, groups = found["settings"], [*found["held_out"], "all four"]
    first = Table(title="bytes per token on held-out text (higher: shorter)", title_justify="left")
    title = f"bits per byte (lower: better), mean of {settings['seeds']} seed(s); below base: difference from it"
    second = Table(title=f"{title}, ± standard error over documents, paired", title_justify="left")
    for table, columns in ((first, [*groups[:-1], "train tokens"]), (second, groups)):
        table.add_column("tokenizer")
        for column in columns:
            table.add_column(column, justify="right")
    for name, result in found["tokenizers"].items():
        first.add_row(
            name, *(f"{value:.3f}" for value in result["bytes_per_token"].values()), str(result["train_tokens"])
        )
        cells = [result["bits_per_byte"][group] for group in groups]
        base = [f"{cell['mean']:.3f} ±{cell['error']:.3f}" for cell in cells]
        second.add_row(name, *(base if name == BASE else [f"{c['more']:+.3f} ±{c['more_error']:.3f}" for c in cells]))
    if settings["seeds"] > 1:
        second.add_row("(sd of a seed)", *(f"{found['seed_noise'][group]:.3f}" for group in groups))
    console.print(first, second)
    for name, size in found["held_out"].items():
        some = found["scored"][name]
        told = (
            f"{size['bytes']:,} bytes of {size['documents']} documents, {some['bytes']:,} of {some['documents']} scored"
        )
        console.print(f"held out, {name}: {told}", highlight=False)
    console.print(
        f"equal for all: vocabulary {settings['size']:,}; {found['tokenizer_bytes']:,} bytes to learn it from; "
        f"{found['train_bytes']:,} bytes in {settings['steps']} steps, same windows of at most {WINDOW:,} bytes in the same "
        f"order; width {settings['width']}; optimiser, schedule, first weights; scored bytes. Not equal: train tokens.",
        highlight=False,
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="of *.jsonl.gz: text, kind, lang")
    parser.add_argument("--megabytes", type=float, default=60.0, help="sample that tokenizers learn from")
    parser.add_argument("--train-megabytes", type=float, default=0.8, help="that each model trains on")
    parser.add_argument("--scored-kilobytes", type=float, default=50.0, help="held-out text of each group")
    parser.add_argument("--size", type=int, default=16_384, help="of every vocabulary")
    parser.add_argument("--width", type=int, choices=(128, 256, 512), default=256, help="of the model; 256: tiny")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="models trained at a time, one thread each")
    parser.add_argument("--minutes", type=float, default=60.0, help="no model is begun later")
    parser.add_argument("--json", type=Path, metavar="OUT")
    arguments = parser.parse_args(argv)
    load, begun = os.getloadavg()[0], time.perf_counter()
    try:
        found = measure(arguments)
    except ValueError as error:
        parser.error(str(error))
    found = {"machine": machine(load), "minutes": (time.perf_counter() - begun) / 60, **found}
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
