"""The budget ledger: over threads, processes and deaths, no cap is exceeded by one and nothing is bought twice."""

from __future__ import annotations

import multiprocessing
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from budget_processes import TERMS, buy, reserve_and_die, spend_all, terms

from eyas.synthetic.budget import Answer, Budget, BudgetLedger, Charge, Exhausted, Grant, Price, Terms, Wait


@pytest.fixture
def ledger(tmp_path: Path) -> BudgetLedger:
    return BudgetLedger(str(tmp_path / "budget.sqlite"))


def test_an_answer_is_bought_once(ledger: BudgetLedger) -> None:
    assert isinstance(buy(ledger, TERMS, "k"), Grant)
    again = ledger.reserve(TERMS, Charge("k", 100, 50))
    assert isinstance(again, Answer) and again.text == "said k" and ledger.recall("k") == again
    assert ledger.spent("a")["requests"] == 1


def test_the_cap_of_requests_is_never_exceeded_by_one(ledger: BudgetLedger) -> None:
    capped = terms(requests=3)
    assert [type(buy(ledger, capped, str(i))) for i in range(4)] == [Grant, Grant, Grant, Exhausted]
    assert ledger.spent("a")["requests"] == 3 and ledger.spent("a")["refused"] == "requests"


def test_tokens_and_money_are_reserved_at_the_most_and_the_rest_is_released(ledger: BudgetLedger) -> None:
    capped = terms(tokens=300)
    first = ledger.reserve(capped, Charge("1", 100, 50))
    second = ledger.reserve(capped, Charge("2", 100, 50))
    assert isinstance(first, Grant) and isinstance(second, Grant)
    assert isinstance(ledger.reserve(capped, Charge("3", 100, 50)), Wait), (
        "there may be tokens left once another settles"
    )
    ledger.settle(capped, first, Answer("x", "stop", 10, 10))
    ledger.settle(capped, second, None, ["timeout"], billed=True)
    # 20 + 150 are spent: 130 are left.
    assert isinstance(ledger.reserve(capped, Charge("3", 100, 50)), Exhausted)
    assert isinstance(buy(ledger, capped, "4", 80, 50), Grant)
    spent = ledger.spent("a")
    assert spent["input_tokens"] + spent["output_tokens"] == 20 + 150 + 65 and spent["events.timeout"] == 1
    dear = Terms("b", Budget(money=0.001), Price(input=1.0, output=2.0))
    assert isinstance(buy(ledger, dear, "5", 400, 300), Grant)  # at most 0.001, in fact half of it
    assert isinstance(buy(ledger, dear, "6", 400, 300), Exhausted) and isinstance(
        buy(ledger, dear, "7", 300, 100), Grant
    )


def test_minutes_end_and_bound_the_last_request(ledger: BudgetLedger) -> None:
    capped = Terms("a", Budget(minutes=1.0 / 60), timeout=60)
    first = ledger.reserve(capped, Charge("1", 1, 1))
    assert isinstance(first, Grant) and first.seconds <= 1.0
    time.sleep(0.4)
    ledger.settle(capped, first, Answer("x"))
    time.sleep(0.6)  # No request is in flight, so this costs nothing.
    second = ledger.reserve(capped, Charge("2", 1, 1))
    assert isinstance(second, Grant) and 0 < second.seconds <= 0.6
    time.sleep(second.seconds + 0.05)
    ledger.settle(capped, second, None, ["timeout"])
    assert isinstance(ledger.reserve(capped, Charge("3", 1, 1)), Exhausted)


def test_a_request_never_sent_costs_nothing_and_a_429_costs_no_tokens(ledger: BudgetLedger) -> None:
    for key, billed in (("1", None), ("2", False)):
        decision = ledger.reserve(TERMS, Charge(key, 100, 50))
        assert isinstance(decision, Grant)
        ledger.settle(TERMS, decision, None, billed=billed)
    assert ledger.spent("a")["requests"] == 1 and ledger.spent("a")["input_tokens"] == 0


def test_rates_and_pauses_hold_for_all_workers(ledger: BudgetLedger) -> None:
    capped = Terms("a", requests_per_minute=600, tokens_per_minute=60_000)
    assert isinstance(buy(ledger, capped, "1", 200, 0), Grant)
    # 100 ms for the request, 200 ms for the reserved tokens, of which half were released.
    decision = ledger.reserve(capped, Charge("2", 1, 0))
    assert isinstance(decision, Wait) and decision.seconds <= 0.1
    ledger.pause("a", 5)
    decision = ledger.reserve(capped, Charge("2", 1, 0))
    assert isinstance(decision, Wait) and decision.seconds > 4


def test_a_dead_process_has_spent_its_reservation_and_its_answer_is_bought_again(tmp_path: Path) -> None:
    path = str(tmp_path / "budget.sqlite")
    process = multiprocessing.get_context("spawn").Process(target=reserve_and_die, args=(path, "k"))
    process.start()
    process.join()
    ledger = BudgetLedger(path)
    assert isinstance(buy(ledger, TERMS, "k"), Grant)
    spent = ledger.spent("a")
    assert spent["requests"] == 2 and spent["events.lost"] == 1 and spent["input_tokens"] == 100 + 50


def test_two_requests_for_the_same_answer_are_not_sent_at_once(ledger: BudgetLedger, tmp_path: Path) -> None:
    other = BudgetLedger(str(tmp_path / "budget.sqlite"))
    decision = ledger.reserve(TERMS, Charge("k", 1, 1))
    assert isinstance(decision, Grant) and isinstance(other.reserve(TERMS, Charge("k", 1, 1)), Wait)
    ledger.settle(TERMS, decision, Answer("x"))
    assert other.reserve(TERMS, Charge("k", 1, 1)) == Answer("x")


@pytest.mark.parametrize("workers", [3])
def test_processes_share_one_ledger(tmp_path: Path, workers: int) -> None:
    path, context = str(tmp_path / "budget.sqlite"), multiprocessing.get_context("spawn")
    BudgetLedger(path).close()
    granted = context.Queue()
    processes = [context.Process(target=spend_all, args=(path, i, granted)) for i in range(workers)]
    for process in processes:
        process.start()
    total = sum(granted.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    spent = BudgetLedger(path).spent("a")
    assert total == spent["requests"] == 500
    assert spent["input_tokens"] + spent["output_tokens"] == 500 * 75 <= 40_000


FIRST_EDITION = """
create table answers (key text primary key, text text not null, finish text, input integer, output integer, seconds real);
create table accounts (name text primary key, requests integer not null default 0, input integer not null default 0,
  output integer not null default 0, money real not null default 0, active real not null default 0, last real,
  not_before real not null default 0, next_request real not null default 0, next_token real not null default 0, refused text);
create table reservations (id integer primary key autoincrement, account text not null, key text unique, host text,
  pid integer, until real, input integer, output integer, money real);
create table events (account text, event text, count integer not null, primary key (account, event));
insert into answers values ('k', 'said k', 'stop', 50, 25, 1.0);
insert into accounts (name, requests, input, output) values ('a', 2, 50, 25);
"""


def test_a_file_of_the_first_edition_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST_EDITION)
    ledger = BudgetLedger(str(path))
    assert ledger.recall("k") == Answer("said k", "stop", 50, 25, 1.0)
    assert [type(buy(ledger, terms(requests=3), key)) for key in ("k", "new", "newer")] == [Answer, Grant, Exhausted]
    assert ledger.spent("a")["requests"] == 3 and ledger.spent("a")["input_tokens"] == 100


def test_a_file_that_is_no_ledger_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("this is not a database, and long enough to differ from one" * 20)
    with pytest.raises(ValueError, match="is not a budget file"):
        BudgetLedger(str(tmp_path / "x"))
