"""A case lands once with its Provenance, or is parked with a reason; nothing else is ever on the server.

Protects the sending: frozen bytes, bisection, unknown outcomes, conflicts, and what was stored.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapter.errors import (
    AmbiguousMatch,
    NotAuthorised,
    TemporaryServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.fhir.identity import category_of, is_own
from adapter.ports import JsonObject, ParkedCase
from adapter.sync.cycle import SyncOptions
from adapter.sync.options import ReadLimits, SendLimits
from adapter.sync.parked_cases import is_retried
from tests.fakes.clock import START
from tests.fakes.server import Fault
from tests.fakes.site import Site


def entries_of(body: bytes) -> list[JsonObject]:
    """The entries of a bundle that was sent."""
    entries: list[JsonObject] = json.loads(body)["entry"]
    return entries


def is_result(body: bytes) -> bool:
    """Whether a bundle holds results, and is not the Device alone."""
    return any(one["resource"]["resourceType"] == "Observation" for one in entries_of(body))


def refusing(patient: str) -> Any:
    """Refuse derived Observations of a patient."""

    def refuse(resource: JsonObject) -> str | None:
        subject = resource.get("subject", {}).get("reference")
        return "not in this house" if subject == f"Patient/{patient}" else None

    return refuse


def site_with(patients: int, **limits: Any) -> Site:
    site = Site(options=SyncOptions(send=SendLimits(**limits)))
    for number in range(patients):
        site.laboratory.ihc(f"p{number:03}", "1+")
    return site


def test_one_poisoned_case_among_120_is_parked_and_119_land() -> None:
    site = site_with(120)
    site.server.refuse = refusing("p077")
    report = site.run()
    assert len(site.derived()) == 119
    assert list(report.parked.values()) == ["not in this house"]
    (parked,) = site.store.parked()
    assert (parked.patient, parked.attempts) == ("Patient/p077", 1)
    site.assert_sound()


def test_a_parked_case_is_not_sent_again_by_itself_between_two_sweeps() -> None:
    site = site_with(3)
    site.server.refuse = refusing("p001")
    site.run()
    sent = len(site.server.bundles)
    for _ in range(3):
        site.store.enqueue(["Patient/p001"], reason="test")
        report = site.run()
        assert list(report.parked.values()) == ["not in this house"]
    assert len(site.server.bundles) == sent


def test_a_parked_case_is_asked_for_once_by_each_sweep_and_lands_when_the_server_is_mended() -> (
    None
):
    site = site_with(3)
    site.server.refuse = refusing("p001")
    site.settle()
    told = len(site.store.trail)
    for attempts in (2, 3):
        sent = len(site.server.bundles)
        report = site.run(full_sweep=True)
        assert len(site.server.bundles) == sent + 1
        assert list(report.parked.values()) == ["not in this house"]
        assert [case.attempts for case in site.store.parked()] == [attempts]
    assert len(site.store.trail) == told, "it is told once that a case is parked"
    site.server.refuse = lambda _: None
    site.run(full_sweep=True)
    assert site.categories()["p001"] == "low"
    assert site.store.parked() == ()
    site.assert_sound()


def test_many_parked_cases_stop_no_sweep() -> None:
    site = site_with(60)
    refused = {f"Patient/p{number:03}" for number in range(0, 60, 2)}
    site.server.refuse = lambda one: (
        "no" if one.get("subject", {}).get("reference") in refused else None
    )
    site.settle()
    assert len(site.store.parked()) == len(refused)
    assert len(site.run(full_sweep=True).parked) == len(refused)


def test_where_every_pass_is_a_sweep_a_parked_case_is_asked_for_twice_a_day() -> None:
    options = SyncOptions(read=ReadLimits(incremental=False))
    site = Site(options=options)
    for patient in ("p001", "p002"):
        site.laboratory.ihc(patient, "1+")
    site.server.refuse = refusing("p001")
    site.run()
    for _ in range(30):
        site.clock.advance(hours=1)
        site.run()
    (parked,) = site.store.parked()
    assert parked.attempts in (3, 4)


@pytest.mark.parametrize("reason", ["stored-differently", "edited-by-others"])
def test_what_every_try_would_write_anew_waits_for_a_person(reason: str) -> None:
    case = ParkedCase("key", "Patient/p", reason, "said", START)
    assert not is_retried(case, before=START + timedelta(days=9))
    assert is_retried(replace(case, reason="refused"), before=START + timedelta(days=9))


def test_a_parked_case_is_sent_again_when_its_content_changed() -> None:
    site = site_with(3)
    site.server.refuse = refusing("p001")
    site.settle()
    site.server.refuse = lambda _: None
    site.laboratory.amend("Observation/ihc-p001-a", "3+")
    site.settle()
    assert site.categories()["p001"] == "positive"
    assert site.store.parked() == ()


def test_a_parked_case_whose_results_are_gone_is_parked_no_more() -> None:
    site = site_with(3)
    site.server.refuse = refusing("p001")
    site.run()
    assert len(site.store.parked()) == 1

    site.server.delete("Observation/ihc-p001-a")
    site.run(full_sweep=True)

    assert site.store.parked() == ()


def test_a_parked_case_stays_parked_through_a_sweep_while_its_results_stand() -> None:
    site = site_with(3)
    site.server.refuse = refusing("p001")
    site.run()
    site.run(full_sweep=True)

    assert [case.patient for case in site.store.parked()] == ["Patient/p001"]


def test_a_parked_case_is_sent_again_when_an_operator_retries_it() -> None:
    site = site_with(3)
    site.server.refuse = refusing("p001")
    site.settle()
    site.server.refuse = lambda _: None
    (parked,) = site.store.parked()
    site.store.unpark([parked.key])
    site.store.enqueue([parked.patient], reason="retry")
    site.settle()
    assert site.categories()["p001"] == "low"


def test_halving_a_refused_bundle_never_parts_an_observation_from_its_provenance() -> None:
    site = site_with(25)
    site.server.refuse = refusing("p013")
    site.run()
    for body in filter(is_result, site.server.bundles):
        entries = [one["resource"] for one in entries_of(body)]
        for observation, provenance in zip(entries[::2], entries[1::2], strict=True):
            target = provenance["target"][0]["reference"]
            assert target == f"Observation/{observation['id']}"


def test_a_bundle_holds_at_most_the_cases_asked_for() -> None:
    site = site_with(12, batch_cases=5)
    site.run()
    sizes = [len(entries_of(body)) // 2 for body in site.server.bundles if is_result(body)]
    assert sizes == [5, 5, 2]


def test_a_conflict_with_nothing_moved_is_answered_by_the_same_bytes() -> None:
    site = site_with(2)
    site.server.faults = [None, *[Fault(VersionConflict("HAPI-0550", status=409))] * 3]
    site.run()
    results = list(filter(is_result, site.server.bundles))
    assert len(results) == 4
    assert len(set(results)) == 1
    assert len(site.derived()) == 2
    assert len(site.clock.sleeps) == 3
    site.assert_sound()


def test_an_unknown_outcome_that_landed_is_not_sent_again() -> None:
    site = site_with(2)
    site.server.faults = [None, Fault(UnknownOutcome("cut off"), landed=True)]
    report = site.run()
    assert len(list(filter(is_result, site.server.bundles))) == 1
    assert report.outcome == "done"
    site.assert_sound()


def test_an_unknown_outcome_that_did_not_land_is_sent_again_as_the_same_bytes() -> None:
    site = site_with(2)
    site.server.faults = [None, Fault(UnknownOutcome("cut off"))]
    site.run()
    results = list(filter(is_result, site.server.bundles))
    assert len(results) == 2
    assert len(set(results)) == 1
    site.assert_sound()


def test_an_update_whose_answer_was_lost_is_not_sent_again() -> None:
    site = site_with(1)
    site.settle()
    site.laboratory.amend("Observation/ihc-p000-a", "3+")
    site.server.faults = [Fault(UnknownOutcome("cut off"), landed=True)]
    site.run()
    assert len(site.server.history(f"Observation/{site.only()['id']}")) == 2
    site.assert_sound()


def test_a_server_that_is_down_ends_the_pass_and_the_next_one_sends_the_same_bytes() -> None:
    site = site_with(2, attempts=3)
    site.server.faults = [None, *[Fault(TemporaryServerError("503", status=503))] * 4]
    with pytest.raises(TemporaryServerError):
        site.run()
    assert len(site.store.outbox()) == 1
    site.run()
    results = list(filter(is_result, site.server.bundles))
    assert len(set(results)) == 1
    assert site.store.outbox() == ()
    assert len(site.derived()) == 2
    site.assert_sound()


def test_waits_grow_and_a_server_that_says_how_long_is_heard() -> None:
    site = site_with(1, attempts=4, wait_seconds=1.0)
    asked = TemporaryServerError("429", status=429, retry_after_seconds=40.0)
    plain = TemporaryServerError("503", status=503)
    site.server.faults = [None, Fault(plain), Fault(plain), Fault(asked)]
    site.run()
    first, second, third = site.clock.sleeps
    assert 0.5 <= first <= 1.0 <= second <= 2.0
    assert third == 40.0


def test_a_version_that_moved_under_the_plan_is_planned_again() -> None:
    site = site_with(1)
    site.settle()
    site.laboratory.amend("Observation/ihc-p000-a", "3+")
    derived = site.only()["id"]
    once = iter([lambda: site.server.change(f"Observation/{derived}", note=[{"text": "x"}])])
    site.server.before_transaction = lambda: next(once, lambda: None)()
    report = site.run()
    assert (report.signals["replanned"], report.writes, report.queue_left) == (1, 0, 1)
    site.settle()
    assert category_of(site.only()) == "positive"


def test_updates_are_held_to_the_version_that_the_plan_saw() -> None:
    site = site_with(1)
    site.settle()
    before = site.only()
    site.laboratory.amend("Observation/ihc-p000-a", "3+")
    site.settle()
    requests = [one["request"] for one in entries_of(site.server.bundles[-1])]
    assert requests[0]["ifMatch"] == f'W/"{before["meta"]["versionId"]}"'
    assert "ifMatch" not in requests[1]


def test_an_ambiguous_match_is_planned_again_and_never_halved() -> None:
    site = site_with(4)
    site.server.faults = [None, Fault(AmbiguousMatch("several", status=412))]
    report = site.run()
    assert report.signals["replanned"] == 4
    assert len(list(filter(is_result, site.server.bundles))) == 1
    site.settle()
    assert len(site.derived()) == 4
    site.assert_sound()


@pytest.mark.parametrize("returns", [True, False], ids=["as-returned", "as-read"])
def test_a_case_that_is_stored_differently_is_parked(returns: bool) -> None:
    site = site_with(2)
    site.server.returns_representation = returns

    def without_value(resource: JsonObject) -> JsonObject:
        if is_own(resource) and resource["subject"]["reference"] == "Patient/p001":
            del resource["valueCodeableConcept"]
        return resource

    site.server.alter = without_value
    report = site.run()
    assert list(report.parked.values()) == ["stored-differently"]
    sent = len(site.server.bundles)
    site.settle()
    assert len(site.server.bundles) == sent


@pytest.mark.parametrize("status", [401, 403])
def test_not_authorised_stops_the_pass_and_loses_nothing(status: int) -> None:
    site = site_with(2)
    site.server.faults = [None, *[Fault(NotAuthorised("scope", status=status))] * 9]
    with pytest.raises(NotAuthorised):
        site.run()
    assert site.store.parked() == ()
    site.server.faults = []
    site.settle()
    assert len(site.derived()) == 2
    site.assert_sound()


def test_an_update_where_a_creation_was_planned_is_looked_at_again() -> None:
    site = site_with(1)
    other = Site(server=site.server)

    def other_first() -> None:
        site.server.before_transaction = lambda: None
        other.run()

    site.server.before_transaction = other_first
    assert site.run().signals["replanned"] == 1
    assert site.settle().writes == 0
    assert len(site.derived()) == 1


def test_no_more_cases_a_minute_are_sent_than_allowed() -> None:
    site = site_with(10, cases_per_minute=4)
    start = site.clock.now()
    site.run()
    assert len(site.derived()) == 10
    assert (site.clock.now() - start).total_seconds() >= 60 + 120


def test_a_record_that_is_not_valid_fhir_is_parked_and_never_sent() -> None:
    # R4 allows no Device as performer, though validators let it pass.
    site = Site(organization="Device/1")
    site.laboratory.ihc("anna", "1+")
    report = site.run()
    assert site.derived() == []
    (reason,) = report.parked.values()
    assert "is not valid FHIR R4" in reason
