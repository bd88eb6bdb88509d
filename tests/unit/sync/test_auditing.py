"""Protects the trail of what passes do: one row for each version that stands, after it was confirmed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from adapter.audit import AuditEvent
from adapter.errors import UnknownOutcome
from adapter.sync.cycle import SyncOptions
from adapter.sync.loop import Loop, LoopOptions
from adapter.sync.withdraw import Selection, withdraw_ours
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.server import Fault
from tests.fakes.site import Site


def told(site: Site) -> list[tuple[str, str, str]]:
    return [(one.action.value, one.outcome, one.patient) for one in site.store.trail]


def versions(site: Site) -> Counter[str]:
    """How often the trail tells of each version of each derived Observation."""
    return Counter(
        str(one.details["derived"])
        for one in site.store.trail
        if one.action.value in ("created", "updated", "withdrawn", "repaired")
    )


def standing(site: Site) -> Counter[str]:
    return Counter(
        f"Observation/{one['id']}/_history/{number}"
        for one in site.derived()
        for number in range(1, len(site.server.history(f"Observation/{one['id']}")) + 1)
    )


def test_each_version_is_recorded_with_its_sources_rule_policy_and_mappings() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    site.laboratory.amend(source, "3+")
    site.settle()
    site.laboratory.take_back(source)
    site.settle()
    assert told(site) == [
        (action, "confirmed", "Patient/anna") for action in ("created", "updated", "withdrawn")
    ]
    created, updated, withdrawn = site.store.trail
    derived = f"Observation/{site.only()['id']}"
    assert created.facts == {
        "policy": "asco-cap-2023|1.0.0",
        "mappings": site.context.mappings_version,
        "software": "0.1.0",
    }
    assert updated.details["derived"] == f"{derived}/_history/2"
    assert updated.details["sources"] == [f"{source}/_history/2"]
    assert updated.details["rule"]
    assert (updated.details["before"], updated.details["after"]) == ("low", "positive")
    assert withdrawn.details["reason"] == "source-taken-back"


def test_the_trail_tells_of_every_version_once_and_of_nothing_else() -> None:
    site = Site()
    for number in range(30):
        site.laboratory.ihc(f"p{number}", "1+")
    site.settle()
    for number in range(10):
        site.laboratory.amend(f"Observation/ihc-p{number}-a", "3+")
    site.settle()
    assert versions(site) == standing(site)


def test_nothing_is_recorded_of_what_is_only_computed() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.run(dry_run=True)
    site.options = SyncOptions(observe=True)
    site.restart()
    site.run()
    assert site.store.trail == []


def test_a_process_killed_at_any_step_leaves_every_version_recorded_once() -> None:
    def fresh() -> Site:
        site = Site()
        for number in range(3):
            site.laboratory.ihc(f"p{number}", "1+")
        return site

    def killed_at(step: int | None) -> tuple[Site, int]:
        site, crash = fresh(), CrashPoints(at=step)
        site.server.crash = site.store.crash = crash
        try:
            site.run()
        except Killed:
            pass
        finally:
            site.server.crash = site.store.crash = CrashPoints()
        return site, crash.steps

    _, steps = killed_at(None)
    for step in range(1, steps + 1):
        site, _ = killed_at(step)
        site.restart()
        site.settle()
        assert versions(site) == standing(site), f"killed at step {step}"


def test_a_write_whose_answer_was_lost_is_recorded_when_it_is_found() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.server.faults = [None, Fault(UnknownOutcome("lost"), landed=True)]
    site.settle()
    assert versions(site) == standing(site)


def test_a_refused_case_is_recorded_when_parked_and_when_it_lands() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.server.refuse = lambda one: "no" if one["resourceType"] == "Observation" else ""
    site.run()
    site.server.refuse = lambda _: ""
    site.laboratory.amend("Observation/ihc-anna-a", "3+")
    site.settle()
    assert told(site) == [
        ("parked", "refused", "Patient/anna"),
        ("created", "confirmed", "Patient/anna"),
        ("unparked", "landed", "Patient/anna"),
    ]


def test_start_and_stop_of_a_service_are_recorded_with_its_holder() -> None:
    site = Site()
    parts = replace(site.parts, actor="her2@host")
    done = iter([False, False, True, True])
    Loop(parts, SyncOptions(), LoopOptions(holder="one"), stopped=lambda: next(done)).run()
    assert [(one.action.value, one.actor) for one in site.store.trail] == [
        ("service-started", "her2@host"),
        ("service-stopped", "her2@host"),
    ]
    assert site.store.trail[0].facts["holder"] == "one"


@pytest.mark.parametrize("preview", [True, False])
def test_a_withdrawal_by_the_operator_is_recorded_with_what_was_asked(preview: bool) -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    before = len(site.store.trail)
    policy = "asco-cap-2023|1.0.0"
    withdraw_ours(site.parts, site.options, Selection(policy=policy), preview=preview)
    new: list[AuditEvent] = site.store.trail[before:]
    assert [one.action.value for one in new] == ([] if preview else ["withdrawn", "withdrawal-run"])
    if new:
        assert new[-1].facts["only_policy"] == policy


def test_plain_facts_hold_nothing_that_could_be_tied_to_a_person() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    site.server.refuse = lambda one: "no" if one["resourceType"] == "Observation" else None
    site.laboratory.amend("Observation/ihc-anna-a", "3+")
    site.run()
    assert site.store.parked()
    for event in site.store.trail:
        plain = repr((event.action, event.outcome, event.actor, event.facts))
        for trace in ("anna", "Observation/", site.only()["id"], "low", "positive"):
            assert trace not in plain
