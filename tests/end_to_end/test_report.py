"""The report in a real browser: it renders, it needs no network, and nothing in scraped text runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from harness import Ran

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EVIL = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "</pre></details><iframe src=http://example.org></iframe>"
)


class Elements(HTMLParser):
    """Counts the elements of a page, and keeps its title."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.title = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Counts an element."""
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self._inside = tag
        assert not any(name.startswith("on") for name, _ in attrs), attrs

    def handle_data(self, data: str) -> None:
        """Keeps the title."""
        if self._inside == "title":
            self.title += data
            self._inside = ""


def browse(*arguments: str, profile: Path) -> bytes:
    """What headless Chromium prints."""
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", "--hide-scrollbars"]
    return subprocess.run([CHROMIUM, *flags, *arguments], capture_output=True, timeout=120, check=True).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
def test_report_renders_and_hostile_text_stays_text(
    eyas: Callable[..., Ran], recipe: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "input"
    shutil.copytree(corpus, folder)
    evil = [{"text": EVIL + " short"}, {"text": EVIL + " and the cat was with them that day, have it " * 60}]
    (folder / "evil.jsonl").write_text("".join(json.dumps(line) + "\n" for line in evil))
    assert eyas("run", recipe(path=folder), "--workers", "0", "--runs", tmp_path / "runs").code == 0
    report = tmp_path / "runs/small/report.html"
    page = browse("--dump-dom", f"file://{report}", profile=tmp_path / "profile").decode()
    found = Elements(page)
    assert found.title.startswith("small")
    assert not {"script", "img", "iframe", "link", "object"} & set(found.counts), found.counts
    assert found.counts["table"] >= 5 and "document.title=" in page
    for heading in (
        "Funnel",
        "What was dropped",
        "Sources and languages",
        "Duplicates",
        "Tokenizer",
        "Shards",
        "Recipe",
    ):
        assert f">{heading}</h2>" in page, heading
    picture = tmp_path / "report.png"
    browse(f"--screenshot={picture}", "--window-size=1000,1600", f"file://{report}", profile=tmp_path / "profile")
    # An empty page of this size compresses to a few kilobytes.
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 40_000
