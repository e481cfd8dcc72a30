"""The budget ledger: one SQLite file that records what a run has spent on language models and keeps every answer it bought.

A request is reserved before it is sent, at the most it can cost, and settled after, at its actual cost, in one transaction
with the answer. So no cap is exceeded even by one request, and no answer that arrived is bought again. SQLite serialises all
workers of a node (`BEGIN IMMEDIATE`), survives kill -9 (WAL, one write per commit; only a power cut may lose the last ones),
and is the cache as well; an actor alone would offer none of the three. The trade: the file belongs to one machine, so on a
cluster of several nodes an actor opens it (`eyas.synthetic.budget_actor`). A reservation and its settlement take 0.1 ms of
CPU together.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import Field

from eyas.corpus.options import Options
from eyas.errors import InputError

POLL = 0.02
"""Seconds until a request tries again, if another request has reserved the budget or the answer that it needs."""
MARGIN = 30.0
"""A reservation of a process on another machine counts as lost this many seconds after its time limit."""
ROUNDING = 1e-9
"""Sums of prices may exceed a cap by this much, because binary fractions are inexact."""
_HOST = socket.gethostname()
_SCHEMA = """
create table if not exists answers (key text primary key, text text not null, finish text, input integer, output integer,
  seconds real);
create table if not exists accounts (name text primary key, requests integer not null default 0,
  input integer not null default 0, output integer not null default 0, money real not null default 0,
  active real not null default 0, last real, not_before real not null default 0,
  next_request real not null default 0, next_token real not null default 0, refused text);
create table if not exists reservations (id integer primary key autoincrement, account text not null, key text unique,
  host text, pid integer, until real, input integer, output integer, money real);
create table if not exists events (account text, event text, count integer not null, primary key (account, event));
"""
_FIND_ANSWER = "select text, finish, input, output, seconds from answers where key=?"


class Budget(Options):
    """The most that a stage may spend in this run, over all workers, attempts and restarts. null means no limit."""

    requests: int | None = Field(default=None, ge=0)
    """Requests sent, including repeated ones."""
    tokens: int | None = Field(default=None, ge=0)
    """Tokens read and written by the model."""
    money: float | None = Field(default=None, ge=0)
    """In the currency of `price`."""
    minutes: float | None = Field(default=None, ge=0)
    """Minutes in which at least one request was in flight. A request still in flight at the end is cut off."""


class Price(Options):
    """The price of a million tokens."""

    input: float = Field(default=0.0, ge=0)
    """Price of a million input tokens."""
    output: float = Field(default=0.0, ge=0)
    """Price of a million output tokens."""

    def of(self, read: int, written: int) -> float:
        """The price of a request."""
        return (read * self.input + written * self.output) / 1e6


@dataclass(frozen=True)
class Terms:
    """The conditions of every request of a stage: account, caps, price, rates per minute, and time limit in seconds."""

    account: str
    budget: Budget = field(default_factory=Budget)
    price: Price = field(default_factory=Price)
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout: float = 120.0


@dataclass(frozen=True)
class Answer:
    """A model's answer. `finish` says why it stopped (`length`: it was cut off); tokens are counted by the endpoint."""

    text: str
    finish: str | None = None
    input: int = 0
    output: int = 0
    seconds: float = 0.0


def this_process() -> tuple[str, int]:
    """Host name and process id: a reservation stands as long as its process runs."""
    return _HOST, os.getpid()


@dataclass(frozen=True)
class Charge:
    """The most that one request can cost: `read` input and `written` output tokens. `owner` is the process that sends it."""

    key: str
    read: int
    written: int
    owner: tuple[str, int] = field(default_factory=this_process)


@dataclass(frozen=True)
class Grant:
    """Permission to send one request, which must end within `seconds`."""

    id: int
    key: str
    seconds: float


@dataclass(frozen=True)
class Wait:
    """The request must wait: try again in so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Exhausted:
    """The request is refused for good: the cap of this name is reached."""

    cap: str


class BudgetLedger:
    """Accounts, reservations and answers in the SQLite file `path`, which is created if it is missing.

    The path `:memory:` keeps them in this process, for as long as it runs.
    """

    def __init__(self, path: str) -> None:
        if path != ":memory:":
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=normal")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{path} is not a budget file of Eyas ({error}); move it away, or name another file by `cache:`"
            ) from error

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def recall(self, key: str) -> Answer | None:
        """The answer that was bought for `key`; None if there is none."""
        with self._lock:
            row = self._db.execute(_FIND_ANSWER, (key,)).fetchone()
        return None if row is None else Answer(*row)

    def reserve(self, terms: Terms, charge: Charge) -> Answer | Grant | Wait | Exhausted:
        """Permission to send one request, if its worst cost fits the caps; or the answer, if it was bought already."""
        now = time.time()
        with self._transaction() as db:
            row = db.execute(_FIND_ANSWER, (charge.key,)).fetchone()
            if row is not None:
                return Answer(*row)
            db.execute("insert or ignore into accounts (name) values (?)", (terms.account,))
            self._charge_lost(db, terms.account, now)
            if db.execute("select 1 from reservations where key=?", (charge.key,)).fetchone():
                return Wait(POLL)
            return self._grant(db, terms, charge, now)

    def _grant(self, db: sqlite3.Connection, terms: Terms, charge: Charge, now: float) -> Grant | Wait | Exhausted:
        account, budget = terms.account, terms.budget
        requests, tokens, money, active, last, not_before, next_request, next_token = db.execute(
            "select requests, input + output, money, active, last, not_before, next_request, next_token "
            "from accounts where name=?",
            (account,),
        ).fetchone()
        open_requests, open_tokens, open_money = db.execute(
            "select count(*), coalesce(sum(input + output), 0), coalesce(sum(money), 0) from reservations where account=?",
            (account,),
        ).fetchone()
        price = terms.price.of(charge.read, charge.written)
        for name, cap, spent, reserved, wanted in (
            ("requests", budget.requests, requests, open_requests, 1),
            ("tokens", budget.tokens, tokens, open_tokens, charge.read + charge.written),
            ("money", budget.money, money, open_money, price),
        ):
            if cap is not None and spent + wanted > cap + ROUNDING:
                return self._refuse(db, account, name)
            if cap is not None and spent + reserved + wanted > cap + ROUNDING:
                return Wait(POLL)
        active = self._active(active, last, now, open_requests, terms.timeout)
        left = terms.timeout if budget.minutes is None else budget.minutes * 60 - active
        if left <= 0:
            return self._refuse(db, account, "minutes")
        ready = max(not_before, next_request, next_token)
        if ready > now:
            return Wait(min(ready - now, left))
        if terms.requests_per_minute:
            next_request = now + 60 / terms.requests_per_minute
        if terms.tokens_per_minute:
            next_token = now + (charge.read + charge.written) * 60 / terms.tokens_per_minute
        db.execute(
            "update accounts set active=?, last=?, next_request=?, next_token=? where name=?",
            (active, now, next_request, next_token, account),
        )
        seconds = min(terms.timeout, left)
        inserted = db.execute(
            "insert into reservations (account, key, host, pid, until, input, output, money) values (?,?,?,?,?,?,?,?)",
            (account, charge.key, *charge.owner, now + seconds + MARGIN, charge.read, charge.written, price),
        )
        return Grant(int(inserted.lastrowid or 0), charge.key, seconds)

    @staticmethod
    def _refuse(db: sqlite3.Connection, account: str, cap: str) -> Exhausted:
        db.execute("update accounts set refused=? where name=?", (cap, account))
        return Exhausted(cap)

    @staticmethod
    def _active(active: float, last: float | None, now: float, open_requests: int, timeout: float) -> float:
        """Seconds with requests in flight: the time since `last` counts if any request was open."""
        if last is None or not open_requests:
            return active
        return active + min(max(now - last, 0.0), timeout)

    def _charge_lost(self, db: sqlite3.Connection, account: str, now: float) -> None:
        """Books reservations of dead processes as spent, at the most they can cost: they may have been sent and billed."""
        rows = db.execute(
            "select id, host, pid, until, input, output, money from reservations where account=?", (account,)
        ).fetchall()
        for number, host, pid, until, read, written, money in rows:
            if until < now or (host == _HOST and not _runs(pid)):
                db.execute("delete from reservations where id=?", (number,))
                self._spend(db, account, 1, read, written, money, ["lost"])

    def settle(
        self,
        terms: Terms,
        grant: Grant,
        answer: Answer | None,
        events: Sequence[str] = (),
        *,
        billed: bool | None = True,
    ) -> None:
        """Books the outcome of a request, and keeps its answer.

        Without an answer, `billed` decides: True books the most it can have cost, False a request without tokens, None
        nothing, because it was never sent.
        """
        now = time.time()
        with self._transaction() as db:
            if answer is not None:
                db.execute(
                    "insert or ignore into answers values (?,?,?,?,?,?)",
                    (grant.key, answer.text, answer.finish, answer.input, answer.output, answer.seconds),
                )
            row = db.execute("select input, output from reservations where id=?", (grant.id,)).fetchone()
            if row is None:
                return  # It took so long that it was booked as lost, at the most it can cost.
            held_read, held_written = row
            read, written = (held_read, held_written) if billed else (0, 0)
            if answer is not None and answer.input + answer.output:
                read, written = answer.input, answer.output
            active, last, next_token = db.execute(
                "select active, last, next_token from accounts where name=?", (terms.account,)
            ).fetchone()
            if terms.tokens_per_minute:
                next_token += (read + written - held_read - held_written) * 60 / terms.tokens_per_minute
            db.execute(
                "update accounts set active=?, last=?, next_token=? where name=?",
                (self._active(active, last, now, 1, terms.timeout), now, next_token, terms.account),
            )
            db.execute("delete from reservations where id=?", (grant.id,))
            requests = 0 if billed is None else 1
            self._spend(db, terms.account, requests, read, written, terms.price.of(read, written), events)

    @staticmethod
    def _spend(
        db: sqlite3.Connection,
        account: str,
        requests: int,
        read: int,
        written: int,
        money: float,
        events: Sequence[str],
    ) -> None:
        db.execute(
            "update accounts set requests=requests+?, input=input+?, output=output+?, money=money+? where name=?",
            (requests, read, written, money, account),
        )
        for event in events:
            db.execute(
                "insert into events values (?,?,1) on conflict (account, event) do update set count=count+1",
                (account, event),
            )

    def pause(self, account: str, seconds: float) -> None:
        """Stops all workers from sending requests for `seconds`, as the endpoint demanded."""
        with self._transaction() as db:
            db.execute(
                "update accounts set not_before=max(not_before, ?) where name=?", (time.time() + seconds, account)
            )

    def spent(self, account: str) -> Mapping[str, float | str | None]:
        """The account's spending so far, the count of each event (`events.…`), and the cap that stopped it (`refused`)."""
        with self._lock:
            row = self._db.execute(
                "select requests, input, output, money, active, refused from accounts where name=?", (account,)
            ).fetchone()
            events = self._db.execute("select event, count from events where account=?", (account,)).fetchall()
        names = ("requests", "input_tokens", "output_tokens", "money", "seconds", "refused")
        spending = dict(zip(names, row or (0, 0, 0, 0.0, 0.0, None), strict=True))
        return {**spending, **{f"events.{event}": count for event, count in sorted(events)}}


def _runs(pid: int) -> bool:
    """Whether a process of this machine still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
