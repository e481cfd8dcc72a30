"""The stage `url_filter`: drops documents by their URL, by blocklists of domains, URLs and words from the user's files.

The rules, their order and their reasons are those of datatrove's `URLFilter` (FineWeb's first step), on your own lists:
none ships with Eyas. The public suffixes come from the package tldextract, so a run needs no network and writes no cache,
where datatrove downloads the list of the day. tldextract sees only hosts that have a listed parent, and words are searched
in the whole column: with UT1's 4.6 million domains and datatrove's word lists 105,000 URLs/s on one core, against
datatrove's 32,000 with equal decisions, and 36 MB of lists in memory against 500.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib import import_module, metadata
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from eyas.corpus.documents import COLUMNS
from eyas.corpus.paths import RecipePath, where_looked
from eyas.corpus.stage import Filter, StageUnavailable
from eyas.corpus.verdict import Verdict
from eyas.errors import InputError
from eyas.filters.url_lists import HashSet, entries, folder_files, is_missing, sha256

_WORD = (string.ascii_letters + string.digits).encode()
_AS_WRITTEN = bytes(byte if byte in _WORD else 0x20 for byte in range(256))
"""For bytes.translate: keeps letters and digits, and turns all else into spaces between words."""
_LOWER = _AS_WRITTEN.lower()
_OTHERS = bytes(byte for byte in range(256) if byte not in _WORD)
_BITS = 18
"""Bits of an index into the table of subwords' beginnings."""
_SCHEMES = ("http://", "https://", "ftp://")
_DOTS = str.maketrans("。．｡", "...")
"""The full stops that host names may be written with (UTS #46), as tldextract reads them."""
_PLAIN = re.compile(r"https?://([A-Za-z0-9._-]*)(?=[/?#]|\Z)")
"""The form of nearly all URLs, for speed."""
_SCHEME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "+-.")
_LISTS = ("domains", "urls", "words", "soft_words", "subwords", "allow_domains")


class _Hit(NamedTuple):
    """Why a document is dropped, and the entry of a list that it matches."""

    reason: str
    entry: str


class UrlFilter(Filter):
    """Drops documents whose URL is on a blocklist. The rules are checked in the order of the options.

    A list is a file at any fsspec URL: one entry a line, `#` comments, gzip if its name ends in `.gz`.
    """

    scores_all: ClassVar[bool] = True

    column: str = "origin"
    """The column that holds the URL."""
    domains: list[RecipePath] = []
    """Lists of domains. A document is dropped if its registered domain (`example.co.uk`) or its full host name is listed."""
    urls: list[RecipePath] = []
    """Lists of URLs, compared whole."""
    words: list[RecipePath] = []
    """Lists of words. One of them in the URL, between characters other than ASCII letters and digits, is enough."""
    soft_words: list[RecipePath] = []
    """Lists of words of which one is harmless and several are not: see `soft_word_threshold`."""
    soft_word_threshold: int = Field(default=2, ge=1)
    """Fewest different soft words for which a URL is dropped (datatrove: 2)."""
    subwords: list[RecipePath] = []
    """Lists of strings that must not occur in the URL's letters and digits, in any case, with all else left out."""
    blocklists: list[RecipePath] = []
    """Folders in the layout of UT1 (Université Toulouse Capitole): `<category>/domains` and `<category>/urls`."""
    categories: list[str] | None = None
    """The categories of `blocklists` to use; null: all."""
    allow_domains: list[RecipePath] = []
    """Lists of domains that are always kept, by registered domain or full host name."""
    thorough: bool = False
    """Also match what datatrove lets pass: hosts and words in upper case; IP addresses; domains between the registered one
    and the full host; and URLs listed without `http://` or `www.`, which is how UT1 lists them."""
    require_scheme: bool = True
    """Only a value that begins with `http://`, `https://` or `ftp://` is a URL: `origin` may hold a path. false: every
    value that is not empty, as for datatrove."""
    drop_missing: bool = False
    """Drop documents without a URL (reason `no_url`). Otherwise they are kept."""

    @field_validator(*_LISTS, "blocklists")
    @classmethod
    def _files_are_there(cls, paths: list[str]) -> list[str]:
        for path in paths:
            if is_missing(path):
                raise InputError(f"there is no file or folder {path}{where_looked(path)}")
        return paths

    @model_validator(mode="after")
    def _some_list(self) -> UrlFilter:
        if not any(getattr(self, name) for name in (*_LISTS[:-1], "blocklists")):
            raise InputError(
                "no list is given: name files under domains, urls, words, soft_words or subwords, or folders under "
                "blocklists (UT1: https://dsi.ut-capitole.fr/blacklists)"
            )
        if self.categories is not None and not self.blocklists:
            raise InputError("categories are given without blocklists: name the folder that holds them")
        return self

    def columns_needed(self) -> tuple[str, ...]:
        return () if self.column in COLUMNS else (self.column,)

    def _files(self, name: str) -> list[str]:
        """All files of one kind of list."""
        files = list(getattr(self, name))
        if name in ("domains", "urls"):
            files += [file for folder in self.blocklists for file in folder_files(folder, name, self.categories)]
        return files

    def fingerprint(self) -> Any:
        """The digests of all lists, and the version of tldextract with its public suffixes."""
        lists: dict[str, Any] = {name: [sha256(file) for file in self._files(name)] for name in _LISTS}
        return lists | {"tldextract": metadata.version("tldextract") if self._asks_domains and self._extract else None}

    @property
    def _asks_domains(self) -> bool:
        return bool(self.domains or self.allow_domains or self.blocklists)

    def prepare(self) -> None:
        if self.blocklists and not self._files("domains") and not self._files("urls"):
            raise StageUnavailable(
                f"url_filter: no list called domains or urls under {', '.join(self.blocklists)}: "
                "expected folders as in UT1, <category>/domains"
            )
        _ = self._domains, self._allowed, self._urls, self._hard, self._soft, self._subwords
        if self._asks_domains:
            _ = self._extract

    @cached_property
    def _domains(self) -> HashSet:
        return self._hashed("domains", lower=self.thorough)

    @cached_property
    def _allowed(self) -> HashSet:
        return self._hashed("allow_domains", lower=self.thorough)

    @cached_property
    def _urls(self) -> HashSet:
        return self._hashed("urls", lower=False)

    def _hashed(self, name: str, lower: bool) -> HashSet:
        blocks = (block for file in self._files(name) for block in entries(file))
        return HashSet([entry.lower() for entry in block] if lower else block for block in blocks)

    @cached_property
    def _hard(self) -> frozenset[bytes]:
        return self._letters("words")

    @cached_property
    def _soft(self) -> frozenset[bytes]:
        return self._letters("soft_words")

    def _letters(self, name: str) -> frozenset[bytes]:
        """Entries as datatrove compares them: ASCII letters and digits alone, in lower case."""
        letters = (
            b"".join(entry.translate(_LOWER).split()) for f in self._files(name) for b in entries(f) for entry in b
        )
        return frozenset(letters) - {b""}

    @cached_property
    def _subwords(self) -> dict[bytes, list[bytes]]:
        """The subwords by their first bytes (as many as the shortest has, at most 4), the longest first."""
        words = sorted(self._letters("subwords"), key=lambda word: (-len(word), word))
        width = min([4, *map(len, words)])
        by_prefix: dict[bytes, list[bytes]] = {}
        for word in words:
            by_prefix.setdefault(word[:width], []).append(word)
        return by_prefix

    @cached_property
    def _extract(self) -> Any:
        """tldextract with the suffixes in its package: no download, no cache in the user's home."""
        try:
            return import_module("tldextract").TLDExtract(cache_dir=None, suffix_list_urls=())
        except ImportError as error:
            raise StageUnavailable(
                "url_filter: lists of domains need the package tldextract, to distinguish a registered domain and its "
                "subdomains: `pip install tldextract`"
            ) from error

    def judge(self, docs: pa.Table) -> Verdict:
        """The first rule that a URL fails gives the reason; the entry that it matches is the detail."""
        values = self._values(docs)
        missing = [not self._is_url(value) for value in values]
        rows = [row for row, is_missing in enumerate(missing) if not is_missing]
        urls = [values[row] or "" for row in rows]
        hits: list[_Hit | None] = [_Hit("no_url", "") if gone and self.drop_missing else None for gone in missing]
        soft = np.full(len(values), np.nan)
        by_host = self._by_host(urls) if self._asks_domains else [None] * len(urls)
        by_url = self._by_url(urls) if len(self._urls) else [None] * len(urls)
        by_subword = self._by_subword(urls) if self._subwords else [None] * len(urls)
        by_words = bool(self._hard or self._soft)
        allowed = self._allowed_rows(urls)
        for at, (row, url) in enumerate(zip(rows, urls, strict=True)):
            if not allowed[at]:
                hit = by_host[at] or by_url[at] or (self._by_words(url, row, soft) if by_words else None)
                hits[row] = hit or by_subword[at]
        return Verdict(
            kept=pa.array([hit is None for hit in hits], pa.bool_()),
            reason=pa.array([hit.reason if hit else None for hit in hits], pa.string()),
            score=pa.array(soft, mask=np.isnan(soft)),
            threshold=pa.array(np.full(len(soft), float(self.soft_word_threshold)), mask=np.isnan(soft)),
            detail=pa.array([hit.entry or None if hit else None for hit in hits], pa.string()),
        )

    def _values(self, docs: pa.Table) -> list[str | None]:
        if self.column not in docs.column_names:
            raise StageUnavailable(
                f"url_filter: there is no column {self.column!r}, which should hold the URLs; there are "
                f"{', '.join(docs.column_names)}. Name one by `column:`, or let the source carry it (`carry:`)"
            )
        column = docs.column(self.column)
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise StageUnavailable(f"url_filter: the column {self.column!r} holds {column.type}, not strings")
        values: list[str | None] = column.to_pylist()
        return values

    def _is_url(self, value: str | None) -> bool:
        if not value:
            return False
        return not self.require_scheme or value.startswith(_SCHEMES) or value[:8].lower().startswith(_SCHEMES)

    def _by_host(self, urls: Sequence[str]) -> list[_Hit | None]:
        """The rules `domain` and `subdomain`."""
        hits: list[_Hit | None] = [None] * len(urls)
        for at, hosts in self._listed(urls, self._domains):
            registered, full = self._names(urls[at])
            # The registered domain comes first, then the full host; with `thorough`, all others.
            for name in (registered, full, *(hosts if self.thorough else ())):
                if name in hosts:
                    hits[at] = _Hit("domain" if name == registered else "subdomain", name)
                    break
        return hits

    def _allowed_rows(self, urls: Sequence[str]) -> list[bool]:
        stays = [False] * len(urls)
        for at, hosts in self._listed(urls, self._allowed):
            stays[at] = self.thorough or not hosts.isdisjoint(self._names(urls[at]))
        return stays

    def _names(self, url: str) -> tuple[str, str]:
        """The registered domain and the full host name; both empty for an IP address or an unknown suffix."""
        parts = self._extract(url.lower() if self.thorough else url)
        return parts.top_domain_under_public_suffix, parts.fqdn

    def _listed(self, urls: Sequence[str], listed: HashSet) -> Iterator[tuple[int, frozenset[str]]]:
        """Each URL whose host or one of its parents is listed: its place, and the listed ones of these names."""
        if not len(listed):
            return
        hosts = [host(url.lower() if self.thorough else url) for url in urls]
        for at in np.flatnonzero(listed.contains_parent([name.encode() for name in hosts])).tolist():
            names = hosts[at].split(".")
            parents = [".".join(names[start:]) for start in range(len(names))]
            hits = listed.contains([parent.encode() for parent in parents]).tolist()
            yield at, frozenset(parent for parent, hit in zip(parents, hits, strict=True) if hit)

    def _by_url(self, urls: Sequence[str]) -> list[_Hit | None]:
        """The rule `url`."""
        hits: list[_Hit | None] = [None] * len(urls)
        shapes = zip(*map(_forms, urls), strict=True) if self.thorough else [urls]
        for shape in shapes:
            for at in np.flatnonzero(self._urls.contains([form.encode() for form in shape])).tolist():
                hits[at] = hits[at] or _Hit("url", shape[at])
        return hits

    def _by_words(self, url: str, row: int, soft: Any) -> _Hit | None:
        """The rules on words; writes the number of soft words into `soft`, if that rule is reached."""
        words = url.encode().translate(_LOWER if self.thorough else _AS_WRITTEN).split()
        if not self._hard.isdisjoint(words):
            return _Hit("hard_blacklisted", next(word for word in words if word in self._hard).decode())
        if self._soft:
            soft_words = [] if self._soft.isdisjoint(words) else [w for w in dict.fromkeys(words) if w in self._soft]
            soft[row] = len(soft_words)
            if len(soft_words) >= self.soft_word_threshold:
                return _Hit("soft_blacklisted", b" ".join(soft_words).decode())
        return None

    def _by_subword(self, urls: Sequence[str]) -> list[_Hit | None]:
        """The rule on subwords. NumPy compares the beginnings of all subwords with all places of all URLs at once."""
        letters = [url.encode().translate(_LOWER, _OTHERS) for url in urls]
        width = len(next(iter(self._subwords)))
        text = np.frombuffer(b" ".join(letters) + bytes(width), np.uint8)
        beginnings = _windows(text, width)
        wanted = _windows(np.frombuffer(b"".join(self._subwords), np.uint8), width)[::width]
        table = np.zeros(1 << _BITS, np.bool_)
        table[_slot(wanted)] = True
        ends = np.cumsum([len(url) + 1 for url in letters]) if letters else np.zeros(0, np.int64)
        hits: list[_Hit | None] = [None] * len(urls)
        for at in np.unique(np.searchsorted(ends, np.flatnonzero(table[_slot(beginnings)]), side="right")).tolist():
            if at < len(urls) and (subword := _subword(letters[at], self._subwords)):
                hits[at] = _Hit("blacklisted_subword", subword.decode())
        return hits


def host(url: str) -> str:
    """The host of a URL, or of a text written like one, as tldextract reads it: case kept, `[…]` around IPv6."""
    if plain := _PLAIN.match(url):
        return plain[1].rstrip(".")
    slashes = url.find("//")
    scheme = url[: slashes - 1] if slashes > 1 and url[slashes - 1] == ":" else None
    if slashes == 0 or (scheme and (scheme in ("https", "http") or _SCHEME_CHARACTERS.issuperset(scheme))):
        url = url[slashes + 2 :]
    authority = url.partition("/")[0].partition("?")[0].partition("#")[0].rpartition("@")[2]
    if authority.startswith("[") and "]" in authority:
        return authority.partition("]")[0] + "]"
    name = authority.partition(":")[0].strip()
    return (name if name.isascii() else name.translate(_DOTS)).rstrip(".")


def _forms(url: str) -> tuple[str, str, str]:
    """A URL in the forms that lists use: as it is; without scheme, fragment and last slash; also without `www.`."""
    _, scheme, bare = url.partition("://")
    name, slash, rest = (bare if scheme else url).partition("#")[0].rstrip("/").partition("/")
    bare = name.lower() + slash + rest
    return url, bare, bare.removeprefix("www.")


def _windows(text: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint32]:
    """The `width` bytes (1 to 4) at each place of the text, as one number."""
    codes = np.zeros(max(0, len(text) - width + 1), np.uint32)
    for place in range(width):
        codes = (codes << np.uint32(8)) | text[place : place + len(codes)]
    return codes


def _slot(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """A place in a table of 2^_BITS for each code: Fibonacci hashing."""
    return (codes * np.uint32(0x9E3779B1)) >> np.uint32(32 - _BITS)


def _subword(letters: bytes, by_prefix: dict[bytes, list[bytes]]) -> bytes | None:
    """The first subword in `letters`, the longest of those that begin there."""
    width = len(next(iter(by_prefix)))
    for start in range(len(letters) - width + 1):
        for word in by_prefix.get(letters[start : start + width], ()):
            if letters.startswith(word, start):
                return word
    return None
