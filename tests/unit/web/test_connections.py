"""Connections are bounded: silence, floods and endless bodies of strangers take nothing from the passes."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path

import pytest

from adapter.web import connections
from adapter.web.connections import BoundedConnection, most_connections
from tests.unit.web.running import TOKENS, Running, running, until

Connect = Callable[[], socket.socket]

SECONDS = 0.5


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A service that holds eight connections and waits for half a second."""
    monkeypatch.setattr(connections, "CONNECTIONS", 8)
    for name in ("HEAD_SECONDS", "REST_SECONDS", "FAREWELL_SECONDS"):
        monkeypatch.setattr(connections, name, SECONDS)
    with running(tmp_path, http__webhook__secret="s" * 40) as one:
        yield one


@pytest.fixture
def connect(served: Running) -> Iterator[Connect]:
    """Open connections; all are closed at the end."""
    opened: list[socket.socket] = []

    def one() -> socket.socket:
        host, port = served.url.removeprefix("http://").split(":")
        opened.append(socket.create_connection((host, int(port)), 10))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


def status_of(one: socket.socket) -> int:
    """Read one answer, whole."""
    answer = HTTPResponse(one)
    answer.begin()
    answer.read()
    return answer.status


def is_ended(one: socket.socket) -> bool:
    """Whether the other side has ended it, waited for until the time-out of the socket."""
    try:
        while one.recv(4096):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def test_silent_connections_keep_nobody_out(served: Running, connect: Connect) -> None:
    silent = [connect() for _ in range(20)]
    assert served.get("/healthz").status_code == 200
    assert sum(map(is_ended, silent)) == 20
    assert served.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "begun", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"]
)
def test_a_request_whose_head_does_not_come_is_ended(connect: Connect, begun: bytes) -> None:
    one = connect()
    one.sendall(begun)
    began = time.monotonic()
    assert is_ended(one)
    assert time.monotonic() - began < 5


def test_a_head_that_comes_drop_by_drop_is_ended(served: Running, connect: Connect) -> None:
    one = connect()
    one.sendall(b"GET /healthz HTTP/1.1\r\n")
    dropped = 0
    with suppress(ConnectionError):
        while dropped < 100:
            time.sleep(SECONDS / 10)
            one.sendall(b"X: y\r\n")
            dropped += 1
    assert dropped < 50


def test_who_has_asked_may_rest_for_longer(served: Running, connect: Connect) -> None:
    one = connect()
    for _ in range(3):
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status_of(one) == 200
        time.sleep(2 * SECONDS)


def test_one_that_waits_makes_room_and_one_that_is_served_stays(
    served: Running, connect: Connect
) -> None:
    body = connect()
    token = f"Authorization: Bearer {TOKENS['sync']}".encode()
    body.sendall(b"POST /sync HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n" + token + b"\r\n\r\n")
    for _ in range(20):
        connect()
    body.sendall(b"no JSON..")
    assert status_of(body) == 400


def test_of_a_body_that_was_refused_little_more_is_read(served: Running, connect: Connect) -> None:
    one = connect()
    head = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n"
    one.sendall(head + b"x" * 70_000)
    assert status_of(one) == 413
    sent = 0
    with suppress(OSError):  # reset, broken pipe or time-out, as the system has it
        while sent < 500_000_000:
            sent += one.send(b"x" * 1_000_000)
    assert sent < 50_000_000


def test_a_body_that_was_refused_and_does_not_come_is_not_waited_for(
    served: Running, connect: Connect
) -> None:
    one = connect()
    one.sendall(b"POST /sync HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
    assert status_of(one) == 401
    assert is_ended(one)


def test_a_small_body_that_was_refused_ends_nothing(served: Running, connect: Connect) -> None:
    one = connect()
    one.sendall(b"POST /sync HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
    assert status_of(one) == 401
    one.sendall(b"12345GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status_of(one) == 200


def test_passes_go_on_under_a_flood_of_silent_connections(
    served: Running, connect: Connect
) -> None:
    for _ in range(300):
        connect()
    served.put_result("anna", "3+")
    assert served.post("/sync", "sync", json={"patient": "anna"}).status_code == 200
    until(lambda: served.categories() == {"anna": "positive"})


def test_half_of_the_files_are_left_to_the_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, most in ((256, 128), (1024, 500), (resource.RLIM_INFINITY, 500)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert most_connections() == most
    assert BoundedConnection.most == 500
