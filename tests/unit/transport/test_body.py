"""Protects against believing half an answer, and against answers that never end or never fit.

A page cut in half that parses would silently lose results; a bomb would take the host down.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import socket
import time
import tracemalloc
import zlib
from typing import Any

import pytest

from adapter.errors import PermanentServerError, ServerError, TemporaryServerError, UnknownOutcome
from adapter.fhir.strict_json import read_json
from adapter.transport.auth import NoAuth
from adapter.transport.fhir_server import ServerConfig
from adapter.transport.http import Call, Http
from tests.fakes.clock import FakeClock
from tests.unit.transport.conftest import MakeServer
from tests.unit.transport.loopback import Loopback, answer, then_hang_up

PATIENT = {"resourceType": "Patient", "id": "a"}
JSON = json.dumps(PATIENT).encode()
# Two complete JSON texts in a row, so that a cut between them leaves something that parses.
LONG = json.dumps({"resourceType": "Patient", "id": "a", "text": [str(i) for i in range(9999)]})


def chunked(data: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    pieces = [data[i : i + 7] for i in range(0, len(data), 7)]
    return head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (JSON, ""),
        (JSON, "identity"),
        (gzip.compress(JSON), "gzip"),
        (gzip.compress(JSON), "X-GZIP"),
        (gzip.compress(JSON[:9]) + gzip.compress(JSON[9:]), "gzip"),
        (zlib.compress(JSON), "deflate"),
    ],
    ids=["none", "identity", "gzip", "x-gzip", "gzip in two members", "deflate"],
)
def test_every_encoding_that_is_asked_for_is_read(
    body: bytes, encoding: str, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(body, Content_Encoding=encoding))
    assert make_server(loopback.base).read("Patient/a") == PATIENT
    assert loopback.requests[0].headers["accept-encoding"] == "gzip, deflate"


def test_a_chunked_answer_is_read(make_server: MakeServer, loopback: Loopback) -> None:
    loopback.will(chunked(JSON))
    assert make_server(loopback.base).read("Patient/a") == PATIENT


def test_a_gzip_body_cut_anywhere_is_never_accepted(loopback: Loopback, clock: FakeClock) -> None:
    # The Content-Length is right, as from a proxy that cut before it counted: only the end marker
    # of the compressed stream tells. What is left must not be taken, whether it parses or not.
    whole = gzip.compress(LONG.encode())
    cuts = [*random.Random(11).sample(range(1, len(whole)), 150), len(whole) - 1]
    http = Http(
        ServerConfig(loopback.base, attempts=1), clock=clock, auth=NoAuth(), monotonic=lambda: 0.0
    )
    for cut in cuts:
        loopback.will(answer(whole[:cut], Content_Encoding="gzip"))
        with pytest.raises(TemporaryServerError, match="broke off"):
            http.send(Call("GET", f"{loopback.base}/x"), lambda got: got)
    http.close()


def test_a_gzip_body_cut_after_its_content_is_not_accepted(
    make_server: MakeServer, loopback: Loopback
) -> None:
    # All of the JSON is there and parses; only the checksum at the end is missing.
    loopback.will(answer(gzip.compress(JSON)[:-8], Content_Encoding="gzip"))
    with pytest.raises(TemporaryServerError, match="broke off"):
        make_server(loopback.base, attempts=1).read("Patient/a")


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (then_hang_up(answer(JSON, Content_Length=str(len(JSON) + 1))), "cut-answer"),
        (then_hang_up(chunked(JSON)[:-5]), "cut-answer"),
        (then_hang_up(chunked(JSON)[:-12]), "cut-answer"),
        (then_hang_up(answer(JSON[:-1], Content_Length="")), "malformed-json"),
        (answer(JSON[:-1]), "malformed-json"),
        (answer(b"\x1f\x8b\x08\x00 is no gzip", Content_Encoding="gzip"), "damaged-gzip"),
        (answer(gzip.compress(JSON) + b"tail", Content_Encoding="gzip"), "damaged-gzip"),
        (answer(gzip.compress(JSON)[:-8], Content_Encoding="gzip"), "cut-gzip"),
        (answer(JSON, Content_Encoding="br"), "foreign-encoding"),
        (answer(JSON, Content_Encoding="gzip, gzip"), "foreign-encoding"),
    ],
    ids=[
        "shorter than its length",
        "chunks without an end",
        "cut inside a chunk",
        "no length and cut",
        "JSON cut",
        "no gzip",
        "gzip and more",
        "gzip without its end",
        "encoding not asked for",
        "encoded twice",
    ],
)
def test_a_broken_body_has_a_reason_code_and_is_asked_for_again(
    broken: Any, code: str, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(broken, broken, answer(PATIENT))
    with pytest.raises(TemporaryServerError) as refused:
        make_server(loopback.base, attempts=1).read("Patient/a")
    assert refused.value.code == code
    assert make_server(loopback.base).read("Patient/a") == PATIENT
    assert len(loopback.requests) == 3


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_stopped_at_the_cap_without_being_expanded(
    encoding: str, make_server: MakeServer, loopback: Loopback
) -> None:
    deflater = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    zeros = b"0" * 1_000_000
    bomb = b"".join(deflater.compress(zeros) for _ in range(100)) + deflater.flush()
    loopback.will(answer(bomb, Content_Encoding=encoding))
    server = make_server(loopback.base, max_body_bytes=200_000)
    tracemalloc.start()
    with pytest.raises(PermanentServerError, match="larger than 200000 bytes"):
        server.read("Patient/a")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
    assert len(loopback.requests) == 1


def test_a_body_without_end_is_stopped_at_the_cap(
    make_server: MakeServer, loopback: Loopback
) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(answer(b"", Content_Length=""))
        while True:
            connection.sendall(b" " * 10_000)

    loopback.will(endless)
    with pytest.raises(PermanentServerError, match="larger"):
        make_server(loopback.base, max_body_bytes=100_000).read("Patient/a")


def test_the_cap_counts_the_bytes_on_the_wire_too(
    make_server: MakeServer, loopback: Loopback
) -> None:
    # Empty gzip members unpack to nothing, however many come.
    loopback.will(answer(gzip.compress(b"") * 1000, Content_Encoding="gzip"))
    with pytest.raises(PermanentServerError, match="larger"):
        make_server(loopback.base, max_body_bytes=10_000).read("Patient/a")


def test_a_body_of_exactly_the_cap_is_read(make_server: MakeServer, loopback: Loopback) -> None:
    loopback.will(answer(JSON), answer(JSON))
    assert make_server(loopback.base, max_body_bytes=len(JSON)).read("Patient/a") == PATIENT
    with pytest.raises(PermanentServerError):
        make_server(loopback.base, max_body_bytes=len(JSON) - 1).read("Patient/a")


def test_an_answer_that_is_too_large_leaves_a_write_unknown(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(b" " * 5000))
    with pytest.raises(UnknownOutcome):
        make_server(loopback.base, max_body_bytes=1000).transact(b'{"entry":[]}')


def test_a_server_that_drips_is_cut_off_by_the_clock(loopback: Loopback, clock: FakeClock) -> None:
    ticks = itertools.count()
    drips = 0

    def drip(connection: socket.socket) -> None:
        nonlocal drips
        connection.sendall(answer(b"", Content_Length="1000000"))
        for _ in range(1000):
            connection.sendall(b" ")
            drips += 1
            time.sleep(0.002)

    loopback.will(drip)
    http = Http(
        ServerConfig(loopback.base, attempts=1, request_seconds=5),
        clock=clock,
        auth=NoAuth(),
        monotonic=lambda: float(next(ticks)),
    )
    with pytest.raises(TemporaryServerError, match="longer than one request may take"):
        http.send(Call("GET", f"{loopback.base}/x"), lambda got: got)
    http.close()
    assert drips < 500


def test_a_broken_error_page_does_not_hide_its_status(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(
        answer(b"no gzip", status="422 Unprocessable Entity", Content_Encoding="gzip"),
    )
    with pytest.raises(ServerError) as raised:
        make_server(loopback.base).read("Patient/a")
    assert raised.value.status == 422


def test_the_cap_of_the_strict_reader_is_not_below_ours() -> None:
    config = ServerConfig("https://fhir.example.org/r4")
    assert read_json(JSON, max_bytes=config.max_body_bytes) == PATIENT
