"""What every benchmark shares: options, text, timing in turns, facts about the machine, claims as JSON and as a table.

Rounds alternate between the contenders, so that a noisy neighbour slows all of them, and medians are told. The first
round is not timed: it compiles kernels, fills caches, and its results are what is compared. The trade: wall time, not
CPU time, because that is what a user waits for; on a shared machine a ratio still wobbles by 10-20 %, so the load
average from before the run is written down with it.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import platform
import random
import statistics
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from eyas.corpus.sources.listing import list_files, take_bytes

PATTERNS = ("**/*.py", "**/*.rst", "**/*.md", "**/*.txt")
PACKAGES = ("datasketch", "datatrove", "numba", "numpy", "pyarrow", "rensa", "spacy", "torch", "transformers")
"""Their versions are written down where they are installed."""


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    corpus: Path
    megabytes: float
    rounds: int


@dataclass(frozen=True)
class Claim:
    """One line of the result. `peer` and `ratio` are None without a peer; `holds` is None where nothing was compared."""

    name: str
    ours: float
    """In `unit`, as `peer` is."""
    peer: float | None
    peer_name: str | None
    unit: str
    ratio: float | None
    """ours / peer: above 1, ours is faster."""
    goal: str
    holds: bool | None


@dataclass
class Report:
    """Claims, which results were compared with what outcome, and which peers were left out and why."""

    claims: list[Claim] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def against(
        self, name: str, ours: float, peer: float, peer_name: str, unit: str, least: float, equal: bool = True
    ) -> None:
        """A claim of at least `least` times the peer's rate. It does not hold if the results should agree but do not."""
        ratio = ours / peer
        self.claims.append(Claim(name, ours, peer, peer_name, unit, ratio, f">= {least:g} x", equal and ratio >= least))

    def alone(self, name: str, ours: float, unit: str, least: float) -> None:
        """A claim of an absolute rate."""
        self.claims.append(Claim(name, ours, None, None, unit, None, f">= {least:g} {unit}", ours >= least))

    def skip(self, name: str, ours: float, peer_name: str, unit: str, least: float, why: str) -> None:
        """A claim whose peer could not be asked: ours is told, nothing is said of the peer."""
        self.claims.append(Claim(name, ours, None, peer_name, unit, None, f">= {least:g} x", None))
        self.skipped.append(f"{name}: {peer_name} {why}")

    def add(self, other: Report) -> None:
        self.claims += other.claims
        self.checked += other.checked
        self.skipped += other.skipped

    def to_json(self) -> dict[str, Any]:
        claims = [asdict(claim) for claim in self.claims]
        return {"claims": claims, "checked": self.checked, "skipped": self.skipped}


@dataclass(frozen=True)
class Timed:
    """Each contender's seconds per round, and what it returned in the round that was not timed."""

    seconds: Mapping[str, Sequence[float]]
    results: Mapping[str, Any]

    def rate(self, name: str, work: float) -> float:
        """Median rate of a contender that gets through `work` documents or tokens in a round."""
        return work / statistics.median(self.seconds[name])


def in_turns(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> Timed:
    """Runs all once untimed, then `rounds` times in turns: abc, bca, cab …, so that no one always goes first."""
    results = {name: call() for name, call in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            begun = time.perf_counter()
            contenders[name]()
            seconds[name].append(time.perf_counter() - begun)
    return Timed(seconds, results)


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def read_texts(options: Options) -> list[str]:
    """The texts of `read_documents`."""
    return [document.text for document in read_documents(options)]


class Document(NamedTuple):
    """A text, its kind (for a file: its ending), and its language where that is known."""

    text: str
    kind: str
    lang: str | None = None


def read_documents(options: Options) -> list[Document]:
    """A sample of whole files, the same for the same folder; what is not UTF-8, or empty, is left out.

    A folder with `*.jsonl.gz` files is a corpus of documents (fields `text`, `kind`, `lang`): a sample of those.
    Raises ValueError if no file is there, or none that is small enough.
    """
    packed = sorted(options.corpus.rglob("*.jsonl.gz"))
    if packed:
        return _read_json_lines(packed, options)
    files = list_files(str(options.corpus.resolve()), PATTERNS, (), "--corpus")
    documents = []
    for file in take_bytes(files, int(options.megabytes * 1e6), seed=0):
        try:
            text = Path(file.path).read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            continue
        if text:
            documents.append(Document(text, Path(file.path).suffix[1:]))
    if not documents:
        raise ValueError(f"no text file below {options.corpus} fits into {options.megabytes:g} MB: raise --megabytes")
    return documents


def _read_json_lines(files: Sequence[Path], options: Options) -> list[Document]:
    """About so many megabytes of the documents, from all files alike, in an order of chance that is always the same."""
    documents: list[Document] = []
    share = min(1.0, options.megabytes * 1e6 / (3.5 * sum(file.stat().st_size for file in files)))
    chance = random.Random(0)
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            drawn = (json.loads(line) for line in lines if chance.random() < share)
            known = (Document(r["text"], str(r.get("kind")), r.get("lang")) for r in drawn)
            documents += [document for document in known if document.text]
    chance.shuffle(documents)
    if not documents:
        raise ValueError(f"no document of {options.corpus} was drawn: raise --megabytes")
    return documents


def text_column(texts: Sequence[str]) -> pa.LargeStringArray:
    """The texts as a document table holds them."""
    return pa.array(texts, pa.large_string())


def machine(load: float) -> dict[str, Any]:
    """What a reader needs to judge the numbers; nothing that names the machine. `load`: before the run."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "load_before": round(load, 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES if installed(name)},
    }


def _cpu() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "") or (
        platform.processor() or "unknown"
    )


def run(doc: str, measure: Callable[[Options], Report], argv: Sequence[str] | None) -> int:
    """The body of a script: options, measurement, table, JSON. Returns 1 if a claim does not hold, 2 for bad input."""
    parser = argparse.ArgumentParser(description=doc.split("\n\n")[0])
    purelib = sysconfig.get_path("purelib")
    parser.add_argument("--corpus", type=Path, default=Path(purelib), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--megabytes", type=_above_zero, default=10.0, metavar="N", help="of text; default: 10")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="timed rounds; default: 5")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the claims there")
    arguments = parser.parse_args(argv)
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}: at least one is needed")
    if arguments.json and not arguments.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {arguments.json.absolute().parent}")
    load = os.getloadavg()[0]
    try:
        report = measure(Options(arguments.corpus, arguments.megabytes, arguments.rounds))
    except ValueError as error:
        parser.error(str(error))
    facts = machine(load)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": facts, **report.to_json()}, indent=2) + "\n")
    show(report, facts)
    # A missed goal is news, not a failure; outputs that should be equal and are not make every figure void.
    return 1 if any("UNEQUAL" in line for line in report.checked) else 0


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


def show(report: Report, facts: Mapping[str, Any]) -> None:
    """One table, then what was compared and what was skipped."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)  # a log has no width; 80 columns would break every line
    title = f"{facts['cpu']}, {facts['cores']} cores, Python {facts['python']}, load {facts['load_before']} before"
    table = Table(title=title, title_justify="left")
    for heading in ("claim", "unit", "ours", "peer", "ratio", "goal", "holds", "against"):
        table.add_column(heading, justify="right" if heading in ("ours", "peer", "ratio") else "left")
    verdicts = {True: "[green]yes", False: "[red]no", None: "[yellow]skipped"}
    for claim in report.claims:
        peer = "" if claim.peer is None else f"{claim.peer:,.0f}"
        ratio = "" if claim.ratio is None else f"{claim.ratio:,.1f}"
        against = claim.peer_name or "the goal alone"
        holds = verdicts[claim.holds]
        table.add_row(claim.name, claim.unit, f"{claim.ours:,.0f}", peer, ratio, claim.goal, holds, against)
    console.print(table)
    for line in report.checked:
        console.print(f"checked: {line}", markup=False, highlight=False)
    for line in report.skipped:
        console.print(f"skipped: {line}", markup=False, highlight=False)
