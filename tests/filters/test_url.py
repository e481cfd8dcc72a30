"""UrlFilter against datatrove's URLFilter with the same lists: decisions and reasons are equal. What goes beyond it.

datatrove's tldextract gets the suffixes of its own package, as ours does: no test asks a network or a home folder.
"""

from __future__ import annotations

import gzip
import pickle
import random
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eyas.corpus import StageUnavailable, Verdict
from eyas.corpus.documents import documents
from eyas.filters.url import UrlFilter, host

tldextract = pytest.importorskip("tldextract")
pytestmark = pytest.mark.filterwarnings("ignore:The 'registered_domain' property:DeprecationWarning")

EXTRACT = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())
LISTS = {
    "domains": [
        "bad.com",
        "worse.co.uk",
        "sub.fine.org",
        "www.only-www.net",
        "blogspot.com",
        "me.github.io",
        "München.de",
    ],
    "urls": ["http://ok.com/bad/page.html", "https://ok.com/?q=1#top", "listed.org/path"],
    "words": ["casino", "XXX", "two words", "naïve"],
    "soft_words": ["poker", "bet", "dating", "free"],
    "subwords": ["viagra", "pornhub", "ph", "cheap pills", "pillsonline"],
}


def write(folder: Path, lists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The lists as files: options for UrlFilter."""
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("# a comment\n\n" + "\n".join(lines) + "\n")
    return {name: [str(folder / f"{name}.txt")] for name in lists}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write(tmp_path_factory.mktemp("lists"), LISTS)


def table(urls: Sequence[str | None]) -> pa.Table:
    origins = pa.array(urls, pa.string())
    return documents(list(range(len(urls))), ["text"] * len(urls), "s", origins)


def judge(stage: UrlFilter, *urls: str | None) -> Verdict:
    verdict = stage.judge(table(urls))
    assert len(verdict) == len(urls)
    return verdict


def reasons(stage: UrlFilter, *urls: str | None) -> list[str | None]:
    found: list[str | None] = judge(stage, *urls).reason.to_pylist()
    return found


def datatrove(lists: Mapping[str, Sequence[str]], urls: Sequence[str], threshold: int = 2) -> list[str | None]:
    """The oracle's reasons."""
    pytest.importorskip("ahocorasick")
    filters, data = pytest.importorskip("datatrove.pipeline.filters"), pytest.importorskip("datatrove.data")
    oracle = filters.URLFilter(
        soft_word_threshold=threshold,
        extra_domains=lists.get("domains"),
        extra_urls=lists.get("urls"),
        banned_words=lists.get("words"),
        banned_subwords=lists.get("subwords"),
        soft_banned_words=lists.get("soft_words"),
        use_integrated_lists=False,
    )
    oracle.tldextractor = EXTRACT
    results = [oracle.filter(data.Document(text="", id="", metadata={"url": url})) for url in urls]
    return [None if result is True else result[1] for result in results]


PIECES = [
    *(
        "http://",
        "https://",
        "HTTPS://",
        "//",
        "ftp://",
        "mailto:",
        "user:pass@",
        "@",
        "[::1]",
        ":80",
        ".",
        "..",
        "。",
        "．",
    ),
    *("bad.com", "BAD.com", "notbad.com", "www.", "worse.co.uk", "co.uk", "a.sub.fine.org", "sub.fine.org", "fine.org"),
    *(
        "www.only-www.net",
        "only-www.net",
        "x.blogspot.com",
        "me.github.io",
        "you.github.io",
        "münchen.de",
        "München.de",
    ),
    *(
        "xn--mnchen-3ya.de",
        "1.2.3.4",
        "localhost",
        "ok.com",
        "/",
        "/bad/page.html",
        "?q=1#top",
        "listed.org/path",
        "?",
        "#",
    ),
    *(
        "casino",
        "Casino",
        "mycasino",
        "xxx",
        "XXX",
        "na",
        "ve",
        "poker",
        "bet",
        "Bet",
        "-",
        "_",
        "free",
        "dating",
        "p",
        "h",
    ),
    *(
        "viagra",
        "VIA-gra",
        "cheap%20pills",
        "pills-online",
        " ",
        "\t",
        "\n",
        "\0",
        "é",
        "\u202e",
        "\u00a0",
        "\\",
        "\U0001f600",
    ),
]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join), min_size=1, max_size=12),
    st.integers(1, 3),
)
@example(["http://user@bad.com:80/x", "http://a.b.worse.co.uk?bet-poker", "HTTP://bad.com/", "http://[::1]/casino"], 2)
def test_decisions_and_reasons_are_datatroves(files: dict[str, Any], urls: list[str], threshold: int) -> None:
    stage = UrlFilter(**files, soft_word_threshold=threshold, require_scheme=False)
    stage.__dict__["_extract"] = EXTRACT  # reading the suffixes takes 0.1 s, for every example
    assert reasons(stage, *urls) == datatrove(LISTS, urls, threshold)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.text(max_size=40)))
@example("http://a..bad.com./")
@example("x//bad.com")
@example("0//bad.com")
def test_the_host_is_the_one_that_tldextract_splits(url: str) -> None:
    parts = EXTRACT(url)
    assert host(url) == ".".join(part for part in (parts.subdomain, parts.domain, parts.suffix) if part) or (
        ".." in host(url) or host(url).startswith(".")  # empty labels: no registered domain is lost, see above
    )


def test_many_urls_with_large_lists_agree_too(tmp_path: Path) -> None:
    """A few thousand entries of each kind, and URLs made of them."""
    draw = random.Random(5)
    names = ["".join(draw.choices("abcdefgh", k=draw.randint(2, 5))) for _ in range(3000)]
    suffixes = ["com", "co.uk", "de", "github.io", "kobe.jp", "unknown"]
    hosts = [f"{draw.choice(names)}.{draw.choice(names)}.{draw.choice(suffixes)}" for _ in range(4000)]
    domains = [name.partition(".")[2] if draw.random() < 0.5 else name for name in draw.sample(hosts, 400)]
    urls = [f"https://{name}/{draw.choice(names)}-{draw.choice(names)}/{draw.choice(names)}.html" for name in hosts]
    lists = {
        "domains": domains,
        "urls": draw.sample(urls, 50),
        "words": draw.sample(names, 30),
        "soft_words": draw.sample(names, 900),
        "subwords": [name for name in draw.sample(names, 60) if len(name) > 4],
    }
    stage = UrlFilter(**write(tmp_path, lists))
    found = reasons(stage, *urls)
    assert found == datatrove(lists, urls)
    assert len(set(found)) == 7  # every rule had its say
    assert [reasons(stage, url)[0] for url in urls[:50]] == found[:50]


def test_the_detail_is_the_entry_that_matched(files: dict[str, Any]) -> None:
    verdict = judge(
        UrlFilter(**files),
        "https://www.bad.com/",
        "https://sub.fine.org/a",
        "http://ok.com/bad/page.html",
        "http://ok.com/the-casino/",
        "http://ok.com/bet/poker/bet",
        "http://ok.com/bet",
        "http://ok.com/cheap-PILLS-online",
        "http://ok.com/",
    )
    assert verdict.detail.to_pylist() == [
        *("bad.com", "sub.fine.org", "http://ok.com/bad/page.html", "casino", "bet poker", None, "cheappills", None)
    ]
    assert verdict.score.to_pylist() == [None, None, None, None, 2.0, 1.0, 0.0, 0.0]
    assert verdict.threshold.to_pylist() == [None, None, None, None, 2.0, 2.0, 2.0, 2.0]
    assert verdict.kept.to_pylist() == [False] * 5 + [True, False, True]


def test_without_a_url_a_document_stays_unless_asked(files: dict[str, Any]) -> None:
    values = [None, "", "data/casino.txt#3", "s3://bucket/casino", "https://ok.com"]
    assert reasons(UrlFilter(**files), *values) == [None] * 5
    assert reasons(UrlFilter(**files, drop_missing=True), *values) == ["no_url"] * 4 + [None]
    loose = UrlFilter(**files, require_scheme=False, drop_missing=True)
    assert reasons(loose, *values) == ["no_url", "no_url", "hard_blacklisted", "hard_blacklisted", None]


def test_thorough_finds_what_is_spelled_otherwise(tmp_path: Path) -> None:
    options = write(
        tmp_path, {"domains": ["Bad.com", "1.2.3.4", "mid.fine.org"], "urls": ["listed.org/Path"], "words": ["casino"]}
    )
    urls = [
        *("http://BAD.com", "https://1.2.3.4:8080/x", "http://a.mid.fine.org", "http://www.listed.org/Path/#top"),
        *("http://ok.com/CASINO", "http://fine.org", "http://listed.org/path", "http://notbad.com"),
    ]
    assert reasons(UrlFilter(**options), *urls) == [None] * 8
    thorough = judge(UrlFilter(**options, thorough=True), *urls)
    assert thorough.reason.to_pylist() == [
        *("domain", "subdomain", "subdomain", "url", "hard_blacklisted", None, None, None)
    ]
    assert thorough.detail.to_pylist()[:4] == ["bad.com", "1.2.3.4", "mid.fine.org", "listed.org/Path"]


def test_allowed_domains_stay_whatever_the_lists_say(tmp_path: Path) -> None:
    options = write(
        tmp_path, {"domains": ["bad.com"], "words": ["casino"], "allow_domains": ["good.com", "me.bad.com"]}
    )
    urls = ["http://www.good.com/casino", "http://me.bad.com/casino", "http://bad.com", "http://xgood.com/casino"]
    assert reasons(UrlFilter(**options), *urls) == [None, None, "domain", "hard_blacklisted"]


def test_folders_in_ut1s_layout(tmp_path: Path) -> None:
    for category, name in (("adult", "sex.com"), ("games", "play.com")):
        (tmp_path / category).mkdir()
        (tmp_path / category / "domains").write_bytes(b"\xef\xbb\xbf" + name.encode() + b"\r\n\xe9t\xe9.fr\n")
    with gzip.open(tmp_path / "games" / "urls.gz", "wb") as file:
        file.write(b"http://ok.com/games\n")
    urls = ["http://sex.com", "http://play.com", "http://ok.com/games"]
    assert reasons(UrlFilter(blocklists=[str(tmp_path)]), *urls) == ["domain", "domain", "url"]
    assert reasons(UrlFilter(blocklists=[str(tmp_path)], categories=["games"]), *urls) == [None, "domain", "url"]
    assert reasons(UrlFilter(blocklists=[str(tmp_path / "adult")]), *urls) == ["domain", None, None]
    with pytest.raises(StageUnavailable, match="has no category gambling; it has adult, games"):
        UrlFilter(blocklists=[str(tmp_path)], categories=["gambling"]).prepare()
    (tmp_path / "empty").mkdir()
    with pytest.raises(StageUnavailable, match="expected folders as in UT1"):
        UrlFilter(blocklists=[str(tmp_path / "empty")]).prepare()


def test_the_fingerprint_follows_what_the_files_say(tmp_path: Path) -> None:
    options = write(tmp_path, {"domains": ["bad.com"]})
    stage = UrlFilter(**options)
    before = stage.fingerprint()
    shutil.copy(tmp_path / "domains.txt", tmp_path / "other.txt")
    assert UrlFilter(domains=[str(tmp_path / "other.txt")]).fingerprint() == before
    with gzip.open(tmp_path / "packed.txt.gz", "wb") as file:
        file.write((tmp_path / "domains.txt").read_bytes())
    assert UrlFilter(domains=[str(tmp_path / "packed.txt.gz")]).fingerprint() == before
    (tmp_path / "domains.txt").write_text("bad.com\nworse.com\n")
    assert stage.fingerprint() != before
    assert UrlFilter(words=options["domains"]).fingerprint()["tldextract"] is None


def test_lists_may_lie_on_any_storage() -> None:
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/lists/domains.txt", b"bad.com\n")
    stage = UrlFilter(domains=["memory://lists/domains.txt"])
    assert reasons(stage, "http://bad.com", "http://good.com") == ["domain", None]
    first = stage.fingerprint()
    fsspec.filesystem("memory").pipe("/lists/domains.txt", b"bud.com\n")
    assert stage.fingerprint() != first
    with pytest.raises(StageUnavailable, match="the list memory://lists/none cannot be read"):
        UrlFilter(words=["memory://lists/none"]).prepare()


def test_errors_say_what_cannot_work(tmp_path: Path, files: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no list is given: name files under domains"):
        UrlFilter()
    with pytest.raises(ValueError, match="there is no file or folder /nowhere/list"):
        UrlFilter(words=["/nowhere/list"])
    with pytest.raises(ValueError, match="categories are given without blocklists"):
        UrlFilter(**files, categories=["adult"])
    with pytest.raises(StageUnavailable, match=r"there is no column 'url'.*there are id, text, source, origin"):
        judge(UrlFilter(**files, column="url"), "http://ok.com")
    with pytest.raises(StageUnavailable, match="the column 'id' holds uint64, not strings"):
        judge(UrlFilter(**files, column="id"), "http://ok.com")
    assert reasons(UrlFilter(**files, column="source"), "http://ok.com") == [None]
    (tmp_path / "broken.gz").write_bytes(b"no gzip")
    with pytest.raises(StageUnavailable, match=r"the list .*broken\.gz cannot be read"):
        UrlFilter(words=[str(tmp_path / "broken.gz")]).prepare()


def test_no_network_is_asked_and_no_cache_written(
    files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: Any, **rest: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(socket.socket, "connect", refused)
    stage = UrlFilter(**files)
    stage.prepare()
    assert reasons(stage, "http://x.bad.com") == ["domain"]
    assert list(tmp_path.iterdir()) == []


def test_a_stage_travels_without_its_lists_and_order_does_not_matter(files: dict[str, Any]) -> None:
    stage = UrlFilter(**files)
    urls = ["http://bad.com", "http://ok.com/bet-free", None, "http://ok.com", "https://worse.co.uk/" + "a" * 100_000]
    found = reasons(stage, *urls)
    again = pickle.loads(pickle.dumps(stage))
    assert again == stage and len(pickle.dumps(stage)) < 3000
    assert reasons(again, *reversed(urls)) == found[::-1]
    assert reasons(stage) == []
