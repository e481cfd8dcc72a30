"""The constants of MinHash lanes, and the keys of a signature's bands.

`eyas.text_kernels.fingerprints.minhash` computes the signatures.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyas.corpus.sampling import GOLDEN, MASK, mix
from eyas.text_kernels.jit import kernel

U64 = npt.NDArray[np.uint64]
SEED = 1
"""Of the lanes of `minhash_dedup`. An index of band keys is of use only to runs with the same."""


def lanes(count: int, seed: int) -> tuple[U64, U64]:
    """The constants (a, b) of `count` hash functions, drawn by SplitMix64 from `seed`: the same on every platform."""
    start = (seed * GOLDEN + 0x632BE59BD9B4E019) & MASK
    states = [(start + (number + 1) * GOLDEN) & MASK for number in range(2 * count)]
    drawn = mix(np.array(states, np.uint64))
    return drawn[:count] | np.uint64(1), drawn[count:]


@kernel
def band_keys(signature: npt.NDArray[np.uint32], bands: int, rows: int) -> U64:
    """One 64-bit key per document and band, uint64[n * bands]: equal keys mean (almost surely) equal bands.

    The number of the band is mixed in, so that keys of different bands never meet.
    """
    documents = signature.shape[0]
    keys = np.empty(documents * bands, np.uint64)
    for document in range(documents):
        for band in range(bands):
            key = np.uint64(0x9E3779B97F4A7C15) * np.uint64(band + 1)
            for row in range(rows):
                key ^= np.uint64(signature[document, band * rows + row])
                key *= np.uint64(0xD6E8FEB86659FD93)
                key ^= key >> np.uint64(32)
            keys[document * bands + band] = key
    return keys
