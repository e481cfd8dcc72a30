"""The stage `mask_pii`: replaces personal data and secrets by placeholders; one address is `<EMAIL_1>` in all its document.

Placeholders depend on the document alone; datatrove's PIIFormatter takes the next of a ring of replacements, so its output
changes with the order of the documents. RE2 first searches the Arrow column for documents that may hold anything, and only
those are read in Python: 29 to 35 MB/s of CPU time with all kinds on ten kinds of real text in equal parts, e-mail and ip
alone 38 to 54, where PIIFormatter makes 11 to 13. On mail alone it is 6 to 7 MB/s, because each document is read twice, so
that nothing is left to find. Detectors are precise rather than complete: names and postal addresses need a model, and stay.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import field_validator, model_validator

from eyas.corpus import Mapper
from eyas.corpus.documents import NOTE
from eyas.errors import InputError
from eyas.filters.privacy.accounts import CARD, IBAN
from eyas.filters.privacy.email import EMAIL
from eyas.filters.privacy.ip import ip
from eyas.filters.privacy.phone import phone
from eyas.filters.privacy.secrets import SECRET
from eyas.filters.privacy.spans import KINDS, Detector, Kind, Placeholders, touches_placeholder


class MaskPII(Mapper):
    """Replaces e-mail addresses, IP addresses, telephone, account and card numbers and secrets by placeholders.

    The kinds are masked one after the other: secret, email, ip, iban, card, phone. So the earlier kind wins if two overlap,
    and no kind sees what an earlier one has replaced. Within a kind, the match that starts first wins. This is repeated
    until nothing more is found, so that masking a text twice changes nothing.
    """

    kinds: tuple[Kind, ...] = KINDS
    """The kinds that are masked: any of secret, email, ip, iban, card, phone (all by default)."""
    private_ips: bool = False
    """Whether addresses of private networks (10.0.0.1, fe80::1) are masked too (datatrove: public ones only)."""
    regions: tuple[str, ...] = ()
    """Regions (US, DE, …) whose telephone numbers are also found in national spelling. Without any, only numbers with `+`
    are found."""
    placeholder: Literal["numbered", "plain"] = "numbered"
    """`numbered`: `<EMAIL_1>`, `<EMAIL_2>` by first appearance in the document; `plain`: `<EMAIL>` for all."""

    @field_validator("kinds")
    @classmethod
    def _some_kind(cls, value: tuple[Kind, ...]) -> tuple[Kind, ...]:
        if not value:
            raise InputError(f"kinds is empty: nothing would be masked; name some of {', '.join(KINDS)}")
        return tuple(kind for kind in KINDS if kind in value)

    @field_validator("regions")
    @classmethod
    def _known_regions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [region for region in value if region not in phonenumbers.SUPPORTED_REGIONS]
        if unknown:
            raise InputError(
                f"no telephone numbers are known for the region {', '.join(map(repr, unknown))}; "
                "give ISO 3166 codes in capitals such as US, DE, IN"
            )
        return value

    @model_validator(mode="after")
    def _used(self) -> MaskPII:
        if self.regions and "phone" not in self.kinds:
            raise InputError("regions is set, but kinds leaves out phone: add phone to kinds, or remove regions")
        if self.private_ips and "ip" not in self.kinds:
            raise InputError("private_ips is set, but kinds leaves out ip: add ip to kinds, or remove private_ips")
        return self

    @cached_property
    def _detectors(self) -> tuple[Detector, ...]:
        every = (SECRET, EMAIL, ip(self.private_ips), IBAN, CARD, phone(self.regions))
        return tuple(detector for detector in every if detector.kind in self.kinds)

    def map(self, docs: pa.Table) -> pa.Table:
        """The documents with masked text, and a note of how many spans of each kind were masked."""
        text = docs.column("text").combine_chunks()
        notes: list[str | None] = [None] * len(text)
        changed = np.zeros(len(text), np.bool_)
        masked: list[str] = []
        for row, detectors in self._candidates(text):
            new, counts = self.mask(text[row].as_py(), detectors)
            if counts:
                changed[row] = True
                masked.append(new)
                notes[row] = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        if masked:
            new_text = pc.replace_with_mask(text, pa.array(changed), pa.array(masked, text.type))
            docs = docs.set_column(docs.schema.get_field_index("text"), docs.schema.field("text"), new_text)
        return docs.append_column(NOTE, pa.array(notes, pa.string()))

    def _candidates(self, text: pa.LargeStringArray) -> list[tuple[int, tuple[Detector, ...]]]:
        """The rows that may hold something, each with the detectors that may find it."""
        any_hint = "|".join(f"(?:{detector.hint})" for detector in self._detectors)
        rows = np.flatnonzero(pc.match_substring_regex(text, any_hint))
        chosen = text.take(pa.array(rows))
        hits = np.array([np.asarray(pc.match_substring_regex(chosen, d.hint)) for d in self._detectors])
        return [
            (int(row), tuple(d for d, hit in zip(self._detectors, hits[:, i], strict=True) if hit))
            for i, row in enumerate(rows)
        ]

    def mask(self, text: str, detectors: tuple[Detector, ...] | None = None) -> tuple[str, dict[Kind, int]]:
        """`text` with placeholders, and how many spans of each kind were replaced, by `detectors` or by all."""
        names = Placeholders(text, self.placeholder == "numbered")
        counts: dict[Kind, int] = {}
        replaced = True
        while replaced:
            replaced = False
            for detector in detectors or self._detectors:
                text, count = _replace(text, detector, names)
                if count:
                    counts[detector.kind] = counts.get(detector.kind, 0) + count
                    replaced = True
        return text, dict(sorted(counts.items(), key=lambda item: KINDS.index(item[0])))


def _replace(text: str, detector: Detector, names: Placeholders) -> tuple[str, int]:
    """`text` with one kind masked, and the number of masked spans."""
    pieces: list[str] = []
    done = 0
    for start, end, identity in detector.find(text):
        if not touches_placeholder(text, start, end):
            pieces += text[done:start], names.of(detector.kind, identity)
            done = end
    if not pieces:
        return text, 0
    return "".join([*pieces, text[done:]]), len(pieces) // 2
