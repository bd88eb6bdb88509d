"""A TLS server on loopback with a certificate of our choice; it answers every request with a Patient."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

BODY = json.dumps({"resourceType": "Patient", "id": "a"}).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nConnection: close\r\n"
    + f"Content-Length: {len(BODY)}\r\n\r\n".encode()
    + BODY
)


@dataclass
class Served:
    """`requests`: the first lines that came through TLS; `plain`: bytes that came without it."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    plain: list[bytes] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"https://localhost:{self.port}/fhir"


def _handshake(
    context: ssl.SSLContext, connection: socket.socket, spare: socket.socket
) -> ssl.SSLSocket:
    """Shake hands; a client that is refused hears the alert and no reset of the connection."""
    try:
        return context.wrap_socket(connection, server_side=True)
    except OSError:
        spare.settimeout(5)
        spare.shutdown(socket.SHUT_WR)
        while spare.recv(65_536):
            pass
        raise


@contextmanager
def serving_tls(context: ssl.SSLContext) -> Iterator[Served]:
    """Serve for as long as the block lasts; a handshake that fails is the client's affair."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = Served(listener.getsockname()[1])

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            first = connection.recv(3, socket.MSG_PEEK)
            if first[:1] != b"\x16":  # no TLS handshake record; nothing at all is a mere hang-up
                served.plain += [first] if first else []
                return
            with connection.dup() as spare, _handshake(context, connection, spare) as secure:
                request = _request(secure)
                served.requests.append(request.split(b"\r\n")[0])
                secure.sendall(ANSWER)

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                answer(connection)
            except OSError:
                continue  # the client would not have us, which is what most tests are about

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=15)


def _request(secure: ssl.SSLSocket) -> bytes:
    """Read a request with its body: who hangs up on an unread one resets the connection."""
    request = b""
    while not _is_whole(request) and (more := secure.recv(65_536)):
        request += more
    return request


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)
