"""The purse: one SQLite file that holds what a run may spend, what it has spent, and every answer it has paid for.

A request is reserved before it is sent, at the most it can cost, and settled after, at what it did cost, in one transaction
with the answer: so no cap is exceeded by one, and no answer that was received is bought again. SQLite serialises all workers
of a node (`BEGIN IMMEDIATE`), outlives kill -9 (WAL, one write per commit; only a power cut may lose the last ones), and is
the cache as well: an actor would need all three besides. The trade: it is of one machine, so a cluster of several nodes has
an actor in front of it (`shared_purse`). A reservation and its settlement take 0.1 ms of CPU together.
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
from typing import Protocol

from pydantic import Field

from eyas.corpus.options import Options
from eyas.errors import InputError

POLL = 0.02
"""Seconds until a request asks again whose room or answer another request holds."""
MARGIN = 30.0
"""Seconds past its time limit after which a reservation of an unknown process counts as lost."""
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


class Budget(Options):
    """The most that a stage may spend in this run, over all workers, attempts and restarts; null: no limit."""

    requests: int | None = Field(default=None, ge=0)
    """Requests sent, repeated ones included."""
    tokens: int | None = Field(default=None, ge=0)
    """Tokens read and written by the model."""
    money: float | None = Field(default=None, ge=0)
    """In the currency of `price`."""
    minutes: float | None = Field(default=None, ge=0)
    """Minutes in which requests were under way; a request is cut off at the end of the last."""


class Price(Options):
    """What a million tokens cost."""

    input: float = Field(default=0.0, ge=0)
    """A million tokens read."""
    output: float = Field(default=0.0, ge=0)
    """A million tokens written."""

    def of(self, read: int, written: int) -> float:
        """The price of a request."""
        return (read * self.input + written * self.output) / 1e6


@dataclass(frozen=True)
class Terms:
    """What a request is held to: the account it is charged to, its caps, its price, its rates (per minute)."""

    account: str
    budget: Budget = field(default_factory=Budget)
    price: Price = field(default_factory=Price)
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout: float = 120.0


@dataclass(frozen=True)
class Answer:
    """What a model said. `finish`: why it stopped (`length`: it was cut off); tokens as the endpoint counts them."""

    text: str
    finish: str | None = None
    input: int = 0
    output: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Grant:
    """Leave to send one request, within `seconds`."""

    id: int
    key: str
    seconds: float


@dataclass(frozen=True)
class Wait:
    """Not now: ask again in so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Exhausted:
    """Never: the cap of this name is reached."""

    cap: str


class PurseLike(Protocol):
    """What a client needs of a purse; each method as in `Purse`."""

    def recall(self, key: str) -> Answer | None: ...

    def reserve(self, terms: Terms, key: str, read: int, written: int) -> Answer | Grant | Wait | Exhausted: ...

    def settle(
        self,
        terms: Terms,
        grant: Grant,
        answer: Answer | None,
        events: Sequence[str] = (),
        *,
        billed: bool | None = True,
    ) -> None: ...

    def pause(self, account: str, seconds: float) -> None: ...

    def spent(self, account: str) -> Mapping[str, float | str | None]: ...

    def close(self) -> None: ...


class Purse:
    """The holder. `path`: a SQLite file, made if need be, or `:memory:` for one process and no longer."""

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
                f"{path} is not a purse ({error}); move it away, or name another file by `cache:`"
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
        """The answer that was bought for `key`, if there is one."""
        with self._lock:
            row = self._db.execute(
                "select text, finish, input, output, seconds from answers where key=?", (key,)
            ).fetchone()
        return None if row is None else Answer(*row)

    def reserve(
        self, terms: Terms, key: str, read: int, written: int, owner: tuple[str, int] | None = None
    ) -> Answer | Grant | Wait | Exhausted:
        """Leave to ask for `key`, at most `read` and `written` tokens; or the answer, if it was bought already."""
        now = time.time()
        with self._transaction() as db:
            row = db.execute("select text, finish, input, output, seconds from answers where key=?", (key,)).fetchone()
            if row is not None:
                return Answer(*row)
            db.execute("insert or ignore into accounts (name) values (?)", (terms.account,))
            self._charge_lost(db, terms.account, now)
            if db.execute("select 1 from reservations where key=?", (key,)).fetchone():
                return Wait(POLL)
            return self._grant(db, terms, key, read, written, now, owner or this_process())

    def _grant(
        self,
        db: sqlite3.Connection,
        terms: Terms,
        key: str,
        read: int,
        written: int,
        now: float,
        owner: tuple[str, int],
    ) -> Grant | Wait | Exhausted:
        account = terms.account
        requests, tokens, money, active, last, not_before, next_request, next_token = db.execute(
            "select requests, input + output, money, active, last, not_before, next_request, next_token "
            "from accounts where name=?",
            (account,),
        ).fetchone()
        held = db.execute(
            "select count(*), coalesce(sum(input + output), 0), coalesce(sum(money), 0) from reservations where account=?",
            (account,),
        ).fetchone()
        price = terms.price.of(read, written)
        budget = terms.budget
        mine = (1, read + written, price)
        for name, cap, spent, more, open_ in zip(
            ("requests", "tokens", "money"),
            (budget.requests, budget.tokens, budget.money),
            (requests, tokens, money),
            mine,
            held,
            strict=True,
        ):
            if cap is not None and spent + more > cap + 1e-9:
                db.execute("update accounts set refused=? where name=?", (name, account))
                return Exhausted(name)
            if cap is not None and spent + open_ + more > cap + 1e-9:
                return Wait(POLL)
        active = self._active(active, last, now, held[0], terms.timeout)
        left = terms.timeout if budget.minutes is None else budget.minutes * 60 - active
        if left <= 0:
            db.execute("update accounts set refused='minutes' where name=?", (account,))
            return Exhausted("minutes")
        ready = max(not_before, next_request, next_token)
        if ready > now:
            return Wait(min(ready - now, left))
        if terms.requests_per_minute:
            next_request = now + 60 / terms.requests_per_minute
        if terms.tokens_per_minute:
            next_token = now + (read + written) * 60 / terms.tokens_per_minute
        db.execute(
            "update accounts set active=?, last=?, next_request=?, next_token=? where name=?",
            (active, now, next_request, next_token, account),
        )
        seconds = min(terms.timeout, left)
        values = (account, key, *owner, now + seconds + MARGIN, read, written, price)
        made = db.execute(
            "insert into reservations (account, key, host, pid, until, input, output, money) values (?,?,?,?,?,?,?,?)",
            values,
        )
        return Grant(int(made.lastrowid or 0), key, seconds)

    @staticmethod
    def _active(active: float, last: float | None, now: float, held: int, timeout: float) -> float:
        """Seconds with requests under way: the time since the last event counts if any was open."""
        if last is None or not held:
            return active
        return active + min(max(now - last, 0.0), timeout)

    def _charge_lost(self, db: sqlite3.Connection, account: str, now: float) -> None:
        """Reservations of processes that died stay spent, at their most: they may have been sent, and billed."""
        rows = db.execute(
            "select id, host, pid, until, input, output, money from reservations where account=?", (account,)
        ).fetchall()
        for number, host, pid, until, read, written, money in rows:
            if until < now or (host == _HOST and not _alive(pid)):
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
        """Books what became of a request. `billed` without an answer: True, at the most it may have cost; False, as a
        request without tokens; None, as one that was never sent."""
        now = time.time()
        with self._transaction() as db:
            if answer is not None:
                db.execute(
                    "insert or ignore into answers values (?,?,?,?,?,?)",
                    (grant.key, answer.text, answer.finish, answer.input, answer.output, answer.seconds),
                )
            row = db.execute("select input, output from reservations where id=?", (grant.id,)).fetchone()
            if row is None:
                return  # it took so long that it was counted as lost: it stays spent at its most
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
        """No request of any worker is sent in the next `seconds`: the endpoint asked for it."""
        with self._transaction() as db:
            db.execute(
                "update accounts set not_before=max(not_before, ?) where name=?", (time.time() + seconds, account)
            )

    def spent(self, account: str) -> Mapping[str, float | str | None]:
        """What the account has spent so far, what happened to it (`events.…`), and the cap that stopped it."""
        with self._lock:
            row = self._db.execute(
                "select requests, input, output, money, active, refused from accounts where name=?", (account,)
            ).fetchone()
            events = self._db.execute("select event, count from events where account=?", (account,)).fetchall()
        names = ("requests", "input_tokens", "output_tokens", "money", "seconds", "refused")
        found = dict(zip(names, row or (0, 0, 0, 0.0, 0.0, None), strict=True))
        return {**found, **{f"events.{event}": count for event, count in sorted(events)}}


def this_process() -> tuple[str, int]:
    """Machine and process: whoever holds a reservation must be alive."""
    return _HOST, os.getpid()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
