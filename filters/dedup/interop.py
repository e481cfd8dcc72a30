"""Reads the signatures of a run as datasketch's objects: its `MinHashLSH` finds the same candidates as our bands do.

    minhash_dedup: {signatures: true}                                   # in the recipe

    lsh = MinHashLSH(num_perm=112, params=(14, 8))
    for document, minhash in load_minhashes("runs/name"):
        lsh.insert(document, minhash)

The lanes are 32-bit values like datasketch's, but of other hash functions, so our signatures can be compared with each other
only. They carry another `seed`, by which datasketch refuses to compare them with its own.
"""

# Tested in tests/end_to_end/test_dedup.py.

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from datasketch import LeanMinHash, MinHash

from eyas.corpus.store import Store
from eyas.errors import InputError

FOLDER = "signatures"
DATASKETCH_SEED = 0x45594153
"""Marks our hash functions."""


def to_lean(signature: npt.NDArray[np.uint32]) -> LeanMinHash:
    """A signature, uint32[lanes], as datasketch's `LeanMinHash`."""
    return LeanMinHash(seed=DATASKETCH_SEED, hashvalues=signature.astype(np.uint64), scheme="affine32")


def to_minhash(signature: npt.NDArray[np.uint32]) -> MinHash:
    """A signature, uint32[lanes], as datasketch's `MinHash`. It can be compared, merged, counted and indexed, but not
    updated: its hash functions are not datasketch's."""
    return MinHash(seed=DATASKETCH_SEED, hashvalues=signature.astype(np.uint64), scheme="affine32")


def load_signatures(run: str) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]]:
    """`(ids, signatures)`, uint64[n] and uint32[n, lanes], part by part, of the run folder `run` (any fsspec URL), whose
    `minhash_dedup` had `signatures: true`; ValueError if no stage wrote signatures, or two did."""
    store = Store(run.rstrip("/"))
    passes = store.read_json("manifest.json")["passes"] if store.exists("manifest.json") else []
    folders = [folder for folder in (f"{p['folder']}/{FOLDER}" for p in passes) if store.list(folder)]
    if len(folders) != 1:
        raise InputError(
            f"{run}: {len(folders)} folders of signatures; expected a finished run in which one `minhash_dedup` had "
            f"`signatures: true`"
        )
    for name in store.list(folders[0]):
        rows = store.read_table(f"{folders[0]}/{name}")
        lanes = rows.schema.field("signature").type.list_size
        flat = rows.column("signature").combine_chunks().flatten().to_numpy()
        yield rows.column("id").to_numpy(), flat.reshape(-1, lanes)


def load_minhashes(run: str) -> Iterator[tuple[int, LeanMinHash]]:
    """Every document's id and signature; see `load_signatures`. A document without a word has none."""
    for ids, signatures in load_signatures(run):
        for document, signature in zip(ids.tolist(), signatures, strict=True):
            yield document, to_lean(signature)
