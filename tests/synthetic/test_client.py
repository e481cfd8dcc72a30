"""The client against an endpoint that does everything wrong: nothing is lost or bought twice, no cap is exceeded."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from fake_endpoint import FakeEndpoint, fake_endpoint

from eyas.corpus import StageUnavailable
from eyas.synthetic.budget import Answer, Budget, BudgetLedger, Terms
from eyas.synthetic.client import BadAnswer, Client, NotBought, Outcome, Request
from eyas.synthetic.engines import Remote

TEXTS = [f"text number {i} of many" for i in range(24)]
Ask = Callable[..., list[Outcome]]


@pytest.fixture
def fake() -> Iterator[FakeEndpoint]:
    with fake_endpoint() as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> BudgetLedger:
    return BudgetLedger(str(tmp_path / "budget.sqlite"))


@pytest.fixture
def ask(fake: FakeEndpoint, ledger: BudgetLedger, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Sends requests for texts; the first pause is 20 ms instead of half a second."""
    monkeypatch.setattr("eyas.synthetic.client.FIRST_PAUSE", 0.02)
    monkeypatch.setenv("SECRET_OF_TEST", "sk-secret")

    def call(
        texts: list[str] = TEXTS,
        retries: int = 6,
        timeout: float = 1.0,
        concurrency: int = 8,
        budget: Budget | None = None,
    ) -> list[Outcome]:
        engine = Remote(fake.url, "m", "SECRET_OF_TEST")
        client = Client(engine, ledger, Terms("a", budget or Budget(), timeout=timeout), retries, concurrency)
        return client.ask([Request([{"role": "user", "content": text}], "p", 64) for text in texts])

    return call


def all_answered(fake: FakeEndpoint, outcomes: list[Outcome], texts: list[str] = TEXTS) -> bool:
    """Whether each text has its own answer."""
    return [o.text if isinstance(o, Answer) else o for o in outcomes] == [fake.say(text) for text in texts]


def test_answers_come_in_order_and_are_cached_and_the_key_is_never_stored(
    fake: FakeEndpoint, ask: Ask, tmp_path: Path
) -> None:
    fake.latency = 0.05
    twice = [*TEXTS, *TEXTS]
    assert all_answered(fake, ask(twice), twice) and len(fake.asked) == len(TEXTS)
    assert 2 <= fake.most_in_flight <= 8
    assert all_answered(fake, ask()) and len(fake.asked) == len(TEXTS)
    assert fake.keys == {"Bearer sk-secret"}
    assert not any(b"sk-secret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("mode", ["timeout", "drip", "limited", "broken", "half", "drop", "bad_json"])
def test_a_request_that_fails_once_is_retried(fake: FakeEndpoint, ask: Ask, ledger: BudgetLedger, mode: str) -> None:
    failed: set[str] = set()

    def behave(number: int, text: str) -> str:
        if number % 5 == 2 and text not in failed:
            failed.add(text)
            return mode
        return "good"

    fake.behaviour = behave
    # On a busy machine half a second is not enough for an answer that nothing holds up.
    assert all_answered(fake, ask(timeout=0.5 if mode in ("timeout", "drip") else 5)) and failed
    assert set(fake.answered.values()) == {1}, "an answer that arrived is bought once"
    spent = ledger.spent("a")
    event = {"drip": "timeout", "limited": "rate_limited", "broken": "server_error", "half": "connection_lost",
             "drop": "connection_lost"}.get(mode, mode)  # fmt: skip
    assert spent["requests"] == len(fake.asked) and spent[f"events.{event}"] == len(failed)


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_stops_all_requests(fake: FakeEndpoint, ask: Ask, as_date: bool) -> None:
    seconds = 2.0 if as_date else 0.6
    fake.behaviour = lambda number, text: "limited" if number == 0 else "good"
    fake.retry_after = formatdate(time.time() + seconds, usegmt=True) if as_date else str(seconds)
    assert all_answered(fake, ask(concurrency=1))
    assert fake.times[1] - fake.times[0] >= (0.9 if as_date else 0.6)  # A date has whole seconds.
    assert max(b - a for a, b in zip(fake.times[1:], fake.times[2:], strict=False)) < seconds + 1


@pytest.mark.parametrize("seconds", [1.0, pytest.param(10.0, marks=pytest.mark.slow)])
def test_an_outage_of_the_endpoint_is_outlasted(
    fake: FakeEndpoint, ask: Ask, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seconds == 10.0:
        monkeypatch.setattr("eyas.synthetic.client.FIRST_PAUSE", 0.5)

    def behave(number: int, text: str) -> str:
        if number == 10:
            fake.down_until = time.monotonic() + seconds
        return "good"

    fake.behaviour = behave
    assert all_answered(fake, ask(retries=8)) and set(fake.answered.values()) == {1}


def test_a_request_that_always_fails_costs_its_document_alone(fake: FakeEndpoint, ask: Ask) -> None:
    fake.latency = 0.02
    fake.behaviour = lambda number, text: "broken" if text == TEXTS[3] else "good"
    outcomes = ask(retries=2)
    assert isinstance(outcomes[3], BadAnswer) and "answered 500" in str(outcomes[3])
    assert sum(isinstance(outcome, Answer) for outcome in outcomes) == len(TEXTS) - 1
    fake.behaviour = lambda number, text: "too_long" if text == "new" else "good"
    assert isinstance(ask(["new"])[0], BadAnswer)


def test_a_key_that_an_answer_repeats_is_not_kept(fake: FakeEndpoint, ask: Ask) -> None:
    """Plain, after `Bearer`, and in base64."""
    key = os.environ["SECRET_OF_TEST"]
    encoded = base64.b64encode(key.encode()).decode()
    fake.say = lambda text: f"Bearer {key} or {encoded} for {text}"
    outcomes = ask()
    for outcome in outcomes:
        assert isinstance(outcome, Answer) and "(the key)" in outcome.text
        assert key not in outcome.text and encoded.rstrip("=") not in outcome.text


def test_an_unusable_endpoint_stops_the_run_with_a_message(fake: FakeEndpoint, ask: Ask) -> None:
    fake.behaviour = lambda number, text: "unknown_key"
    with pytest.raises(StageUnavailable, match=r"answered 401.*key in the environment") as raised:
        ask()
    assert "sk-secret" not in str(raised.value) and "(the key)" in str(raised.value)
    assert len(fake.asked) <= 8, "no request is repeated"
    fake.behaviour = lambda number, text: "limited"
    fake.retry_after = "86400"
    with pytest.raises(StageUnavailable, match="demands a pause of 86,400 s"):
        ask(["another"])
    fake.behaviour = lambda number, text: "broken"
    with pytest.raises(StageUnavailable, match=r"answered 500.*attempts: 3"):
        ask(["a third"], retries=2)


def test_answers_bought_before_the_run_stopped_are_kept(fake: FakeEndpoint, ask: Ask) -> None:
    fake.behaviour = lambda number, text: "unknown_key" if number >= 10 else "good"
    with pytest.raises(StageUnavailable):
        ask(concurrency=2)
    fake.behaviour = lambda number, text: "good"
    assert all_answered(fake, ask()) and set(fake.answered.values()) == {1}


@pytest.mark.parametrize("wild", [False, True])
def test_a_budget_of_requests_is_never_exceeded_by_one(fake: FakeEndpoint, ask: Ask, wild: bool) -> None:
    modes = ["good", "broken", "half", "limited", "bad_json"]
    fake.behaviour = lambda number, text: modes[number * 7 % 5] if wild else "good"
    fake.retry_after = "0.01"
    outcomes = ask(budget=Budget(requests=13), retries=9)
    assert len(fake.asked) == 13
    bought = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    assert len(bought) == len(fake.answered) and (wild or len(bought) == 13)
    assert all(isinstance(o, Answer | BadAnswer) or o == NotBought("requests") for o in outcomes)
    assert ask(budget=Budget(requests=13), retries=9).count(NotBought("requests")) > 0
    assert len(fake.asked) == 13, "a second run has nothing left to spend"
    assert all_answered(fake, ask(budget=Budget(requests=100), retries=9)) or wild


def test_a_budget_of_tokens_holds_even_if_the_endpoint_reports_no_usage(
    fake: FakeEndpoint, ask: Ask, ledger: BudgetLedger
) -> None:
    fake.usage = False
    outcomes = ask(budget=Budget(tokens=600))
    spent = ledger.spent("a")
    assert 0 < len(fake.asked) < len(TEXTS) and NotBought("tokens") in outcomes
    assert 600 - 110 < int(spent["input_tokens"] or 0) + int(spent["output_tokens"] or 0) <= 600


def test_cache_keys_are_those_of_the_first_edition() -> None:
    messages = [{"role": "user", "content": "text"}]
    key = Request(messages, "p 1", 64, 0.0, 7).key("m")
    assert key == "80a669be92ef55039e79dca84f6e1ff6189fab882dfd04d8d92dd4b618ad85be"
    assert Request(messages, "p 1", 64, 0.0, 8).key("m") == key, "at temperature 0 the seed changes nothing"
    assert Request(messages, "p 1", 64, 0.5, 8).key("m") != Request(messages, "p 1", 64, 0.5, 7).key("m")
    assert Request(messages, "p 2", 64).key("m") != key


def test_minutes_are_a_cap(fake: FakeEndpoint, ask: Ask) -> None:
    fake.latency = 0.1
    outcomes = ask(budget=Budget(minutes=0.5 / 60), concurrency=2)
    assert fake.times[-1] - fake.times[0] < 1.0 and NotBought("minutes") in outcomes
    assert 1 <= sum(isinstance(outcome, Answer) for outcome in outcomes) <= 12
