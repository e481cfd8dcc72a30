"""The loop of BPE training: take the most frequent pair, merge it everywhere, find the pairs that this makes.

The order is that of `tokenizers`' BpeTrainer: by count, then the pair with the smaller ids. Where two pairs make the same
token ("a"+"bc", "ab"+"c"), we do what that trainer does: the token keeps its id, a pair may come to have several entries,
each is merged where it was made, and the count of a merged pair is added when the pair arises again (`Merges.residual`),
because that trainer never takes it away. In most vocabularies of 32,768 from real text this happens not once; in words of
few letters it happens all the time. Counts are 64-bit.

The trade: heap keys are upper bounds. An entry at the top is counted anew from its places; it is merged if it is still
the largest, otherwise put back with its new count. Method: Sennrich et al. 2016, made incremental.
"""
# Tested in tests/tokenizer_train/training/test_merging.py.

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyas.text_kernels.jit import kernel
from eyas.tokenizer_train.training.merge_heap import pop, sift_down
from eyas.tokenizer_train.training.merge_pairs import (
    count_everywhere,
    left_of,
    places_to_merge,
    prefetch_ahead,
    residual_of,
    right_of,
)
from eyas.tokenizer_train.training.merge_state import (
    ENTRIES,
    EXHAUSTED,
    HEAP,
    MERGES,
    PLACES,
    TOKEN_BYTES,
    TOKENS,
    Merges,
    Pairs,
    Scratch,
    Tokens,
    Words,
)
from eyas.tokenizer_train.training.merge_step import merge


@kernel
def merge_loop(
    words: Words,
    pairs: Pairs,
    tokens: Tokens,
    merges: Merges,
    scratch: Scratch,
    sizes: npt.NDArray[np.int64],
    most_tokens: int,
    most_merges: int,
    min_frequency: np.uint64,
    max_length: int,
) -> int:
    """Merges until there are `most_tokens` tokens or `most_merges` merges, or EXHAUSTED is set.

    Returns 0 if it is done. n > 0: `pairs` and `scratch` need room for n more; -n: `tokens.data` does. Then call again.
    """
    while sizes[TOKENS] < most_tokens and sizes[MERGES] < most_merges and sizes[EXHAUSTED] == 0:
        if sizes[HEAP] == 0:
            sizes[EXHAUSTED] = 1
            break
        entry = pairs.heap_entry[0]
        key = pairs.heap_count[0]
        count = _count_now(words, pairs, tokens, merges, entry)
        # The key was too high: another entry may be larger now.
        if count != key:
            if count < min_frequency or count == 0:
                pop(pairs, sizes)
            else:
                pairs.heap_count[0] = count
                sift_down(pairs, sizes[HEAP])
            continue
        # All other keys are lower, and no key is below its count.
        if count < min_frequency or count == 0:
            sizes[EXHAUSTED] = 1
            break
        places = places_to_merge(words, pairs, tokens, entry, sizes, False)
        # Every place makes at most two new pairs, each one entry and one place. A kernel cannot enlarge arrays: the
        # caller does, and nothing has been changed yet.
        needed = 3 * places + 4
        room = min(len(pairs.pair) - sizes[ENTRIES], len(pairs.places) - sizes[PLACES])
        if room < needed or len(scratch.before.neighbours) < places:
            return int(needed)
        length = int(tokens.length[left_of(pairs.pair[entry])]) + int(tokens.length[right_of(pairs.pair[entry])])
        if sizes[TOKEN_BYTES] + length > len(tokens.data):
            return -length
        pop(pairs, sizes)
        merge(words, pairs, tokens, merges, scratch, sizes, entry, count, min_frequency, max_length)
    return 0


@kernel
def _count_now(words: Words, pairs: Pairs, tokens: Tokens, merges: Merges, entry: int) -> np.uint64:
    """What `tokenizers` counts for the entry's pair now; moves the list's places that are out of date to its end."""
    left, right = left_of(pairs.pair[entry]), right_of(pairs.pair[entry])
    if pairs.has_siblings[entry]:
        return residual_of(merges, pairs.pair[entry]) + count_everywhere(words, pairs, tokens, merges, left, right)
    cells = words.cells
    counts = words.counts
    places = pairs.places
    begin, length, width = pairs.begin[entry], pairs.length[entry], tokens.length[left]
    total = np.uint64(0)
    kept = 0
    for i in range(begin, begin + length):
        prefetch_ahead(cells, counts, places, i, begin + length - 1)
        place = places[i]
        if cells[2 * place] == left and cells[2 * (place + width)] == right:
            total += counts[cells[2 * place + 1]]
            places[i] = places[begin + kept]
            places[begin + kept] = place
            kept += 1
    pairs.length[entry] = kept
    return total
