"""One merge: the pair is replaced wherever it stands, and the pairs that this makes become entries.

A merge costs as much as the pair has places, and a little for each different neighbour. Which places its neighbours' pairs
have lost is not written down anywhere (`eyas.tokenizer_train.training.merge_state`, with an example). 8 million places
take 1.3 s on one core.
"""
# Tested in tests/tokenizer_train/training/test_merging.py.

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import kernel, part
from eyas.text_kernels.pretokens.table import LENGTH, VALUE, fill, find, keys, place
from eyas.text_kernels.wide_loads import prefetch
from eyas.tokenizer_train.training.merge_heap import push
from eyas.tokenizer_train.training.merge_pairs import (
    AHEAD,
    count_everywhere,
    left_of,
    pair_of,
    places_to_merge,
    prefetch_ahead,
    residual_of,
    right_of,
    set_residual,
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
    pair, number = pairs.pair[entry], sizes[MERGES]
    places_to_merge(words, pairs, tokens, entry, sizes, True)
    known = sizes[TOKENS]
    token = _token_of(tokens, sizes, left_of(pair), right_of(pair))
    is_old = token < known
    # An old token's new places must not be taken for old ones while the old ones are counted: until then, a stand-in
    # symbol that no token has is written there.
    symbol = len(tokens.length) - 1 if is_old else token
    tokens.length[symbol] = tokens.length[token]
    self_overlaps = _replace(words, pairs, tokens, scratch, entry, symbol)
    merges.pair[number], merges.token[number], merges.frequency[number] = pair, token, count
    merges.begin[number], merges.length[number] = pairs.begin[entry], pairs.length[entry]
    merges.previous[number], merges.first_entry[number] = tokens.latest_merge[token], sizes[ENTRIES]
    if is_old:
        _count_old_neighbours(words, pairs, tokens, merges, scratch, token, symbol, True)
        _write_token(words, pairs, tokens, scratch, entry, symbol, token)
    before, after, places = scratch.before, scratch.after, pairs.length[entry]
    met_before = _count_neighbours(
        before.neighbours, scratch.word_counts, places, before.frequency, before.place_count, before.distinct
    )
    met_after = _count_neighbours(
        after.neighbours, scratch.word_counts, places, after.frequency, after.place_count, after.distinct
    )
    if is_old:
        _mark_siblings(pairs, tokens, merges, scratch, token, met_before, met_after)
    _add_entries(pairs, tokens, merges, scratch, sizes, token, is_old, met_before, met_after, min_frequency, max_length)
    _fill_lists(pairs, tokens, scratch, entry)
    if is_old:
        _count_old_neighbours(words, pairs, tokens, merges, scratch, token, symbol, False)
    _clear(scratch.before, met_before)
    _clear(scratch.after, met_after)
    merges.last_entry[number] = sizes[ENTRIES]
    sizes[MERGES] = number + 1
    # `tokenizers` counts a pair down where a merge takes one of its symbols, but not where the pair itself is merged.
    # So all of its count stays, but for what overlaps itself, and what siblings still have and count by themselves.
    of_siblings = np.uint64(0)
    if pairs.has_siblings[entry]:
        of_siblings = count_everywhere(words, pairs, tokens, merges, left_of(pair), right_of(pair))
    tokens.latest_merge[token] = number
    set_residual(merges, pair, count - self_overlaps - of_siblings)


@kernel
def _token_of(tokens: Tokens, sizes: npt.NDArray[np.int64], left: int, right: int) -> int:
    """The id of the token that left and right make together; a new one if no token has these bytes."""
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
    # The token's bytes are in `data` already; the table's arena is the same array.
    fill(tokens.slots, at, tokens.data, start, tokens.data, start, length, first, second)
    tokens.slots[at + VALUE] = np.uint64(token)
    tokens.length[token] = length
    tokens.latest_merge[token] = -1
    tokens.offsets[token + 1] = end
    sizes[TOKENS], sizes[TOKEN_BYTES] = token + 1, end
    return token


@kernel
def _replace(words: Words, pairs: Pairs, tokens: Tokens, scratch: Scratch, entry: int, symbol: int) -> np.uint64:
    """Writes `symbol` for the pair at the entry's places, and notes the neighbours; the list keeps the places of `symbol`.

    Returns what `tokenizers` counts down of the pair itself meanwhile: "aaa" is two pairs, of which the first is merged
    and the second loses its left symbol.
    """
    left, right = left_of(pairs.pair[entry]), right_of(pairs.pair[entry])
    cells = words.cells
    counts = words.counts
    places = pairs.places
    before = scratch.before.neighbours
    after = scratch.after.neighbours
    word_counts = scratch.word_counts
    to_right, width = tokens.length[left], tokens.length[left] + tokens.length[right]
    begin = pairs.begin[entry]
    self_overlaps = np.uint64(0)
    kept = 0
    for i in range(begin, begin + pairs.length[entry]):
        prefetch_ahead(cells, counts, places, i, begin + pairs.length[entry] - 1)
        place = places[i]
        if cells[2 * place] != left or cells[2 * (place + to_right)] != right:
            continue
        count = counts[cells[2 * place + 1]]
        # In this order: where the right half is one byte, its place is that of the symbol's end.
        cells[2 * (place + to_right)] = GONE
        cells[2 * place] = symbol
        cells[2 * (place + width - 1)] = symbol
        before[kept] = cells[2 * (place - 1)]
        if left == right and cells[2 * (place + width)] == left:
            self_overlaps += count
        word_counts[kept] = count
        places[begin + kept] = place
        kept += 1
    pairs.length[entry] = kept
    # Right neighbours are read when all places are written: a neighbour that has become the symbol itself is left out
    # here, because the pair of two symbols is noted at its right half, as that one's left neighbour.
    for k in range(kept):
        prefetch(cells, 2 * places[begin + min(k + 2 * AHEAD, kept - 1)])
        neighbour = cells[2 * (places[begin + k] + width)]
        after[k] = neighbour if neighbour != symbol else BORDER
    return self_overlaps


@kernel
def _count_old_neighbours(
    words: Words, pairs: Pairs, tokens: Tokens, merges: Merges, scratch: Scratch, token: int, symbol: int, count: bool
) -> None:
    """Counts the neighbours of an old token at the places where earlier merges made it; without `count`, clears them."""
    maker = tokens.latest_merge[token]
    width = tokens.length[token]
    old_before, old_after = scratch.before.old_frequency, scratch.after.old_frequency
    while maker >= 0:
        for i in range(merges.begin[maker], merges.begin[maker] + merges.length[maker]):
            place = pairs.places[i]
            if words.cells[2 * place] != token:
                continue
            word_count = words.counts[words.cells[2 * place + 1]]
            before, after = words.cells[2 * (place - 1)], words.cells[2 * (place + width)]
            if before >= 0 and before != symbol:
                old_before[before] = old_before[before] + word_count if count else np.uint64(0)
            # Two of them side by side are counted from the right one.
            if after >= 0 and after != symbol and after != token:
                old_after[after] = old_after[after] + word_count if count else np.uint64(0)
        maker = merges.previous[maker]


@kernel
def _write_token(
    words: Words, pairs: Pairs, tokens: Tokens, scratch: Scratch, entry: int, symbol: int, token: int
) -> None:
    """Replaces the stand-in `symbol` by the old token that the merge made."""
    begin, width = pairs.begin[entry], tokens.length[token]
    for k in range(pairs.length[entry]):
        place = pairs.places[begin + k]
        words.cells[2 * place] = token
        words.cells[2 * (place + width - 1)] = token
        if scratch.before.neighbours[k] == symbol:
            scratch.before.neighbours[k] = token


@kernel
def _count_neighbours(
    neighbours: npt.NDArray[np.int32],
    word_counts: npt.NDArray[np.uint64],
    places: int,
    frequency: npt.NDArray[np.uint64],
    place_count: npt.NDArray[np.int64],
    distinct: npt.NDArray[np.int32],
) -> int:
    """Counts the neighbours on one side, at `places` places, and returns how many different ones there are.

    The arguments are plain arrays, not a `Side`: numba counts references to the arrays of a tuple each time that one is
    taken out of it, which was 120 ns of the 160 that a place took.
    """
    met = 0
    for k in range(places):
        neighbour = neighbours[k]
        if neighbour >= 0:
            if place_count[neighbour] == 0:
                distinct[met] = neighbour
                met += 1
            frequency[neighbour] += word_counts[k]
            place_count[neighbour] += 1
    return met


@kernel
def _mark_siblings(
    pairs: Pairs, tokens: Tokens, merges: Merges, scratch: Scratch, token: int, met_before: int, met_after: int
) -> None:
    """Marks the entries that the new pairs have already, and the neighbours of these pairs.

    An entry was made when the later of its two tokens was: by a merge that made `token`, or by one that made the neighbour.
    """
    _mark_entries(pairs, merges, scratch, token, tokens.latest_merge[token])
    for i in range(met_before):
        _mark_entries(pairs, merges, scratch, token, tokens.latest_merge[scratch.before.distinct[i]])
    for i in range(met_after):
        _mark_entries(pairs, merges, scratch, token, tokens.latest_merge[scratch.after.distinct[i]])


@kernel
def _mark_entries(pairs: Pairs, merges: Merges, scratch: Scratch, token: int, maker: int) -> None:
    """Marks entries of `token` and a neighbour among those that this merge, and earlier ones of its token, made."""
    while maker >= 0:
        for other in range(merges.first_entry[maker], merges.last_entry[maker]):
            left, right = left_of(pairs.pair[other]), right_of(pairs.pair[other])
            if right == token and scratch.before.place_count[left]:
                pairs.has_siblings[other] = 1
                scratch.before.has_siblings[left] = 1
            if left == token and scratch.after.place_count[right]:
                pairs.has_siblings[other] = 1
                scratch.after.has_siblings[right] = 1
        maker = merges.previous[maker]


@kernel
def _add_entries(
    pairs: Pairs,
    tokens: Tokens,
    merges: Merges,
    scratch: Scratch,
    sizes: npt.NDArray[np.int64],
    token: int,
    is_old: bool,
    met_before: int,
    met_after: int,
    min_frequency: np.uint64,
    max_length: int,
) -> None:
    """Adds an entry, with room for its places, for each new pair that occurs often enough and is not too long."""
    before, after = scratch.before, scratch.after
    # (token, token) may have places of both sides, when the token is old. It gets one entry, with the left neighbours.
    both = before.place_count[token] > 0 and after.place_count[token] > 0
    if both:
        before.frequency[token] += after.frequency[token]
        before.has_siblings[token] = 1
    elif is_old:
        # Two old ones side by side were counted from the right one, as its left neighbour.
        after.old_frequency[token] = before.old_frequency[token]
    for i in range(met_before):
        other = before.distinct[i]
        extra = after.place_count[token] if both and other == token else 0
        pair = pair_of(other, token)
        begin = _add_entry(pairs, tokens, merges, before, sizes, pair, other, extra, is_old, min_frequency, max_length)
        if extra:
            after.cursor[token] = begin + before.place_count[other] if begin >= 0 else -1
        before.cursor[other] = begin
    for i in range(met_after):
        other = after.distinct[i]
        if not (both and other == token):
            pair = pair_of(token, other)
            after.cursor[other] = _add_entry(
                pairs, tokens, merges, after, sizes, pair, other, 0, is_old, min_frequency, max_length
            )
    after.old_frequency[token] = np.uint64(0)


@part
def _add_entry(
    pairs: Pairs,
    tokens: Tokens,
    merges: Merges,
    side: Side,
    sizes: npt.NDArray[np.int64],
    pair: np.uint64,
    other: int,
    extra: int,
    is_old: bool,
    min_frequency: np.uint64,
    max_length: int,
) -> int:
    """Adds the entry of a pair with the neighbour `other`, and returns where its list begins; -1 if there is none.

    `extra`: places beside those of the side.
    """
    count = side.frequency[other]
    has_siblings = is_old and side.has_siblings[other] > 0
    if is_old:
        # `tokenizers` adds to the pair's running count: older occurrences, and what it never took away, are in it.
        old_count = side.old_frequency[other] + residual_of(merges, pair)
        count += old_count
        has_siblings = has_siblings or old_count > 0
    if count < min_frequency or tokens.length[left_of(pair)] + tokens.length[right_of(pair)] >= max_length:
        return -1
    entry, begin, length = sizes[ENTRIES], int(sizes[PLACES]), side.place_count[other] + extra
    pairs.pair[entry], pairs.begin[entry] = pair, begin
    pairs.length[entry], pairs.extent[entry] = length, length
    pairs.has_siblings[entry] = 1 if has_siblings else 0
    sizes[ENTRIES], sizes[PLACES] = entry + 1, begin + length
    push(pairs, sizes, count, entry)
    return begin


@kernel
def _fill_lists(pairs: Pairs, tokens: Tokens, scratch: Scratch, entry: int) -> None:
    """Writes each place of the new token into the lists of the two pairs that it now belongs to."""
    places = pairs.places
    before = scratch.before.neighbours
    after = scratch.after.neighbours
    cursor_before = scratch.before.cursor
    cursor_after = scratch.after.cursor
    widths = tokens.length
    begin = pairs.begin[entry]
    for k in range(pairs.length[entry]):
        place = places[begin + k]
        other = before[k]
        # A pair's place is that of its left symbol.
        if other >= 0 and cursor_before[other] >= 0:
            places[cursor_before[other]] = place - widths[other]
            cursor_before[other] += 1
        other = after[k]
        if other >= 0 and cursor_after[other] >= 0:
            places[cursor_after[other]] = place
            cursor_after[other] += 1


@part
def _clear(side: Side, met: int) -> None:
    """Sets what is by token back to zero."""
    for i in range(met):
        side.frequency[side.distinct[i]] = np.uint64(0)
        side.place_count[side.distinct[i]] = 0
        side.has_siblings[side.distinct[i]] = 0
