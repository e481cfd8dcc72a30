"""The purse: no cap is exceeded by one, over threads, processes and deaths; nothing is bought twice."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from eyas.synthetic.budget import Answer, Budget, Exhausted, Grant, Price, Purse, Terms, Wait

TERMS = Terms("a")


def terms(**budget: float) -> Terms:
    """Terms with a budget."""
    return Terms("a", Budget(**budget), Price(input=1.0, output=2.0))  # type: ignore[arg-type]


@pytest.fixture
def purse(tmp_path: Path) -> Purse:
    return Purse(str(tmp_path / "purse.sqlite"))


def buy(purse: Purse, held: Terms, key: str, read: int = 100, written: int = 50) -> object:
    """Reserves and settles at half of what was reserved."""
    leave = purse.reserve(held, key, read, written)
    if isinstance(leave, Grant):
        purse.settle(held, leave, Answer(f"said {key}", "stop", read // 2, written // 2))
    return leave


def test_an_answer_is_bought_once(purse: Purse) -> None:
    assert isinstance(buy(purse, TERMS, "k"), Grant)
    again = purse.reserve(TERMS, "k", 100, 50)
    assert isinstance(again, Answer) and again.text == "said k" and purse.recall("k") == again
    assert purse.spent("a")["requests"] == 1


def test_requests_are_never_one_too_many(purse: Purse) -> None:
    held = terms(requests=3)
    assert [type(buy(purse, held, str(i))) for i in range(4)] == [Grant, Grant, Grant, Exhausted]
    assert purse.spent("a")["requests"] == 3 and purse.spent("a")["refused"] == "requests"


def test_tokens_and_money_are_held_at_their_most_and_given_back(purse: Purse) -> None:
    held = terms(tokens=300)
    first = purse.reserve(held, "1", 100, 50)
    second = purse.reserve(held, "2", 100, 50)
    assert isinstance(first, Grant) and isinstance(second, Grant)
    assert isinstance(purse.reserve(held, "3", 100, 50), Wait), "there may be room once another settles"
    purse.settle(held, first, Answer("x", "stop", 10, 10))
    purse.settle(held, second, None, ["timeout"], billed=True)
    # 20 + 150 are spent: 130 are left.
    assert isinstance(purse.reserve(held, "3", 100, 50), Exhausted)
    assert isinstance(buy(purse, held, "4", 80, 50), Grant)
    spent = purse.spent("a")
    assert spent["input_tokens"] + spent["output_tokens"] == 20 + 150 + 65 and spent["events.timeout"] == 1
    dear = Terms("b", Budget(money=0.001), Price(input=1.0, output=2.0))
    assert isinstance(buy(purse, dear, "5", 400, 300), Grant)  # at most 0.001, in fact half of it
    assert isinstance(buy(purse, dear, "6", 400, 300), Exhausted) and isinstance(buy(purse, dear, "7", 300, 100), Grant)


def test_minutes_end_and_bound_the_last_request(purse: Purse) -> None:
    held = Terms("a", Budget(minutes=1.0 / 60), timeout=60)
    first = purse.reserve(held, "1", 1, 1)
    assert isinstance(first, Grant) and first.seconds <= 1.0
    time.sleep(0.4)
    purse.settle(held, first, Answer("x"))
    time.sleep(0.6)  # nothing is under way: this costs nothing
    second = purse.reserve(held, "2", 1, 1)
    assert isinstance(second, Grant) and 0 < second.seconds <= 0.6
    time.sleep(second.seconds + 0.05)
    purse.settle(held, second, None, ["timeout"])
    assert isinstance(purse.reserve(held, "3", 1, 1), Exhausted)


def test_what_was_never_sent_costs_nothing_and_a_429_costs_no_tokens(purse: Purse) -> None:
    for key, billed in (("1", None), ("2", False)):
        leave = purse.reserve(TERMS, key, 100, 50)
        assert isinstance(leave, Grant)
        purse.settle(TERMS, leave, None, billed=billed)
    assert purse.spent("a")["requests"] == 1 and purse.spent("a")["input_tokens"] == 0


def test_rates_hold_for_all_and_a_pause_holds_for_all(purse: Purse) -> None:
    held = Terms("a", requests_per_minute=600, tokens_per_minute=60_000)
    assert isinstance(buy(purse, held, "1", 200, 0), Grant)
    # 100 ms for the request, 200 ms for the tokens held, of which half came back.
    leave = purse.reserve(held, "2", 1, 0)
    assert isinstance(leave, Wait) and leave.seconds <= 0.1
    purse.pause("a", 5)
    leave = purse.reserve(held, "2", 1, 0)
    assert isinstance(leave, Wait) and leave.seconds > 4


def _reserve_and_die(path: str, key: str) -> None:
    assert isinstance(Purse(path).reserve(TERMS, key, 100, 50), Grant)
    os._exit(9)


def test_a_dead_process_has_spent_what_it_held_and_its_text_is_asked_again(tmp_path: Path) -> None:
    path = str(tmp_path / "purse.sqlite")
    process = multiprocessing.get_context("spawn").Process(target=_reserve_and_die, args=(path, "k"))
    process.start()
    process.join()
    purse = Purse(path)
    assert isinstance(buy(purse, TERMS, "k"), Grant)
    spent = purse.spent("a")
    assert spent["requests"] == 2 and spent["events.lost"] == 1 and spent["input_tokens"] == 100 + 50


def test_one_text_is_not_asked_for_by_two_at_once(purse: Purse, tmp_path: Path) -> None:
    other = Purse(str(tmp_path / "purse.sqlite"))
    leave = purse.reserve(TERMS, "k", 1, 1)
    assert isinstance(leave, Grant) and isinstance(other.reserve(TERMS, "k", 1, 1), Wait)
    purse.settle(TERMS, leave, Answer("x"))
    assert other.reserve(TERMS, "k", 1, 1) == Answer("x")


def _spend_all(path: str, number: int, granted: multiprocessing.Queue[int]) -> None:
    purse, held, count = Purse(path), terms(requests=500, tokens=40_000), 0
    for i in range(400):
        while isinstance(leave := buy(purse, held, f"{number}-{i}"), Wait):
            time.sleep(0.001)
        count += isinstance(leave, Grant)
    granted.put(count)


@pytest.mark.parametrize("workers", [3])
def test_processes_share_one_purse(tmp_path: Path, workers: int) -> None:
    path, context = str(tmp_path / "purse.sqlite"), multiprocessing.get_context("spawn")
    Purse(path).close()
    granted = context.Queue()
    processes = [context.Process(target=_spend_all, args=(path, i, granted)) for i in range(workers)]
    for process in processes:
        process.start()
    total = sum(granted.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    spent = Purse(path).spent("a")
    assert total == spent["requests"] == 500
    assert spent["input_tokens"] + spent["output_tokens"] == 500 * 75 <= 40_000


def test_a_file_that_is_no_purse_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("this is not a database, and long enough to be told apart from one" * 20)
    with pytest.raises(ValueError, match="is not a purse"):
        Purse(str(tmp_path / "x"))
