"""Our Subscriptions on a server: nothing doubled, nothing of others touched, and what is left when it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapter.errors import NotAuthorised, PermanentServerError
from adapter.fhir.strict_json import read_json
from adapter.ports import (
    EntryOutcome,
    FhirServer,
    JsonObject,
    SearchPage,
    SearchParams,
    SingleWrite,
)
from adapter.sandbox.server import Sandbox
from adapter.subscriptions.hook import Hook
from adapter.subscriptions.keeper import Done, Keeper, Standing
from adapter.sync.passed_on import PassedOn
from adapter.transport.auth import NoAuth
from adapter.transport.fhir_server import RestFhirServer
from adapter.transport.server_config import ServerConfig
from tests.fakes.clock import FakeClock
from tests.unit.subscriptions.test_hook import CRITERIA, SECRET, hook

OTHER_CRITERIA = "Observation?code=85318-4"
Changed = Callable[[JsonObject], JsonObject]


class Habitual(PassedOn):
    """A server with habits: refuses some writes, searches no tags, answers no search from its index."""

    def __init__(self, server: FhirServer) -> None:
        super().__init__(server)
        self.written: list[SingleWrite] = []
        self.refuses: Callable[[SingleWrite], int | None] = lambda _: None
        self.search_refused: int | None = None
        self.tags_refused: int | None = None
        self.answers = "body"
        self.is_late = False

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        if self.search_refused:
            kind = NotAuthorised if self.search_refused == 403 else PermanentServerError
            raise kind("refused", status=self.search_refused)
        if self.tags_refused and any(name == "_tag" for name, _ in params):
            raise PermanentServerError("no tags", status=self.tags_refused)
        for page in super().search(resource_type, params):
            yield replace(page, matches=()) if self.is_late else page

    def write(self, one: SingleWrite) -> EntryOutcome:
        status = self.refuses(one)
        if status:
            raise PermanentServerError("refused", status=status)
        self.written.append(one)
        outcome = super().write(one)
        if self.answers == "body" or outcome.resource is None:
            return outcome
        named = f"Subscription/{outcome.resource['id']}" if self.answers == "location" else None
        return replace(outcome, resource=None, reference=named)


@pytest.fixture
def server() -> Iterator[Habitual]:
    with Sandbox() as sandbox:
        config = ServerConfig(sandbox.base_url, attempts=2)
        with RestFhirServer(
            config, read_json=read_json, clock=FakeClock(), auth=NoAuth()
        ) as client:
            yield Habitual(client)


def keeper(server: FhirServer, namespace: str = "default") -> Keeper:
    return Keeper(server, FakeClock(), namespace)


def stored(server: FhirServer) -> list[JsonObject]:
    return [one for page in server.search("Subscription", []) for one in page.matches]


def done(found: tuple[Standing, ...]) -> list[Done]:
    return [one.done for one in found]


def changed(server: FhirServer, change: Changed) -> None:
    """Change every Subscription as somebody else would."""
    for one in stored(server):
        url = f"Subscription/{one['id']}"
        server.write(SingleWrite("PUT", url, json.dumps(change(one)).encode()))


def test_creating_twice_writes_once(server: Habitual) -> None:
    first = keeper(server).establish(hook(), [CRITERIA, OTHER_CRITERIA])
    again = keeper(server).establish(hook(), [OTHER_CRITERIA, CRITERIA])

    assert done(first) == [Done.CREATED, Done.CREATED]
    assert done(again) == [Done.UNCHANGED, Done.UNCHANGED]
    assert len(server.written) == len(stored(server)) == 2


def test_a_new_secret_replaces_the_earlier_one(server: Habitual) -> None:
    keeper(server).establish(hook(), [CRITERIA])
    found = keeper(server).establish(hook(secret="b" * 32), [CRITERIA])

    assert done(found) == [Done.UPDATED]
    (one,) = stored(server)
    assert one["channel"]["header"] == [f"X-Webhook-Secret: {'b' * 32}"]


def test_a_new_vocabulary_changes_what_stands_and_takes_away_what_is_too_much(
    server: Habitual,
) -> None:
    keeper(server).establish(hook(), [CRITERIA, OTHER_CRITERIA])
    found = keeper(server).establish(hook(), ["Observation?code=1"])

    assert sorted(done(found)) == [Done.REMOVED, Done.UPDATED]
    assert [one["criteria"] for one in stored(server)] == ["Observation?code=1"]


@pytest.mark.parametrize("status", ["off", "error"])
def test_what_is_off_or_failed_is_asked_for_again(server: Habitual, status: str) -> None:
    keeper(server).establish(hook(), [CRITERIA])
    changed(server, lambda one: {**one, "status": status})

    assert done(keeper(server).establish(hook(), [CRITERIA])) == [Done.UPDATED]
    assert [one["status"] for one in stored(server)] == ["requested"]


def test_a_server_that_chooses_ids_gets_none_twice(server: Habitual) -> None:
    keeper(server).establish(hook(), [CRITERIA])
    (own,) = stored(server)
    keeper(server).remove()
    server.refuses = lambda one: 400 if own["id"] in one.url else None

    assert done(keeper(server).establish(hook(), [CRITERIA])) == [Done.CREATED]
    assert done(keeper(server).establish(hook(), [CRITERIA])) == [Done.UNCHANGED]
    (one,) = stored(server)
    assert one["id"] != own["id"]


@pytest.mark.parametrize("answers", ["body", "location", "nothing"])
@pytest.mark.parametrize("tags_refused", [None, 400, 501])
def test_one_under_an_id_of_the_server_is_found_again_whatever_the_answer_names(
    server: Habitual, answers: str, tags_refused: int | None
) -> None:
    server.answers, server.tags_refused = answers, tags_refused
    own = keeper(server)._own(0)
    server.refuses = lambda one: 405 if one.url == own else None
    for expected in (Done.CREATED, Done.UNCHANGED):
        (found,) = keeper(server).establish(hook(), [CRITERIA])
        (one,) = stored(server)
        assert (found.done, found.reference) == (expected, f"Subscription/{one['id']}")
    assert len(keeper(server).show()) == 1
    assert done(keeper(server).remove()) == [Done.REMOVED]


def test_none_is_made_that_could_not_be_found_again(server: Habitual) -> None:
    server.refuses = lambda one: 405 if one.method == "PUT" else None
    server.search_refused = 501
    with pytest.raises(PermanentServerError, match="could not be found again"):
        keeper(server).establish(hook(), [CRITERIA])
    server.search_refused = None
    assert stored(server) == []


def test_one_that_was_made_and_is_nowhere_is_told(server: Habitual) -> None:
    server.refuses = lambda one: 405 if one.method == "PUT" else None
    server.answers, server.is_late = "nothing", True
    with pytest.raises(PermanentServerError, match="did not say which"):
        keeper(server).establish(hook(), [CRITERIA])


def test_what_a_late_index_does_not_find_yet_is_found_by_its_id(server: Habitual) -> None:
    keeper(server).establish(hook(), [CRITERIA])
    server.is_late = True

    assert done(keeper(server).establish(hook(), [CRITERIA])) == [Done.UNCHANGED]
    assert len(keeper(server).show()) == 1


@pytest.mark.parametrize("status", [400, 422, 501])
def test_a_server_that_searches_no_tags_is_asked_by_id(server: Habitual, status: int) -> None:
    keeper(server).establish(hook(), [CRITERIA])
    server.search_refused = status

    assert len(keeper(server).show()) == 1


def test_without_the_permission_to_search_nothing_is_written(server: Habitual) -> None:
    server.search_refused = 403

    with pytest.raises(NotAuthorised):
        keeper(server).establish(hook(), [CRITERIA])
    assert server.written == []


def test_those_of_others_and_of_another_namespace_are_left_alone(server: Habitual) -> None:
    foreign = {
        "resourceType": "Subscription",
        "id": "foreign",
        "status": "active",
        "reason": "of somebody else",
        "criteria": CRITERIA,
        "channel": {"type": "rest-hook", "endpoint": "https://elsewhere.example.org"},
    }
    server.write(SingleWrite("PUT", "Subscription/foreign", json.dumps(foreign).encode()))
    keeper(server, "test").establish(hook(namespace="test"), [CRITERIA])
    keeper(server).establish(hook(), [CRITERIA])

    assert [one.criteria for one in keeper(server).remove()] == [CRITERIA]
    left = {one["id"] for one in stored(server)}
    assert "foreign" in left
    assert len(left) == 2
    assert len(keeper(server, "test").show()) == 1


def test_what_was_retagged_by_somebody_is_left_alone(server: Habitual) -> None:
    """It has an id of ours and not our tag any more: somebody has taken it over."""
    keeper(server).establish(hook(), [CRITERIA])
    changed(server, lambda one: {**one, "meta": {"tag": [{"system": "x", "code": "mine"}]}})

    assert keeper(server).show() == ()
    assert keeper(server).remove() == ()
    assert done(keeper(server).establish(hook(), [CRITERIA])) == [Done.CREATED]
    assert len(stored(server)) == 2


def test_where_nothing_is_deleted_it_is_switched_off_without_its_secret(server: Habitual) -> None:
    keeper(server).establish(hook(), [CRITERIA])
    server.refuses = lambda one: 405 if one.method == "DELETE" else None

    assert done(keeper(server).remove()) == [Done.SWITCHED_OFF]
    (one,) = stored(server)
    assert one["status"] == "off"
    assert SECRET not in str(one)


def test_a_denied_write_is_an_error_and_no_reason_to_try_another(server: Habitual) -> None:
    server.refuses = lambda _: 401

    with pytest.raises(PermanentServerError):
        keeper(server).establish(hook(), [CRITERIA])


def test_nothing_that_is_shown_holds_the_secret(server: Habitual) -> None:
    found = keeper(server).establish(hook(), [CRITERIA])

    assert SECRET not in repr(found) + repr(keeper(server).show())


class Activating(FakeClock):
    """Time in which a server decides about a Subscription."""

    def __init__(self, server: FhirServer, after_seconds: float, **says: Any) -> None:
        super().__init__()
        self.server, self.after_seconds, self.says = server, after_seconds, says

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if sum(self.sleeps) >= self.after_seconds:
            changed(self.server, lambda one: {**one, **self.says})


def waited(server: FhirServer, clock: FakeClock, of: Hook, seconds: float) -> Standing:
    one = Keeper(server, clock, "default")
    (found,) = one.settled(one.establish(of, [CRITERIA]), seconds)
    return found


def test_it_waits_until_the_server_has_activated_it(server: Habitual) -> None:
    clock = Activating(server, 6, status="active")

    assert waited(server, clock, hook(), 60).status == "active"
    assert 6 <= sum(clock.sleeps) < 10


def test_it_ends_the_wait_when_the_server_says_that_it_failed(server: Habitual) -> None:
    found = waited(server, Activating(server, 3, status="error", error="no"), hook(), 60)

    assert (found.status, found.error) == ("error", "no")


def test_it_waits_no_longer_than_it_was_told(server: Habitual) -> None:
    clock = FakeClock()

    assert waited(server, clock, hook(), 7.5).status == "requested"
    assert sum(clock.sleeps) == 7.5


def test_a_person_can_end_the_wait(server: Habitual) -> None:
    one = Keeper(server, FakeClock(), "default", stopped=lambda: True)

    (found,) = one.settled(one.establish(hook(), [CRITERIA]), 60)
    assert found.status == "requested"
