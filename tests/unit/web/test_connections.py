"""Connections are bounded: silence, floods and endless bodies of strangers take nothing from the passes."""

from __future__ import annotations

import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPResponse
from pathlib import Path

import pytest
import trustme

from adapter.web import connections
from adapter.web.access import Access
from adapter.web.app import create_app
from adapter.web.connections import BoundedConnection, most_connections
from adapter.web.server import HttpServer, Tls, listen
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
    time.sleep(SECONDS / 5)  # its head is there before the others come
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


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    """A server with TLS that holds eight connections and waits for half a second."""
    monkeypatch.setattr(connections, "CONNECTIONS", 8)
    monkeypatch.setattr(connections, "HEAD_SECONDS", SECONDS)
    certificate, files = trustme.CA().issue_cert("localhost"), (tmp_path / "c", tmp_path / "k")
    certificate.cert_chain_pems[0].write_to_path(str(files[0]))
    certificate.private_key_pem.write_to_path(str(files[1]))
    app = create_app((), Access({}, is_loopback=True))
    server = HttpServer(app, listen("127.0.0.1", 0), Tls(*map(str, files)))
    server.start()
    yield server
    server.stop()


def greet(server: HttpServer) -> socket.socket:
    return socket.create_connection(server.address, 10)


def ask_over_tls(server: HttpServer, times: int = 1) -> list[int]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with greet(server) as plain, context.wrap_socket(plain) as secure:
        statuses = []
        for _ in range(times):
            secure.sendall(b"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n")
            statuses.append(status_of(secure))
        return statuses


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_handshake_that_hangs_or_is_none_is_ended(said: bytes, encrypted: HttpServer) -> None:
    with greet(encrypted) as one:
        one.sendall(said)
        one.settimeout(SECONDS * 6)
        assert is_ended(one)
    assert ask_over_tls(encrypted, 3) == [404, 404, 404]


def test_a_handshake_that_comes_drop_by_drop_is_ended(encrypted: HttpServer) -> None:
    began = time.monotonic()
    with greet(encrypted) as one, suppress(OSError):
        one.sendall(b"\x16\x03\x01\x02\x00")
        while time.monotonic() - began < SECONDS * 10:
            one.sendall(b"a")
            time.sleep(0.02)
    assert time.monotonic() - began < SECONDS * 6


def test_handshakes_that_hang_keep_nobody_out(encrypted: HttpServer) -> None:
    with ExitStack() as opened:
        silent = [opened.enter_context(greet(encrypted)) for _ in range(20)]
        assert ask_over_tls(encrypted) == [404]
        for one in silent:
            one.settimeout(SECONDS * 6)
        assert all(map(is_ended, silent))
    assert ask_over_tls(encrypted) == [404]


def test_handshakes_that_hang_are_counted_and_make_room(
    encrypted: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60.0)
    with ExitStack() as opened:
        silent = [opened.enter_context(greet(encrypted)) for _ in range(20)]
        for one in silent:
            one.settimeout(5)
        assert all(map(is_ended, silent[:12]))  # eight are held
        assert ask_over_tls(encrypted) == [404]


def test_a_server_stops_while_a_handshake_hangs(encrypted: HttpServer) -> None:
    with greet(encrypted):
        began = time.monotonic()
        encrypted.stop()
        assert time.monotonic() - began < 5


def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    encrypted: HttpServer,
) -> None:
    for _ in range(30):
        assert ask_over_tls(encrypted) == [404]
