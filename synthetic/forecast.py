"""Estimates the requests, tokens and money of a stage with a language model, before the first request is sent.

The estimate takes four characters for a token, and an answer as long as its piece, or `max_tokens` if that is less. In our
runs it was within a third of the actual figures. A budget is a guarantee; a forecast is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from eyas.synthetic.answers import CHARACTERS_PER_TOKEN
from eyas.synthetic.budget import Budget, Price


@dataclass(frozen=True)
class Forecast:
    """Requests, tokens and money. `caps` are the limits of the budget that would stop the stage before its end."""

    requests: int
    input_tokens: int
    output_tokens: int
    money: float
    caps: tuple[str, ...]

    def line(self) -> str:
        """The forecast as a sentence for `eyas plan`."""
        cost = f", {self.money:,.2f} by `price`" if self.money else ""
        text = (
            f"about {self.requests:,} requests, {self.input_tokens:,} tokens in and {self.output_tokens:,} out{cost} "
            f"(answers bought before cost nothing)"
        )
        if self.caps:
            text += f"; the budget of {', '.join(self.caps)} stops it before that"
        return text


def forecast(
    requests: int,
    characters: float,
    wording: int,
    longest_answer: int,
    price: Price,
    budget: Budget,
    *,
    follows_source: bool,
) -> Forecast:
    """The forecast of `requests` pieces of `characters` each under a prompt of `wording` characters.

    If `follows_source`, an answer is about as long as its piece; otherwise it is taken as long as it may be.
    """
    read = round(requests * (characters + wording) / CHARACTERS_PER_TOKEN)
    if follows_source:
        written = round(requests * min(characters / CHARACTERS_PER_TOKEN + 1, longest_answer))
    else:
        written = requests * longest_answer
    money = price.of(read, written)
    needs = {"requests": requests, "tokens": read + written, "money": money}
    caps = [
        f"{cap:,g} {name}" for name, need in needs.items() if (cap := getattr(budget, name)) is not None and need > cap
    ]
    return Forecast(requests, read, written, money, tuple(caps))
