"""Which choice in a tokenizer costs what: bytes per token, and bits per byte of a small model trained on the same bytes.

    python -m benchmarks.tokenizer_ablation --corpus DIR/docs --megabytes 60 --train-megabytes 1.2 --json OUT

Six tokenizers of one size learn from one sample: Falcon-H1's choices (each digit and each symbol for itself, LaTeX commands
whole), and five that change one of them. Falcon-H1's authors found that bytes per token rank tokenizers otherwise than
models do (falcon_h1.md §1.3), so each trains `tiny`, or a narrower model of its proportions.

Held equal: documents and their order, the bytes of every step, the context (a window of text is never cut, whatever its
tokens), weights at the start, optimiser, schedule, steps; and the held-out bytes, each scored exactly once: a window is
<|begin_of_text|> and its tokens, all of which count. Not equal: tokens, so a tokenizer of short tokens computes more, and
the gradient is the mean over tokens, as `eyas` trains. The trade: a million bytes teach spelling, not arithmetic: differences
that the seeds do not share mean nothing. Each run has one thread: 1,000 to 1,700 tokens/s for tiny at 16,384 entries.
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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.common import Document, Options, machine, read_documents, text_column
from tokenizer_train import Encoder, train_bpe
from tokenizer_train.options import TokenizerOptions

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

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Texts:
    """Windows of text: those of each step of training, and one of each held-out document by group."""

    whole: list[str]
    """The documents that are not held out, for the tokenizers."""
    steps: list[list[str]]
    held: dict[str, list[str]]


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


def windows(text: str, size: int) -> list[str]:
    """Pieces of at most `size` bytes; a character that two pieces would share is left out."""
    data = text.encode()
    return [data[at : at + size].decode(errors="ignore") for at in range(0, len(data), size)]


def group_of(document: Document) -> str | None:
    """None where the language is not known."""
    if document.kind in ("code", "math"):
        return "code" if document.kind == "code" else "mathematics"
    return document.lang and ("English" if document.lang == "en" else "other languages")


def divide(documents: Sequence[Document], wanted: float, step_bytes: int, size: int) -> Texts:
    """Held-out windows, and steps of `step_bytes` in which the groups have had equal bytes, `wanted` bytes in all.

    Exact copies of documents are left out; near copies stay, in training and held out, the same for all.
    """
    documents = list({document.text: document for document in documents}.values())
    learned = [document for number, document in enumerate(documents) if number % HELD_OUT]
    held: dict[str, list[str]] = {group: [] for group in (*TRAINED, *RICH)}
    for document in documents[::HELD_OUT]:
        pieces = windows(document.text, size)
        if group := group_of(document):
            held[group].append(pieces[(len(pieces) - 1) // 2])  # beginnings are licences and menus
        for name, (pattern, least) in RICH.items():
            share, best = max((sum(map(len, pattern.findall(p.encode()))) / len(p.encode()), p) for p in pieces if p)
            if share >= least and len(best) >= 200:
                held[name].append(best)
    supply: dict[str, Iterator[str]] = {group: _supply(learned, group, size) for group in TRAINED}
    taken = dict.fromkeys(TRAINED, 0)
    steps: list[list[str]] = [[]]
    while sum(taken.values()) < wanted:
        group = min(TRAINED, key=lambda one: taken[one])
        window = next(supply[group], None)
        if window is None:
            raise ValueError(f"too little text of {group} to train on: raise --megabytes or lower --train-megabytes")
        if sum(len(one.encode()) for one in steps[-1]) >= step_bytes:
            steps.append([])
        steps[-1].append(window)
        taken[group] += len(window.encode())
    return Texts([document.text for document in learned], steps, {name: found for name, found in held.items() if found})


def _supply(documents: Sequence[Document], group: str, size: int) -> Iterator[str]:
    """Of each document up to four windows from its middle on."""
    for document in documents:
        if group_of(document) == group:
            pieces = windows(document.text, size)
            yield from pieces[(len(pieces) - 1) // 2 :][:4]


def learn(job: Job) -> dict[str, Any] | None:
    """Trains one model and scores the held-out windows: `bits` of each by group. None if it would start too late."""
    import torch

    from trainer.model import HybridLM
    from trainer.options import TrainOptions
    from trainer.training import make_optimizer, pick_dtype

    if time.time() > job.deadline:
        return None
    begun = time.perf_counter()
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    options = TrainOptions(steps=len(job.steps), model=shape(job.width))
    model = HybridLM(options.config(job.vocab_size))
    optimizer = make_optimizer(model, options)
    narrow = pick_dtype("auto", torch.device("cpu")) == torch.bfloat16
    for number, step in enumerate(job.steps, 1):
        for group in optimizer.param_groups:
            group["lr"] = options.rate(number) * group["factor"]
        ids_bl = torch.from_numpy(np.concatenate(step))[None]
        segments_bl = torch.from_numpy(np.repeat(np.arange(len(step)), [len(one) for one in step]))[None]
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            loss = model.loss(ids_bl, segments_bl)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    trained = time.perf_counter() - begun
    model.requires_grad_(False)
    bits: dict[str, list[float]] = {}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        for name, found in job.scored.items():
            means = [float(model.loss(torch.from_numpy(one)[None])) for one in found]
            bits[name] = [mean * (len(one) - 1) / math.log(2) for mean, one in zip(means, found, strict=True)]
    return {"bits": bits, "train_seconds": trained, "seconds": time.perf_counter() - begun}


def shape(width: int) -> dict[str, bool | int | float]:
    """`tiny` at 256; other multiples of 128 in its proportions."""
    return {
        "d_model": width, "d_ff": width * 5 // 2, "ssm_heads": width // 64, "attention_heads": width // 128, "kv_heads": 1,
    }  # fmt: skip


def ratio(bits: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Bits per byte and its standard error over documents (ratio estimator, Cochran 1977, §2.11)."""
    found = float(bits.sum() / sizes.sum())
    spread = float(np.square(bits - found * sizes).sum()) * len(bits) / max(len(bits) - 1, 1)
    return found, math.sqrt(spread) / float(sizes.sum())


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything, as it goes into the JSON file."""
    documents = read_documents(Options(arguments.corpus, arguments.megabytes, 1))
    texts = divide(documents, arguments.train_megabytes * 1e6, arguments.step_bytes, arguments.window)
    scored = {name: _first(held, arguments.scored_kilobytes * 1000) for name, held in texts.held.items()}
    results: dict[str, dict[str, Any]] = {}
    jobs: list[Job] = []
    deadline = time.time() + 60 * arguments.minutes
    for name, changes in VARIANTS.items():
        chosen = {"vocab_sizes": [arguments.size], "latex": {}, **changes}
        vocabulary = train_bpe(texts.whole, TokenizerOptions.model_validate(chosen))
        encoder = Encoder(vocabulary.build(arguments.size), threads=1)
        per_token = {
            group: sum(len(one.encode()) for one in held) / sum(len(one) - 1 for one in _encode(encoder, held))
            for group, held in texts.held.items()
        }
        steps = [_encode(encoder, step) for step in texts.steps]
        tokens = sum(len(one) - 1 for step in steps for one in step)
        results[name] = {"options": changes, "bytes_per_token": per_token, "train_tokens": tokens, "runs": []}
        ids = {group: _encode(encoder, held) for group, held in scored.items()}
        for seed in range(arguments.seeds):
            jobs.append(Job(name, seed, arguments.size, arguments.width, steps, ids, deadline))
        print(f"{name}: tokenizer of {arguments.size:,}, {tokens:,} tokens to train on", file=sys.stderr)
    jobs.sort(key=lambda job: job.seed)  # stable: a deadline costs the last seeds first
    # Processes of one thread: two threads that wait for each other are 5 times slower where others compute too.
    with ProcessPoolExecutor(arguments.threads, mp_context=multiprocessing.get_context("spawn")) as pool:
        for job, run in zip(jobs, pool.map(learn, jobs), strict=True):
            results[job.name]["runs"] += [run] if run else []
            print(f"{job.name}, seed {job.seed}: {run['seconds']:.0f} s" if run else "too late", file=sys.stderr)
    seeds = min(len(result["runs"]) for result in results.values())
    if not seeds:
        raise ValueError("not one seed was done for all tokenizers: raise --minutes or lower --train-megabytes")
    noise = _compare(results, {name: [len(one.encode()) for one in held] for name, held in scored.items()}, seeds)
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()}
    sizes = {
        name: {
            "documents": len(held),
            "bytes": sum(len(one.encode()) for one in held),
            "scored_documents": len(scored[name]),
            "scored_bytes": sum(len(one.encode()) for one in scored[name]),
        }
        for name, held in texts.held.items()
    }
    return {
        "settings": {**settings, "seeds_done": seeds, "steps": len(texts.steps)},
        "train_bytes": sum(len(one.encode()) for step in texts.steps for one in step),
        "tokenizer_bytes": sum(len(text.encode()) for text in texts.whole),
        "held_out": sizes,
        "seed_noise": noise,
        "tokenizers": results,
    }


def _first(texts: Sequence[str], size: float) -> list[str]:
    """Texts from the first on, until they have `size` bytes."""
    ends = np.cumsum([len(one.encode()) for one in texts])
    return list(texts[: int(np.searchsorted(ends, size)) + 1])


def _encode(encoder: Encoder, texts: Sequence[str]) -> list[Ids]:
    return [
        np.concatenate([[encoder.bos], ids.values.to_numpy()]).astype(np.int64)
        for ids in encoder.encode(text_column(texts))
    ]


def _compare(results: Mapping[str, dict[str, Any]], sizes: dict[str, list[int]], seeds: int) -> float:
    """Adds `bits_per_byte` to the results, by group and over all that are trained on; bits are means over seeds.

    Returns the noise of seeds: the standard deviation of one seed's difference from base, pooled (0 with one seed).
    """
    members = {**{name: [name] for name in sizes}, "all four": [name for name in TRAINED if name in sizes]}
    spreads: list[float] = []
    for group, parts in members.items():
        lengths = np.array([size for part in parts for size in sizes[part]], np.float64)
        bits = {
            name: np.array([[b for part in parts for b in run["bits"][part]] for run in result["runs"][:seeds]])
            for name, result in results.items()
        }
        for name, result in results.items():
            mean, error = ratio(bits[name].mean(0), lengths)
            more, more_error = ratio((bits[name] - bits[BASE]).mean(0), lengths)
            each = ((bits[name] - bits[BASE]).sum(1) / lengths.sum()).tolist()
            result.setdefault("bits_per_byte", {})[group] = {
                "mean": mean, "error": error, "more": more, "more_error": more_error, "more_by_seed": each,
            }  # fmt: skip
            if name != BASE and seeds > 1:
                spreads.append(float(np.var(each, ddof=1)))
    return math.sqrt(float(np.mean(spreads))) if spreads else 0.0


def show(found: Mapping[str, Any]) -> None:
    """Two tables, and what was held equal."""
    console = Console() if sys.stdout.isatty() else Console(width=180)
    groups = list(found["held_out"])
    settings = found["settings"]
    first = Table(title="bytes per token on held-out text (higher: shorter)", title_justify="left")
    second = Table(
        title=f"bits per byte, mean of {settings['seeds_done']} seed(s) (lower: better); the others: difference from "
        "base ± standard error over documents, paired",
        title_justify="left",
    )
    for table, columns in ((first, [*groups, "train tokens"]), (second, [*groups, "all four"])):
        table.add_column("tokenizer")
        for column in columns:
            table.add_column(column, justify="right")
    for name, result in found["tokenizers"].items():
        first.add_row(name, *(f"{result['bytes_per_token'][g]:.3f}" for g in groups), f"{result['train_tokens']:,}")
        cells = [result["bits_per_byte"][g] for g in (*groups, "all four")]
        plain = [f"{c['mean']:.3f} ±{c['error']:.3f}" for c in cells]
        second.add_row(name, *(plain if name == BASE else [f"{c['more']:+.3f} ±{c['more_error']:.3f}" for c in cells]))
    console.print(first, second)
    for name, size in found["held_out"].items():
        console.print(
            f"held out, {name}: {size['bytes']:,} bytes of {size['documents']} documents for bytes per token; "
            f"{size['scored_bytes']:,} of {size['scored_documents']} scored by the models"
        )
    console.print(
        f"equal for all: vocabulary {settings['size']:,}; {found['tokenizer_bytes']:,} bytes to learn it from; "
        f"{found['train_bytes']:,} bytes in {settings['steps']} steps, same windows of at most {settings['window']:,} bytes "
        f"in the same order; width {settings['width']}; optimiser, schedule and first weights; scored bytes. Not equal: "
        f"tokens trained on.\nOne seed's difference from base varies by {found['seed_noise']:.4f} bits per byte (standard "
        "deviation over seeds, pooled over tokenizers and groups)."
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="of *.jsonl.gz: text, kind, lang")
    parser.add_argument("--megabytes", type=float, default=60.0, help="sample that tokenizers learn from")
    parser.add_argument("--train-megabytes", type=float, default=1.2, help="that each model trains on")
    parser.add_argument("--scored-kilobytes", type=float, default=60.0, help="held-out text of each group")
    parser.add_argument("--size", type=int, default=16_384, help="of every vocabulary")
    parser.add_argument("--width", type=int, choices=(128, 256, 512), default=256, help="of the model; 256: tiny")
    parser.add_argument("--window", type=int, default=2000, help="bytes of a document that are read at once")
    parser.add_argument("--step-bytes", type=int, default=8000, help="of text in a step")
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
