"""Encoding text to ids, ours against `tokenizers`, fastokens and gigatoken, ids compared, all cores.

    python -m benchmarks.encoding --corpus DIR/docs --megabytes 100 --tokenizers /work/data/tokenizers

Every contender reads the same tokenizer.json and gets documents in the form it takes fastest: Arrow for us, a list of
strings for the others. Two times are told: the first call of a fresh tokenizer, whose caches are empty, and the median of
later calls. Tokenizers: those below --tokenizers (`python -m benchmarks.published_tokenizers` fetches them), and one of
ours, trained on the spot with digits and punctuation split and LaTeX injected, which the peers know no pattern of.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Tokenizer

from benchmarks.common import Options, Report, installed, read_texts, run, text_column
from eyas.tokenizer_train import Encoder, train_bpe
from eyas.tokenizer_train.latex_commands import LatexOptions
from eyas.tokenizer_train.options import TokenizerOptions

Encode = Callable[[], npt.NDArray[np.uint32]]
PUBLISHED = ("gpt2", "llama3", "qwen")
GOALS = {"tokenizers": 20.0, "fastokens": 1.0, "gigatoken": 1.0}


def ours(file: Path, texts: Sequence[str], column: pa.LargeStringArray) -> Encode:
    encoder = Encoder.from_file(file)
    return lambda: encoder.encode(column).flatten().to_numpy()


def with_tokenizers(file: Path, texts: Sequence[str], column: pa.LargeStringArray) -> Encode:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = True

    def encode() -> npt.NDArray[np.uint32]:
        found = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return np.concatenate([np.array(one.ids, np.uint32) for one in found])

    return encode


def with_fastokens(file: Path, texts: Sequence[str], column: pa.LargeStringArray) -> Encode:
    import fastokens

    tokenizer = fastokens.Tokenizer.from_file(str(file))

    def encode() -> npt.NDArray[np.uint32]:
        ids, _ = tokenizer.encode_batch_flat(list(texts), split_special_tokens=True)
        return np.frombuffer(ids, np.uint32)

    return encode


def with_gigatoken(file: Path, texts: Sequence[str], column: pa.LargeStringArray) -> Encode:
    import awkward
    import gigatoken

    tokenizer = gigatoken.Tokenizer(str(file))
    return lambda: np.asarray(awkward.flatten(tokenizer.encode_batch(list(texts))), np.uint32)


PEERS: dict[str, Any] = {"tokenizers": with_tokenizers, "fastokens": with_fastokens, "gigatoken": with_gigatoken}


def measure(options: Options, folder: Path | None = None) -> Report:
    """One claim a tokenizer and peer, for the first call and for later ones."""
    texts = read_texts(options)
    # Control tokens are text for us; gigatoken has no such setting, so no document may spell one.
    texts = [text for text in texts if "<|" not in text]
    column = text_column(texts)
    report = Report()
    with tempfile.TemporaryDirectory() as scratch:
        own = Path(scratch) / "tokenizer.json"
        size = min(32_768, max(600, column.nbytes // 100))  # a small text has no pairs for more
        chosen = TokenizerOptions(vocab_sizes=[size], latex=LatexOptions())
        own.write_text(train_bpe(texts, chosen).build(size).to_str())
        report.add(_compare(f"ours, {size:,}", own, texts, column, options.rounds))
        for name in PUBLISHED:
            file = folder / name / "tokenizer.json" if folder else None
            if file is not None and file.exists():
                report.add(_compare(name, file, texts, column, options.rounds))
            else:
                report.skipped.append(f"{name}: no {name}/tokenizer.json below --tokenizers")
    return report


def _compare(name: str, file: Path, texts: Sequence[str], column: pa.LargeStringArray, rounds: int) -> Report:
    report = Report()
    megabytes = column.nbytes / 1e6
    makers = {"ours": ours, **{peer: maker for peer, maker in PEERS.items() if installed(peer)}}
    contenders, first, seconds, results = {}, {}, {}, {}
    ours(file, texts[:100], column[:100])()  # compiles
    for who, make in makers.items():
        try:
            contenders[who] = make(file, texts, column)
            begun = time.perf_counter()
            results[who] = contenders[who]()
            first[who] = time.perf_counter() - begun
            seconds[who] = []
        except Exception as error:  # a peer that does not know a pattern says so in its own way
            contenders.pop(who, None)
            report.skipped.append(f"{name}: {who} refuses this tokenizer.json: {str(error)[:120]}")
    names = list(contenders)
    for number in range(rounds):
        for who in names[number % len(names) :] + names[: number % len(names)]:
            begun = time.perf_counter()
            contenders[who]()
            seconds[who].append(time.perf_counter() - begun)
    for who in names[1:]:
        equal = np.array_equal(results["ours"], results[who])
        count = len(results["ours"])
        report.checked.append(
            f"{name}: {count:,} ids, those of {who}" + ("" if equal else f" UNEQUAL ({len(results[who]):,})")
        )
        mine, its = megabytes / first["ours"], megabytes / first[who]
        report.against(f"{name}, first call", mine, its, who, "MB/s", GOALS[who], equal)
        mine, its = (megabytes / statistics.median(seconds[one]) for one in ("ours", who))
        report.against(f"{name}, later calls", mine, its, who, "MB/s", GOALS[who], equal)
    return report


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--tokenizers", type=Path, metavar="DIR")
    own, rest = parser.parse_known_args(argv)
    return run(__doc__ or "", lambda options: measure(options, own.tokenizers), rest)


if __name__ == "__main__":
    sys.exit(main())
