"""The stage `repair`: mends damaged text: mojibake, stray control and format characters, line breaks, normal form.

`ftfy` (Speer 2019) mends mojibake, with the switches of datatrove's FTFYFormatter: what was broken is mended; what is
merely unusual (curly quotes, full-width letters, ligatures) stays, because a model should know it. ftfy walks each line
some six times, at 2.9 MB/s on web pages. So Arrow searches the whole column first: ftfy's own pattern of bad text, written
for RE2, picks the documents that ftfy could change, 1 of 970 pages, and ftfy sees only those: 82 MB/s on the same pages
(142 without a normal form) on one busy core, with equal results (`tests/filters/test_repair.py`).

For source code and LaTeX, HTML entities are left as they are by default, because `html.replace("&amp;", "&")` is meant
literally (datatrove's `auto` would undo it), and of the normal forms only NFC and NFD keep `x²` apart from `x2`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module, metadata
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from eyas.corpus.documents import NOTE
from eyas.corpus.stage import Mapper, StageUnavailable
from eyas.errors import InputError

_ESCAPES = re.compile("\x1b\\[[0-9;]*[A-Za-z]")
"""Terminal escapes: colours, cursor moves."""
_PAGES = re.compile("[\x0b\x0c]")
"""Vertical tab and form feed end a line, so they become line breaks: without one, two words would become one."""
_C0 = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_FORMATS = re.compile("[\x80-\x9f\u206a-\u206f\ufff9-\ufffc\ufeff]")
"""C1 controls, deprecated format characters, annotation marks, the object replacement character, the byte order mark."""
_BREAKS = re.compile(r"\r\n?")
_UNSPACED = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
_ZERO_WIDTH = re.compile(rf"[\u00ad\u2060\u180e]|(?<!{_UNSPACED})\u200b(?!{_UNSPACED})")
"""Soft hyphens, word joiners, zero-width spaces; between Thai, Lao, Burmese or Khmer letters these divide words and stay."""
_JOINERS = re.compile(r"[\u00ad\u2060\u180e\u200b-\u200d]")
_EMBEDDINGS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_DIRECTIONS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ENTITY = r"&#?[0-9A-Za-z]{1,24};"
_LOST_SPACE = re.compile("[ÂÃ] ")
"""ftfy searches this at the beginning of a line only; here it is searched everywhere, because lines are not split."""


class Repair(Mapper):
    """Mends mojibake, removes meaningless characters, and unifies line breaks and normal form.

    The ledger's detail names the steps that changed a document. U+FFFD is not removed: the character that it replaced is
    lost, and a filter may count it. But ftfy takes it for a sign of mojibake, and may join it with broken text beside it.
    """

    mojibake: bool = True
    """Decode text again that was decoded in the wrong encoding, such as UTF-8 taken for Windows-1252 (ftfy)."""
    html_entities: Literal["keep", "auto", "decode"] = "keep"
    """`decode` turns `&amp;` into `&`; `auto` (ftfy, datatrove) does so until the first line of a document with a `<`;
    `keep` is right for source code, and for text that an HTML parser has decoded already."""
    terminal_escapes: bool = True
    """Remove ANSI sequences such as `ESC[31m` (ftfy: true)."""
    controls: bool = True
    """Remove control characters other than tab and line breaks, deprecated format characters, and byte order marks.
    A form feed or vertical tab becomes a line break. (ftfy's list, and C1.)"""
    line_breaks: Literal["keep", "lf"] = "lf"
    """`lf` turns CR LF and lone CR into a line feed."""
    zero_width: Literal["keep", "safe", "all"] = "safe"
    """`safe` removes soft hyphens, word joiners and zero-width spaces, but no zero-width spaces between letters of scripts
    without spaces; `all` also removes the joiners U+200C and U+200D, which Persian, Indic scripts and emoji need."""
    bidi: Literal["keep", "embeddings", "all"] = "embeddings"
    """`embeddings` removes U+202A–202E and U+2066–2069, which change how a text is shown, not what it says, and can
    make code look like other code (Boucher & Anderson 2021); `all` also removes the marks U+200E, U+200F and U+061C."""
    normal_form: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = "NFC"
    """Unicode normal form; null leaves text as it is. NFC gives `é` one spelling, so that deduplication and the tokenizer
    see one word; nearly all of the web is in NFC already. NFKC also turns `x²` into `x2`."""

    def fingerprint(self) -> Any:
        """The versions of ftfy and of Python's Unicode: with them, ftfy's rules and normal forms change."""
        fixes = self.mojibake or self.html_entities != "keep"
        return [metadata.version("ftfy") if fixes and self._ftfy else None, unicodedata.unidata_version]

    @cached_property
    def _ftfy(self) -> Any:
        try:
            return import_module("ftfy")
        except ImportError as error:
            raise StageUnavailable("repair: mending mojibake needs the package ftfy: `pip install ftfy`") from error

    @cached_property
    def config(self) -> Any:
        """ftfy's options. Everything else that ftfy can do is off, or done here over the whole column."""
        return self._ftfy.TextFixerConfig(
            unescape_html={"keep": False, "auto": "auto", "decode": True}[self.html_entities],
            remove_terminal_escapes=False,
            fix_encoding=self.mojibake,
            restore_byte_a0=True,
            replace_lossy_sequences=True,
            decode_inconsistent_utf8=True,
            fix_c1_controls=self.mojibake,
            fix_latin_ligatures=False,
            fix_character_width=False,
            uncurl_quotes=False,
            fix_line_breaks=False,
            fix_surrogates=False,
            remove_control_chars=False,
            normalization=None,
            # Without an explanation ftfy 6.3 forgets the options of `fix_encoding` and takes its defaults.
            explain=True,
        )

    @cached_property
    def _bad(self) -> re.Pattern[str]:
        """The pattern that a text must match for ftfy to change its encoding."""
        pattern: re.Pattern[str] = import_module("ftfy.badness").BADNESS_RE
        return pattern

    @cached_property
    def _suspects(self) -> tuple[str, ...]:
        """RE2 patterns: a document that matches none of them needs no repair but perhaps another normal form."""
        classes = r"\x1b" if self.terminal_escapes else ""
        classes += r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\x{206a}-\x{206f}\x{fff9}-\x{fffc}\x{feff}" * self.controls
        classes += r"\r" if self.line_breaks == "lf" else ""
        classes += r"\x{ad}\x{2060}\x{180e}\x{200b}" if self.zero_width != "keep" else ""
        classes += r"\x{200c}\x{200d}" if self.zero_width == "all" else ""
        classes += r"\x{202a}-\x{202e}\x{2066}-\x{2069}" if self.bidi != "keep" else ""
        classes += r"\x{61c}\x{200e}\x{200f}" if self.bidi == "all" else ""
        patterns: tuple[str, ...] = (f"[{classes}]",) if classes else ()
        if self.html_entities != "keep":
            patterns += (_ENTITY,)
        if self.mojibake:
            patterns += (for_re2(self._bad.pattern) + "|" + _LOST_SPACE.pattern,)
        return patterns

    def prepare(self) -> None:
        """Compiles the patterns; raises `StageUnavailable` if ftfy is needed and missing."""
        if self.mojibake or self.html_entities != "keep":
            _ = self.config
        self.suspects(pa.array([""], pa.large_string()))

    def suspects(self, text: pa.LargeStringArray) -> npt.NDArray[np.bool_]:
        """Whether this stage might change each of n texts: bool[n]. False is certain."""
        suspect = np.zeros(len(text), np.bool_)
        for pattern in self._suspects:
            suspect |= pc.match_substring_regex(text, pattern).to_numpy(zero_copy_only=False)
        form = self.normal_form
        if form:
            foreign = ~pc.string_is_ascii(text).to_numpy(zero_copy_only=False) & ~suspect
            for row in np.flatnonzero(foreign).tolist():
                suspect[row] = not unicodedata.is_normalized(form, text[row].as_py())
        return suspect

    def map(self, docs: pa.Table) -> pa.Table:
        text = docs.column("text").combine_chunks()
        if isinstance(text, pa.ChunkedArray):  # of a table without chunks, in older versions of pyarrow
            text = pa.array([], pa.large_string())
        suspects = self.suspects(text)
        notes: list[str | None] = [None] * len(text)
        mended: list[str] = []
        changed = np.zeros(len(text), np.bool_)
        for row in np.flatnonzero(suspects).tolist():
            before = text[row].as_py()
            after, steps = self.repair(before)
            if after != before:
                changed[row] = True
                mended.append(after)
                notes[row] = ", ".join(steps)
        if mended:
            text = pc.replace_with_mask(text, pa.array(changed), pa.array(mended, pa.large_string()))
            docs = docs.set_column(docs.column_names.index("text"), "text", text)
        return docs.append_column(NOTE, pa.array(notes, pa.string()))

    def repair(self, text: str) -> tuple[str, list[str]]:
        """The repaired text, and the names of the steps that changed it."""
        steps = []
        for name, after in self._stages(text):
            if after != text:
                steps.append(name)
            text = after
        return text, steps

    def _stages(self, text: str) -> Iterator[tuple[str, str]]:
        """Each step's name and result. C0 controls are removed before ftfy, which they disturb; C1 after, which it needs."""
        if self.terminal_escapes and "\x1b" in text:
            yield "terminal escapes", (text := _ESCAPES.sub("", text))
        if self.controls:
            yield "controls", (text := _C0.sub("", _PAGES.sub("\n", text)))
        if self._may_be_fixed(text):
            yield "mojibake" if self.mojibake else "entities", (text := self._ftfy.fix_text(text, config=self.config))
        if self.controls and not text.isascii():
            yield "format characters", (text := _FORMATS.sub("", text))
        if self.line_breaks == "lf" and "\r" in text:
            yield "line breaks", (text := _BREAKS.sub("\n", text))
        if self.zero_width != "keep" and not text.isascii():
            yield "zero width", (text := (_ZERO_WIDTH if self.zero_width == "safe" else _JOINERS).sub("", text))
        if self.bidi != "keep" and not text.isascii():
            yield "bidi", (text := (_EMBEDDINGS if self.bidi == "embeddings" else _DIRECTIONS).sub("", text))
        if self.normal_form:
            yield "normal form", (text := unicodedata.normalize(self.normal_form, text))

    def _may_be_fixed(self, text: str) -> bool:
        """Whether ftfy could change the text: the Python twin of the patterns that Arrow searches."""
        if self.html_entities != "keep" and re.search(_ENTITY, text):
            return True
        if not self.mojibake or text.isascii():
            return False
        return bool(self._bad.search(text) or _LOST_SPACE.search(text))


def for_re2(pattern: str) -> str:
    r"""A verbose pattern of ftfy in RE2's syntax: without white space and comments, matching at least as much.

    RE2's `\s` and `\w` know ASCII only, so they are extended by all of the rest; `^` is left out, because RE2 sees a
    document where ftfy sees a line. Raises ValueError for anything else that RE2 lacks.
    """
    out: list[str] = []
    inside = False
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            pair = pattern[position : position + 2]
            wide = pair in (r"\s", r"\w") and not inside
            out.append(rf"[{pair}\x{{80}}-\x{{10ffff}}]" if wide else pair)
            position += 2
            continue
        if inside or not (character.isspace() or character in "#^"):
            out.append(character)
        elif character == "#":
            position = pattern.find("\n", position) if "\n" in pattern[position:] else len(pattern)
        inside = character == "[" or (inside and character != "]")
        position += 1
    if "(?" in "".join(out):
        raise InputError("this version of ftfy has a pattern that RE2 cannot read: install ftfy 6.3")
    return "".join(out)
