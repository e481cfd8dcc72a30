"""Forecasts: requests, tokens and money, and the caps that would stop a stage."""

from __future__ import annotations

from eyas.synthetic.budget import Budget, Price
from eyas.synthetic.forecast import Forecast, forecast

PRICE = Price(input=1.0, output=2.0)


def test_an_answer_is_as_long_as_its_piece_or_as_long_as_it_may_be() -> None:
    rewrite = forecast(10, 400, 200, 512, PRICE, Budget(), follows_source=True)
    assert rewrite == Forecast(10, 1500, 1010, (1500 + 2 * 1010) / 1e6, ())
    assert forecast(10, 4000, 200, 512, PRICE, Budget(), follows_source=True).output_tokens == 5120
    assert forecast(10, 400, 200, 512, PRICE, Budget(), follows_source=False).output_tokens == 5120


def test_the_line_names_the_caps_that_would_stop_it() -> None:
    budget = Budget(requests=10, tokens=2000, money=0.001)
    estimate = forecast(10, 400, 200, 512, PRICE, budget, follows_source=True)
    assert estimate.caps == ("2,000 tokens", "0.001 money")
    assert "; the budget of 2,000 tokens, 0.001 money stops it before that" in estimate.line()
    free = forecast(10, 400, 200, 512, Price(), Budget(), follows_source=True)
    assert free.line().startswith("about 10 requests, 1,500 tokens in and 1,010 out (") and "price" not in free.line()
