"""`python -m eyas` is the command line (`eyas.__main__`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_module_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eyas", "plan", "no-such-recipe.yaml"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 3 and "no-such-recipe.yaml: no such file" in ran.stderr
