"""Plain-Python twins of the kernels over code and mathematics: their specification. Never part of the product."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from eyas.text_kernels.statistics import code_syntax as syntax
from eyas.text_kernels.unicode import classes as unicode

# StarCoder2's three patterns (arXiv:2402.19173, section 2.1), their classes written out: ours are the engine's.
ENCODED = (
    re.compile(r"[a-zA-Z0-9+/\n=]{64,}"),
    re.compile(r"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}"),
    re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}"),
)
HEX = re.compile(r"\b0[xX][0-9a-fA-F]+\b")
TODO = ("todo", "fixme", "your code here")
BREAKS = "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"
BEFORE_REGEX = "\0(,=:[!&|?{};+-*%~^<>"


def kind(character: str) -> int:
    return int(unicode.classes()[ord(character)])


def is_word(character: str) -> bool:
    return character == "_" or kind(character) in (unicode.CLASS_LETTER, unicode.CLASS_NUMBER)


def is_space(character: str) -> bool:
    return kind(character) == unicode.CLASS_SPACE or "\x1c" <= character <= "\x1f"


def ascii_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def shape(text: str) -> str:
    """The same text for Python's `\\b`, `\\w` and `\\s`: what this Python does not know becomes what it does."""
    known = {True: "é", False: "·"}
    return "".join(c if c.isascii() else "\u3000" if is_space(c) else known[is_word(c)] for c in text)


@dataclass
class Scan:
    """What each character is: `c` code, `q` a string's content, `/` comment, `<` markup; and the strings' contents."""

    marks: list[str]
    strings: list[tuple[int, int]] = field(default_factory=list)


class Scanner:
    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.openers = sorted(dict.fromkeys(syntax.SYNTAXES[name]), key=lambda found: -len(found.opens.encode()))
        self.scan = Scan(["c"] * len(text))

    def run(self) -> Scan:
        i = 0
        while i < len(self.text):
            i = self.region(i) or i + 1
        return self.scan

    def starts(self, mark: str, i: int, ignore_case: bool = False) -> bool:
        found = self.text[i : i + len(mark)]
        return ascii_lower(found) == ascii_lower(mark) if ignore_case else found == mark

    def allowed(self, opener: syntax.Opener, i: int) -> bool:
        before = self.text[i - 1] if i else "\n"
        end = i + len(opener.opens)
        after = self.text[end : end + 1]
        line = re.split(f"[{BREAKS}]", self.text[:i])[-1]
        flags = opener.flags
        return all(
            (
                not flags & syntax.LINE_START or all(map(is_space, line)),
                not flags & syntax.COLUMN_ZERO or before in BREAKS,
                not flags & syntax.AFTER_SPACE or is_space(before) or before == ";",
                not flags & syntax.NOT_AFTER_WORD or not is_word(before),
                not flags & syntax.NOT_AFTER_OPERAND or before not in ")]}.'",
                not flags & syntax.WORD_END or not after or (after.isascii() and not is_word(after)),
                not flags & syntax.TAG or (after.isascii() and (after.isalpha() or after in tuple("/!?"))),
                opener.kind != syntax.REGEX or self.significant(i) in BEFORE_REGEX,
                not flags & syntax.STATEMENT or self.significant(i) not in tuple("([{,=+%\\"),
                opener.kind != syntax.CHARACTER or self.character_end(i) > 0,
            )
        )

    def significant(self, i: int) -> str:
        """The last character before that is no space, empty if there is none."""
        return self.text[:i].rstrip(" \t\n\r")[-1:]

    def character_end(self, i: int) -> int:
        """The end of a quoted character; an escape has at most ten bytes after the character that follows the `\\`."""
        escape = self.text[i + 1 : i + 14].encode()[:12]
        if escape.startswith(b"\\"):
            found = re.compile(rb"[^\n']*'").match(escape, 2)
            return i + 1 + len(escape[: found.end()].decode()) if found else 0
        plain = re.compile("[^\n']'").match(self.text, i + 1)
        return plain.end() if plain else 0

    def region(self, i: int) -> int:
        """The end of the region that begins at character `i`; 0 if none does."""
        for opener in self.openers:
            if self.starts(opener.opens, i, bool(opener.flags & syntax.IGNORE_CASE)) and self.allowed(opener, i):
                if opener.kind == syntax.CHARACTER:
                    return self.character_end(i)
                if opener.kind == syntax.NO_OPENER:
                    return i + len(opener.opens) + 1
                return self.fill(opener, i)
        return 0

    def fill(self, opener: syntax.Opener, i: int) -> int:
        content = i + len(opener.opens)
        end, after, closed = self.end(opener, content)
        if opener.kind == syntax.STRING and closed:
            self.scan.strings.append((content, end))
            self.scan.marks[content:end] = "q" * (end - content)
        elif opener.kind == syntax.STRING:
            # Still open at the end of the text: code, but it hid what is in it.
            self.scan.marks[content:end] = "c" * (end - content)
        elif opener.kind in (syntax.COMMENT, syntax.MARKUP):
            self.scan.marks[i:after] = ("/" if opener.kind == syntax.COMMENT else "<") * (after - i)
        return after

    def end(self, opener: syntax.Opener, i: int) -> tuple[int, int, bool]:
        """Where the content ends, where the region does, and whether it was closed."""
        depth, in_class = 1, False
        while i < len(self.text):
            c = self.text[i]
            if c in BREAKS and not opener.flags & syntax.MULTILINE:
                return i, i, True
            if opener.escape and c == opener.escape:
                i += 3 if self.text[i + 1 : i + 3] == "\r\n" else 2
                continue
            if opener.kind == syntax.REGEX and c in "[]":
                in_class = c == "["
            elif (
                opener.closes
                and not in_class
                and self.starts(opener.closes, i, bool(opener.flags & syntax.IGNORE_CASE))
            ):
                if not opener.flags & syntax.CLOSE_COLUMN_ZERO or (i and self.text[i - 1] in BREAKS):
                    depth -= 1
                    if depth == 0:
                        return i, i + len(opener.closes), True
                    i += len(opener.closes)
                    continue
            elif opener.flags & syntax.NESTED and self.starts(opener.opens, i):
                depth += 1
                i += len(opener.opens)
                continue
            i += 1
        return len(self.text), len(self.text), False


def string_tokens(line: str) -> int:
    classes = "".join("w" if is_word(c) else " " if is_space(c) else "p" for c in line)
    return len(re.findall("w+|p+", classes))


def split(text: str, ends: str) -> list[str]:
    parts, last = [], 0
    for i, c in enumerate(text):
        if c in ends:
            parts.append(text[last:i])
            last = i + 1
    return [*parts, text[last:]]


def code_statistics(text: str, name: str) -> dict[str, int]:
    scan = Scanner(text, name).run()
    strings = [text[i:j] for i, j in scan.strings]
    words = [word for s in strings for word in split(s, "".join(c for c in set(s) if is_space(c)))]
    spans = [(m.start(), m.end()) for pattern in ENCODED for m in pattern.finditer(shape(text))]
    lines, bounds, start = text.splitlines(), [], 0
    for whole in text.splitlines(keepends=True):
        bounds.append((start, start + len(whole)))
        start += len(whole)
    code, asserts, todos = 0, 0, 0
    for i, j in bounds:
        marks = scan.marks[i:j]
        code += any(m != "/" and not is_space(c) for m, c in zip(marks, text[i:j], strict=True))
        lower = ascii_lower(text)
        asserts += any(lower.startswith("assert", k) and scan.marks[k] != "/" for k in range(i, j))
        todos += any(lower.startswith(TODO, k) and scan.marks[k] == "/" for k in range(i, j))
    classes = [kind(c) for c in text]
    first = next((i for i, c in enumerate(text) if scan.marks[i] != "/" and not is_space(c)), len(text))
    return {
        "header": scan.marks[:first].count("/"),
        "comments": scan.marks.count("/"),
        "strings": sum(map(len, strings)),
        "longest_string": max(map(len, strings), default=0),
        "long_words": sum(len(word) for word in words if len(word) > 20 and "://" not in word),
        "long_string_lines": sum(string_tokens(line) > 20 for s in strings for line in split(s, BREAKS)),
        "markup": scan.marks.count("<"),
        "code_lines": code,
        "assert_lines": asserts,
        "todo_lines": todos,
        "characters": len(text),
        "lines": len(lines),
        "line_characters": sum(c not in BREAKS for c in text),
        "longest_line": max(map(len, lines), default=0),
        "letters": classes.count(unicode.CLASS_LETTER),
        "numbers": classes.count(unicode.CLASS_NUMBER),
        "spaces": sum(map(is_space, text)),
        "replacements": text.count("\ufffd"),
        "hex_characters": sum(len(m.group()) for m in HEX.finditer(shape(text))),
        "encoded": sum(j - i for i, j in spans),
        "longest_encoded": max((j - i for i, j in spans), default=0),
        "longest_run": max((len(run) for run in split(text, "".join(c for c in set(text) if is_space(c)))), default=0),
    }
