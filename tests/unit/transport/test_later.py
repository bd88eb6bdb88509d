"""Protects B10: a write accepted for later is asked after for a while, on the same server, and never assumed."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.errors import UnknownOutcome
from adapter.ports import SingleWrite
from tests.unit.transport.conftest import MakeServer
from tests.unit.transport.loopback import Loopback, answer

BUNDLE = b'{"resourceType":"Bundle","type":"transaction","entry":[{"x":1},{"x":2}]}'
ONE = SingleWrite("PUT", "Observation/a", b'{"resourceType":"Observation","id":"a"}')


def done(number: int, kind: str = "transaction-response") -> dict[str, Any]:
    entry = {"response": {"status": "201 Created", "etag": 'W/"1"'}}
    return {"resourceType": "Bundle", "type": kind, "entry": [entry] * number}


def accepted(address: str, **headers: str) -> bytes:
    return answer(status="202 Accepted", content_type="", Content_Location=address, **headers)


@pytest.mark.parametrize(
    "result",
    [
        done(2),
        done(2, "batch-response"),
        {"resourceType": "Bundle", "type": "batch-response", "entry": [{"resource": done(2)}]},
    ],
    ids=["as-is", "as-a-batch-response", "wrapped"],
)
def test_what_is_done_later_is_waited_for(
    make_server: MakeServer, loopback: Loopback, result: dict[str, Any]
) -> None:
    loopback.will(
        accepted(f"{loopback.base}/_async/7"),
        accepted("", Retry_After="2"),
        answer(result),
    )
    outcomes = make_server(loopback.base).transact(BUNDLE)
    assert [(one.status, one.version) for one in outcomes] == [(201, "1"), (201, "1")]
    assert [one.target for one in loopback.requests] == [
        "/fhir",
        "/fhir/_async/7",
        "/fhir/_async/7",
    ]


def test_a_single_write_is_waited_for_too(make_server: MakeServer, loopback: Loopback) -> None:
    loopback.will(accepted("_async/7"), answer(done(1, "batch-response")))
    outcome = make_server(loopback.base).write(ONE)
    assert (outcome.status, outcome.version) == (201, "1")


@pytest.mark.parametrize(
    "address",
    [
        "http://elsewhere.invalid/fhir/_async/7",
        "//elsewhere.invalid/fhir",
        "https://127.0.0.1/fhir",
        "../../_async/7",
        "",
    ],
)
@pytest.mark.parametrize("single", [False, True], ids=["transaction", "single"])
def test_nobody_but_the_configured_server_is_asked(
    make_server: MakeServer, loopback: Loopback, address: str, single: bool
) -> None:
    loopback.will(accepted(address))
    server = make_server(loopback.base)
    with pytest.raises(UnknownOutcome):
        server.write(ONE) if single else server.transact(BUNDLE)
    assert len(loopback.requests) == 1


@pytest.mark.parametrize(
    "result",
    [
        answer(status="404 Not Found"),
        answer(status="500 Oops"),
        answer({"resourceType": "OperationOutcome", "issue": []}),
        answer(done(1)),
        answer(b"<html/>", content_type="text/html"),
    ],
    ids=["404", "500", "an-outcome", "too-few", "html"],
)
def test_a_result_that_is_not_clear_is_unknown(
    make_server: MakeServer, loopback: Loopback, result: bytes
) -> None:
    loopback.will(accepted(f"{loopback.base}/_async/7"), result)
    with pytest.raises(UnknownOutcome):
        make_server(loopback.base).transact(BUNDLE)


def test_a_job_that_is_never_done_is_given_up_and_unknown(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(*[accepted(f"{loopback.base}/_async/7") for _ in range(70)])
    with pytest.raises(UnknownOutcome, match="not done yet"):
        make_server(loopback.base).transact(BUNDLE)
    assert len(loopback.requests) <= 61
