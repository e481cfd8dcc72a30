"""What the merge loop keeps: words as symbols, pairs and where they occur, tokens and when they were made.

A word's symbol stands at the byte it starts at and again at the byte it ends at, so both neighbours of a symbol are
found without links, as memory allocators do with boundary tags. Every pair has the list of places where it was made;
a place that has gone is noticed when it is looked at. So no pair is ever counted down, and there is no table of pairs.
The trade: a list is walked once or twice more than an exact count would need. 12 bytes a symbol for words, 4 to 12 for
places: 45 million symbols, the distinct pretokens of 1 GB of text, take about 0.9 GB.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

BORDER: Final = -1
"""Between two words."""
GONE: Final = -2
"""Where the right half of a merged pair started."""

# Places in `Sizes`.
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
    """2 numbers for each byte and for a border before, between and after words: symbol, word."""
    starts: npt.NDArray[np.int64]
    """Where each word starts, in cells of two numbers."""
    counts: npt.NDArray[np.uint64]
    """How often each word occurs."""


class Pairs(NamedTuple):
    """An *entry* is a pair, and the places where one merge, or the alphabet, made it."""

    pair: npt.NDArray[np.uint64]
    """left << 32 | right."""
    begin: npt.NDArray[np.int64]
    """Where in `places` its list begins."""
    length: npt.NDArray[np.int32]
    """Places in it where the pair still stands; they come first."""
    extent: npt.NDArray[np.int32]
    """All places in it."""
    shared: npt.NDArray[np.uint8]
    """1: the pair has, or had, other entries, see `merge_loop`."""
    places: npt.NDArray[np.int32]
    """All lists, one after the other."""
    heap_count: npt.NDArray[np.uint64]
    """A heap of entries: counts, at least as large as the true ones, largest first …"""
    heap_entry: npt.NDArray[np.int32]
    """… then the smaller pair, then the older entry."""


class Tokens(NamedTuple):
    """Tokens: special ones, the alphabet, then what merges make."""

    length: npt.NDArray[np.int32]
    """Bytes in it; one more token than there may be, for `merge_loop`'s use."""
    latest: npt.NDArray[np.int64]
    """The latest merge that made this token; -1: none."""
    offsets: npt.NDArray[np.int64]
    """Token t is `data[offsets[t]:offsets[t + 1]]`."""
    data: npt.NDArray[np.uint8]
    slots: npt.NDArray[np.uint64]
    """A `pretoken_table` of tokens; the value is the id."""


class Merges(NamedTuple):
    """What was merged, in order; the same pair may come again."""

    pair: npt.NDArray[np.uint64]
    token: npt.NDArray[np.int32]
    frequency: npt.NDArray[np.uint64]
    before: npt.NDArray[np.int64]
    """The merge before that made the same token; -1: none."""
    begin: npt.NDArray[np.int64]
    """Where in `places` the list of places begins at which the token was made."""
    length: npt.NDArray[np.int64]
    first_entry: npt.NDArray[np.int64]
    last_entry: npt.NDArray[np.int64]
    """Entries that the merge made: first_entry to before last_entry."""
    left_over: npt.NDArray[np.uint64]
    """By slot of `merged`: what is counted of a merged pair though it is merged, see `merge_loop`."""
    merged: npt.NDArray[np.uint64]
    """An open-addressing table of merged pairs, each plus 1; 0 is free."""


class Side(NamedTuple):
    """The neighbours on one side of the pair that is being merged; what is by token is all zero between merges."""

    frequency: npt.NDArray[np.uint64]
    """By token: how often it is the neighbour."""
    places: npt.NDArray[np.int64]
    """By token: at how many places; then, where its list goes on."""
    old: npt.NDArray[np.uint64]
    """By token: how often it is a neighbour of what was the same token before."""
    shared: npt.NDArray[np.uint8]
    """By token: 1 if the pair has an entry already."""
    seen: npt.NDArray[np.int32]
    """The tokens that are neighbours, in the order they are met."""
    here: npt.NDArray[np.int32]
    """By place of the list: the neighbour, or BORDER."""


class Scratch(NamedTuple):
    """For the neighbours of the pair that is being merged; what is by token is all zero between merges."""

    before: Side
    """Neighbours to the left of the new token."""
    after: Side
    """Neighbours to the right."""
    frequency: npt.NDArray[np.uint64]
    """By place of the list: how often its word occurs."""
