"""One merge: the pair is replaced wherever it stands, and the pairs that this makes become entries.

A merge costs as much as the pair has places, and a little for each different neighbour; which places its neighbours' pairs
have lost is not written down anywhere (`merge_state`). 8 million places in 1.3 s on one core.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import kernel, part
from eyas.text_kernels.pretokens.table import LENGTH, VALUE, fill, find, keys, place
from eyas.text_kernels.wide_loads import prefetch
from eyas.tokenizer_train.training.merge_heap import push
from eyas.tokenizer_train.training.merge_pairs import (
    AHEAD,
    left_of,
    left_over,
    look_ahead,
    pair_of,
    places_of,
    right_of,
    set_left_over,
    windows,
)
from eyas.tokenizer_train.training.merge_state import (
    BORDER,
    ENTRIES,
    GONE,
    MERGES,
    PLACES,
    TOKEN_BYTES,
    TOKENS,
    Merges,
    Pairs,
    Scratch,
    Side,
    Tokens,
    Words,
)


@kernel
def merge(
    words: Words,
    pairs: Pairs,
    tokens: Tokens,
    merges: Merges,
    scratch: Scratch,
    sizes: npt.NDArray[np.int64],
    entry: int,
    count: np.uint64,
    min_frequency: np.uint64,
    max_length: int,
) -> None:
    """Merges the entry's pair, and makes the entries of the pairs that are new."""
    pair = pairs.pair[entry]
    places_of(words, pairs, tokens, entry, sizes, True)
    known = sizes[TOKENS]
    token = _token(tokens, sizes, left_of(pair), right_of(pair))
    again = token < known
    # Where the token is known, its new places must not be taken for old ones until they have been looked at.
    symbol = len(tokens.length) - 1 if again else token
    tokens.length[symbol] = tokens.length[token]
    uncounted = _replace(words, pairs, tokens, scratch, entry, symbol)
    made = sizes[MERGES]
    merges.pair[made], merges.token[made], merges.frequency[made] = pair, token, count
    merges.begin[made], merges.length[made] = pairs.begin[entry], pairs.length[entry]
    merges.before[made], merges.first_entry[made] = tokens.latest[token], sizes[ENTRIES]
    if again:
        _old_neighbours(words, pairs, tokens, merges, scratch, token, symbol, True)
        _rename(words, pairs, tokens, scratch, entry, symbol, token)
    before, after, merged = scratch.before, scratch.after, pairs.length[entry]
    met_before = _meet(before.here, scratch.frequency, merged, before.frequency, before.places, before.seen)
    met_after = _meet(after.here, scratch.frequency, merged, after.frequency, after.places, after.seen)
    if again:
        _find_shared(pairs, tokens, merges, scratch, token, met_before, met_after)
    _make_entries(pairs, tokens, merges, scratch, sizes, token, again, met_before, met_after, min_frequency, max_length)
    _distribute(pairs, tokens, scratch, entry, token)
    if again:
        _old_neighbours(words, pairs, tokens, merges, scratch, token, symbol, False)
    _clear(scratch.before, met_before)
    _clear(scratch.after, met_after)
    merges.last_entry[made] = sizes[ENTRIES]
    sizes[MERGES] = made + 1
    remain = (
        windows(words, pairs, tokens, merges, left_of(pair), right_of(pair)) if pairs.shared[entry] else np.uint64(0)
    )
    tokens.latest[token] = made
    set_left_over(merges, pair, count - uncounted - remain)


@kernel
def _token(tokens: Tokens, sizes: npt.NDArray[np.int64], left: int, right: int) -> int:
    """The id of the token that left and right make together; a new one if there was none."""
    start = sizes[TOKEN_BYTES]
    end = start
    for half in (left, right):
        for i in range(tokens.offsets[half], tokens.offsets[half + 1]):
            tokens.data[end] = tokens.data[i]
            end += 1
    length = end - start
    first, second, hashed = keys(tokens.data, start, length)
    at = find(tokens.slots, tokens.data, tokens.data, start, length, first, second, place(tokens.slots, hashed))
    if tokens.slots[at + LENGTH] != 0:
        return int(np.int64(tokens.slots[at + VALUE]))
    token = int(sizes[TOKENS])
    # The token's bytes lie in `data` already; the table's arena is the same array.
    fill(tokens.slots, at, tokens.data, start, tokens.data, start, length, first, second)
    tokens.slots[at + VALUE] = np.uint64(token)
    tokens.length[token] = length
    tokens.latest[token] = -1
    tokens.offsets[token + 1] = end
    sizes[TOKENS], sizes[TOKEN_BYTES] = token + 1, end
    return token


@kernel
def _replace(words: Words, pairs: Pairs, tokens: Tokens, scratch: Scratch, entry: int, symbol: int) -> np.uint64:
    """Writes `symbol` for the pair at the entry's places; the list keeps those where it stood.

    Returns what the trainer counts down of the pair itself meanwhile: "aaa" is two pairs of which the first is merged.
    """
    left, right = left_of(pairs.pair[entry]), right_of(pairs.pair[entry])
    cells = words.cells
    counts = words.counts
    places = pairs.places
    before = scratch.before.here
    after = scratch.after.here
    frequencies = scratch.frequency
    to_right, width = tokens.length[left], tokens.length[left] + tokens.length[right]
    begin = pairs.begin[entry]
    uncounted = np.uint64(0)
    kept = 0
    for i in range(begin, begin + pairs.length[entry]):
        look_ahead(cells, counts, places, i, begin + pairs.length[entry] - 1)
        place = places[i]
        if cells[2 * place] != left or cells[2 * (place + to_right)] != right:
            continue
        frequency = counts[cells[2 * place + 1]]
        cells[2 * (place + to_right)] = GONE
        cells[2 * place] = symbol
        cells[2 * (place + width - 1)] = symbol
        before[kept] = cells[2 * (place - 1)]
        if left == right and cells[2 * (place + width)] == left:
            uncounted += frequency
        frequencies[kept] = frequency
        places[begin + kept] = place
        kept += 1
    pairs.length[entry] = kept
    # Only now is it known which right neighbours have become the token themselves: that pair is found from its right half.
    for k in range(kept):
        prefetch(cells, 2 * places[begin + min(k + 2 * AHEAD, kept - 1)])
        neighbour = cells[2 * (places[begin + k] + width)]
        after[k] = neighbour if neighbour != symbol else BORDER
    return uncounted


@kernel
def _old_neighbours(
    words: Words, pairs: Pairs, tokens: Tokens, merges: Merges, scratch: Scratch, token: int, symbol: int, count: bool
) -> None:
    """Counts the neighbours of the token where it was before, or sets these counts back to 0."""
    made = tokens.latest[token]
    width = tokens.length[token]
    while made >= 0:
        for i in range(merges.begin[made], merges.begin[made] + merges.length[made]):
            place = pairs.places[i]
            if words.cells[2 * place] != token:
                continue
            frequency = words.counts[words.cells[2 * place + 1]]
            before, after = words.cells[2 * (place - 1)], words.cells[2 * (place + width)]
            if before >= 0 and before != symbol:
                scratch.before.old[before] = scratch.before.old[before] + frequency if count else np.uint64(0)
            # Two of them side by side are counted from the right one.
            if after >= 0 and after != symbol and after != token:
                scratch.after.old[after] = scratch.after.old[after] + frequency if count else np.uint64(0)
        made = merges.before[made]


@kernel
def _rename(words: Words, pairs: Pairs, tokens: Tokens, scratch: Scratch, entry: int, symbol: int, token: int) -> None:
    begin, width = pairs.begin[entry], tokens.length[token]
    for k in range(pairs.length[entry]):
        place = pairs.places[begin + k]
        words.cells[2 * place] = token
        words.cells[2 * (place + width - 1)] = token
        if scratch.before.here[k] == symbol:
            scratch.before.here[k] = token


@kernel
def _meet(
    here: npt.NDArray[np.int32],
    frequency: npt.NDArray[np.uint64],
    count: int,
    by_token: npt.NDArray[np.uint64],
    places: npt.NDArray[np.int64],
    seen: npt.NDArray[np.int32],
) -> int:
    """Counts the neighbours on one side, of `count` places; how many different ones there are.

    Plain arrays, not a `Side`: numba counts references to the arrays of a tuple each time that one is taken out of it,
    which was 120 ns of the 160 that a place took.
    """
    met = 0
    for k in range(count):
        neighbour = here[k]
        if neighbour >= 0:
            if places[neighbour] == 0:
                seen[met] = neighbour
                met += 1
            by_token[neighbour] += frequency[k]
            places[neighbour] += 1
    return met


@kernel
def _find_shared(
    pairs: Pairs, tokens: Tokens, merges: Merges, scratch: Scratch, token: int, met_before: int, met_after: int
) -> None:
    """Marks entries there are already of the new pairs, and the neighbours that they are with.

    An entry was made when the later of its two tokens was: by a merge that made `token`, or by one of the neighbour's.
    """
    _mark(pairs, merges, scratch, token, tokens.latest[token])
    for i in range(met_before):
        _mark(pairs, merges, scratch, token, tokens.latest[scratch.before.seen[i]])
    for i in range(met_after):
        _mark(pairs, merges, scratch, token, tokens.latest[scratch.after.seen[i]])


@kernel
def _mark(pairs: Pairs, merges: Merges, scratch: Scratch, token: int, made: int) -> None:
    while made >= 0:
        for other in range(merges.first_entry[made], merges.last_entry[made]):
            left, right = left_of(pairs.pair[other]), right_of(pairs.pair[other])
            if right == token and scratch.before.places[left]:
                pairs.shared[other] = 1
                scratch.before.shared[left] = 1
            if left == token and scratch.after.places[right]:
                pairs.shared[other] = 1
                scratch.after.shared[right] = 1
        made = merges.before[made]


@kernel
def _make_entries(
    pairs: Pairs,
    tokens: Tokens,
    merges: Merges,
    scratch: Scratch,
    sizes: npt.NDArray[np.int64],
    token: int,
    again: bool,
    met_before: int,
    met_after: int,
    min_frequency: np.uint64,
    max_length: int,
) -> None:
    """An entry, with room for its places, for each new pair that occurs often enough and is not too long.

    From here on a side's `places` are where each list goes on; -1: nowhere.
    """
    before, after = scratch.before, scratch.after
    both = before.places[token] > 0 and after.places[token] > 0
    if both:  # (token, token) has places of both sides, and one entry
        before.frequency[token] += after.frequency[token]
        before.shared[token] = 1
    elif again:
        after.old[token] = before.old[token]  # two of them side by side are counted from the right one
    for i in range(met_before):
        other = before.seen[i]
        extra = after.places[token] if both and other == token else 0
        pair = pair_of(other, token)
        begin = _entry(pairs, tokens, merges, before, sizes, pair, other, extra, again, min_frequency, max_length)
        if extra:
            after.places[token] = begin + before.places[other] if begin >= 0 else -1
        before.places[other] = begin
    for i in range(met_after):
        other = after.seen[i]
        if not (both and other == token):
            pair = pair_of(token, other)
            after.places[other] = _entry(
                pairs, tokens, merges, after, sizes, pair, other, 0, again, min_frequency, max_length
            )
    after.old[token] = np.uint64(0)


@part
def _entry(
    pairs: Pairs,
    tokens: Tokens,
    merges: Merges,
    side: Side,
    sizes: npt.NDArray[np.int64],
    pair: np.uint64,
    other: int,
    extra: int,
    again: bool,
    min_frequency: np.uint64,
    max_length: int,
) -> int:
    """Where the new entry's list begins; -1 if there is none."""
    count = side.frequency[other]
    shared = again and side.shared[other] > 0
    if again:
        old = side.old[other] + left_over(merges, pair)
        count += old
        shared = shared or old > 0
    if count < min_frequency or tokens.length[left_of(pair)] + tokens.length[right_of(pair)] >= max_length:
        return -1
    entry, begin, length = sizes[ENTRIES], int(sizes[PLACES]), side.places[other] + extra
    pairs.pair[entry], pairs.begin[entry] = pair, begin
    pairs.length[entry], pairs.extent[entry] = length, length
    pairs.shared[entry] = 1 if shared else 0
    sizes[ENTRIES], sizes[PLACES] = entry + 1, begin + length
    push(pairs, sizes, count, entry)
    return begin


@kernel
def _distribute(pairs: Pairs, tokens: Tokens, scratch: Scratch, entry: int, token: int) -> None:
    """Writes each place into the lists of the two pairs it is in now."""
    places = pairs.places
    before = scratch.before.here
    after = scratch.after.here
    to_before = scratch.before.places
    to_after = scratch.after.places
    widths = tokens.length
    begin = pairs.begin[entry]
    for k in range(pairs.length[entry]):
        place = places[begin + k]
        other = before[k]
        if other >= 0 and to_before[other] >= 0:
            places[to_before[other]] = place - widths[other]
            to_before[other] += 1
        other = after[k]
        if other >= 0 and to_after[other] >= 0:
            places[to_after[other]] = place
            to_after[other] += 1


@part
def _clear(side: Side, met: int) -> None:
    for i in range(met):
        side.frequency[side.seen[i]] = np.uint64(0)
        side.places[side.seen[i]] = 0
        side.shared[side.seen[i]] = 0
