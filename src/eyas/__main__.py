"""`python -m eyas`: the command line."""

from __future__ import annotations

from eyas.pipelines.cli.app import entry

if __name__ == "__main__":
    entry()
