"""A request ends when its time is over, wherever the server is slow: no server holds a pass for ever."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapter.errors import TemporaryServerError, UnknownOutcome
from adapter.ports import SingleWrite
from adapter.transport.time_limit import at_most
from tests.unit.transport.conftest import MakeServer
from tests.unit.transport.loopback import Loopback, answer

LIMIT = 0.4
PATIENT = {"resourceType": "Patient", "id": "a"}
OF_SILENCE = {"read_timeout_seconds": 30, "connect_timeout_seconds": 30}
"""Timeouts that a server which drips never meets."""


def dripping(data: bytes, begins: bytes = b"") -> Callable[[socket.socket], None]:
    """Send what it begins with, then one byte after the other for five seconds."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(begins)
        for _ in range(250):
            connection.sendall(data)
            time.sleep(0.02)

    return drip


def silent(begins: bytes) -> Callable[[socket.socket], None]:
    """Send what it begins with, and wait until the client hangs up."""

    def wait(connection: socket.socket) -> None:
        connection.sendall(begins)
        connection.settimeout(5)
        connection.recv(1)

    return wait


@contextmanager
def in_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began + 0.05 >= LIMIT
    assert time.monotonic() - began < 3


SLOW = {
    "the status line": dripping(b"1", b"HTTP/1."),
    "a header": dripping(b"a", b"HTTP/1.1 200 OK\r\nX-A: "),
    "many headers": dripping(b"X-A: a\r\n", b"HTTP/1.1 200 OK\r\n"),
    "a body without end": dripping(b" ", answer(b"", Content_Length="")),
    "silence before the answer": silent(b""),
    "silence within the headers": silent(b"HTTP/1.1 200 OK\r\nX-A"),
    "a body that would end with the connection": dripping(b" ", answer(PATIENT, Content_Length="")),
    "silence within the body": silent(answer(b" ", Content_Length="9")),
}


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_a_request_ends_when_its_time_is_over(
    slow: Callable[[socket.socket], None], make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(slow)
    server = make_server(loopback.base, attempts=1, request_seconds=LIMIT, **OF_SILENCE)
    with in_time(), pytest.raises(TemporaryServerError, match="longer than") as raised:
        server.read("Patient/a")
    assert raised.value.code == "too-slow"


def test_so_does_one_over_a_connection_that_was_kept_open(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(PATIENT), SLOW["a header"], answer(PATIENT))
    server = make_server(loopback.base, attempts=1, request_seconds=LIMIT, **OF_SILENCE)
    assert server.read("Patient/a") == PATIENT
    with in_time(), pytest.raises(TemporaryServerError, match="longer than"):
        server.read("Patient/a")
    assert loopback.connections == 1
    assert server.read("Patient/a") == PATIENT


@pytest.mark.parametrize(
    "begins", [b"HTTP/1.1 201 Created\r\nX-A: ", b"HTTP/1.1 200 OK\r\nETag: ", b""]
)
def test_of_a_write_that_takes_too_long_nobody_knows_whether_it_landed(
    begins: bytes, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(dripping(b"a", begins))
    server = make_server(loopback.base, attempts=3, request_seconds=LIMIT, **OF_SILENCE)
    with in_time(), pytest.raises(UnknownOutcome) as raised:
        server.write(SingleWrite("PUT", "Patient/a", b"{}"))
    assert raised.value.code == "too-slow"
    assert len(loopback.requests) == 1


def test_a_handshake_that_drips_ends_too(make_server: MakeServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_slowly() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    dripping(b"a", b"\x16\x03\x03\x3f\xff")(connection)
                except OSError:
                    return  # the client hung up

        thread = threading.Thread(target=answer_slowly)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}/fhir"
        server = make_server(url, attempts=1, request_seconds=LIMIT, **OF_SILENCE)
        with in_time(), pytest.raises(TemporaryServerError, match="longer than"):
            server.read("Patient/a")
        thread.join()


def test_a_connection_that_is_made_after_the_time_is_over_is_shut_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, at_most(0.01) as limit:
        while not limit.ran_out:
            time.sleep(0.01)
        limit.hold(ours)
        assert ours.recv(1) == b""


def what_is_open() -> tuple[int, int]:
    """Count our threads and files."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def test_of_requests_that_are_in_time_nothing_is_left(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(*[answer(PATIENT)] * 51)
    server = make_server(loopback.base)
    server.read("Patient/a")
    time.sleep(0.05)
    before = what_is_open()
    for _ in range(50):
        server.read("Patient/a")
    time.sleep(0.05)
    assert what_is_open() == before
    assert loopback.connections == 1
