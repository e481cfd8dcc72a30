"""Mixtures: how many rows of each source a training run draws, by weights that may change at a step.

Each source is a stream with a cursor of its own, and a draw takes the next row of one of them (Falcon-H1's report, §3.1.2),
so weights may change in mid-run and a source's epochs are exact. Draw j of a source happens at time (j + u) / weight, u in
[0, 1) drawn from the seed: the order of times is the order of draws. So a mixture is random in the small, off by less than
one row per source in the large, and which rows lie before any step is computed, not counted: O(sources).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from eyas.corpus.sampling import GOLDEN, mix

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
_HALVINGS: Final = 80
"""Of an interval of time, until nothing lies between its ends that a float64 can tell apart."""


class Draws:
    """Which source each draw takes, and its which row: a pure function of (weights, seed, draw)."""

    def __init__(self, weights: Sequence[F64], firsts: Sequence[int], seed: int) -> None:
        """`weights[p]`: of each source in phase p, by rows; `firsts[p]`: the first draw of phase p, ascending from 0."""
        self._weights = [one / one.sum() for one in weights]
        self._firsts = list(firsts)
        salts = mix(np.arange(1, len(weights[0]) + 1).astype(np.uint64))
        self._keys = mix(salts ^ np.uint64(seed))  # no two sources' lots are each other's, moved
        self._bases: list[I64] = [np.zeros(len(weights[0]), np.int64)]
        """Draws of each source before each phase."""
        for phase in range(1, len(firsts)):
            self._bases.append(self._bases[-1] + self._exact(phase - 1, firsts[phase] - firsts[phase - 1]))

    def before(self, draw: int) -> I64:
        """How many of the draws before `draw` each source had."""
        phase = self._phase(draw)
        return np.asarray(self._bases[phase] + self._exact(phase, draw - self._firsts[phase]))

    def between(self, first: int, last: int) -> tuple[I64, I64]:
        """`(source, nth)` of draws `first` to `last`: draw i takes the row `nth[i]` (from 0) of the stream `source[i]`."""
        found = []
        while first < last:
            phase = self._phase(first)
            stop = min([last, *(f for f in self._firsts[phase + 1 : phase + 2])])
            found.append(self._within(phase, first - self._firsts[phase], stop - first))
            first = stop
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found])

    def _phase(self, draw: int) -> int:
        return int(np.searchsorted(self._firsts, draw, side="right")) - 1

    def _exact(self, phase: int, draws: int) -> I64:
        counts, past = self._until(phase, draws)
        if past:
            counts = counts + np.bincount(self._within(phase, draws - past, past)[0], minlength=len(counts))
        return counts

    def _within(self, phase: int, first: int, count: int) -> tuple[I64, I64]:
        """The next `count` draws of each source, and the `count` of all these that come first."""
        begun, past = self._until(phase, first)
        weights = self._weights[phase]
        source, nth, time = [], [], []
        for one in np.flatnonzero(weights):
            # Time passes by `count`, give or take one draw of each source.
            most = int((count + past + len(weights)) * weights[one]) + 3
            numbers = begun[one] + np.arange(min(count + past, most))
            source.append(np.full(len(numbers), one))
            nth.append(numbers)
            time.append(self._times(phase, int(one), numbers))
        sources, numbers, times = np.concatenate(source), np.concatenate(nth), np.concatenate(time)
        # Of equal times the lower source comes first, as `_until` counts.
        order = np.lexsort((sources, times))[past : past + count]
        return sources[order], self._bases[phase][sources[order]] + numbers[order]

    def _times(self, phase: int, source: int, numbers: I64) -> F64:
        """When draws happen: ascending, one in each of the intervals of length 1 / weight."""
        with np.errstate(over="ignore"):
            lots = mix(numbers.astype(np.uint64) * np.uint64(GOLDEN) + self._keys[source] + np.uint64(phase))
        return np.asarray((numbers + (lots >> np.uint64(11)) * 2.0**-53) / self._weights[phase][source])

    def _until(self, phase: int, draws: int) -> tuple[I64, int]:
        """`(counts, past)`: draws of each source before a time with at most `draws` before it, and how many are lacking.

        The lacking draws are all at that time, equal to the last bit: at most one of each source, and hardly ever any.
        """
        low, high = 0.0, float(draws + len(self._keys) + 1)
        counts = np.zeros(len(self._keys), np.int64)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if not low < middle < high:
                break
            found = self._counts(phase, middle)
            if found.sum() <= draws:
                low, counts = middle, found
            else:
                high = middle
        return counts, draws - int(counts.sum())

    def _counts(self, phase: int, time: float) -> I64:
        """Draws of each source before `time`."""
        counts = np.zeros(len(self._keys), np.int64)
        for source in np.flatnonzero(self._weights[phase]):
            guess = max(int(time * self._weights[phase][source]) - 1, 0)
            near = guess + np.arange(3)
            counts[source] = guess + int((self._times(phase, int(source), near) < time).sum())
        return counts
