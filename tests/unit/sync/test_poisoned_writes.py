"""One case that the server will not take holds up nobody else, and a server that takes nothing is no case's fault.

Protects the many from the one (P9) whatever the status says, and each from a server that is out of order for a while.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.audit import AuditAction
from adapter.errors import (
    NotAuthorised,
    PermanentServerError,
    ServerError,
    TemporaryServerError,
    UnknownOutcome,
)
from adapter.ports import EntryOutcome, FrozenBundle, SingleWrite
from adapter.sync.cycle import SyncOptions
from adapter.sync.options import SendLimits
from adapter.sync.writing.sent import parts_of
from tests.fakes.clock import FakeClock
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.habits import Habits, Transactions
from tests.fakes.server import FakeFhirServer, Fault
from tests.fakes.site import Site

DENIED = [403, 402, 406, 415, 422, 423, 451, 404]
FAILING = [500, 502, 504, 503, 429]


def error_of(status: int) -> ServerError:
    """What the transport makes of an answer to a write."""
    if status == 403:
        return NotAuthorised("the server answered 403", status=403)
    if status in (500, 502, 504):
        return UnknownOutcome(f"the server answered {status}", status=status)
    if status in (503, 429):
        return TemporaryServerError(f"the server answered {status}", status=status)
    return PermanentServerError(f"the server answered {status}", status=status)


class Gateway(FakeFhirServer):
    """A server that answers every write in which one word occurs with a status; "" occurs everywhere."""

    word: str | None = None
    status = 500

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        self._answer(bundle)
        return super().transact(bundle)

    def write(self, one: SingleWrite) -> EntryOutcome:
        self._answer(one.body)
        return super().write(one)

    def _answer(self, body: bytes) -> None:
        if self.word is not None and self.word.encode() in body:
            self.calls.append("poisoned")
            raise error_of(self.status)


def site_with(
    patients: str, *, habits: Habits | None = None, **limits: int
) -> tuple[Site, Gateway]:
    server = Gateway(FakeClock())
    site = Site(server=server, options=SyncOptions(send=SendLimits(**limits)))  # type: ignore[arg-type]
    server.habits = replace(habits or Habits())
    for patient in patients:
        site.laboratory.ihc(patient, "0")
    site.settle()
    return site, server


def amend(site: Site, patients: str, score: str = "3+") -> None:
    for patient in patients:
        site.laboratory.amend(f"Observation/ihc-{patient}-a", score)


both_manners = pytest.mark.parametrize(
    "habits",
    [Habits(), Habits(transactions=Transactions.NONE), Habits(client_ids=False)],
    ids=["transactions", "single-writes", "ids-of-the-server"],
)


@both_manners
@pytest.mark.parametrize("status", [*DENIED, *FAILING])
@pytest.mark.parametrize("together", [True, False], ids=["in-one-bundle", "one-after-the-other"])
def test_a_case_that_is_answered_so_for_ever_holds_up_nobody_else(
    status: int, together: bool, habits: Habits
) -> None:
    site, server = site_with("pq", habits=habits)
    server.word, server.status = '"Patient/p"', status
    amend(site, "pq" if together else "p")
    site.run()
    amend(site, "q")
    site.laboratory.ihc("new", "3+")
    for number in range(25):
        site.run(full_sweep=number == 3)
        if number == 10:
            site.restart()
    assert site.categories() == {"p": "negative", "q": "positive", "new": "positive"}
    assert [case.patient for case in site.store.parked()] == ["Patient/p"]
    assert site.store.outbox() == ()
    site.assert_sound()

    server.word = None
    (parked,) = site.store.parked()
    site.store.unpark([parked.key])
    site.store.enqueue([parked.patient], reason="retry")
    site.settle()
    assert set(site.categories().values()) == {"positive"}
    site.assert_sound()


@pytest.mark.parametrize("status", FAILING)
def test_a_case_that_fails_for_some_passes_lands_by_itself(status: int) -> None:
    site, server = site_with("pq")
    server.word, server.status = '"Patient/p"', status
    amend(site, "pq")
    site.run()
    for _ in range(5):
        report = site.run()
        assert report.signals["outbox-waits"] == 1
        assert any("Patient/p" in one for one in report.warnings)
        assert report.unfinished >= {"Patient/p"}
    server.word = None
    site.settle()
    assert site.categories() == {"p": "positive", "q": "positive"}
    assert site.store.parked() == ()
    site.assert_sound()


def test_while_a_write_is_under_way_nothing_newer_is_written_of_that_patient() -> None:
    site, server = site_with("pq")
    server.word = '"Patient/p"'
    amend(site, "p")
    site.run()
    (waiting,) = site.store.outbox()
    amend(site, "p", "1+")
    for _ in range(3):
        site.run()
    assert [one.key for one in site.store.outbox()] == [waiting.key]
    server.word = None
    site.settle()
    assert site.categories()["p"] == "low"
    site.assert_sound()


def test_of_a_bundle_that_failed_only_the_case_to_blame_waits_in_the_outbox() -> None:
    site, server = site_with("pqrs")
    server.word = '"Patient/p"'
    amend(site, "pqrs")
    site.run()
    (whole,) = site.store.outbox()
    assert len(whole.expected) == 4
    site.run()
    (part,) = site.store.outbox()
    assert part.patients == {"Patient/p"}
    assert part.frozen_at == whole.frozen_at
    found = [one for one in site.store.trail if one.action is AuditAction.UPDATED]
    assert len(found) == 3


@pytest.mark.parametrize("status", [403, 404, 422, 423, 500, 503])
@both_manners
def test_a_server_that_refuses_everything_fails_the_pass_and_parks_nobody(
    status: int, habits: Habits
) -> None:
    everybody = "abcdefghijklmnopqr"
    site, server = site_with(everybody, habits=habits)
    for _ in range(3):
        site.run()
    server.word, server.status = "", status
    for patient in everybody:
        amend(site, patient)
        if patient in "aeio":
            with pytest.raises(ServerError):
                site.run()
    server.word = None
    site.settle()
    assert site.store.parked() == ()
    assert set(site.categories().values()) == {"positive"}
    site.assert_sound()


def test_results_that_are_all_refused_fail_the_pass_though_the_server_takes_the_device() -> None:
    """A validator that is out of order for a while parks nobody."""
    everybody = "abcdefghijklmnop"
    site, server = site_with(everybody)
    server.word, server.status = '"Observation"', 422
    amend(site, everybody)
    calls = len(server.calls)
    with pytest.raises(PermanentServerError):
        site.run()
    assert site.store.parked() == ()
    assert server.calls[calls:].count("poisoned") < 40
    server.word = None
    site.settle()
    assert set(site.categories().values()) == {"positive"}


def test_a_case_that_is_refused_once_and_taken_then_is_not_parked() -> None:
    site, server = site_with("p")
    amend(site, "p")
    server.faults = [Fault(PermanentServerError("404", status=404))]
    site.run()
    assert site.store.parked() == ()
    assert site.categories() == {"p": "positive"}


@pytest.mark.parametrize("landed", [False, True], ids=["nothing-landed", "it-had-landed"])
def test_a_process_that_ends_while_a_bundle_is_parted_doubles_nothing(landed: bool) -> None:
    site, server = site_with("pqr")
    server.word = '"Patient/p"'
    amend(site, "pqr")
    site.run()
    (whole,) = site.store.outbox()
    for part in parts_of(whole)[:2]:
        site.store.freeze(part)
    server.word = None
    if landed:
        server.transact(whole.body)
    site.restart()
    site.settle()
    assert site.store.outbox() == ()
    assert set(site.categories().values()) == {"positive"}
    told = [one for one in site.store.trail if one.action is AuditAction.UPDATED]
    assert len(told) == 3
    site.assert_sound()


def test_killed_at_any_step_while_one_case_fails_nothing_is_lost_or_doubled() -> None:
    def poisoned() -> tuple[Site, Gateway]:
        site, server = site_with("pqr", batch_cases=3)
        server.word = '"Patient/p"'
        amend(site, "pqr")
        site.run()
        return site, server

    site, server = poisoned()
    counting = CrashPoints()
    server.crash = site.store.crash = counting
    site.run()
    for step in range(1, counting.steps + 1):
        site, server = poisoned()
        server.crash = site.store.crash = CrashPoints(at=step)
        with pytest.raises(Killed):
            site.run()
        server.crash = site.store.crash = CrashPoints()
        server.word = None
        site.restart()
        site.settle()
        assert set(site.categories().values()) == {"positive"}, step
        site.assert_sound()


def test_a_case_of_which_nobody_can_read_what_stands_is_not_parked() -> None:
    site, server = site_with("pq")
    server.word = '"Patient/p"'
    amend(site, "pq")
    site.run()
    site.run()
    (part,) = site.store.outbox()
    (key,) = part.expected
    server.no_strict_json = {f"Observation/{key}": "duplicate-key"}
    for _ in range(25):
        site.run()
    assert site.store.parked() == ()
    assert [one.key for one in site.store.outbox()] == [part.key]
    server.no_strict_json, server.word = {}, None
    site.settle()
    assert set(site.categories().values()) == {"positive"}
    site.assert_sound()


def test_the_parts_of_a_bundle_hold_the_very_entries_of_the_whole() -> None:
    site, server = site_with("pq")
    server.word = ""
    amend(site, "pq")
    with pytest.raises(ServerError):
        site.run()
    (whole,) = site.store.outbox()
    parts: tuple[FrozenBundle, ...] = parts_of(whole)
    inner = b'"entry":['
    for part in parts:
        assert part.body.partition(inner)[2].removesuffix(b"]}") in whole.body
    assert {key for part in parts for key in part.expected} == set(whole.expected)
    assert {one for part in parts for one in part.patients} == whole.patients
