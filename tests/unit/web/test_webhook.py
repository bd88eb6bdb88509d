"""The webhook: who wakes the poller and who does not, and that the answer tells nobody which of the two it was.

Protects S17: secrets over raw bytes, bodies that are never read, floods, replays and forgeries.
"""

from __future__ import annotations

import hmac
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapter.web.access import Access
from adapter.web.app import create_app
from adapter.web.server import HttpServer, listen
from adapter.web.webhook import BODY_BYTES, Secrets, Throttle, Webhook

SECRET = b"correct-horse-battery-staple-0001"
EARLIER = b"correct-horse-battery-staple-0000"
HEADER = "X-Webhook-Secret"
RIGHT = {HEADER: SECRET.decode()}
RESOURCE = json.dumps({"resourceType": "Observation", "id": "1"}).encode()


@dataclass
class Called:
    """A webhook that answers on a real socket. `wakes`: how often it woke; `due`: what it wants to do later."""

    webhook: Webhook
    url: str = ""
    wakes: list[None] = field(default_factory=list)
    due: list[Callable[[], None]] = field(default_factory=list)

    def send(
        self, headers: dict[str, Any] | None = None, body: Any = b"", **options: Any
    ) -> requests.Response:
        method, path = options.pop("method", "POST"), options.pop("path", "/webhook")
        return requests.request(
            method, self.url + path, headers=headers or {}, data=body, timeout=30, **options
        )


@contextmanager
def called(*known: bytes, body_seconds: float = 10.0) -> Iterator[Called]:
    found = Called(None)  # type: ignore[arg-type]  # it is made with what it is called back by
    found.webhook = Webhook(
        Secrets(HEADER, known or (SECRET,)),
        lambda: found.wakes.append(None),
        later=lambda _seconds, call: found.due.append(call),
        body_seconds=body_seconds,
    )
    app = create_app(found.webhook.routes(), Access({}, is_loopback=True))
    server = HttpServer(app, listen("127.0.0.1", 0))
    server.start()
    found.url = "http://{}:{}".format(*server.address)
    try:
        yield found
    finally:
        server.stop()


@pytest.fixture
def hook() -> Iterator[Called]:
    with called() as found:
        yield found


def signed(body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    return {"X-Signature": hmac.new(secret, body, sha256).hexdigest()}


def seen(answer: requests.Response) -> tuple[int, bytes, dict[str, str]]:
    """All that a caller gets, but for the time."""
    return (
        answer.status_code,
        answer.content,
        {name: value for name, value in answer.headers.items() if name.lower() != "date"},
    )


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "path", ["/webhook", "/webhook/", "/webhook/Observation/o-1", "/webhook/a/b/%2e%2e/c?x=1"]
)
@pytest.mark.parametrize("body", [b"", RESOURCE, b"\xff\x00 no JSON", b"{" * 1000])
def test_every_method_path_and_body_of_a_server_wakes(
    hook: Called, method: str, path: str, body: bytes
) -> None:
    assert hook.send(RIGHT, body, method=method, path=path).status_code == 202
    assert hook.send(signed(body), body, method=method, path=path).status_code == 202
    assert len(hook.wakes) == 2


FORGED: list[tuple[dict[str, Any], bytes]] = [
    ({}, b""),
    ({HEADER: ""}, b""),
    ({HEADER: SECRET.decode()[:-1]}, b""),
    ({HEADER: SECRET.decode() + "1"}, b""),
    ({HEADER: SECRET.decode().upper()}, b""),
    ({HEADER: EARLIER.decode()}, b""),
    ({HEADER: "\N{SNOWMAN}".encode() * 11}, b""),
    ({HEADER: b"\xff" * 33}, b""),
    ({"X-Other": SECRET.decode()}, b""),
    ({"Authorization": f"Bearer {SECRET.decode()}"}, b""),
    ({"X-Signature": ""}, RESOURCE),
    ({"X-Signature": "0" * 64}, RESOURCE),
    ({"X-Signature": signed(RESOURCE)["X-Signature"][:-1]}, RESOURCE),
    ({"X-Signature": "sha256=" + signed(RESOURCE)["X-Signature"]}, RESOURCE),
    ({"X-Signature": "\N{SNOWMAN}".encode() * 16}, RESOURCE),
    (signed(RESOURCE, EARLIER), RESOURCE),
    (signed(RESOURCE, b""), RESOURCE),
    (signed(RESOURCE), RESOURCE + b" "),
    (signed(RESOURCE), b""),
    ({"X-Signature": SECRET.decode()}, b""),
]


@pytest.mark.parametrize(("headers", "body"), FORGED)
def test_a_forgery_wakes_nobody_and_is_answered_like_the_right_one(
    hook: Called, headers: dict[str, Any], body: bytes
) -> None:
    forged = hook.send(headers, body)

    assert hook.wakes == []
    assert seen(forged) == seen(hook.send(RIGHT, body))
    assert hook.webhook.counts == {"taken": 1, "merged": 0, "refused": 1}


def test_every_flipped_bit_of_a_signature_or_secret_is_a_forgery() -> None:
    secrets = Secrets(HEADER, (SECRET,))
    signature = signed(RESOURCE)["X-Signature"].encode()

    def is_ours(name: bytes, value: bytes) -> bool:
        judging = secrets.judge([(name, value)])
        judging.take(RESOURCE)
        return judging.is_ours

    assert is_ours(b"x-webhook-secret", SECRET)
    assert is_ours(b"x-signature", signature)
    for name, right in (
        (b"x-webhook-secret", SECRET),
        (b"x-signature", bytes.fromhex(signature.decode())),
    ):
        for place in range(8 * len(right)):
            flipped = bytearray(right)
            flipped[place // 8] ^= 1 << place % 8
            value = bytes(flipped) if name != b"x-signature" else flipped.hex().encode()
            assert not is_ours(name, value)


@given(body=st.binary(max_size=500), cuts=st.lists(st.integers(0, 500), max_size=5))
def test_the_hash_is_of_the_raw_bytes_however_they_arrive(body: bytes, cuts: list[int]) -> None:
    judging = Secrets(HEADER, (EARLIER, SECRET)).judge(
        [(b"X-Signature", signed(body)["X-Signature"].encode())]
    )
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for start, end in pairwise(places):
        judging.take(body[start:end])
    assert judging.is_ours


def test_a_header_that_stands_twice_counts_as_none() -> None:
    """Else one request could try many secrets."""
    twice = [(b"x-webhook-secret", SECRET), (b"X-Webhook-Secret", b"another")]
    assert not Secrets(HEADER, (SECRET,)).judge(twice).is_ours


def test_two_secrets_count_while_one_replaces_the_other() -> None:
    with called(SECRET, EARLIER) as hook:
        for one in (SECRET, EARLIER):
            hook.send({HEADER: one.decode()})
            hook.send(signed(RESOURCE, one), RESOURCE)
        assert len(hook.wakes) == 4


def test_neither_secrets_nor_what_was_shown_are_in_a_repr() -> None:
    secrets = Secrets(HEADER, (SECRET,))
    assert "horse" not in repr(secrets) + repr(secrets.judge([(b"x-webhook-secret", SECRET)]))


@pytest.mark.parametrize("headers", [RIGHT, {HEADER: "wrong"}, {}])
def test_a_body_beyond_64_kib_is_refused_whoever_sends_it(
    hook: Called, headers: dict[str, str]
) -> None:
    def in_pieces() -> Iterator[bytes]:
        for _ in range(65):
            yield b"x" * 1024

    said = [
        seen(hook.send(headers, b"x" * (BODY_BYTES + 1))),
        seen(hook.send(headers, in_pieces())),  # of no length that it announces
    ]
    assert [status for status, _, _ in said] == [413, 413]
    assert HEADER not in str(said)
    assert hook.wakes == []
    longest = hook.send(signed(b"x" * BODY_BYTES), b"x" * BODY_BYTES)
    assert (longest.status_code, len(hook.wakes)) == (202, 1)


def test_it_is_refused_while_it_arrives_and_not_after(hook: Called) -> None:
    """A client that announces nothing and never ends has no more than the limit taken from it."""
    host, port = hook.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(
            b"POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"10000\r\n" + b"x" * 0x10000 + b"\r\n1\r\nx\r\n"
        )  # fmt: skip
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("secret", [SECRET, b"wrong"])
def test_a_body_that_does_not_come_gives_its_place_back_whoever_sends_it(secret: bytes) -> None:
    with called(body_seconds=0.2) as hook:
        host, port = hook.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as client:
            client.sendall(
                b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
                b"X-Webhook-Secret: " + secret + b"\r\n\r\n{"
            )
            assert client.recv(100).startswith(b"HTTP/1.1 408 ")
        assert hook.wakes == []


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "HEAD"])
def test_other_methods_wake_nobody(hook: Called, method: str) -> None:
    assert hook.send(RIGHT, method=method).status_code == 405
    assert hook.wakes == []


def test_no_body_is_parsed_or_kept(hook: Called) -> None:
    """Depth, duplicates and compression would be the business of a parser: here they are bytes."""
    for body in (b"[" * 60_000, b'{"a":1,"a":2}', b"\x1f\x8b\x08\x00"):
        answer = hook.send(signed(body) | {"Content-Encoding": "gzip"}, body)
        assert answer.status_code == 202
    assert len(hook.wakes) == 3


def test_refusals_are_told_once_a_minute_by_number(hook: Called) -> None:
    for _ in range(50):
        hook.send({HEADER: "wrong"})
    assert len(hook.due) == 1
    with capture_logs() as logs:
        hook.due[0]()
    assert [(one["event"], one["count"]) for one in logs] == [("notifications_refused", 50)]
    hook.send({HEADER: "wrong"})
    assert len(hook.due) == 2


class Seconds:
    """A clock with a list of what is due, run in order."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.due.append((self.now + seconds, call))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.due and min(at for at, _ in self.due) <= end:
            first = min(self.due, key=lambda one: one[0])
            self.due.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = end


BURSTS = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from([0.0, 0.001, 0.02, 0.049, 0.3, 7.0])), max_size=20
)
"""Bursts: how many at once, and the pause before them in seconds."""


@given(BURSTS)
def test_after_every_notification_comes_a_wake_at_once_or_soon_and_never_too_many(
    bursts: list[tuple[int, float]],
) -> None:
    """The proof that the limit loses nothing: for each one that is taken a wake that is not earlier."""
    clock, woken, taken = Seconds(), [], []
    throttle = Throttle(
        lambda: woken.append(clock.now), seconds_now=lambda: clock.now, later=clock.later
    )
    for number, pause in bursts:
        clock.advance(pause)
        for _ in range(number):
            taken.append((clock.now, len(woken)))
            throttle.wake()
    clock.advance(2.0)
    for at, before in taken:
        assert any(one <= at + 1 / throttle.per_second + 1e-6 for one in woken[before:])
    for start in woken:
        most = throttle.burst + throttle.per_second * 0.5 + 1
        assert sum(start <= at < start + 0.5 for at in woken) <= most
