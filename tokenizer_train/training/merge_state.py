"""The state of the merge loop: words as symbols, pairs and where they occur, tokens and the merges that made them.

An example: the pretokens `low` (5 times), `lower` (2) and `slow` (1), 12 bytes. Each byte has a *place*, and so has each
border `|` between words. At a place stands the symbol that starts or ends there:

    place         0     1     2     3     4     5     6     7     8     9    10    11    12    13    14    15
    word          0     0     0     0     0     1     1     1     1     1     1     2     2     2     2     2
    at first      |     l     o     w     |     l     o     w     e     r     |     s     l     o     w     |
    l + o         |    lo    lo     w     |    lo    lo     w     e     r     |     s    lo    lo     w     |
    lo + w        |   low    lo   low     |   low    lo   low     e     r     |     s   low    lo   low     |
    e + r         |   low    lo   low     |   low    lo   low    er    er     |     s   low    lo   low     |
    low + er      |   low    lo   low     | lower    lo   low  GONE lower     |     s   low    lo   low     |

A symbol is written at the place of its first byte and again at that of its last, so both neighbours of the symbol at
place p are found without links, as memory allocators do with boundary tags: the left one is at p - 1, the right one at
p + its length. What lies between the two is out of date and never read as a symbol.

Every pair has the list of places at which it was made, which is written once. A list goes out of date when a merge takes
one of its symbols; that is noticed when the list is looked at, not before:

    pair          written at          its list    where it still stands after lo + w
    l + o         the start           1 5 12      was merged
    o + w         the start           2 6 13      nowhere: `o` is no longer at 2, 6 or 13
    lo + w        merging l + o       1 5 12      was merged
    low + e       merging lo + w      5           5

So no pair is ever counted down, and there is no table of pairs. The trade: a list is walked once or twice more than an
exact count would need. Words take 12 bytes a symbol and places 4 to 12: 45 million symbols, the distinct pretokens of 1 GB
of text, take about 0.9 GB. `tests/tokenizer_train/training/test_merge_state.py` draws the first table from the real state.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

BORDER: Final = -1
"""Stands between two words."""
GONE: Final = -2
"""Stands where the right half of a merged pair started, so that lists with this place see that it left."""

# Places in `sizes`, the counters of the loop.
ENTRIES: Final = 0
HEAP: Final = 1
PLACES: Final = 2
TOKENS: Final = 3
MERGES: Final = 4
TOKEN_BYTES: Final = 5
EXHAUSTED: Final = 6
"""1: no pair is left that occurs often enough."""
SIZES: Final = 7


class Words(NamedTuple):
    """Distinct pretokens as symbols."""

    cells: npt.NDArray[np.int32]
    """Two numbers for each place, symbol and word, side by side in memory because they are read together."""
    starts: npt.NDArray[np.int64]
    """The place at which each word starts."""
    counts: npt.NDArray[np.uint64]
    """How often each word occurs."""


class Pairs(NamedTuple):
    """Entries. An *entry* is a pair with the list of places at which one merge, or the alphabet, made it."""

    pair: npt.NDArray[np.uint64]
    """left << 32 | right."""
    begin: npt.NDArray[np.int64]
    """Where in `places` the entry's list begins."""
    length: npt.NDArray[np.int32]
    """How many places of the list still hold the pair, as far as known; these come first."""
    extent: npt.NDArray[np.int32]
    """All places of the list."""
    has_siblings: npt.NDArray[np.uint8]
    """1: the pair has, or had, other entries, because one of its tokens was made in several ways (`merge_loop`)."""
    places: npt.NDArray[np.int32]
    """All lists, one after the other."""
    heap_count: npt.NDArray[np.uint64]
    """A heap of entries: counts, at least as large as the true ones, largest first …"""
    heap_entry: npt.NDArray[np.int32]
    """… then the smaller pair, then the older entry."""


class Tokens(NamedTuple):
    """Tokens: special ones, the alphabet, then what merges make."""

    length: npt.NDArray[np.int32]
    """Bytes of each token. There is room for one token more, the stand-in symbol of `merge_step.merge`."""
    latest_merge: npt.NDArray[np.int64]
    """The latest merge that made the token; -1: none."""
    offsets: npt.NDArray[np.int64]
    """Token t is `data[offsets[t]:offsets[t + 1]]`."""
    data: npt.NDArray[np.uint8]
    slots: npt.NDArray[np.uint64]
    """A hash table of tokens (`eyas.text_kernels.pretokens.table`); the value is the id."""


class Merges(NamedTuple):
    """The merges, in order; the same pair may be merged again."""

    pair: npt.NDArray[np.uint64]
    token: npt.NDArray[np.int32]
    frequency: npt.NDArray[np.uint64]
    previous: npt.NDArray[np.int64]
    """The merge before this one that made the same token; -1: none. With `Tokens.latest_merge` it is a linked list."""
    begin: npt.NDArray[np.int64]
    """Where in `Pairs.places` the list of places begins at which the merge made its token."""
    length: npt.NDArray[np.int64]
    first_entry: npt.NDArray[np.int64]
    last_entry: npt.NDArray[np.int64]
    """The merge made the entries from first_entry to before last_entry."""
    residual: npt.NDArray[np.uint64]
    """For each merged pair: the count that `tokenizers` still attributes to it after the merge (a quirk we reproduce; see
    `merge_loop`)."""
    merged: npt.NDArray[np.uint64]
    """An open-addressing table of merged pairs, each plus 1; 0 is free. `residual` has the same slots."""


class Side(NamedTuple):
    """The neighbours on one side of the pair that is being merged.

    Arrays by token are all zero between merges, `cursor` excepted: so a merge clears only the tokens that it met.
    """

    frequency: npt.NDArray[np.uint64]
    """By token: how often it is the neighbour."""
    place_count: npt.NDArray[np.int64]
    """By token: at how many places it is the neighbour."""
    cursor: npt.NDArray[np.int64]
    """By token that is a neighbour: where in `Pairs.places` the next place of its pair is written; -1: it has no entry."""
    old_frequency: npt.NDArray[np.uint64]
    """By token: how often it is a neighbour of the same token where an earlier merge made that."""
    has_siblings: npt.NDArray[np.uint8]
    """By token: 1 if its pair has an entry already."""
    distinct: npt.NDArray[np.int32]
    """The tokens that are neighbours, in the order in which they are met."""
    neighbours: npt.NDArray[np.int32]
    """By place of the list: the neighbour there, or BORDER."""


class Scratch(NamedTuple):
    """Working memory of one merge."""

    before: Side
    """Neighbours to the left of the new token."""
    after: Side
    """Neighbours to the right."""
    word_counts: npt.NDArray[np.uint64]
    """By place of the list: how often its word occurs."""
