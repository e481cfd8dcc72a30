"""Examples for the page: short pieces of the corpus as each tokenizer cuts them.

The pieces are the first that read well (a paragraph of letters, lines of code, a line full of commands), so the same
corpus gives the same page. Invisible characters are written out: bytes that are no whole character as ⟨E4⟩, control and
format characters by their number. A piece takes about 4 KB of page for each tokenizer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from eyas.tokenizer_train.report.comparison import Group
from eyas.tokenizer_train.report.loaded import LoadedTokenizer
from eyas.tokenizer_train.report.sample import Sample

NUMBERS = "In 2024, 1234567 tokens cost $0.15 (up 3.5 %); 10000000 more cost 1,000.00 on 31/12/1999."
LATEX = (
    r"\[ E = \frac{1}{2}mv^2, \qquad \lim_{x \to \infty} \sqrt[3]{x} = \infty, \quad \alpha \leq \int_0^1 f(x)\,dx \]"
)
_LANGUAGES = ("en", "de", "ru", "ar", "hi", "zh", "ja", "ko", "fr", "es", "th", "vi")
"""Languages that are shown first, if the corpus has them: as many scripts as possible."""
_CODE = ("Python", "JavaScript", "C++", "C", "Java", "Rust", "Go")
_SHOWN_LANGUAGES, _SHOWN_CODE = 8, 2
_LOOKED = 400
"""Texts to look through for a piece that reads well."""
_LEAST, _MOST = 140, 240
"""The least bytes and the most characters of a piece."""
_COMMAND = re.compile(r"\\[A-Za-z]+")


def examples(sample: Sample, loaded: Sequence[LoadedTokenizer]) -> list[dict[str, Any]]:
    """Title and text of each piece, and its tokens by tokenizer."""
    pieces = [(group.title, text) for group in _chosen(sample.groups) if (text := _piece(sample, group))]
    pieces += [("numbers", NUMBERS), ("LaTeX", LATEX)]
    texts = [text for _, text in pieces]
    by_tokenizer = [tokenizer.ids(texts) for tokenizer in loaded]
    return [
        {
            "title": title,
            "bytes": len(text.encode()),
            "cuts": [
                {"label": tokenizer.label, "count": len(ids[i]), "tokens": tokens(tokenizer, ids[i])}
                for tokenizer, ids in zip(loaded, by_tokenizer, strict=True)
            ],
        }
        for i, (title, text) in enumerate(pieces)
    ]


def tokens(loaded: LoadedTokenizer, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Each token as the page shows it."""
    return [{"id": token, "shown": visible(loaded.tokens[token])} for token in ids]


def visible(token: bytes | None) -> str:
    """The token with everything visible: spaces as ·, line breaks as ⏎, tabs as →, lone bytes in hexadecimal."""
    if token is None:
        return "⟨control⟩"
    # surrogateescape marks each byte that belongs to no character.
    text = token.decode(errors="surrogateescape")
    shown = "".join(_visible(char) for char in text)
    # Without the circle, a mark would combine with the token before it.
    return "◌" + shown if text and unicodedata.category(text[0]).startswith("M") else shown


def _visible(char: str) -> str:
    code = ord(char)
    if char == " ":
        return "·"
    if char == "\n":
        return "⏎\n"
    if char == "\t":
        return "→\t"
    if 0xDC80 <= code <= 0xDCFF:
        return f"⟨{code - 0xDC00:02X}⟩"
    return char if char.isprintable() else f"⟨U+{code:04X}⟩"


def _chosen(groups: Sequence[Group]) -> list[Group]:
    labelled = [group for group in groups if not group.rest]
    languages = _preferred([g for g in labelled if g.kind == "language"], _LANGUAGES)[:_SHOWN_LANGUAGES]
    code = _preferred([g for g in labelled if g.kind == "code"], _CODE)[:_SHOWN_CODE]
    return [*languages, *code, *(group for group in labelled if group.kind == "math")]


def _preferred(groups: Sequence[Group], wanted: Sequence[str]) -> list[Group]:
    def rank(group: Group) -> int:
        label = group.name.partition(": ")[2].split("_")[0].split("-")[0]
        return wanted.index(label) if label in wanted else len(wanted)

    return sorted(groups, key=rank)


def _piece(sample: Sample, group: Group) -> str:
    """A piece of the group's text that reads well, or the beginning of its first text."""
    find = {"language": _prose, "code": _code, "math": _math}[group.kind]
    texts = (text.as_py() for batch in sample.texts(group) for text in batch)
    first, best = "", (0.0, "")
    for text in islice(texts, _LOOKED):
        first = first or text[:_MOST]
        best = max([best, *find(text)], key=lambda item: item[0])
        if best[0] >= 1:
            break
    return best[1] or first


def _prose(text: str) -> Iterator[tuple[float, str]]:
    """Paragraphs with their share of letters as a score; 1 is enough."""
    for paragraph in islice(text.split("\n"), 200):
        line = _short(paragraph.strip())
        if len(line.encode()) < _LEAST:
            continue
        letters = sum(unicodedata.category(char)[0] in "LM" or char == " " for char in line)
        yield letters / len(line) / 0.94, line


def _code(text: str) -> Iterator[tuple[float, str]]:
    """Blocks of six lines from the middle of the text; indented ones score high, ones with comments low."""
    lines = text.split("\n")
    for start in range(len(lines) // 4, len(lines) - 6):
        block = lines[start : start + 6]
        joined = "\n".join(block)
        plain = block[0][:1].strip() and all(line.strip() for line in block[:4])
        if plain and _LEAST <= len(joined.encode()) <= 1.5 * _MOST and max(map(len, block)) <= 90:
            deep = len({len(line) - len(line.lstrip()) for line in block})
            yield (
                min(deep, 3) / 3 - 0.3 * any(line.strip()[:2] in ("//", "/*", "* ", "# ", "--") for line in block),
                joined,
            )
            if deep >= 3:
                return


def _math(text: str) -> Iterator[tuple[float, str]]:
    """Lines with their number of different commands as a score; eight are enough."""
    for paragraph in islice(text.split("\n"), 2000):
        line = paragraph.strip()
        if "$" in line or "\\(" in line or "\\[" in line or line.startswith("\\"):
            line = _short(line)
            commands = len(set(_COMMAND.findall(line)))
            if len(line.encode()) >= _LEAST // 2 and commands >= 2:
                yield commands / 8, line


def _short(line: str) -> str:
    if len(line) <= _MOST:
        return line
    end = line.rfind(" ", _MOST // 2, _MOST)
    return line[: end if end > 0 else _MOST]
