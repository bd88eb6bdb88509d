"""The endpoint over real HTTP: media types, sizes, floods, defects; what it answers is the caller's business."""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import structlog
from fhir.resources.R4B.operationoutcome import OperationOutcome
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from adapter import logs
from adapter.errors import InputError
from adapter.web.access import Access, Role
from adapter.web.app import create_app
from adapter.web.derive_operation import ADMITTED, AT_ONCE, COUNTS_HEADER, DeriveOperation
from adapter.web.fhir_documents import capability_statement, operation_definition
from adapter.web.routes import Route
from adapter.web.server import HttpServer, listen

CANONICAL = "https://canonical.test"
PATH = "/fhir/$her2-derive"
JSON = {"Content-Type": "application/fhir+json"}
LIMIT = 20_000


@dataclass(frozen=True)
class Echo:
    """What a fake answers."""

    content: bytes
    counts: Mapping[str, int]


@dataclass
class Deriving:
    """A fake at the port: answers with the length of the body, waits where told, and counts its calls."""

    gate: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    calls: int = 0
    at_once: int = 0
    most_at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.set()

    def __call__(self, body: bytes, *, complete: bool | None) -> Echo:
        with self._lock:
            self.calls += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            assert self.gate.wait(30)
            if self.error:
                raise self.error
            said = {"resourceType": "Bundle", "length": len(body), "complete": complete}
            return Echo(json.dumps(said).encode(), {"results": 3, "not-her2": 1})
        finally:
            with self._lock:
                self.at_once -= 1


async def health(_request: Request) -> Response:
    return PlainTextResponse("well")


@contextmanager
def serving(derive: Deriving) -> Iterator[HttpServer]:
    operation = DeriveOperation(derive, LIMIT, CANONICAL, "1.2.3")
    rows = (*operation.routes(), Route("/healthz", ("GET",), Role.OPEN, health, "It lives."))
    listening = listen("127.0.0.1", 0)
    server = HttpServer(create_app(rows, Access({}, is_loopback=True)), listening)
    server.start()
    try:
        yield server
    finally:
        derive.gate.set()
        server.stop()


def address(server: HttpServer) -> str:
    host, port = server.address
    return f"http://{host}:{port}"


@pytest.fixture
def derive() -> Deriving:
    return Deriving()


@pytest.fixture
def base(derive: Deriving) -> Iterator[str]:
    with serving(derive) as server:
        yield address(server)


def post(base: str, body: Any = b"{}", query: str = "", **headers: str) -> requests.Response:
    given = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(f"{base}{PATH}{query}", data=body, headers=given, timeout=30)


def reason(answer: requests.Response) -> str:
    """The reason code of a refusal."""
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    outcome = answer.json()
    OperationOutcome.model_validate(outcome)
    [issue] = outcome["issue"]
    return str(issue["details"]["text"])


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_answer_is_passed_on_with_its_counts(base: str) -> None:
    answer = post(base, b"x" * 17)

    assert answer.status_code == 200
    assert answer.json() == {"resourceType": "Bundle", "length": 17, "complete": None}
    assert answer.headers[COUNTS_HEADER] == "results=3, not-her2=1"
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("query", "complete"), [("true", True), ("false", False)])
def test_complete_may_stand_in_the_query(base: str, query: str, complete: bool) -> None:
    assert post(base, query=f"?complete={query}").json()["complete"] is complete


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?complete=yes", "parameters-malformed"),
        ("?complete=", "parameters-malformed"),
        ("?complete=true&complete=false", "parameter-twice"),
        ("?patient=canary", "unknown-parameter"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(
    base: str, derive: Deriving, query: str, code: str
) -> None:
    answer = post(base, query=query)

    assert (answer.status_code, reason(answer)) == (400, code)
    assert "canary" not in answer.text
    assert derive.calls == 0


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content_Type": "application/fhir+xml"}, 415, "content-type"),
        ({"Content_Type": ""}, 415, "content-type"),
        ({"Content_Encoding": "gzip"}, 415, "content-encoding"),
        ({"Content_Encoding": "identity, gzip"}, 415, "content-encoding"),
        ({"Accept": "application/fhir+xml"}, 406, "json-only"),
    ],
)
def test_other_media_types_are_refused(
    base: str, derive: Deriving, headers: dict[str, str], status: int, code: str
) -> None:
    answer = post(base, **headers)

    assert (answer.status_code, reason(answer)) == (status, code)
    assert derive.calls == 0


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("malformed-json", 400),
        ("not-a-bundle", 400),
        ("too-large", 413),
        ("not-complete", 422),
        ("own-without-version", 422),
    ],
)
def test_what_cannot_be_derived_is_told_by_its_code(
    base: str, derive: Deriving, code: str, status: int
) -> None:
    derive.error = InputError("a sentence that quotes nothing", code=code)
    answer = post(base)

    assert (answer.status_code, reason(answer)) == (status, code)
    assert answer.json()["issue"][0]["diagnostics"] == "A sentence that quotes nothing."


def in_pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 1_000):
        yield b"x" * 1_000


def test_a_body_of_the_limit_is_read_and_one_byte_more_is_not(base: str) -> None:
    assert post(base, b"x" * LIMIT).json()["length"] == LIMIT

    answer = post(base, b"x" * (LIMIT + 1))
    assert (answer.status_code, reason(answer)) == (413, "body-too-long")


def test_a_body_without_a_length_is_counted_as_it_comes(base: str, derive: Deriving) -> None:
    assert post(base, in_pieces(LIMIT)).json()["length"] == LIMIT
    calls = derive.calls

    answer = post(base, in_pieces(LIMIT * 50))
    assert (answer.status_code, reason(answer)) == (413, "body-too-long")
    assert derive.calls == calls


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(base: str) -> None:
    """The answer is there although nothing but the headers was sent."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.putrequest("POST", PATH)
    for name, value in {**JSON, "Content-Length": str(LIMIT + 1)}.items():
        connection.putheader(name, value)
    connection.endheaders()

    assert connection.getresponse().status == 413
    connection.close()


def begun(base: str, *, promised: int, sent: bytes) -> socket.socket:
    """A request whose body never comes to its end."""
    parts = urlsplit(base)
    opened = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    opened.sendall(f"{head}Content-Length: {promised}\r\n\r\n".encode() + sent)
    return opened


def test_half_a_body_is_never_derived(base: str, derive: Deriving) -> None:
    opened = begun(base, promised=2_000, sent=b'{"resourceType": "Bundle"}')
    opened.close()

    assert post(base).status_code == 200
    assert derive.calls == 1


def test_a_flood_is_told_to_come_again_and_the_rest_is_answered(
    base: str, derive: Deriving
) -> None:
    derive.gate.clear()
    with ThreadPoolExecutor(3 * ADMITTED) as clients:
        flood = [clients.submit(post, base) for _ in range(3 * ADMITTED)]
        eventually(lambda: sum(one.done() for one in flood) == 2 * ADMITTED)
        assert requests.get(f"{base}/healthz", timeout=10).text == "well"
        derive.gate.set()
        answers = [one.result() for one in flood]

    refused = [one for one in answers if one.status_code == 429]
    assert len(refused) == 2 * ADMITTED
    assert {reason(one) for one in refused} == {"too-many"}
    assert all(int(one.headers["Retry-After"]) > 0 for one in refused)
    assert [one.status_code for one in answers if one not in refused] == [200] * ADMITTED
    assert derive.most_at_once == AT_ONCE
    assert post(base).status_code == 200


def test_nothing_is_worked_out_for_who_went_away(base: str, derive: Deriving) -> None:
    derive.gate.clear()
    with ThreadPoolExecutor(AT_ONCE + 1) as clients:
        working = [clients.submit(post, base) for _ in range(AT_ONCE)]
        eventually(lambda: derive.calls == AT_ONCE)
        begun(base, promised=2, sent=b"{}").close()
        time.sleep(0.3)  # the one that left has come, and waits
        last = clients.submit(post, base)
        derive.gate.set()

        assert [one.result().status_code for one in (*working, last)] == [200] * (AT_ONCE + 1)
    assert derive.calls == AT_ONCE + 1


def test_who_still_waits_at_a_stop_is_told_to_come_again(derive: Deriving) -> None:
    derive.gate.clear()
    with ThreadPoolExecutor(AT_ONCE + 3) as clients, serving(derive) as server:
        asked = [clients.submit(post, address(server)) for _ in range(AT_ONCE + 2)]
        eventually(lambda: derive.calls == AT_ONCE)
        stopping = clients.submit(server.stop)
        answers = [one.result() for one in asked]
        derive.gate.set()
        stopping.result()

    assert {(one.status_code, reason(one)) for one in answers} == {(503, "stopping")}
    assert all(int(one.headers["Retry-After"]) > 0 for one in answers)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    yield stream
    structlog.reset_defaults()


def test_a_defect_tells_nothing_of_itself_and_the_service_goes_on(
    base: str, derive: Deriving, log: io.StringIO
) -> None:
    derive.error = RuntimeError("canary")
    for _ in range(ADMITTED + 1):
        answer = post(base)
        assert (answer.status_code, reason(answer)) == (500, "defect")
        assert "canary" not in answer.text
        assert "RuntimeError" not in answer.text
    assert "canary" not in log.getvalue()
    assert log.getvalue().count("RuntimeError") == ADMITTED + 1

    derive.error = None
    assert post(base).status_code == 200


def test_it_says_in_fhir_what_it_can_do(base: str) -> None:
    statement = requests.get(f"{base}/fhir/metadata", timeout=10)
    definition = requests.get(f"{base}/fhir/OperationDefinition/her2-derive", timeout=10)

    for answer in (statement, definition):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/fhir+json"
    assert statement.json() == capability_statement(CANONICAL, "1.2.3")
    assert definition.json() == operation_definition(CANONICAL, "1.2.3")


@pytest.mark.parametrize("path", ["metadata", "OperationDefinition/her2-derive"])
def test_it_says_so_in_json_only(base: str, path: str) -> None:
    answer = requests.get(f"{base}/fhir/{path}?_format=xml", timeout=10)

    assert (answer.status_code, reason(answer)) == (406, "json-only")
