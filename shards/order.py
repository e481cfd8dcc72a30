"""The order of rows: a pure function of (index, seed, mixture, step), the same for any number of ranks.

A stream is the rows of one source, or of all sources if there is no mixture. Each of its epochs visits them in a
pseudo-random permutation that is *computed*, not stored: a four-round Feistel cipher over row numbers (Luby and Rackoff
1988), repeated until the number is below that of the rows. So a run can start at any step at once. `fold` computes a
rolling hash of the order, which is equal in two runs that saw the same rows in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eyas.corpus.sampling import GOLDEN, MASK, mix
from eyas.errors import InputError
from eyas.shards.format import Index
from eyas.shards.mixture import Draws
from eyas.shards.options import Phase, check_phases
from eyas.text_kernels.jit import kernel, part

I64 = npt.NDArray[np.int64]
_GOLDEN = np.uint64(GOLDEN)


class Order:
    """The rows of a set that each step sees. If `mixture` is None, every row comes as often as any other.

    Raises InputError for a mixture that names a source without rows, or whose first phase does not begin at step 0.
    """

    def __init__(
        self, index: Index, batch_size: int, seed: int, mixture: Sequence[Phase] | None = None, shuffle: bool = True
    ) -> None:
        self.index, self.batch_size, self.seed, self.shuffle = index, batch_size, seed, shuffle
        firsts = np.cumsum([0, *(file.rows for file in index.files)])
        self.mixture = None if mixture is None else tuple(mixture)
        self.names: tuple[str, ...] = ("all",) if mixture is None else index.sources
        self._streams: list[tuple[I64, I64]] = []
        """For each stream: the begins of its files in it, with its size at the end, and the files' first rows in the set."""
        for name in self.names:
            of_stream = [i for i, f in enumerate(index.files) if f.rows and (mixture is None or f.source == name)]
            sizes = np.array([index.files[i].rows for i in of_stream], np.int64)
            self._streams.append((np.concatenate([[0], np.cumsum(sizes)]), firsts[of_stream]))
        self.sizes = np.array([int(begins[-1]) for begins, _ in self._streams], np.int64)
        """Rows of each stream."""
        self._draws = self._mixed(mixture) if mixture is not None else None

    def _mixed(self, mixture: Sequence[Phase]) -> Draws:
        check_phases(mixture)
        named = {name for phase in mixture for name in phase.weights}
        if unknown := sorted(named - set(self.names)):
            raise InputError(
                f"the mixture names {', '.join(map(repr, unknown))}, but the shards have rows of "
                f"{', '.join(map(repr, self.names))} only"
            )
        # A share counts tokens, a draw takes a row: sources with fuller rows need fewer draws.
        fill = np.array([self.tokens(name) for name in self.names]) / self.sizes
        weights = [np.array([phase.weights.get(name, 0.0) for name in self.names]) / fill for phase in mixture]
        return Draws(weights, [phase.from_step * self.batch_size for phase in mixture], self.seed)

    def tokens(self, name: str) -> int:
        """Tokens of a stream, without padding."""
        return sum(f.tokens for f in self.index.files if self.mixture is None or f.source == name)

    def rows_of(self, step: int, steps: int = 1) -> I64:
        """The rows of the set that all ranks together see at `step`, in order, and at the steps after it."""
        first, last = step * self.batch_size, (step + steps) * self.batch_size
        if self._draws is None:
            source, nth = np.zeros(last - first, np.int64), np.arange(first, last)
        else:
            source, nth = self._draws.between(first, last)
        epoch, within = nth // self.sizes[source], nth % self.sizes[source]
        rows = np.empty(len(nth), np.int64)
        for stream, number in np.unique(np.stack([source, epoch], 1), axis=0).tolist():
            chosen = (source == stream) & (epoch == number)
            rows[chosen] = self._rows(stream, number, within[chosen])
        return rows

    def _rows(self, stream: int, epoch: int, within: I64) -> I64:
        """Row numbers of the set for places in one epoch of a stream."""
        if self.shuffle:
            salt = int(mix(np.array([stream], np.uint64))[0])
            key = mix(np.array([((self.seed + epoch * GOLDEN) & MASK) ^ salt], np.uint64))[0]
            within = permute(within, int(self.sizes[stream]), int(key))
        begins, firsts = self._streams[stream]
        file = np.searchsorted(begins, within, side="right") - 1
        return np.asarray(firsts[file] + within - begins[file])

    def seen(self, steps: int) -> I64:
        """The number of rows of each stream that the first `steps` steps draw."""
        total = steps * self.batch_size
        return np.array([total], np.int64) if self._draws is None else self._draws.before(total)

    def first_hash(self) -> int:
        """The hash before the first step, which depends on the set, seed, batch size and `shuffle`."""
        return fold(int(self.index.digest[:16], 16), np.array([self.seed & (MASK >> 1), self.batch_size, self.shuffle]))


@dataclass(frozen=True)
class Share:
    """The part of one source in a run."""

    source: str
    rows: int
    share: float
    """Share of the rows drawn."""
    epochs: float
    tokens: int
    """Tokens of the source."""
    epoch_tokens: float
    """Tokens of the whole run during one epoch of the source. Infinite if it is not drawn."""


def shares(order: Order, steps: int) -> list[Share]:
    """The part of each source in `steps` steps."""
    seen = order.seen(steps)
    total = max(int(seen.sum()), 1)
    per_row = order.index.tokens / max(order.index.rows, 1)
    by_source = []
    for name, rows, size in zip(order.names, seen.tolist(), order.sizes.tolist(), strict=True):
        epochs = rows / size
        epoch_tokens = total * per_row / epochs if rows else float("inf")
        by_source.append(Share(name, rows, rows / total, epochs, order.tokens(name), epoch_tokens))
    return by_source


WINDOW_TOKENS_PER_PARAMETER = 100e9 / 7e9
"""The memorisation window: the number of tokens after which a model's memory of a text fades. It is about 100 GT at 7 B
parameters and assumed to grow in proportion to parameters (docs/internals/falcon_h1.md §9)."""


def repeated_too_soon(order: Order, steps: int, parameters: int) -> list[str]:
    """A warning for each source that comes again while a model of `parameters` parameters still remembers it.

    Each phase counts by itself: a source that is alone at the end of a run comes again sooner than on average.
    """
    window = WINDOW_TOKENS_PER_PARAMETER * parameters
    per_row = order.index.tokens / max(order.index.rows, 1)
    epochs = order.seen(steps) / order.sizes
    bounds = [0] if order.mixture is None else [p.from_step for p in order.mixture if p.from_step < steps]
    soonest = np.full(len(order.names), np.inf)
    for first, last in zip(bounds, [*bounds[1:], steps], strict=True):
        drawn = (order.seen(last) - order.seen(first)) / order.sizes
        tokens_of_phase = (last - first) * order.batch_size * per_row
        soonest = np.minimum(soonest, np.where(drawn > 0, tokens_of_phase / np.maximum(drawn, 1e-300), np.inf))
    return [
        f"source {name!r} is repeated {epoch:.1f} times, at times every {tokens:,.0f} tokens: within the memorisation window "
        f"of about {window:,.0f} tokens of a model of this size. Lower its weight, or add text to it."
        for name, epoch, tokens in zip(order.names, epochs.tolist(), soonest.tolist(), strict=True)
        if epoch > 1 and tokens < window
    ]


def fold(state: int, rows: I64, batch_size: int | None = None) -> int:
    """The rolling hash after steps that took `batch_size` of `rows` each, in this order. If None, one step took them all.

    `state`: the hash before these steps.
    """
    return int(_fold(np.uint64(state), rows, batch_size or max(len(rows), 1)))


def permute(numbers: I64, size: int, key: int) -> I64:
    """The images of `numbers` (each below `size`) under the permutation of 0 … size-1 that `key` names."""
    half = max((max(size - 1, 1).bit_length() + 1) // 2, 1)
    images = np.empty(len(numbers), np.int64)
    _permute(numbers, np.uint64(size), np.uint64(key), np.uint64(half), images)
    return images


@part
def _mix(x: np.uint64) -> np.uint64:
    """`eyas.corpus.sampling.mix` of one number."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def _fold(state: np.uint64, rows: I64, batch_size: int) -> np.uint64:
    for first in range(0, len(rows), batch_size):
        step = np.uint64(0)
        for i in range(batch_size):
            step ^= _mix(np.uint64(rows[first + i]) + np.uint64(i + 1) * _GOLDEN)
        state = _mix((state + _GOLDEN) ^ step)
    return state


@kernel
def _permute(numbers: I64, size: np.uint64, key: np.uint64, half: np.uint64, images: I64) -> None:
    # A cipher over 2 * half bits permutes a range up to four times too large: repeat it until the value is inside.
    low = (np.uint64(1) << half) - np.uint64(1)
    for i in range(len(numbers)):
        value = np.uint64(numbers[i])
        while True:
            left, right = value >> half, value & low
            for number in range(4):
                round_key = key + np.uint64(number + 1) * _GOLDEN
                left, right = right, left ^ (_mix(right ^ round_key) & low)
            value = (left << half) | right
            if value < size:
                break
        images[i] = np.int64(value)
