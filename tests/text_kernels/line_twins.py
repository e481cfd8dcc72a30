"""Plain-Python twins of the kernels over lines and sentences: their specification."""

from __future__ import annotations

import re

from eyas.text_kernels.unicode import classes as unicode
from eyas.text_kernels.words.sentences import CLOSERS

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
UPPER_CASE = {code for code, lower in enumerate(unicode.lower_case().tolist()) if code != lower}
LOWER_CASE = {unicode.lower_case()[code] for code in UPPER_CASE}


def lowered(text: str) -> str:
    return "".join(chr(unicode.lower_case()[ord(character)]) for character in text)


def sentences(text: str, terminals: str) -> list[int]:
    """Where sentences begin, in characters."""
    starts = [0]
    wide = "".join(set(terminals) - set(".!?"))
    marks, closers = re.escape("".join(set(terminals))), re.escape(CLOSERS)
    for match in re.finditer(rf"[{marks}][{marks}{closers}]*(?P<blank>\s*)", text):
        after = match.end()
        ended = match.group().rstrip()
        if after == len(text) or after < starts[-1]:
            continue
        if not match["blank"] and not re.search(rf"[{re.escape(wide)}]", ended) if wide else not match["blank"]:
            continue
        stops_only = not set(ended) - set("." + CLOSERS)
        if stops_only and match["blank"] and ord(text[after]) in LOWER_CASE:
            continue
        starts.append(after)
    return starts


def line(text: str, phrases: tuple[str, ...], terminals: str, citations: bool) -> dict[str, int]:
    text = text.strip()
    words = text.split()
    seen = text if citations else CITATION.sub("", text)
    low = lowered(seen)
    kinds = [unicode.classes()[ord(character)] for character in seen]
    known = [lowered(phrase) for phrase in phrases]
    return {
        "words": len(words),
        "longest_word": max(map(len, words), default=0),
        "characters": len(seen),
        "letters": kinds.count(unicode.CLASS_LETTER),
        "uppercase": sum(
            ord(c) in UPPER_CASE for c, kind in zip(seen, kinds, strict=True) if kind == unicode.CLASS_LETTER
        ),
        "numbers": kinds.count(unicode.CLASS_NUMBER),
        "sentences": len(sentences(seen, terminals)),
        "last": ord(seen[-1]) if seen else -1,
        "dots": len(seen) - len(seen.rstrip(".")),
        "braces": seen.count("{"),
        "anywhere": sum(1 << bit for bit, phrase in enumerate(known) if phrase in low),
        "at_start": sum(1 << bit for bit, phrase in enumerate(known) if low.startswith(phrase)),
        "at_end": sum(1 << bit for bit, phrase in enumerate(known) if low.endswith(phrase)),
    }
