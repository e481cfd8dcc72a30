"""An OpenAI-compatible endpoint that misbehaves as told, and writes down what it was asked and what it answered."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Behaviour = Callable[[int, str], str]
"""From the number of the request and its text to what happens: one of the modes below."""
Say = Callable[[str], str]


def reworded(text: str) -> str:
    """Another text that a conscience has nothing against: every third word stays where it is."""
    words = text.split()
    return " ".join(word if i % 3 else f"{word} indeed" for i, word in enumerate(words))


class FakeEndpoint:
    """`asked`: texts in the order of their requests; `answered`: how often each was answered in full, and so billed."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answered: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.times: list[float] = []
        self.behaviour: Behaviour = lambda number, text: "good"
        self.say: Say = reworded
        self.latency = 0.0
        self.usage = True
        self.retry_after = "0.2"
        self.down_until = 0.0
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()
        self.url = ""


class _Handler(http.server.BaseHTTPRequestHandler):
    fake: FakeEndpoint
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """One chat completion, or what is told instead."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = _text(body["messages"][-1]["content"])
        fake = self.fake
        with fake.lock:
            number = len(fake.asked)
            fake.asked.append(text)
            fake.bodies.append(body)
            fake.keys.add(self.headers.get("Authorization", ""))
            fake.times.append(time.monotonic())
            fake.in_flight += 1
            fake.most_in_flight = max(fake.most_in_flight, fake.in_flight)
        try:
            self._act(fake.behaviour(number, text), text, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with fake.lock:
                fake.in_flight -= 1

    def _act(self, mode: str, text: str, body: dict[str, Any]) -> None:
        fake = self.fake
        if time.monotonic() < fake.down_until:
            mode = "drop"
        time.sleep(fake.latency)
        if mode == "timeout":
            time.sleep(3)
            self.close_connection = True
        elif mode == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(30):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.1)
            self.close_connection = True
        elif mode == "drop":
            self.close_connection = True
        elif mode in ("limited", "broken", "unknown_key", "too_long"):
            status = {"limited": 429, "broken": 500, "unknown_key": 401, "too_long": 400}[mode]
            told = json.dumps({"error": {"message": f"no, {self.headers.get('Authorization')}"}}).encode()
            self._send(status, told, {"Retry-After": fake.retry_after} if status == 429 else {})
        elif mode == "bad_json":
            self._send(200, b"<html>not what you asked for</html>")
        else:
            whole = self._completion(text, body, "length" if mode == "cut" else "stop")
            if mode == "half":
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(whole)))
                self.end_headers()
                self.wfile.write(whole[: len(whole) // 2])
                self.close_connection = True
                return
            with fake.lock:
                fake.answered[text] += 1
            self._send(200, whole)

    def _completion(self, text: str, body: dict[str, Any], finish: str) -> bytes:
        said = self.fake.say(text)
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": finish}
        answer: dict[str, Any] = {"id": "x", "object": "chat.completion", "choices": [choice]}
        if self.fake.usage:
            read = sum(len(message["content"]) for message in body["messages"]) // 4
            answer["usage"] = {"prompt_tokens": read, "completion_tokens": min(len(said) // 4, body["max_tokens"])}
            answer["usage"]["total_tokens"] = sum(answer["usage"].values())
        return json.dumps(answer).encode()

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


def _text(content: str) -> str:
    """What stands between the fences, or all of it."""
    found = re.search(r"(=====TEXT \w+=====)\n(.*)\n\1", content, re.DOTALL)
    return found.group(2) if found else content


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def fake_endpoint(port: int = 0) -> Iterator[FakeEndpoint]:
    """A running endpoint."""
    fake = FakeEndpoint()
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"fake": fake}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
