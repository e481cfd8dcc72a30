"""Alarms: a source or a language of which too little is left, and stages that keep nothing.

A whole source can vanish without an error: 800 files of code go through rules for prose, and one is left. So after every pass
over documents, the share that is left of each source and each language is compared with a floor, and the run stops before
anything is made of what is left. Not counted as lost is what a recipe says by name (`language: {keep: [en]}`), nor
copies: the `max_loss` of each deduplication watches over them.
"""

# Tested in tests/end_to_end/test_alarms.py.

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eyas.corpus.ledger import READ, Books
from eyas.errors import Alarm
from eyas.pipelines.engine.passes.base import Result
from eyas.pipelines.engine.planning import Plan
from eyas.pipelines.recipe.options import AlarmOptions
from eyas.pipelines.recipe.recipe import NamedStage


@dataclass(frozen=True)
class Share:
    """How much is left of a source or a language."""

    kind: Literal["source", "language"]
    name: str
    began: int
    """Documents that were read or generated, less those that the recipe drops by name; for a language, those that the stage
    left that told the languages."""
    left: int
    floor: float
    judged: bool
    """Whether there are enough documents to judge by."""
    most: str
    """The stage that dropped most of it, with how many; empty if none did."""

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.left / self.began if self.began else 1.0

    @property
    def rings(self) -> bool:
        """Whether too little is left."""
        return self.judged and self.share < self.floor

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        return {**self.__dict__, "share": self.share, "rings": self.rings}


StageBooks = list[tuple[str, NamedStage | None, Mapping[str, Books]]]


def shares(plan: Plan, results: Mapping[str, Result]) -> list[Share]:
    """The shares of all sources, then of all languages, after the passes that `results` hold."""
    options = plan.recipe.options.alarms
    stages = list(_stages(plan, results))
    names = list(dict.fromkeys(source for _, _, books in stages for source in books))
    found = [share for name in names if (share := _of_source(name, stages, options)) is not None]
    own = {entry.name for entry in plan.recipe.options.sources}
    return [*found, *_of_languages(stages, own, options)]


def _stages(plan: Plan, results: Mapping[str, Result]) -> Iterator[tuple[str, NamedStage | None, Mapping[str, Books]]]:
    """Label, stage and books by source of each stage that has run, in order."""
    for planned in plan.passes:
        result = results.get(planned.digest)
        if planned.product is not None or result is None:
            continue
        if planned.reads and READ in result.books:
            yield READ, None, result.books[READ]
        for named in planned.stages:
            if named.label in result.books:
                yield named.label, named, result.books[named.label]


def _of_source(name: str, stages: StageBooks, options: AlarmOptions) -> Share | None:
    began = left = 0
    losses: dict[str, int] = {}
    for label, named, by_source in stages:
        books = by_source.get(name)
        if books is None:
            continue
        if not began:
            began = books.documents
        wanted = 0 if named is None else named.stage.intended(books)
        began -= wanted
        left = books.left
        losses[label] = books.dropped + books.quarantined - wanted
    if not began:
        return None
    floor = options.source.get(name, options.floor)
    return Share("source", name, began, left, floor, began >= options.least, _most(losses))


def _of_languages(stages: StageBooks, own: set[str], options: AlarmOptions) -> list[Share]:
    """The languages of the documents that were read; those of generated documents are not counted."""
    began: dict[str, int] = {}
    left: dict[str, int] = {}
    losses: dict[str, dict[str, int]] = {}
    for label, named, by_source in stages:
        if named is not None and "lang" in named.stage.columns_added():
            # Only from here on the column says what this stage found; the input's own is another.
            began, left, losses = {}, {}, {}
        counts: dict[str, int] = {}
        if not own & set(by_source):
            continue  # a generator
        for source in own & set(by_source):
            for language, count in by_source[source].languages.items():
                counts[language] = counts.get(language, 0) + count
        left_now = sum(by_source[source].left for source in own & set(by_source))
        if not counts and (left_now or not began):
            continue  # languages are not known yet, or the pass was made before they were counted
        if not began:
            began = counts
        for language in began:
            losses.setdefault(language, {})[label] = left.get(language, began[language]) - counts.get(language, 0)
        left = counts
    return [
        Share(
            "language",
            language,
            count,
            left.get(language, 0),
            options.lang.get(language, options.floor),
            count >= options.least,
            _most(losses.get(language, {})),
        )
        for language, count in sorted(began.items(), key=lambda item: (-item[1], item[0]))
    ]


def _most(losses: Mapping[str, int]) -> str:
    label, lost = max(losses.items(), key=lambda item: item[1], default=("", 0))
    return f"{label} dropped {lost:,}" if lost > 0 else ""


def check(plan: Plan, results: Mapping[str, Result]) -> None:
    """Raises `Alarm` if too little of a source or a language is left, or a stage kept nothing."""
    empty = [] if plan.recipe.options.allow_empty else list(_empty(plan, results))
    ringing = [share for share in shares(plan, results) if share.rings]
    if not empty and not ringing:
        return
    lines = [*empty, *(_line(share) for share in ringing)]
    advice = []
    if ringing:
        advice.append(
            "Rules for one kind of text drop another: limit them by `only:` or `route:` (docs/guides/routes.md). If so "
            f"little is meant to stay, lower the floor: `alarms: {{{_key(ringing[0])}: {{{ringing[0].name}: 0}}}}`."
        )
    if empty:
        advice.append("If a stage may keep nothing, say `allow_empty: true` in the recipe.")
    raise Alarm("\n".join([*lines, *advice]))


def _key(share: Share) -> str:
    return "source" if share.kind == "source" else "lang"


def _line(share: Share) -> str:
    why = f"; {share.most}" if share.most else ""
    return (
        f"{share.kind} {share.name!r}: {share.left:,} of {share.began:,} documents are left ({share.share:.1%}, the floor is "
        f"{share.floor:.1%}){why}"
    )


def _empty(plan: Plan, results: Mapping[str, Result]) -> Iterator[str]:
    for label, named, by_source in _stages(plan, results):
        total = Books()
        for books in by_source.values():
            total.add(books)
        asked = total.documents - total.passed
        if asked and not total.kept:
            reasons = ", ".join(
                f"{name} {count:,}" for name, count in sorted(total.reasons.items(), key=lambda r: -r[1])[:3]
            )
            place = f"{named.place}: " if named is not None and named.place else ""
            yield f"{place}{label} kept none of its {asked:,} documents ({reasons})"


def health(found: Sequence[Share]) -> str:
    """One line on how a finished run is."""
    judged = [share for share in found if share.judged]
    sources = sum(share.kind == "source" for share in judged)
    languages = len(judged) - sources
    if not judged:
        return "health: ok, but there are too few documents to judge shares by"
    least = min(judged, key=lambda share: share.share)
    counted = f"{sources} source{'s' * (sources != 1)}"
    counted += f" and {languages} language{'s' * (languages != 1)}" if languages else ""
    return (
        f"health: ok: {counted} above the floors; least is left of {least.kind} {least.name!r}: "
        f"{least.share:.1%} of {least.began:,} (floor {least.floor:.1%})"
    )
