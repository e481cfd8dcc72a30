"""Mixtures: which source each row of a training run comes from, by weights that may change at a step.

Each source is a stream with a cursor of its own, and a draw takes the next row of one of them
(docs/internals/falcon_h1.md §9). So weights may change in mid-run and a source's epochs are exact. Draw j of a source
happens at time (j + u) / weight, with u in [0, 1) drawn from the seed, and the order of times is the order of draws. So a
mixture is random in the small and off by less than one row per source in the large. The rows before any step are
computed, not counted: O(sources).
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
"""Halvings of an interval of time, enough that no float64 lies between its ends."""


class Draws:
    """The source and the row of each draw: a pure function of (weights, seed, draw)."""

    def __init__(self, weights: Sequence[F64], firsts: Sequence[int], seed: int) -> None:
        """`weights[p]`: weight of each source in phase p, by rows. `firsts[p]`: first draw of phase p, ascending from 0."""
        self._weights = [of_phase / of_phase.sum() for of_phase in weights]
        self._firsts = list(firsts)
        salts = mix(np.arange(1, len(weights[0]) + 1).astype(np.uint64))
        self._keys = mix(salts ^ np.uint64(seed))  # so no source's random numbers are those of another, shifted
        self._bases: list[I64] = [np.zeros(len(weights[0]), np.int64)]
        """Draws of each source before each phase."""
        for phase in range(1, len(firsts)):
            self._bases.append(self._bases[-1] + self._exact(phase - 1, firsts[phase] - firsts[phase - 1]))

    def before(self, draw: int) -> I64:
        """The number of draws before `draw` of each source."""
        phase = self._phase(draw)
        return np.asarray(self._bases[phase] + self._exact(phase, draw - self._firsts[phase]))

    def between(self, first: int, last: int) -> tuple[I64, I64]:
        """`(source, nth)` of draws `first` to `last`: draw i takes the row `nth[i]` (from 0) of the stream `source[i]`."""
        of_phases = []
        while first < last:
            phase = self._phase(first)
            stop = min([last, *(f for f in self._firsts[phase + 1 : phase + 2])])
            of_phases.append(self._within(phase, first - self._firsts[phase], stop - first))
            first = stop
        if not of_phases:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate([source for source, _ in of_phases]), np.concatenate([nth for _, nth in of_phases])

    def _phase(self, draw: int) -> int:
        return int(np.searchsorted(self._firsts, draw, side="right")) - 1

    def _exact(self, phase: int, draws: int) -> I64:
        counts, past = self._until(phase, draws)
        if past:
            counts = counts + np.bincount(self._within(phase, draws - past, past)[0], minlength=len(counts))
        return counts

    def _within(self, phase: int, first: int, count: int) -> tuple[I64, I64]:
        """`(source, nth)` of the `count` draws from `first` on: the earliest of the next draws of all sources."""
        begun, past = self._until(phase, first)
        weights = self._weights[phase]
        source_parts, number_parts, time_parts = [], [], []
        for source in np.flatnonzero(weights):
            # Time passes by `count`, plus or minus one draw of each source.
            most = int((count + past + len(weights)) * weights[source]) + 3
            next_draws = begun[source] + np.arange(min(count + past, most))
            source_parts.append(np.full(len(next_draws), source))
            number_parts.append(next_draws)
            time_parts.append(self._times(phase, int(source), next_draws))
        sources, numbers, times = (np.concatenate(parts) for parts in (source_parts, number_parts, time_parts))
        # Of equal times the lower source comes first, as in `_until`.
        order = np.lexsort((sources, times))[past : past + count]
        return sources[order], self._bases[phase][sources[order]] + numbers[order]

    def _times(self, phase: int, source: int, numbers: I64) -> F64:
        """The times of draws: ascending, one in each interval of length 1 / weight."""
        with np.errstate(over="ignore"):
            hashes = mix(numbers.astype(np.uint64) * np.uint64(GOLDEN) + self._keys[source] + np.uint64(phase))
        return np.asarray((numbers + (hashes >> np.uint64(11)) * 2.0**-53) / self._weights[phase][source])

    def _until(self, phase: int, draws: int) -> tuple[I64, int]:
        """`(counts, past)`: draws of each source before the latest time with at most `draws` before it, and those missing.

        The missing draws all happen at that time, equal to the last bit: at most one of each source, and almost never any.
        """
        low, high = 0.0, float(draws + len(self._keys) + 1)
        counts = np.zeros(len(self._keys), np.int64)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if not low < middle < high:
                break
            before_middle = self._counts(phase, middle)
            if before_middle.sum() <= draws:
                low, counts = middle, before_middle
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
