"""Plain-Python twins of the kernels over words: their specification. Slow, obvious, never part of the product."""

from __future__ import annotations

import re

import pyarrow as pa
from hypothesis import strategies as st

from eyas.text_kernels.statistics.text import Counted
from eyas.text_kernels.unicode import classes as unicode

# One letter for what each character is to the rule; a space for what belongs to no word.
CLASS_SHAPES = {
    unicode.CLASS_OTHER: " ",
    unicode.CLASS_LETTER: "L",
    unicode.CLASS_MARK: "M",
    unicode.CLASS_NUMBER: "N",
    unicode.CLASS_SPACE: " ",
    unicode.CLASS_PUNCTUATION: "S",
    unicode.CLASS_SYMBOL: "S",
}
JOINERS = {**dict.fromkeys("'’＇", "a"), **dict.fromkeys("·\u0387״‧", "j"), **dict.fromkeys(".,٫٬，．", "n")}
LETTERS = "L[MF]*(?:[aj]?L[MF]*)*"
NUMBERS = "N[MF]*(?:[an]?N[MF]*)*"
CONNECTOR = "C[MF]*"
RUN = f"(?:M[MF]*)?(?:{LETTERS}|{NUMBERS}|{CONNECTOR})+"
WORD = re.compile(f"{RUN}|[MISajn][MF]*")


def shape(character: str) -> str:
    if character in JOINERS:
        return JOINERS[character]
    kind, flags = unicode.classes()[ord(character)], unicode.flags()[ord(character)]
    if flags & unicode.FLAG_CONNECTOR:
        return "C"
    if flags & unicode.FLAG_FORMAT:
        return "F"
    if flags & unicode.FLAG_IDEOGRAPH and kind in (unicode.CLASS_LETTER, unicode.CLASS_NUMBER):
        return "I"
    return CLASS_SHAPES[int(kind)]


def words(text: str) -> list[tuple[int, int]]:
    """Spans in characters."""
    return [match.span() for match in WORD.finditer("".join(map(shape, text)))]


def mix(state: int, item: int) -> int:
    state = ((state ^ item) * 0x9E3779B97F4A7C15) % 2**64
    return state ^ (state >> 29)


def finish(state: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        state = ((state ^ (state >> 33)) * factor) % 2**64
    return state ^ (state >> 33)


def word_hashes(text: str, lower: bool, fold_digits: bool, skip_punctuation: bool) -> list[int]:
    hashes = []
    for start, stop in words(text):
        word = text[start:stop]
        if skip_punctuation and not any(shape(character) in "LNI" for character in word):
            continue
        state = 0x243F6A8885A308D3
        for character in word:
            if unicode.flags()[ord(character)] & unicode.FLAG_FORMAT:
                continue
            if fold_digits and unicode.flags()[ord(character)] & unicode.FLAG_DIGIT:
                character = "0"
            lowered = character.lower() if lower else character
            state = mix(state, ord(lowered if len(lowered) == 1 else character))
        hashes.append(finish(state))
    return hashes


def shingles(hashes: list[int], n: int) -> list[int]:
    width = min(n, len(hashes))
    found = set()
    for i in range(len(hashes) - width + 1 if width else 0):
        state = 0x243F6A8885A308D3
        for value in hashes[i : i + width]:
            state = mix(state, value)
        found.add(finish(state ^ width))
    return sorted(found)


def jaccard(a: list[int], b: list[int]) -> float:
    return len(set(a) & set(b)) / len(set(a) | set(b)) if a or b else 0.0


def statistics(text: str, counted: Counted, stop_words: tuple[str, ...]) -> dict[str, int]:
    found = [text[start:stop] for start, stop in words(text)]
    plain = [word for word in found if any(character not in counted.symbols for character in word)]
    lines, pieces = text.splitlines(), re.split("\n+", text)
    text_lines = [line for line in text.split("\n") if line.strip()]
    paragraphs = re.split("\n{2,}", text.strip())
    kinds = [unicode.classes()[ord(character)] for character in text]
    letters = [character for character, kind in zip(text, kinds, strict=True) if kind == unicode.CLASS_LETTER]
    counts = {
        "characters": len(text),
        "letters": len(letters),
        "uppercase": sum(unicode.lower_case()[ord(letter)] != ord(letter) for letter in letters),
        "numbers": kinds.count(unicode.CLASS_NUMBER),
        "spaces": sum(
            kind == unicode.CLASS_SPACE or "\x1c" <= c <= "\x1f" for c, kind in zip(text, kinds, strict=True)
        ),
        "newlines": text.count("\n"),
        "words": len(found),
        "plain_words": len(plain),
        "plain_characters": sum(map(len, plain)),
        "alphabetic_words": sum(any(unicode.classes()[ord(c)] == unicode.CLASS_LETTER for c in word) for word in found),
        "stop_words": len(set(stop_words) & set(found)),
        "hashes": text.count("#"),
        "ellipses": text.count("...") + text.count("…"),
        "lines": len(lines),
        "bullet_lines": sum(line.lstrip().startswith(("•", "-")) for line in lines),
        "ellipsis_lines": sum(line.rstrip().endswith(("...", "…")) for line in lines),
        "line_pieces": len(pieces),
        "repeated_pieces": len(repeats(pieces)),
        "repeated_piece_characters": sum(map(len, repeats(pieces))),
        "text_lines": len(text_lines),
        "terminal_lines": sum(line[-1] in counted.terminals for line in text_lines),
        "short_lines": sum(len(line) <= counted.short_line for line in text_lines),
        "repeated_line_characters": sum(map(len, repeats(text_lines))),
        "longest_line": max(map(len, pieces)),
        "paragraphs": len(paragraphs),
        "repeated_paragraphs": len(repeats(paragraphs)),
        "repeated_paragraph_characters": sum(map(len, repeats(paragraphs))),
    }
    counts.update({f"top_{n}_gram": top_n_gram(found, n) for n in counted.top})
    return counts | {f"repeated_{n}_grams": repeated_n_grams(found, n) for n in counted.repeated}


def repeats(items: list[str]) -> list[str]:
    return [item for number, item in enumerate(items) if item in items[:number]]


def top_n_gram(found: list[str], n: int) -> int:
    grams = [" ".join(found[i : i + n]) for i in range(len(found) - n + 1)]
    return max(
        ((grams.count(gram) * len(gram), grams.count(gram)) for gram in grams), key=lambda p: p[1], default=(0,)
    )[0]


def repeated_n_grams(found: list[str], n: int) -> int:
    seen: set[str] = set()
    total = i = 0
    while i + n <= len(found):
        gram = "".join(found[i : i + n])
        if gram in seen:
            total, i = total + len(gram), i + n
        else:
            seen.add(gram)
            i += 1
    return total


FRAGMENTS = [
    *"aZéßİΣςİ中漢々〇かカーｶﾞ한ไทยกำ", *"0९٣½Ⅷ²", *"_‿.,'’·״،…•-#!？", "...", "....", "\r\n", "\n\r", "\r",
    *"\n\t\v\f\x1c\x1f\x85\u2028 ",
    *"\u0301\u200d\u200c\xad\ufeff\u200b\ufe0f\u20e3\u3099\u202e", "\0", "\x7f", "\U0010ffff", "\ue000", "\ud7ff",
    "𝒳", "𐐀", "👩\u200d💻", "🇩🇪",
    "don't", "3.14", "1,000", "x'2", "a.b", "the", "The", "be", "to", " ", "אב", "سلام", "می\u200cشود", "مرحبا",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=25).map("".join)


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[str], pa.LargeStringArray | pa.ChunkedArray]:
    """Documents, and a column of them: whole, a slice of a longer array, or in chunks."""
    documents = draw(st.lists(HOSTILE, max_size=5))
    before, after = draw(st.lists(HOSTILE, max_size=2)), draw(st.lists(HOSTILE, max_size=1))
    array = pa.array(before + documents + after, pa.large_string()).slice(len(before), len(documents))
    form = draw(st.sampled_from(["array", "one chunk", "two chunks"]))
    if form == "array":
        return documents, array
    cut = draw(st.integers(0, len(documents))) if form == "two chunks" else 0
    chunks = [array] if form == "one chunk" else [array[:cut], array[cut:]]
    return documents, pa.chunked_array(chunks, pa.large_string())
