"""Asking a language model: requests/s of ours, with budget, cache and limits, against the bare `openai` client doing the same
requests at the same concurrency, against a local endpoint in a process of its own that takes a fixed time for each answer.

    python -m benchmarks.synthetic
    python -m benchmarks.synthetic --latency 0.5 --concurrency 64

Ours opens a new budget ledger in each round: no answer is known from the one before. The goal is 90 % of the bare client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.common import Options, Report, in_turns, installed, read_texts, run
from eyas.synthetic.budget import Answer, BudgetLedger, Terms
from eyas.synthetic.client import Client, Request
from eyas.synthetic.engines import Remote

LEAST_RATIO = 0.9
CHARACTERS = 2000
"""Of each text that is sent."""
ROUNDS_OF_REQUESTS = 15
"""So many times the concurrency are asked in a round."""


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float) -> None:
    said = "The same text, told in other words. " * 20
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 500, "completion_tokens": 180, "total_tokens": 680}
    body = json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    try:
        while True:
            asked = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(asked.split("content-length:")[1].split("\r\n")[0]))
            await asyncio.sleep(latency)
            writer.write(head + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionResetError):
        writer.close()


def _endpoint(latency: float, ready: Connection) -> None:
    async def forever() -> None:
        server = await asyncio.start_server(partial(_serve, latency=latency), "127.0.0.1", 0, backlog=512)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


@contextmanager
def endpoint(latency: float) -> Iterator[str]:
    """The URL of an endpoint whose every answer takes `latency` seconds."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_endpoint, args=(latency, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{mine.recv()}/v1"
    finally:
        process.kill()
        process.join()


def bare(url: str, requests: Sequence[Request], concurrency: int) -> int:
    """The requests by `openai` alone; the number of answers."""
    import openai

    async def all_of_them() -> int:
        waiting = iter(requests)
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=60) as client:

            async def worker() -> int:
                answered = 0
                for request in waiting:
                    reply = await client.chat.completions.create(
                        model="m",
                        messages=request.messages,  # type: ignore[arg-type]
                        max_tokens=request.max_tokens,
                        temperature=0.0,
                        seed=0,
                    )
                    answered += bool(reply.choices[0].message.content)
                return answered

            return sum(await asyncio.gather(*(worker() for _ in range(concurrency))))

    return asyncio.run(all_of_them())


def ours(url: str, requests: Sequence[Request], concurrency: int, folder: Path, number: Iterator[int]) -> int:
    """The same by our client, with a new budget ledger."""
    ledger = BudgetLedger(str(folder / f"{next(number)}.sqlite"))
    client = Client(Remote(url, "m", "NO_SUCH_KEY"), ledger, Terms("bench"), 3, concurrency)
    answered = sum(isinstance(outcome, Answer) for outcome in client.ask(requests))
    ledger.close()
    return answered


def measure(options: Options, latency: float = 0.2, concurrencies: Sequence[int] = (8, 32)) -> Report:
    report = Report()
    if not installed("openai"):
        raise ValueError("openai is not installed: pip install 'eyas[synthetic]'")
    texts = [text[:CHARACTERS] for text in read_texts(options)]
    with tempfile.TemporaryDirectory(prefix="eyas-synthetic-") as scratch, endpoint(latency) as url:
        for concurrency in concurrencies:
            wanted = ROUNDS_OF_REQUESTS * concurrency
            requests = [
                Request([{"role": "user", "content": f"{i} {texts[i % len(texts)]}"}], "bench", 256)
                for i in range(wanted)
            ]
            timed = in_turns(
                {
                    "ours": partial(ours, url, requests, concurrency, Path(scratch), count(concurrency * 1000)),
                    "bare": partial(bare, url, requests, concurrency),
                },
                options.rounds,
            )
            equal = timed.results["ours"] == timed.results["bare"] == wanted
            rates = (timed.rate(name, wanted) for name in ("ours", "bare"))
            claim = f"{concurrency} in flight, {latency * 1000:.0f} ms each"
            report.against(claim, *rates, "openai, bare", "requests/s", LEAST_RATIO, equal)
            ceiling = concurrency / latency
            found = {name: f"{timed.rate(name, wanted):,.1f}" for name in ("ours", "bare")}
            report.checked.append(f"{claim}: {found['ours']} requests/s, bare {found['bare']}, at most {ceiling:,.0f}")
    return report


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--latency", type=float, default=0.2, metavar="S")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[8, 32], metavar="N")
    own, rest = parser.parse_known_args(argv)
    return run(__doc__ or "", lambda options: measure(options, own.latency, own.concurrency), rest)


if __name__ == "__main__":
    sys.exit(main())
