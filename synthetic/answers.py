"""Cleans a model's answers for the corpus: takes off wrappings, checks JSON, cuts half a sentence at the end.

Small models talk around their answer ("Sure, here is …"), copy the fence, and wrap text in Markdown; none of this is a reason
to pay for another answer. JSON is checked here, whether or not the endpoint enforced the schema. The questions put after a
text follow Nemotron-CC: they are shuffled, and a random number of them is kept, from one up to ten for each 150 tokens (the
prompt asks for at most eight).
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from eyas.errors import InputError
from eyas.synthetic.chunks import trim

CHARACTERS_PER_TOKEN = 4
"""Roughly, in English text. For estimates only."""
MOST_PAIRS = 8
"""Pairs of question and answer that are used of one answer."""
LONGEST_LEAD = 400
"""With more characters than this before it, the expected prefix is part of the text."""
_CHATTER = re.compile(
    r"\A(?:(?:sure|certainly|of course|okay|absolutely)\b[^\n]{0,80}|here(?:['’]s| is| are)\b[^\n]{0,120}"
    r"|(?:the )?rewritten (?:text|version)[^\n]{0,60}):[ \t]*\n+",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"```[ \t]*[\w+#.-]*[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?。！？।؟…][\"'”’»)\]]*(?=\s|\Z)|[。！？]")


def unwrap(answer: str, fence: str, prefix: str | None = None, code: bool = False) -> str:
    """The answer without fence, thoughts, leading chatter, the expected prefix and Markdown fences."""
    text = trim(_THOUGHT.sub("", answer).replace(fence, ""))
    if prefix is not None:
        before, match, after = text.partition(prefix)
        if match and len(before) < LONGEST_LEAD:
            text = after.strip(" *\n")
    text = trim(_CHATTER.sub("", text))
    blocks = _BLOCK.findall(text)
    if len(blocks) == 1 and (code or text.startswith("```")):
        text = blocks[0] if code else blocks[0].strip()
    return text.rstrip() if code else text.strip()


def whole_sentences(text: str) -> str:
    """The text up to its last whole sentence or list item; empty if there is none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    line = text.rfind("\n")
    return text[: max(ends[-1] if ends else 0, line, 0)].rstrip()


def read_json(text: str, schema: Mapping[str, Any]) -> Any:
    """The JSON object in an answer; ValueError says why there is none or how it breaks the schema."""
    import jsonschema

    start, end = text.find("{"), text.rfind("}")
    try:
        value = json.loads(text[start : end + 1])
    except ValueError as error:
        raise InputError(f"no JSON object: {error}") from error
    try:
        jsonschema.validate(value, schema)
    except jsonschema.ValidationError as error:
        raise InputError(f"not what the schema asks for: {error.json_path}: {error.message[:200]}") from error
    return value


def pairs_text(pairs: Sequence[Mapping[str, str]]) -> str:
    """Questions and answers as plain text."""
    return "\n\n".join(f"Question: {pair['question'].strip()}\nAnswer: {pair['answer'].strip()}" for pair in pairs)


def drawn_pairs(pairs: Sequence[Mapping[str, str]], source: str, chance: str) -> list[Mapping[str, str]]:
    """A random choice of the pairs, shuffled: more of them for a longer source. The seed `chance` alone decides."""
    draw = random.Random(chance)
    shuffled = list(pairs[:MOST_PAIRS])
    draw.shuffle(shuffled)
    tokens = len(source) / CHARACTERS_PER_TOKEN
    return shuffled[: draw.randint(1, max(1, int(10 * tokens / 150)))]
