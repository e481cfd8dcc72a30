"""What a stage with a language model would ask for and cost, estimated before anything is asked.

Tokens are guessed from characters, four each; an answer is taken as long as its piece, or as `max_tokens` if that is less. In
our runs that was within a third of what came; a budget is what holds, a forecast is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyas.synthetic.answers import CHARACTERS_PER_TOKEN

if TYPE_CHECKING:
    from eyas.synthetic.options import ModelStage


@dataclass(frozen=True)
class Forecast:
    """Requests, tokens, money; `caps`: those of the budget that would stop it."""

    requests: int
    input_tokens: int
    output_tokens: int
    money: float
    caps: tuple[str, ...]

    def line(self) -> str:
        """In words."""
        cost = f", {self.money:,.2f} by `price`" if self.money else ""
        text = (
            f"about {self.requests:,} requests, {self.input_tokens:,} tokens in and {self.output_tokens:,} out{cost} "
            f"(answers bought before cost nothing)"
        )
        if self.caps:
            text += f"; the budget of {', '.join(self.caps)} stops it before that"
        return text


def forecast(stage: ModelStage, requests: int, characters: float, wording: int) -> Forecast:
    """The forecast of `requests` pieces of `characters` each under a prompt of `wording` characters."""
    read = round(requests * (characters + wording) / CHARACTERS_PER_TOKEN)
    written = round(requests * min(characters / CHARACTERS_PER_TOKEN + 1, stage.longest_answer))
    if stage.prompt_kind != "rewrite":
        written = requests * stage.longest_answer
    money = stage.price.of(read, written)
    budget = stage.budget
    wanted = {"requests": requests, "tokens": read + written, "money": money}
    caps = [
        f"{cap:,g} {name}" for name, need in wanted.items() if (cap := getattr(budget, name)) is not None and need > cap
    ]
    return Forecast(requests, read, written, money, tuple(caps))
