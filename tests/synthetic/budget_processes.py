"""Buying answers from a budget, in functions that processes of their own can import."""

from __future__ import annotations

import multiprocessing
import os
import time

from eyas.synthetic.budget import Answer, Budget, BudgetLedger, Charge, Grant, Price, Terms, Wait

TERMS = Terms("a")


def terms(**budget: float) -> Terms:
    """Terms with the caps given."""
    return Terms("a", Budget(**budget), Price(input=1.0, output=2.0))  # type: ignore[arg-type]


def buy(ledger: BudgetLedger, capped: Terms, key: str, read: int = 100, written: int = 50) -> object:
    """Reserves and settles at half of what was reserved."""
    decision = ledger.reserve(capped, Charge(key, read, written))
    if isinstance(decision, Grant):
        ledger.settle(capped, decision, Answer(f"said {key}", "stop", read // 2, written // 2))
    return decision


def reserve_and_die(path: str, key: str) -> None:
    """Reserves a request and ends without settling it, as a killed process does."""
    assert isinstance(BudgetLedger(path).reserve(TERMS, Charge(key, 100, 50)), Grant)
    os._exit(9)


def spend_all(path: str, number: int, granted: multiprocessing.Queue[int]) -> None:
    """Buys until the budget is spent, and puts the number of answers into `granted`."""
    ledger, capped, count = BudgetLedger(path), terms(requests=500, tokens=40_000), 0
    for i in range(400):
        while isinstance(decision := buy(ledger, capped, f"{number}-{i}"), Wait):
            time.sleep(0.001)
        count += isinstance(decision, Grant)
    granted.put(count)
