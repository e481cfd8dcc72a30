"""Documents that break naive code: empty, tiny, of one kind of character only."""

from __future__ import annotations

SMALL = {
    "empty": "",
    "one character": "a",
    "one word": "word",
    "one letter of four bytes": "𝒳",
    "a NUL": "\0",
    "NULs": "\0" * 100,
    "NULs in text": "a\0b \0 c\0",
    "only punctuation": "!?.,;:-–—…()[]{}\"'" * 20,
    "only newlines": "\n" * 1000,
    "only carriage returns": "\r" * 100,
    "every line break": "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029" * 10,
    "only white space": " \t\u00a0\u3000\u2003" * 50,
    "right to left": "مرحبا بالعالم. שלום עולם! " * 20,
    "right-to-left controls": "\u202eabc\u202c \u2067def\u2069 \u200f" * 10,
    "around the surrogates": "\ud7ff\ue000 \ufffd\uffff" * 20,
    "the last code points": "\U0010ffff\U0010fffe\U0001ffff" * 20,
    "marks without letters": "\u0301\u0302\u20e3\ufe0f" * 50,
    "joined emoji": "👩\u200d👩\u200d👧\u200d👦🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿" * 20,
    "zalgo": ("a" + "\u0300\u0316\u0334" * 30 + " ") * 20,
    "byte order marks": "\ufeffa \ufeff" * 20,
    "Thai without spaces": "ภาษาไทยไม่มีช่องว่าง" * 30,
    "Han": "敏捷的棕色狐狸跳过了懒狗。" * 30,
    "digits": "0123456789" * 50,
    "a long line": "x" * 100_000,
    "dots": "." * 10_001,
}
