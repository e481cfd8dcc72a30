"""Deletes what a run's folder holds and no longer needs: replaced products, and work of earlier recipes."""

# Tested in tests/end_to_end/test_products.py.

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from eyas.corpus.store import Store
from eyas.errors import InputError
from eyas.pipelines.engine.locks import locked
from eyas.pipelines.engine.planning import PRODUCTS
from eyas.pipelines.engine.products import BUILDING, RECORDS, finish_swap, kept_products, record_of, staging

_TEMPORARY = re.compile(r"\.[0-9a-f]{8}\.tmp$")
"""How `Store.create` names a file that is not whole yet."""


@dataclass(frozen=True)
class Leftover:
    """Something that may be deleted: a file or a folder, why, and how many bytes it has."""

    path: str
    why: str
    bytes: int


def clean(store: Store, keep: int, passes: bool, unnamed: bool, dry_run: bool) -> list[Leftover]:
    """Deletes what is left over, and returns it; dry_run: only returns it.

    keep: how many replaced products of each kind stay, the newest first. passes: also all passes, which only a change of the
    recipe needs. unnamed: also products that the recipe no longer names. Raises InputError if this is no run's folder,
    StorageError while a run is alive in it.
    """
    if not store.exists("plan.json"):
        raise InputError(f"{store.name()}: no plan.json, so this is not the folder of a run")
    with locked(store, store.read_json("plan.json").get("lock", "auto")):
        if not dry_run:
            finish_swap(store)
        found = list(leftovers(store, keep, passes, unnamed))
        if not dry_run:
            for one in found:
                store.delete(one.path)
                if one.path.startswith(("previous/", f"{BUILDING}/")):
                    store.delete(f"{one.path}.json")
                if one.path in PRODUCTS:
                    store.delete(f"{RECORDS}/{one.path}.json")
    return found


def leftovers(store: Store, keep: int, passes: bool, unnamed: bool) -> Iterator[Leftover]:
    """What may be deleted; see `clean`."""
    plan = store.read_json("plan.json")
    seen: Counter[str] = Counter()
    for path, record in kept_products(store):
        product = path.rpartition("/")[2].rpartition("-")[0]
        seen[product] += 1
        if seen[product] > keep:
            yield _leftover(store, path, f"a {product} that was replaced on {(record.replaced or '?')[:10]}")
    wanted = {staging(p["kind"], p["digest"]).rpartition("/")[2] for p in plan["passes"]}
    for name in store.list(BUILDING):
        if not name.endswith(".json") and name not in wanted:
            yield _leftover(store, f"{BUILDING}/{name}", "begun for another recipe")
    if passes:
        yield _leftover(store, "passes", "work of this recipe and of earlier ones")
    else:
        used = {p["folder"].rpartition("/")[2] for p in plan["passes"]}
        for name in store.list("passes"):
            if name not in used and name != "products" and not name.startswith("pack-"):
                yield _leftover(store, f"passes/{name}", "work of an earlier recipe")
    named = {p["kind"] for p in plan["passes"]}
    for product in PRODUCTS if unnamed else ():
        if product not in named and record_of(store, product) is not None:
            yield _leftover(store, product, "not in the recipe")
    for path in unfinished(store):
        yield _leftover(store, path, "left by a killed task")


def _leftover(store: Store, path: str, why: str) -> Leftover:
    sizes = store.fs.find(store.path(path), detail=True)
    return Leftover(path, why, sum(int(info.get("size") or 0) for info in sizes.values()))


def unfinished(store: Store) -> Iterator[str]:
    """Temporary files that killed tasks left; only local stores have any."""
    if store.local:
        begin = len(store.root) + 1
        for path in store.fs.find(store.root):
            if _TEMPORARY.search(path):
                yield path[begin:]
