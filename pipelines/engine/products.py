"""Products: built beside the ones that are there, and swapped in together when the run is done.

A product that has no predecessor is built where it will stay. As soon as one replaces another, it and all later ones are
built below `.building/`, so that the tokenizer, the shards and the model under their plain names always belong together. What
is replaced goes to `previous/` and stays there until `eyas clean`; if a recipe goes back, it is swapped in again.
"""

# Tested in tests/end_to_end/test_products.py.

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from eyas.corpus.sealed import DamagedFile
from eyas.corpus.store import FileEntry, Store
from eyas.errors import StorageError
from eyas.pipelines.engine.passes.base import Result
from eyas.pipelines.engine.planning import PRODUCTS, Pass, Plan

DATA_ENDINGS = (".parquet", ".arrow", ".json", ".jsonl", ".gz", ".zst")
"""Endings of files that readers of a product look for."""
UNKNOWN = "unknown"
"""In place of the digest of a product whose record is damaged."""
BUILDING, PREVIOUS, RECORDS, SWAP = ".building", "previous", "products", "swap.json"


@dataclass(frozen=True)
class Record:
    """What is known of a product: for what it was made, and by whom. It lies beside the product, in a file of its own."""

    digest: str
    """The digest of its pass."""
    recipe: str | None = None
    """The file of the recipe that made it; None for products of earlier versions."""
    building: bool = False
    """Whether it is not whole yet."""
    in_recipe: bool = True
    """Whether the last recipe that ran here names it."""
    replaced: str | None = None
    """When it was replaced, for those in `previous/`."""
    result: dict[str, Any] = field(default_factory=dict)
    """The manifest of its pass."""

    @property
    def files(self) -> list[FileEntry]:
        """Its files, by their paths as long as it is in use."""
        return [FileEntry.from_json(file) for file in self.result.get("files", [])]

    @property
    def bytes(self) -> int:
        """The size of its files."""
        return sum(file.bytes for file in self.files)

    @property
    def seconds(self) -> float:
        """How long it took to make."""
        return float(self.result.get("seconds", 0.0))

    def whole(self, store: Store) -> Result | None:
        """The result of its pass, if all its files are there in `store`."""
        if self.building or not self.result or not all(store.holds(file) for file in self.files):
            return None
        try:
            return Result.from_json({name: value for name, value in self.result.items() if name != "digest"})
        except (AttributeError, KeyError, TypeError):
            return None  # damaged, or of another version: made again


@dataclass(frozen=True)
class Replacement:
    """A product that a run will replace, or leave behind."""

    product: str
    record: Record
    named: bool
    """Whether the recipe names the product, so that it gets a successor."""


def record_of(store: Store, product: str) -> Record | None:
    """The record of the product under its plain name; None if no run made it."""
    if store.exists(f"{RECORDS}/{product}.json"):
        try:
            return Record(**store.read_json(f"{RECORDS}/{product}.json"))
        except DamagedFile:
            # For what the product was made is not known any more: it is set aside, and made again.
            return Record(UNKNOWN, building=True)
    # Runs before 0.3 marked products among their passes.
    if not store.exists(f"passes/products/{product}.json"):
        return None
    digest = str(store.read_json(f"passes/products/{product}.json")["digest"])
    manifest = f"passes/{digest[:16]}/manifest.json"
    if not store.exists(manifest):
        return Record(digest, building=True)
    return Record(digest, result=store.read_json(manifest))


def damaged_records(store: Store) -> list[str]:
    """The records that do not hold what was written; their products are made again."""
    records = [(product, record_of(store, product)) for product in PRODUCTS]
    return [f"{RECORDS}/{product}.json" for product, record in records if record and record.digest == UNKNOWN]


def staging(product: str, digest: str) -> str:
    """Where a product is built that has a predecessor."""
    return f"{BUILDING}/{product}-{digest[:16]}"


def previous(product: str, digest: str) -> str:
    """Where a product is kept once it was replaced."""
    return f"{PREVIOUS}/{product}-{digest[:16]}"


def replacements(store: Store, plan: Plan) -> list[Replacement]:
    """The whole products in `store` that `plan` replaces or no longer names."""
    wanted = {p.product: p.digest for p in plan.passes if p.product is not None}
    found = []
    for product in PRODUCTS:
        record = record_of(store, product)
        if record is not None and not record.building and record.digest != wanted.get(product):
            found.append(Replacement(product, record, product in wanted))
    return found


def check_owner(store: Store, plan: Plan, replace_all: bool) -> None:
    """StorageError if the folder holds products that are not this recipe's to replace, or files that no run wrote."""
    for product in (p.product for p in plan.passes if p.product is not None):
        record = record_of(store, product)
        if record is not None and not record.building:
            check_strangers(store, product, record.files)
        if record is None and store.list(product):
            raise StorageError(
                f"{store.name(product)} exists, but no run made it. Move it away, or choose another `name:` or --runs"
            )
    made_by = _recipe_before(store)
    if replace_all or made_by is None or made_by == plan.recipe.file:
        return
    touched = [f"{one.product} ({one.record.bytes:,} bytes)" for one in replacements(store, plan)]
    if touched:
        raise StorageError(
            f"{store.name()} was made by another recipe, {made_by}; this one, {plan.recipe.file}, would replace or leave "
            f"behind {', '.join(touched)}. Choose another `name:` or --runs, or go on with --replace: what is replaced is "
            f"kept in {PREVIOUS}/ until `eyas clean`"
        )


def check_strangers(store: Store, product: str, known: Iterable[FileEntry]) -> None:
    """StorageError if the folder of a product holds data files that no run wrote: readers would take them for its own."""
    if product == "model":  # it keeps checkpoints, and nobody reads all its files
        return
    begin = len(store.path(""))
    place = store.path(product)[begin:]
    ours = {f"{place}{file.path.removeprefix(product)}" for file in known}
    found = sorted(str(path)[begin:] for path in store.fs.find(store.path(product)))
    strangers = [path for path in found if path not in ours and path.endswith(DATA_ENDINGS)]
    if strangers:
        more = f" and {len(strangers) - 3} more" if len(strangers) > 3 else ""
        raise StorageError(
            f"{store.name()}: {', '.join(strangers[:3])}{more}: no run wrote this, and whoever reads {product}/ would take "
            f"it for a part of it. Move it elsewhere and run again"
        )


def _recipe_before(store: Store) -> str | None:
    """The file of the recipe that ran here last; None if there is none, or an earlier version wrote no name."""
    try:
        return store.read_json("plan.json").get("file") if store.exists("plan.json") else None
    except DamagedFile:
        return None  # it is written again


def adopt(store: Store) -> None:
    """Writes the records of products that an earlier version marked among its passes."""
    for product in PRODUCTS:
        record = record_of(store, product)
        if record is not None and not store.exists(f"{RECORDS}/{product}.json"):
            store.write_sealed(f"{RECORDS}/{product}.json", asdict(record))
            store.delete(f"passes/products/{product}.json")


class Workshop:
    """The products of one run while it works: where each is, and whether it is whole."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._plain, self._plan = store, plan
        self._places: dict[str, str] = {}

    @property
    def store(self) -> Store:
        """The run's store, in which the plain name of each product leads to where it is built."""
        return self._plain.redirected(self._places)

    def find(self, planned: Pass) -> Result | None:
        """The result of a product's pass, if the product is whole: in use, built but not swapped in, or replaced once."""
        assert planned.product is not None
        record = record_of(self._plain, planned.product)
        if record is not None and record.digest == planned.digest:
            result = record.whole(self._plain)
            if result is not None:
                return result
        for place in (staging(planned.product, planned.digest), previous(planned.product, planned.digest)):
            if self._plain.exists(f"{place}.json"):
                try:
                    there = Record(**self._plain.read_json(f"{place}.json"))
                except DamagedFile:
                    continue  # it goes on where it was built, as if it were not whole
                result = there.whole(self._plain.redirected({planned.product: place}))
                if there.digest == planned.digest and result is not None:
                    self._places[planned.product] = place
                    return result
        return None

    def claim(self, planned: Pass) -> None:
        """Chooses where to build a product, and says so in its record."""
        assert planned.product is not None
        record = record_of(self._plain, planned.product)
        is_old = record is not None and not record.building and record.digest != planned.digest
        place = staging(planned.product, planned.digest)
        if record is not None and record.building:
            if record.digest == planned.digest:
                return  # it goes on where it was begun
            self._set_aside(planned.product, record)
            record = None
        if is_old or self._places or self._plain.exists(place):
            self._places[planned.product] = place
            return
        if record is None:
            self._plain.delete(planned.folder)
        self._write(f"{RECORDS}/{planned.product}", Record(planned.digest, self._plan.recipe.file, building=True))

    def distrust(self, planned: Pass) -> None:
        """Says that a product is not whole after all; its tasks go on where it lies."""
        assert planned.product is not None
        place = self._places.pop(planned.product, None)
        staged = staging(planned.product, planned.digest)
        if place is None:
            self._write(f"{RECORDS}/{planned.product}", Record(planned.digest, self._plan.recipe.file, building=True))
            return
        self._plain.delete(f"{place}.json")
        if place != staged and not self._plain.exists(staged):
            self._plain.move(place, staged)

    def _set_aside(self, product: str, record: Record) -> None:
        """Moves an unfinished product of another plan out of the way; it goes on there if that plan comes back."""
        if self._plain.exists(product):
            place = staging(product, record.digest)
            while self._plain.exists(place):
                place += "-again"
            self._plain.move(product, place)
        self._plain.delete(f"{RECORDS}/{product}.json")

    def finished(self, planned: Pass, result: Result) -> None:
        """Records that a product is whole."""
        assert planned.product is not None
        check_strangers(self.store, planned.product, result.files)
        data = {"digest": planned.digest, **result.to_json()}
        place = self._places.get(planned.product, f"{RECORDS}/{planned.product}")
        self._write(place, Record(planned.digest, self._plan.recipe.file, result=data))

    def _write(self, place: str, record: Record) -> None:
        self._plain.write_sealed(f"{place}.json", asdict(record))

    def swap(self) -> list[str]:
        """Puts all products that were built beside others in their places; returns where those that they replace are now."""
        moves = []
        for product, place in self._places.items():
            record = record_of(self._plain, product)
            old = previous(product, record.digest) if record is not None else None
            identity = self._plain.identity(place)
            moves.append({"product": product, "new": place, "old": old, "identity": identity, "kept": False})
        if moves:
            self._plain.write_sealed(SWAP, {"moves": moves, "time": _now()})
        kept = finish_swap(self._plain)
        self._places.clear()
        self._mark_unnamed()
        return kept

    def _mark_unnamed(self) -> None:
        """Says in the record of each product whether the recipe names it."""
        named = {p.product for p in self._plan.passes}
        for product in PRODUCTS:
            record = record_of(self._plain, product)
            if record is not None and record.in_recipe != (product in named):
                self._write(f"{RECORDS}/{product}", replace(record, in_recipe=product in named))


def finish_swap(store: Store) -> list[str]:
    """Carries out the swap that a run wrote down, also if it was killed in the middle; returns the folders in `previous/`."""
    if not store.exists(SWAP):
        return []
    journal = store.read_json(SWAP)
    for move in journal["moves"]:
        _swap_one(store, journal, move)
    store.delete(SWAP)
    return [move["old"] for move in journal["moves"] if move["old"] and store.exists(move["old"])]


def _swap_one(store: Store, journal: dict[str, Any], move: dict[str, Any]) -> None:
    product, new, old = move["product"], move["new"], move["old"]
    if not store.exists(f"{new}.json"):
        return  # this move was done before
    if old is not None and not store.exists(f"{old}.json"):
        before = record_of(store, product)
        assert before is not None
        kept = replace(before, replaced=journal["time"])
        store.write_sealed(f"{old}.json", asdict(kept))
    if store.local:
        # After the exchange, what is built lies under the plain name, and the old product where the new one was.
        if store.identity(product) != move["identity"]:
            store.exchange(new, product)
        if old is not None and store.exists(new) and new != old:
            store.move(new, old)
    else:
        if old is not None and not move["kept"]:
            store.copy(product, old)
            move["kept"] = True
            store.write_sealed(SWAP, journal)
        store.copy(new, product)
        store.delete(new)
    record = Record(**store.read_json(f"{new}.json"))
    store.write_sealed(f"{RECORDS}/{product}.json", asdict(replace(record, replaced=None, in_recipe=True)))
    store.delete(f"{new}.json")


def kept_products(store: Store) -> Iterator[tuple[str, Record]]:
    """The folders in `previous/` with their records, the newest first."""
    names = [name.removesuffix(".json") for name in store.list(PREVIOUS) if name.endswith(".json")]
    found = [(f"{PREVIOUS}/{name}", Record(**store.read_json(f"{PREVIOUS}/{name}.json"))) for name in names]
    yield from sorted(found, key=lambda one: (one[1].replaced or "", one[0]), reverse=True)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
