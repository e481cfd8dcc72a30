"""Prompts as files: a folder with `prompt.yaml`, `system.jinja`, `user.jinja`, `example.md`, and for JSON a `schema.json`.

Scraped text is fenced: the marker around it is drawn from the text's own digest, so a page cannot close it early, and the
system message declares everything between the markers to be material. A prompt's digest is part of its stage's digest.
Answers are cached by the prompt's name, version and wording: new wording sends new requests, a moved gate sends none. A
user's own folder is named by its path.
"""

# Tested in tests/synthetic/test_prompts.py.

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
"""The messages of a chat, in order. Each name is a role and the stem of a template's file name."""
DIGESTED = ("prompt.yaml", "system.jinja", "user.jinja", "schema.json")
"""Files whose bytes are part of a prompt's digest."""


class PromptCard(Options):
    """The content of `prompt.yaml`."""

    version: int = Field(default=1, ge=1)
    """Raised whenever the wording changes."""
    description: str = ""
    """One line that describes the output."""
    kind: Literal["rewrite", "append", "topic", "score"] = "rewrite"
    """rewrite: the answer is a new version of the text. append: it is pairs of questions and answers (JSON), put after the
    source. topic: the document names a topic to write about. score: the answer is a grade, for `annotate`."""
    prefix: str | None = None
    """A line with which the answer must begin. It is taken off, together with any chatter before it."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Longest answer in tokens, unless the recipe sets another limit."""
    variables: dict[str, str] = {}
    """Variables of the templates beside `text` and `fence`, with their defaults."""
    gates: Gates = Gates()
    """The gates that every answer must pass."""


@dataclass(frozen=True)
class Prompt:
    """A prompt folder."""

    folder: Path

    @classmethod
    def find(cls, name: str) -> Prompt:
        """The built-in prompt `name`, or the prompt in the folder `name`; ValueError lists the built-in ones."""
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
        """The sha256 of its files, without the example, which is for readers only."""
        hashed = hashlib.sha256()
        for name in DIGESTED:
            path = self.folder / name
            data = path.read_bytes() if path.is_file() else b""
            hashed.update(len(data).to_bytes(8, "little") + data)
        return hashed.hexdigest()

    @cached_property
    def card(self) -> PromptCard:
        """The content of prompt.yaml; the defaults if there is no such file."""
        path = self.folder / "prompt.yaml"
        if not path.is_file():
            return PromptCard()
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            return PromptCard.model_validate(YAML(typ="safe", pure=True).load(path) or {})
        except (YAMLError, ValidationError, ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{path}: {error}") from error

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of its answers; None for plain text."""
        path = self.folder / "schema.json"
        if not path.is_file():
            return None
        try:
            schema: dict[str, Any] = json.loads(path.read_bytes())
        except ValueError as error:
            raise InputError(f"{path}: not valid JSON ({error})") from error
        return schema

    @cached_property
    def example(self) -> str:
        """A sample source with its answer, for readers."""
        path = self.folder / "example.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """All variables: the recipe's values over the defaults. ValueError names a variable that the prompt does not have."""
        unknown = sorted(set(given) - set(self.card.variables))
        if unknown:
            known = ", ".join(sorted(self.card.variables)) or "none"
            raise InputError(f"the prompt {self.name!r} has no variable {', '.join(unknown)} (it has: {known})")
        return {**self.card.variables, **given}

    @cached_property
    def _templates(self) -> dict[str, Any]:
        from jinja2 import FileSystemLoader, StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        # No escaping: the output is a message to a model, not HTML.
        # A prompt may come from a stranger: its templates reach no attributes of Python's, and change nothing.
        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(self.folder), undefined=StrictUndefined, autoescape=False
        )
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
            {"role": part, "content": self._render(part, {**values, "text": text, "fence": fence})} for part in PARTS
        ]

    def _render(self, part: str, values: Mapping[str, str]) -> str:
        """One message. InputError names the template if it cannot be rendered, or reaches for what the sandbox forbids."""
        from jinja2 import TemplateSyntaxError

        try:
            return str(self._templates[part].render(**values)).strip()
        except Exception as error:  # a template is a program: it may raise anything
            line = f":{error.lineno}" if isinstance(error, TemplateSyntaxError) else ""
            raise InputError(f"{self.folder / part}.jinja{line}: {error}") from error

    def wording(self, given: Mapping[str, str] | None = None) -> str:
        """The prompt's own words, without a text. An answer must not repeat them."""
        return "\n".join(message["content"] for message in self.messages("", given))
