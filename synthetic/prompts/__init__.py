"""Prompts as files: a folder with `system.jinja` and `user.jinja`, here or anywhere on disk.

Scraped text is fenced: the marker around it is drawn from the text's own digest, so a page cannot close it early, and the
system message says that what stands between the markers is material. A prompt's digest is part of the stage's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
PARTS = ("system", "user")


@dataclass(frozen=True)
class Prompt:
    """A prompt folder."""

    folder: Path

    @classmethod
    def find(cls, name: str) -> Prompt:
        """The built-in prompt `name`, or the folder of that path; ValueError lists the built-in ones."""
        for folder in (_HERE / name, Path(name)):
            if all((folder / f"{part}.jinja").is_file() for part in PARTS):
                return cls(folder)
        known = ", ".join(sorted(path.name for path in _HERE.iterdir() if (path / "user.jinja").is_file()))
        raise ValueError(f"no prompt {name!r}: built in are {known}; or give a folder with system.jinja and user.jinja")

    @property
    def digest(self) -> str:
        """sha256 of its files."""
        content = b"\0".join((self.folder / f"{part}.jinja").read_bytes() for part in PARTS)
        return hashlib.sha256(content).hexdigest()

    @cached_property
    def _templates(self) -> dict[str, Any]:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        # No escaping: the output is a message to a model, not HTML.
        environment = Environment(loader=FileSystemLoader(self.folder), undefined=StrictUndefined, autoescape=False)
        return {part: environment.get_template(f"{part}.jinja") for part in PARTS}

    @staticmethod
    def fence(text: str) -> str:
        """The line that stands before and after a text."""
        return f"=====TEXT {hashlib.sha256(text.encode()).hexdigest()[:12]}====="

    def messages(self, text: str) -> list[dict[str, str]]:
        """The chat messages for one text."""
        fence = self.fence(text)
        # Chat templates are text too, and some servers would obey a <|im_end|> found on a scraped page.
        text = text.replace("<|", "< |")
        return [
            {"role": part, "content": self._templates[part].render(text=text, fence=fence).strip()} for part in PARTS
        ]
