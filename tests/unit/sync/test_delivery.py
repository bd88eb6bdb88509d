"""A bundle has three fates, and not knowing is none of them.

Protects the attempts: bounded, with waits, ended by an error where nobody knows, never by a guess.
"""

from __future__ import annotations

import pytest

from adapter.errors import (
    NotAuthorised,
    PermanentServerError,
    ServerError,
    TemporaryServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.ports import FrozenBundle
from adapter.sync.options import SendLimits
from adapter.sync.writing.delivery import Attempts, Delivery, Fate, Stands
from adapter.sync.writing.one_by_one import OneByOne
from tests.fakes.clock import START, FakeClock
from tests.fakes.server import FakeFhirServer, Fault

BODY = (
    b'{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":'
    b'"Observation","id":"x"},"request":{"method":"PUT","url":"Observation/x"}}]}'
)


@pytest.fixture
def server() -> FakeFhirServer:
    return FakeFhirServer(FakeClock())


def delivery(server: FakeFhirServer, attempts: int = 3) -> Delivery:
    limits = SendLimits(attempts=attempts, wait_seconds=1, max_wait_seconds=3)
    return Delivery(server, Attempts(server.clock, limits, jitter=lambda: 1.0))


def bundle(expected: str | None = None, said: str = "something") -> FrozenBundle:
    return FrozenBundle("key", BODY, {"x": expected}, {"x": said}, frozenset({"Patient/p"}), START)


def faults(error: ServerError, times: int) -> list[Fault | None]:
    return [Fault(error)] * times


REFUSALS = (400, 402, 404, 406, 410, 413, 415, 422, 423, 451)


@pytest.mark.parametrize(
    ("error", "times", "fate"),
    [
        (TemporaryServerError("503", status=503), 2, Fate.LANDED),
        (UnknownOutcome("cut off"), 2, Fate.LANDED),
        (VersionConflict("lock", status=409), 2, Fate.LANDED),
        (VersionConflict("lock", status=409), 3, Fate.MOVED),
        *((PermanentServerError("no", status=one), 1, Fate.REFUSED) for one in REFUSALS),
        (NotAuthorised("scope", status=403), 1, Fate.REFUSED),
    ],
    ids=["503", "unknown", "conflict", "conflict-for-ever", *map(str, REFUSALS), "403"],
)
def test_what_becomes_of_a_bundle(
    server: FakeFhirServer, error: ServerError, times: int, fate: Fate
) -> None:
    server.faults = faults(error, times)
    assert delivery(server).deliver(bundle()).fate is fate


@pytest.mark.parametrize(
    ("error", "times", "sent"),
    [
        (TemporaryServerError("503", status=503), 9, 3),
        (UnknownOutcome("cut off"), 9, 3),
        (NotAuthorised("token", status=401), 1, 1),
        (PermanentServerError("a proxy", status=407), 1, 1),
        (PermanentServerError("a redirect", status=302), 1, 1),
    ],
    ids=["503-for-ever", "unknown-for-ever", "401", "407", "302"],
)
def test_what_no_retry_and_no_smaller_bundle_heals_is_raised(
    server: FakeFhirServer, error: ServerError, times: int, sent: int
) -> None:
    server.faults = faults(error, times)
    with pytest.raises(type(error)):
        delivery(server).deliver(bundle())
    assert len(server.bundles) == sent
    assert len(set(server.bundles)) == 1


@pytest.mark.parametrize("status", [405, 501])
def test_a_server_that_knows_no_transactions_is_told_from_one_that_refuses_a_content(
    server: FakeFhirServer, status: int
) -> None:
    server.faults = faults(PermanentServerError("no transactions", status=status), 1)
    assert delivery(server).deliver(bundle()).fate is Fate.NOT_ATOMIC
    assert len(server.bundles) == 1


def test_waits_double_up_to_their_limit(server: FakeFhirServer) -> None:
    server.faults = faults(TemporaryServerError("503", status=503), 4)
    delivery(server, attempts=5).deliver(bundle())
    assert server.clock.sleeps == [1.0, 2.0, 3.0, 3.0]


def test_a_server_that_asks_for_hours_is_not_waited_for_so_long(server: FakeFhirServer) -> None:
    server.faults = faults(TemporaryServerError("429", status=429, retry_after_seconds=18_000), 1)
    delivery(server).deliver(bundle())
    assert server.clock.sleeps == [900.0]


@pytest.mark.parametrize(
    ("stored", "expected", "stands"),
    [
        (False, None, Stands.AS_BEFORE),
        (True, "1", Stands.AS_BEFORE),
        (True, None, Stands.MOVED),
        (False, "1", Stands.MOVED),
    ],
    ids=["nothing-as-planned", "same-version", "somebody-created-it", "it-is-gone"],
)
def test_what_stands_is_held_against_what_the_plan_saw(
    server: FakeFhirServer, stored: bool, expected: str | None, stands: Stands
) -> None:
    if stored:
        server.put({"resourceType": "Observation", "id": "x"})
    assert delivery(server).look(bundle(expected)) is stands


DEVICE = {
    "resource": {"resourceType": "Device", "id": "d"},
    "request": {"method": "PUT", "url": "Device/d"},
}


def test_a_device_that_another_adapter_writes_at_the_same_time_is_no_failure(
    server: FakeFhirServer,
) -> None:
    server.faults = faults(VersionConflict("HAPI-0825", status=409), 1)
    one_by_one = OneByOne(delivery(server))
    server.clock.sleep = lambda _: server.put({"resourceType": "Device", "id": "d"}) and None  # type: ignore[method-assign]
    assert one_by_one.ensure(DEVICE, "Device/d")
    assert server.calls.count("PUT Device/d") == 1


def test_a_device_that_cannot_be_written_is_raised_after_the_last_attempt(
    server: FakeFhirServer,
) -> None:
    server.faults = faults(TemporaryServerError("503", status=503), 9)
    with pytest.raises(TemporaryServerError):
        OneByOne(delivery(server)).ensure(DEVICE, "Device/d")
    assert server.calls.count("PUT Device/d") == 3
