"""A server of the standard library on loopback that answers with the very bytes a test gives it.

For what a mocked session cannot show: cut bodies, bombs, hung-up connections, who connects where.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Script = bytes | Callable[[socket.socket], None]


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def answer(
    body: bytes | dict[str, Any] = b"",
    *,
    status: str = "200 OK",
    content_type: str = "application/fhir+json",
    **headers: str,
) -> bytes:
    """Write an HTTP answer; `Content_Length="5"` as a keyword replaces the right length."""
    raw = json.dumps(body).encode() if isinstance(body, dict) else body
    lines = {"Content-Length": str(len(raw)), "Content-Type": content_type}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + raw


class Loopback:
    """Answers each request with the next script; hangs up when there is none left."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self._scripts: deque[Script] = deque()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def base(self) -> str:
        return f"{self.origin}/fhir"

    def will(self, *scripts: Script) -> None:
        self._scripts.extend(scripts)

    def forget(self) -> None:
        """Drop what is left of the script."""
        self._scripts.clear()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was quicker
        for thread in self._threads:
            thread.join(timeout=5)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as incoming:
            try:
                while received := _read_request(incoming):
                    self.requests.append(received)
                    if not self._scripts:
                        return
                    script = self._scripts.popleft()
                    if callable(script):
                        script(connection)
                        return
                    connection.sendall(script)
            except OSError:
                return  # the client hung up, which some tests are about
            finally:
                self._open.discard(connection)


def then_hang_up(data: bytes) -> Callable[[socket.socket], None]:
    """Send these bytes and close the connection."""
    return lambda connection: connection.sendall(data)


def _read_request(incoming: Any) -> Received | None:
    first = incoming.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while line := incoming.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = incoming.read(int(headers.get("content-length", "0")))
    return Received(first[0], first[1], headers, body)
