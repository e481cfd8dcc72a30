"""Proves, as JSON, that surgery made the requested changes and no others.

It checks four things: the id of every token before and after; which tokens some text still gives; that hostile texts come
back byte for byte; and that a text whose ids hold no touched token has the ids that it had before. The last is tried on
the hostile texts, on a text for every reachable token, and on the caller's texts. The trade: it is proof by trying. 20,000
hostile texts and texts for Llama 4's 200,000 tokens take 8 s on two cores.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import Tokenizer

from eyas.tokenizer_train.formats import token_bytes
from eyas.tokenizer_train.surgery.reachable import Reachability, reachability
from eyas.tokenizer_train.surgery.surgery import Operated

_SHOWN = 20
_BATCH = 10_000
_PLANES = ((0x20, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x1FFFF), (0x20000, 0x3FFFF), (0xE0000, 0x10FFFF))
_CONTROLS: list[str] = [
    *map(chr, range(0x20)),
    *"\x7f\x85\xa0\xad\u200b\u200d\u2028\u2029\u202e\u3000\ufeff\ufffd\ufffe\u0301",
]
_LATEX = [
    "\\frac{a}{b}",
    "\\alpha_{i}",
    "$x^{2}$",
    "\\\\",
    "\\begin{align}",
    "\\inftyx",
    "{\\in",
    "\\",
    " \\sum_",
    "\\|",
]
_SPACES = [" ", "  ", "\n", "\n\n", "\r\n", "\t", " \n ", "    "]


def hostile_texts(tokens: Sequence[bytes | None], count: int, seed: int) -> list[str]:
    """`count` texts of what breaks tokenizers: all Unicode planes, control characters, LaTeX, spaces, `tokens` in a row."""
    chance = random.Random(seed)
    spelled: list[bytes] = [token for token in tokens if token] or [b" "]

    def piece() -> str:
        kind = chance.randrange(6)
        if kind == 0:
            low, high = chance.choice(_PLANES)
            return "".join(chr(chance.randint(low, high)) for _ in range(chance.randint(1, 6)))
        if kind < 4:
            return chance.choice((_CONTROLS, _LATEX, _SPACES)[kind - 1])
        if kind == 4:
            return "".join(chr(chance.randint(0x20, 0x7E)) for _ in range(chance.randint(1, 8)))
        # A token that begins inside a character may be completed by the token before it.
        joined: bytes = b"".join(chance.choices(spelled, k=chance.randint(1, 4)))
        return joined.decode(errors="ignore")

    return ["".join(piece() for _ in range(chance.randint(1, 8))) for _ in range(count)]


def prove(
    old: Tokenizer, done: Operated, texts: Iterable[str] = (), *, count: int = 20_000, seed: int = 0
) -> dict[str, Any]:
    """The proof, as surgery.json holds it; `holds` says whether all checks pass.

    `texts` are the caller's, and both tokenizers encode them. Control tokens in text are taken as characters.
    """
    new = done.tokenizer
    before = done.before or reachability(old)
    after = reachability(new, before.witnesses)
    touched = {*done.dropped, *done.swapped}
    spelled = [*token_bytes(old), *(token_bytes(new)[number] for number in (*done.swapped, *done.added))]
    trials = [*texts, *hostile_texts(spelled, count, seed)]
    recognised = old.encode_special_tokens, new.encode_special_tokens
    old.encode_special_tokens = new.encode_special_tokens = True
    try:
        round_trip = _round_trip(new, trials)
        same = _same_ids(old, new, [*trials, *before.witnesses.values()], touched, {*done.swapped, *done.added})
        known = _control_in_text(old, before)
        spelled_control = [name for name in _control_in_text(new, after) if name not in known]
    finally:
        old.encode_special_tokens, new.encode_special_tokens = recognised
    lost = [n for n in before.witnesses if n not in touched and n not in after.witnesses]
    unreachable = [n for n in (*done.swapped, *done.added) if n in after.missing]
    changed = _changed_ids(old, new, touched)
    return {
        "holds": not (changed or lost or round_trip["failures"] or same["failures"] or spelled_control),
        "vocabulary": {"before": old.get_vocab_size(), "after": new.get_vocab_size()},
        "ids": {
            "kept": len(old.get_vocab()) - len(touched),
            "changed": changed,
            "dropped": done.dropped,
            "swapped": {number: {"old": a, "new": b} for number, (a, b) in done.swapped.items()},
            "added": done.added,
            "cut_off": done.trimmed,
        },
        "reachability": {
            "before": _figures(old, before),
            "after": _figures(new, after),
            "lost": lost,
            "new_without_text": unreachable,
            "unreachable_but_needed_by_merges": done.needed,
        },
        "round_trip": {"seed": seed, **round_trip},
        "same_ids": same,
        "control_tokens_spelled_by_text": spelled_control,
    }


def _changed_ids(old: Tokenizer, new: Tokenizer, touched: set[int]) -> list[dict[str, Any]]:
    """Untouched tokens that have another id now, or none."""
    ids = new.get_vocab(with_added_tokens=True)
    return [
        {"token": text, "before": number, "after": ids.get(text)}
        for text, number in old.get_vocab(with_added_tokens=True).items()
        if number not in touched and ids.get(text) != number
    ]


def _figures(tokenizer: Tokenizer, reached: Reachability) -> dict[str, Any]:
    return {
        "reachable": len(reached.witnesses),
        "control": len(reached.control),
        "unreachable": [
            {"id": number, "token": tokenizer.id_to_token(number), "why": missing.why, "proved": missing.proved}
            for number, missing in reached.missing.items()
        ],
    }


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def _round_trip(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, Any]:
    failures = []
    for start in range(0, len(texts), _BATCH):
        part = texts[start : start + _BATCH]
        back = tokenizer.decode_batch(_ids(tokenizer, part), skip_special_tokens=False)
        for text, decoded in zip(part, back, strict=True):
            wanted = text if tokenizer.normalizer is None else tokenizer.normalizer.normalize_str(text)
            if decoded != wanted:
                failures.append({"text": text, "decoded": decoded})
    size = sum(len(text.encode()) for text in texts)
    return {"texts": len(texts), "bytes": size, "failures": failures[:_SHOWN]}


def _same_ids(
    old: Tokenizer, new: Tokenizer, texts: Sequence[str], touched: set[int], fresh: set[int]
) -> dict[str, Any]:
    compared, failures = 0, []
    for start in range(0, len(texts), _BATCH):
        part = texts[start : start + _BATCH]
        for text, was, now in zip(part, _ids(old, part), _ids(new, part), strict=True):
            if touched.isdisjoint(was) and fresh.isdisjoint(now):
                compared += 1
                if was != now:
                    failures.append({"text": text, "before": was, "after": now})
    return {
        "texts": len(texts),
        "compared": compared,
        "with_touched_tokens": len(texts) - compared,
        "failures": failures[:_SHOWN],
    }


def _control_in_text(tokenizer: Tokenizer, reached: Reachability) -> list[str]:
    """Control tokens that come out of a text which spells them, although it should give characters."""
    names = [tokenizer.id_to_token(number) or "" for number in reached.control]
    control = set(reached.control)
    return [name for name, ids in zip(names, _ids(tokenizer, names), strict=True) if not control.isdisjoint(ids)]
