"""A proxy before an S3 server, in which tests put faults: conditions taken out, 503s, resets, slow answers."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal, get_args

Fault = Literal["", "503", "500", "429", "403", "404", "reset", "slow", "cut", "flip", "hang", "unconditional"]
FAULTS: Final[tuple[Fault, ...]] = tuple(fault for fault in get_args(Fault) if fault)


class Proxy:
    """Passes requests on to `host:port`; `choose(method, path)` names the fault of each, or none."""

    def __init__(self, host: str, port: int, choose: Callable[[str, str], Fault] = lambda method, path: "") -> None:
        self.choose = choose
        self.requests: list[tuple[str, str]] = []
        self.faults = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_any(self) -> None:
                proxy.serve(self, host, port)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stops."""
        self._server.shutdown()
        self._server.server_close()

    def serve(self, request: BaseHTTPRequestHandler, host: str, port: int) -> None:
        """One request."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.requests.append((request.command, request.path))
        fault = self.choose(request.command, request.path)
        self.faults += bool(fault)
        if fault in ("503", "500", "429", "403", "404"):
            self._refuse(request, int(fault))
            return
        if fault == "reset":
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            request.close_connection = True
            request.connection.close()
            return
        if fault in ("slow", "hang"):
            time.sleep(0.3 if fault == "slow" else 20)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "accept-encoding"}
        if fault == "unconditional":
            headers = {
                name: value for name, value in headers.items() if name.lower() not in ("if-none-match", "if-match")
            }
        upstream = http.client.HTTPConnection(host, port, timeout=60)
        upstream.request(request.command, request.path, body, headers)
        answer = upstream.getresponse()
        self._answer(request, answer, fault)
        upstream.close()

    @staticmethod
    def _refuse(request: BaseHTTPRequestHandler, code: int) -> None:
        names = {503: "SlowDown", 500: "InternalError", 429: "TooManyRequests", 403: "AccessDenied", 404: "NoSuchKey"}
        text = f"<?xml version='1.0'?><Error><Code>{names[code]}</Code><Message>by the proxy</Message></Error>".encode()
        request.send_response(code)
        request.send_header("Content-Length", str(len(text)))
        request.send_header("Content-Type", "application/xml")
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(text)

    @staticmethod
    def _answer(request: BaseHTTPRequestHandler, answer: http.client.HTTPResponse, fault: Fault) -> None:
        data = answer.read()
        request.send_response(answer.status)
        length = answer.getheader("Content-Length")
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                request.send_header(name, value)
        request.send_header("Content-Length", length if request.command == "HEAD" and length else str(len(data)))
        request.end_headers()
        if fault == "flip" and data:
            data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        if fault == "cut":
            request.wfile.write(data[: len(data) // 2])
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        request.wfile.write(data)
