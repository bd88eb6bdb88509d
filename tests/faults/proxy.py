"""A small HTTP proxy in front of one FHIR server, in which a share of the exchanges goes wrong by seed.

It speaks HTTP by Python's own server and client, and shares no code with the adapter. Hosts stay as the client
named them, so that the server's links lead through the proxy.
"""

from __future__ import annotations

import gzip
import http.client
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from tests.faults.kinds import Fault

_SECONDS: Final = 60.0
_OF_ONE_HOP: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"}
)
_HTML: Final = b"<!DOCTYPE html><html><body><form>Please sign in</form></body></html>"
_GARBAGE: Final = b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Obs'


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class FaultyWay:
    """The way through the proxy; `fault` is what goes wrong in `share` of the exchanges, None for nothing."""

    def __init__(self, upstream: str, seed: int, *, elsewhere: str = "") -> None:
        self.fault: Fault | None = None
        self.share = 0.2
        self.faults = 0
        self.exchanges = 0
        self.elsewhere = elsewhere
        self._upstream = urlsplit(upstream)
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        self.base_url = f"http://127.0.0.1:{port}{self._upstream.path}"

    def start(self) -> None:
        """Begin to answer, in a thread."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()

    def next_fault(self) -> Fault | None:
        """Say what goes wrong with the next exchange."""
        with self._lock:
            self.exchanges += 1
            if self.fault is None or self._dice.random() >= self.share:
                return None
            self.faults += 1
            return self.fault

    def pass_on(self, request: BaseHTTPRequestHandler, body: bytes) -> _Answer:
        """Let the server answer."""
        where = f"{self._upstream.hostname}:{self._upstream.port}"
        connection = http.client.HTTPConnection(where, timeout=_SECONDS)
        try:
            headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_ONE_HOP}
            headers["Accept-Encoding"] = "identity"
            connection.request(request.command, request.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _OF_ONE_HOP}
            return _Answer(answer.status, kept, content)
        finally:
            connection.close()


@contextmanager
def faulty_way(upstream: str, seed: int, *, elsewhere: str = "") -> Iterator[FaultyWay]:
    """Run a proxy in front of a server; `elsewhere` is where its redirects lead."""
    way = FaultyWay(upstream, seed, elsewhere=elsewhere)
    way.start()
    try:
        yield way
    finally:
        way.stop()


@dataclass
class Canary:
    """A server that nobody may ever come to."""

    url: str = ""
    visits: list[str] = field(default_factory=list)


@contextmanager
def canary() -> Iterator[Canary]:
    """Listen on another port of this machine, and note who comes."""
    watched = Canary()

    class Listener(BaseHTTPRequestHandler):
        def _visited(self) -> None:
            watched.visits.append(f"{self.command} {self.path}")
            self.send_error(404)

        do_GET = do_POST = do_PUT = do_DELETE = _visited  # noqa: N815 - as http.server calls them

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    server.daemon_threads = True
    # Another name of this machine: it is another origin.
    watched.url = f"http://localhost:{server.server_address[1]}/fhir"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield watched
    finally:
        server.shutdown()
        server.server_close()


def _handler(way: FaultyWay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body leave in two writes; Nagle's delay would cost 40 ms an answer.
        disable_nagle_algorithm = True

        def _exchange(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = way.next_fault()
            if fault is None:
                self._send(way.pass_on(self, body))
            else:
                self._go_wrong(fault, body)

        do_GET = do_POST = do_PUT = do_DELETE = _exchange  # noqa: N815 - as http.server calls them

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def _go_wrong(self, fault: Fault, body: bytes) -> None:
            match fault:
                case Fault.ERROR_BEFORE:
                    self._refuse(500)
                case Fault.ERROR_AFTER:
                    way.pass_on(self, body)
                    self._refuse(500)
                case Fault.TOO_MANY:
                    self._refuse(429, {"Retry-After": "1"})
                case Fault.UNAVAILABLE:
                    self._refuse(503)
                case Fault.UNAUTHORISED:
                    self._refuse(401)
                case Fault.SHORT_BODY:
                    answer = way.pass_on(self, body)
                    half = answer.body[: len(answer.body) // 2]
                    self._send(answer, sent=half, length=len(answer.body))
                    self.close_connection = True
                case Fault.CUT_CHUNKED:
                    self._cut_chunked(way.pass_on(self, body))
                case Fault.CUT_GZIP:
                    answer = way.pass_on(self, body)
                    packed = gzip.compress(answer.body)
                    self._send(answer, sent=packed[: len(packed) // 2], encoding="gzip")
                case Fault.GARBAGE:
                    self._send(_said(200, _GARBAGE, way.pass_on(self, body)))
                case Fault.LOGIN_PAGE:
                    way.pass_on(self, body)
                    self._send(_Answer(200, {"Content-Type": "text/html"}, _HTML))
                case Fault.DELIVERED_TWICE:
                    way.pass_on(self, body)
                    self._send(way.pass_on(self, body))
                case Fault.SILENT_AFTER:
                    way.pass_on(self, body)
                    self.close_connection = True
                case Fault.SILENT_BEFORE:
                    self.close_connection = True
                case Fault.ELSEWHERE:
                    self._refuse(307, {"Location": f"{way.elsewhere}{self.path}"})

        def _refuse(self, status: int, headers: Mapping[str, str] | None = None) -> None:
            self._send(_Answer(status, headers or {}, b""))

        def _cut_chunked(self, answer: _Answer) -> None:
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(f"{len(answer.body) + 1:x}\r\n".encode() + answer.body[:-1])
            self.close_connection = True

        def _send(
            self,
            answer: _Answer,
            *,
            sent: bytes | None = None,
            length: int | None = None,
            encoding: str = "",
        ) -> None:
            body = answer.body if sent is None else sent
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if encoding:
                self.send_header("Content-Encoding", encoding)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _said(status: int, body: bytes, instead_of: _Answer) -> _Answer:
    return _Answer(status, instead_of.headers, body)
