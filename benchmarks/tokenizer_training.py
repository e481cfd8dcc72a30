"""Training BPE, ours against `tokenizers`, gigabpe and gigatoken: text in memory to merges, all cores, merges compared.

    python -m benchmarks.tokenizer_training --corpus DIR/docs --megabytes 100

* our pattern (Falcon-H1: digits, punctuation and LaTeX commands apart), vocabulary of 32,768, against `tokenizers`;
* GPT-2's pattern, 32,768, against `tokenizers`, gigabpe and gigatoken (which read files: written before, to memory-backed
  storage where there is some, and not timed);
* `--large N`: N megabytes to 131,072 once, in a process of its own, for its time and the memory of the merge loop.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from benchmarks.common import Options, Report, Timed, in_turns, installed, read_texts, run, text_column
from eyas.text_kernels.pretokens.counts import PretokenCounts
from eyas.text_kernels.pretokens.rules import Rules
from eyas.tokenizer_train.alphabet import to_characters
from eyas.tokenizer_train.pretokenizer import PRESETS, Pretokenizer
from eyas.tokenizer_train.training.merging import learn_merges

SIZE = 32_768
Merges = list[tuple[str, str]]


def counted(column: pa.LargeStringArray, rules: Rules, threads: int) -> PretokenCounts:
    """Counts on all cores: each a share of the documents, then one adds up."""
    bounds = np.linspace(0, len(column), 4 * threads + 1).astype(int).tolist()
    tables = [PretokenCounts() for _ in range(threads)]

    def share(worker: int) -> None:
        for i in range(worker, len(bounds) - 1, threads):
            tables[worker].add(column.slice(bounds[i], bounds[i + 1] - bounds[i]), rules)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(share, range(threads)))
    for table in tables[1:]:
        tables[0].add_counted(*table.counts())
    return tables[0]


def ours(column: pa.LargeStringArray, pretokenizer: Pretokenizer, size: int) -> Merges:
    learned = learn_merges(*counted(column, pretokenizer.rules, os.cpu_count() or 1).counts(), size)
    names = [to_characters(token) for token in learned.tokens]
    pairs: dict[tuple[int, int], None] = {}
    for pair in zip(learned.left.tolist(), learned.right.tolist(), strict=True):
        pairs.pop(pair, None)
        pairs[pair] = None
    return [(names[left], names[right]) for left, right in pairs]


def with_tokenizers(texts: Sequence[str], pretokenizer: Pretokenizer, size: int) -> Merges:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pretokenizer.to_tokenizers()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def measure(options: Options, large: float | None = None) -> Report:
    texts = read_texts(options)
    column = text_column(texts)
    report = Report()
    megabytes = column.nbytes / 1e6
    own, gpt2 = PRESETS["falcon-h1"], PRESETS["gpt-2"]
    contenders: dict[str, Callable[[], Merges]] = {
        "ours": lambda: ours(column, own, SIZE),
        "tokenizers": lambda: with_tokenizers(texts, own, SIZE),
    }
    _claim(report, "our pattern, 32K", in_turns(contenders, options.rounds), megabytes, {"tokenizers": 8.0})
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        files = _files(texts, Path(folder))
        contenders = {
            "ours": lambda: ours(column, gpt2, SIZE),
            "tokenizers": lambda: with_tokenizers(texts, gpt2, SIZE),
            **{name: peer for name, peer in _peers(files, texts).items() if installed(name)},
        }
        timed = in_turns(contenders, options.rounds)
        if "gigabpe" in timed.results:
            _check_gigabpe(report, timed.results["gigabpe"], files, gpt2)
    _claim(report, "GPT-2's pattern, 32K", timed, megabytes, {"tokenizers": 8.0, "gigabpe": 1.0, "gigatoken": 1.0})
    if large is not None:
        _large(report, options, large)
    return report


def _check_gigabpe(report: Report, theirs: Merges, files: Sequence[str], pretokenizer: Pretokenizer) -> None:
    """It takes each line, with its newline, for a text, and has no byte in its alphabet that the text has not."""
    lines = [line for file in files for line in Path(file).read_bytes().decode().split("\n")]
    mine = ours(text_column([line + "\n" for line in lines if line]), pretokenizer, SIZE)
    same = sum(a == b for a, b in zip(mine, theirs, strict=False))
    report.checked.append(
        f"GPT-2's pattern, 32K: on single lines {same:,} of {len(mine):,} merges are gigabpe's, in order"
    )


def _files(texts: Sequence[str], folder: Path) -> list[str]:
    paths = [folder / f"{number}.txt" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_text("\n".join(texts[number :: len(paths)]) + "\n", encoding="utf-8", newline="")
    return [str(path) for path in paths]


def _peers(files: Sequence[str], texts: Sequence[str]) -> dict[str, Callable[[], Merges]]:
    whole = str(Path(files[0]).with_name("whole.txt"))
    Path(whole).write_text("\n".join(texts), encoding="utf-8")

    def with_gigabpe() -> Merges:
        import gigabpe

        _, merges = gigabpe.train_bpe(list(files), SIZE, special_tokens=[], pretokenizer="bytelevel")
        return [tuple(pair) for pair in merges]

    def with_gigatoken() -> Merges:
        import gigatoken

        gigatoken.train_bpe(whole, SIZE, [])
        return []  # its merges are bytes in another order of ids; `tokenizers` and gigabpe are oracles enough

    return {"gigabpe": with_gigabpe, "gigatoken": with_gigatoken}


def _claim(report: Report, name: str, timed: Timed, megabytes: float, goals: dict[str, float]) -> None:
    mine = timed.results["ours"]
    for peer, goal in goals.items():
        if peer not in timed.results:
            report.skipped.append(f"{name}: {peer} is not installed")
            continue
        theirs = timed.results[peer]
        equal = mine == theirs
        if peer == "tokenizers":
            report.checked.append(f"{name}: {len(mine):,} merges, those of {peer}" + ("" if equal else " UNEQUAL"))
        else:
            equal = True  # it gives others, or none that can be compared: `_check_gigabpe` does what can be done
        report.against(name, timed.rate("ours", megabytes), timed.rate(peer, megabytes), peer, "MB/s", goal, equal)


def _large(report: Report, options: Options, megabytes: float) -> None:
    """Counts here, and merges in a process of its own, whose peak is then that of the merge loop and what it needs."""
    column = text_column(read_texts(Options(options.corpus, megabytes, 1)))
    table = counted(column, PRESETS["falcon-h1"].rules, 2)
    size = column.nbytes / 1e6
    if size < 0.95 * megabytes:  # the rest from the Python environment's own text
        more = text_column(read_texts(Options(Path(sysconfig.get_path("purelib")), megabytes - size, 1)))
        table.add(more, PRESETS["falcon-h1"].rules)
        size += more.nbytes / 1e6
    pretokens, counts = table.counts()
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/counts.arrow"
        written = pa.table({"pretoken": pretokens, "count": counts})
        with pa.ipc.new_file(file, written.schema) as writer:
            writer.write_table(written)
        command = [sys.executable, "-m", "benchmarks.tokenizer_training", "--merge", file]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    report.checked.append(
        f"{size:,.0f} MB to 131,072: {told['pretokens']:,} pretokens of {told['bytes']:,} bytes, merged in "
        f"{told['seconds']:.1f} s; the process took {told['peak_gb']:.2f} GB at most, {told['before_gb']:.2f} GB before it"
    )
    report.alone("merging 131K below 2 GB", 2.0 / told["peak_gb"], "x", 1.0)


def merge(file: str) -> dict[str, Any]:
    """Reads counts, merges to 131,072, tells time and memory."""
    with pa.memory_map(file) as mapped:
        whole = pa.ipc.open_file(mapped).read_all().combine_chunks()
        pretokens, counts = whole.column("pretoken").combine_chunks(), whole.column("count").to_numpy()
        learn_merges(pretokens[:1000], counts[:1000], 300)  # compiles, or loads what is compiled
        before, begun = _memory("VmRSS"), time.perf_counter()
        learned = learn_merges(pretokens, counts, 131_072, min_frequency=2)
        return {
            "pretokens": len(pretokens),
            "bytes": pretokens.nbytes - 8 * len(pretokens),
            "tokens": len(learned.tokens),
            "seconds": time.perf_counter() - begun,
            "before_gb": before,
            "peak_gb": _memory("VmHWM"),
        }


def _memory(name: str) -> float:
    """GB, of a line of /proc/self/status; the process's all-time peak where there is none."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--large", type=float, metavar="N")
    parser.add_argument("--merge", metavar="FILE", help=argparse.SUPPRESS)
    own, rest = parser.parse_known_args(argv)
    if own.merge is not None:
        print(json.dumps(merge(own.merge)))
        return 0
    return run(__doc__ or "", lambda options: measure(options, own.large), rest)


if __name__ == "__main__":
    sys.exit(main())
