"""Best-fit-decreasing packing into rows of 2,048 tokens: tokens/s on one core, from lengths to rows of token ids.

There is no peer for the large case, whose goal is absolute. The naive Python twin packs a small sample beside ours,
and must fill as many rows, with the same room left in each. Document lengths are those of the corpus in words, drawn
with repetition and scattered by 10 %: a million documents, which no corpus of a few megabytes has. What each way of packing
pads, splits and loses is told of the documents as they are, in tokens.

    python -m benchmarks.packing --megabytes 10 --json packing.json
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from benchmarks.common import Options, Report, in_turns, read_texts, run, text_column
from eyas.shards.packing import fill_rows, pack
from eyas.shards.packing_report import comparison
from eyas.text_kernels.words.words import words
from eyas.tokenizer_train import Encoder, train_bpe
from eyas.tokenizer_train.options import TokenizerOptions

ROW, LONG_ROW = 2048, 8192
UNIT = "M tokens/s"
LEAST_RATE = 20.0
LEAST_RATIO = 1.0
DOCUMENTS_PER_MEGABYTE = 100_000
BLOCK = 2048
BATCH = 20_000
MOST = 1_000_000
SAMPLE = 20_000
"""Documents for the twin: inserting into a list makes its time grow with their square."""

I64 = npt.NDArray[np.int64]


def measure(options: Options) -> Report:
    texts = read_texts(options)
    lengths = draw_lengths(texts, min(MOST, max(1, int(DOCUMENTS_PER_MEGABYTE * options.megabytes))))
    report = Report()
    timed = in_turns({"ours": partial(ours, lengths), "rows": partial(into_rows, lengths)}, options.rounds)
    tokens = int(lengths.sum())
    name = f"packing, {len(lengths):,} documents"
    report.alone(f"{name}: which row", timed.rate("ours", tokens / 1e6), UNIT, LEAST_RATE)
    report.alone(f"{name}: to rows of ids", timed.rate("rows", tokens / 1e6), UNIT, LEAST_RATE)
    rooms: I64 = timed.results["ours"]
    mean, padding = tokens / len(lengths), rooms.mean() / ROW
    report.checked.append(f"{name} of {mean:,.0f} tokens on average: {len(rooms):,} rows, padding {padding:.3%}")
    _against_twin(report, lengths[:SAMPLE], options.rounds)
    real = token_lengths(texts)
    report.checked += [told(real, length) for length in (ROW, LONG_ROW)]
    return report


def token_lengths(texts: Sequence[str]) -> I64:
    """Tokens of each text, control tokens included, by a tokenizer trained on the spot."""
    size = min(16_384, max(600, sum(map(len, texts)) // 100))
    sample = texts[:: max(1, len(texts) // 20_000)]
    encoder = Encoder(train_bpe(sample, TokenizerOptions(vocab_sizes=[size])).build(size))
    parts = [encoder.encode(text_column(texts[i : i + BATCH])).offsets.to_numpy() for i in range(0, len(texts), BATCH)]
    return np.concatenate([np.diff(offsets) for offsets in parts]) + 2


def told(lengths: I64, row: int) -> str:
    """What each way of packing costs for these documents, as one source."""
    tokens = int(lengths.sum())
    ways = [
        f"{how} pads {one['padding'] / (one['rows'] * row):.3%}, splits {one['split']:,} documents "
        f"({one['short_split']:,} of them short), loses {one['lost'] / tokens:.1%}"
        for how, one in comparison(lengths, row).items()
    ]
    return f"{len(lengths):,} documents as they are, {tokens:,} tokens in rows of {row:,}: " + "; ".join(ways)


def _against_twin(report: Report, lengths: I64, rounds: int) -> None:
    timed = in_turns({"ours": partial(ours, lengths), "twin": partial(twin, lengths.tolist())}, rounds)
    millions = float(lengths.sum()) / 1e6
    equal = sorted(timed.results["ours"].tolist()) == sorted(timed.results["twin"])
    name = f"packing, {len(lengths):,} documents"
    rates = timed.rate("ours", millions), timed.rate("twin", millions)
    report.against(name, *rates, "naive Python twin", UNIT, LEAST_RATIO, equal)
    outcome = "the twin leaves the same rooms" if equal else "UNEQUAL, the twin leaves other rooms"
    report.checked.append(f"{name}: {outcome} in {len(timed.results['ours']):,} rows")


def draw_lengths(texts: Sequence[str], documents: int) -> I64:
    """Lengths of `documents` documents, int64, the same for the same texts; a word stands for a token."""
    random = np.random.default_rng(0)
    real = np.diff(words(text_column(texts))[2])
    drawn = random.choice(real, documents) * random.normal(1.0, 0.1, documents)
    return np.maximum(drawn, 1).astype(np.int64)


def ours(lengths: I64) -> I64:
    """Room left in each row."""
    packed = pack(lengths, ROW, "best_fit")
    used = np.bincount(packed.row, weights=packed.length, minlength=packed.rows)
    return ROW - used.astype(np.int64)


def into_rows(lengths: I64) -> int:
    """The same, and every token copied into its row, a few thousand rows at a time; how many rows."""
    packed = pack(lengths, ROW, "best_fit")
    tokens = np.zeros(int(lengths.sum()), np.uint16)
    starts = (np.cumsum(lengths) - lengths)[packed.document] + packed.offset
    block = np.empty((BLOCK, ROW), np.uint16)
    for first in range(0, packed.rows, BLOCK):
        mine = slice(*np.searchsorted(packed.row, [first, first + BLOCK]).tolist())
        block.fill(1)
        fill_rows(tokens, starts[mine], packed.length[mine], packed.row[mine], first, block)
    return packed.rows


def twin(lengths: Sequence[int]) -> list[int]:
    """The same in plain Python: rooms in a sorted list, the least that fits found by bisection."""
    pieces = [min(ROW, length - start) for length in lengths for start in range(0, length, ROW)]
    rooms: list[int] = []
    full = 0
    for piece in sorted(pieces, reverse=True):
        best = bisect_left(rooms, piece)
        room = (rooms.pop(best) if best < len(rooms) else ROW) - piece
        if room:
            insort(rooms, room)
        else:
            full += 1
    return rooms + [0] * full


def main(argv: Sequence[str] | None = None) -> int:
    return run(__doc__ or "", measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
