"""The recipe that trials disturb, and the products of its undisturbed run."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path

RECIPE = """name: r
partition_bytes: 500KB
sources: [{{name: code, files: {{path: {path}, glob: ["**/*.py"], max_bytes: 6MB}}}}]
stages: [exact_dedup, minhash_dedup, code_quality]
tokenizer: {{vocab_sizes: [600]}}
shards: {{sequence_length: 256}}
"""


class Lab:
    """A recipe, and the products of its undisturbed run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe = folder / "r.yaml"
        self.recipe.write_text(RECIPE.format(path=sysconfig.get_paths()["purelib"]))
        self.clean = folder / "clean"
        code, out = self.run(self.clean)
        assert code == 0, out
        self.want = digests(self.clean / "r")

    def start(self, runs: Path | str, *options: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """A run as a process of its own."""
        command = [sys.executable, "-m", "eyas", "run", str(self.recipe), "--runs", str(runs), *options]
        environment = {**os.environ, **(env or {})}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    def run(self, runs: Path | str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """A run without Ray: its exit code and what it printed."""
        process = self.start(runs, "--workers", "0", env=env)
        out, _ = process.communicate(timeout=300)
        return process.returncode, out

    def recovers(self, runs: Path) -> tuple[bool, str]:
        """Whether another run ends with the products of the undisturbed one."""
        code, out = self.run(runs)
        return code == 0 and digests(runs / "r") == self.want, out


Trial = Callable[[Lab, random.Random], tuple[bool, bool]]
"""One trial: whether what it did was noticed, and whether the next run ended with the same bytes."""


def digests(run: Path) -> dict[str, str]:
    """sha256 of all that a run publishes."""
    files = [path for kind in ("curated", "ledger", "tokenizer", "shards") for path in (run / kind).rglob("*")]
    return {str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.is_file()}
