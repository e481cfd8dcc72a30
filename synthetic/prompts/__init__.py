"""Prompts as files: a folder with `prompt.yaml`, `system.jinja`, `user.jinja`, `example.md`, and for JSON a `schema.json`.

Scraped text is fenced: the marker around it is drawn from the text's own digest, so a page cannot close it early, and the
system message says that what stands between the markers is material. A prompt's digest is part of the stage's. Answers are
remembered by its name, its version and what it says: edited wording asks anew, a moved gate does not. A folder of one's
own is named by its path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from eyas.corpus.options import Options
from eyas.errors import InputError
from eyas.synthetic.gates import Gates

_HERE = Path(__file__).parent
PARTS = ("system", "user")
DIGESTED = ("prompt.yaml", "system.jinja", "user.jinja", "schema.json")


class PromptCard(Options):
    """The content of `prompt.yaml`."""

    version: int = Field(default=1, ge=1)
    """Raised whenever the wording changes."""
    description: str = ""
    """One line: what comes out."""
    kind: Literal["rewrite", "append", "topic", "score"] = "rewrite"
    """rewrite: a text in place of a text. append: pairs of questions and answers (JSON), put after the source.
    topic: the document is a topic to write about. score: a grade, for `annotate`."""
    prefix: str | None = None
    """A line that the answer is asked to begin with, and that is taken off: what comes before it is chatter."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Longest answer, unless the recipe says otherwise."""
    variables: dict[str, str] = {}
    """Variables of the templates besides `text` and `fence`, with their defaults."""
    gates: Gates = Gates()
    """What every answer must pass."""


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
        known = ", ".join(cls.builtin())
        raise InputError(f"no prompt {name!r}: built in are {known}; or give a folder with system.jinja and user.jinja")

    @staticmethod
    def builtin() -> list[str]:
        """The names of the prompts that come with Eyas."""
        return sorted(path.name for path in _HERE.iterdir() if (path / "user.jinja").is_file())

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def digest(self) -> str:
        """sha256 of its files; the example is for readers only."""
        found = hashlib.sha256()
        for name in DIGESTED:
            path = self.folder / name
            data = path.read_bytes() if path.is_file() else b""
            found.update(len(data).to_bytes(8, "little") + data)
        return found.hexdigest()

    @cached_property
    def card(self) -> PromptCard:
        """What prompt.yaml says; the defaults if there is none."""
        path = self.folder / "prompt.yaml"
        if not path.is_file():
            return PromptCard()
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            return PromptCard.model_validate(YAML(typ="safe", pure=True).load(path) or {})
        except (YAMLError, ValidationError) as error:
            raise InputError(f"{path}: {error}") from error

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of its answers; None for plain text."""
        path = self.folder / "schema.json"
        if not path.is_file():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
        except ValueError as error:
            raise InputError(f"{path}: not valid JSON ({error})") from error
        return found

    @cached_property
    def example(self) -> str:
        """What to expect, for readers."""
        path = self.folder / "example.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """The variables with those a recipe gives; ValueError names one that the prompt does not have."""
        unknown = sorted(set(given) - set(self.card.variables))
        if unknown:
            known = ", ".join(sorted(self.card.variables)) or "none"
            raise InputError(f"the prompt {self.name!r} has no variable {', '.join(unknown)} (it has: {known})")
        return {**self.card.variables, **given}

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

    def messages(self, text: str, given: Mapping[str, str] | None = None) -> list[dict[str, str]]:
        """The chat messages for one text."""
        values = self.variables(given or {})
        fence = self.fence(text)
        # Chat templates are text too, and some servers would obey a <|im_end|> found on a scraped page.
        text = text.replace("<|", "< |")
        return [
            {"role": part, "content": self._templates[part].render(**values, text=text, fence=fence).strip()}
            for part in PARTS
        ]

    def wording(self, given: Mapping[str, str] | None = None) -> str:
        """What it says by itself, without a text: an answer must not repeat it."""
        return "\n".join(message["content"] for message in self.messages("", given))
