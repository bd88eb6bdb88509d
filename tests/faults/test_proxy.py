"""Each fault does to an exchange what it says, and a way without a fault changes nothing."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
import requests
import urllib3

from adapter.sandbox.server import Sandbox
from tests.faults.kinds import Fault
from tests.faults.proxy import FaultyWay, canary, faulty_way

PATIENT = {"resourceType": "Patient", "id": "anna"}
SECONDS = 10.0

CARRIED_OUT = {
    Fault.ERROR_AFTER: 1,
    Fault.SHORT_BODY: 1,
    Fault.CUT_CHUNKED: 1,
    Fault.CUT_GZIP: 1,
    Fault.GARBAGE: 1,
    Fault.LOGIN_PAGE: 1,
    Fault.DELIVERED_TWICE: 2,
    Fault.SILENT_AFTER: 1,
}
"""How often the server carries a request out; the others never reach it."""
STATUS = {
    Fault.ERROR_BEFORE: 500,
    Fault.ERROR_AFTER: 500,
    Fault.TOO_MANY: 429,
    Fault.UNAVAILABLE: 503,
    Fault.UNAUTHORISED: 401,
    Fault.LOGIN_PAGE: 200,
    Fault.GARBAGE: 200,
    Fault.ELSEWHERE: 307,
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A server behind the way."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def way(sandbox: Sandbox) -> Iterator[FaultyWay]:
    """A way on which every exchange goes wrong, once a fault is chosen."""
    with faulty_way(sandbox.base_url, 1, elsewhere="http://localhost:1/fhir") as made:
        made.share = 1.0
        yield made


def put(way: FaultyWay) -> requests.Response:
    """Store a patient over the way."""
    where = f"{way.base_url}/Patient/anna"
    return requests.put(where, json=PATIENT, timeout=SECONDS, allow_redirects=False)


def test_a_way_without_a_fault_changes_nothing(sandbox: Sandbox, way: FaultyWay) -> None:
    answer = put(way)
    assert (answer.status_code, sandbox.writes) == (201, 1)
    page = requests.get(f"{way.base_url}/Patient", timeout=SECONDS).json()
    assert page["link"][0]["url"].startswith(way.base_url)


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
def test_a_fault_is_what_it_says(sandbox: Sandbox, way: FaultyWay, fault: Fault) -> None:
    way.fault = fault
    try:
        status: int | None = put(way).status_code
    except (requests.RequestException, urllib3.exceptions.HTTPError):
        status = None
    assert sandbox.writes == CARRIED_OUT.get(fault, 0)
    if fault in STATUS:
        assert status == STATUS[fault]
    elif fault in (Fault.SHORT_BODY, Fault.CUT_CHUNKED, Fault.SILENT_AFTER, Fault.SILENT_BEFORE):
        assert status is None
    assert (way.exchanges, way.faults) == (1, 1)


def test_a_cut_gzip_has_the_length_that_it_says(sandbox: Sandbox, way: FaultyWay) -> None:
    way.fault = Fault.CUT_GZIP
    answer = requests.get(f"{way.base_url}/metadata", timeout=SECONDS, stream=True)
    sent = answer.raw.read(decode_content=False)
    assert len(sent) == int(answer.headers["Content-Length"])
    with pytest.raises(EOFError):
        gzip.decompress(sent)


def test_the_canary_notes_who_comes() -> None:
    with canary() as watched:
        requests.get(f"{watched.url}/Patient", timeout=SECONDS)
        assert watched.visits == ["GET /fhir/Patient"]
