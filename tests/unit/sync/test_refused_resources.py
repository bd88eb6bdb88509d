"""A resource that is no strict JSON holds its patient back, and nobody else.

What it hides may be another status, another test or another answer. What stands of that patient is not
touched meanwhile; when the resource is corrected, the next pass decides.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from structlog.testing import capture_logs

from adapter.errors import TemporaryServerError
from adapter.ports import ListedEntry, WorklistKind
from adapter.sync.cycle import PassOutcome
from adapter.sync.options import ReadLimits, SyncOptions
from tests.fakes.server import Fault
from tests.fakes.site import Site

CODE = "duplicate-key"
both_passes = pytest.mark.parametrize("sweep", [True, False])


def refuse(site: Site, *references: str) -> None:
    site.server.no_strict_json = dict.fromkeys(references, CODE)


def listed(site: Site) -> list[ListedEntry]:
    return list(site.store.worklist())


def about(entries: Iterable[ListedEntry]) -> list[tuple[str, str, str]]:
    return [(one.entry.subject, one.entry.reference, one.entry.reason) for one in entries]


@both_passes
def test_the_patient_of_a_refused_result_waits_alone_and_heals(sweep: bool) -> None:
    site = Site()
    site.laboratory.ihc("other", "1+")
    site.settle()
    site.laboratory.ihc("anna", "3+")
    fish = site.laboratory.fish("anna", "Not amplified")
    site.laboratory.ihc("berta", "1+")
    refuse(site, fish)
    with capture_logs() as logs:
        report = site.run(full_sweep=sweep)
    assert report.outcome is PassOutcome.DONE
    assert site.categories() == {"other": "low", "berta": "low"}
    assert report.signals["refused"] == 1
    assert report.queue_left >= 1
    (warning,) = [one for one in report.warnings if "strict JSON" in one]
    assert warning == (
        "Patient/anna: no strict JSON: Observation/fish-anna-a (duplicate-key); "
        "nothing is decided without it"
    )
    (told,) = [one for one in logs if one["event"] == "resource_refused"]
    assert told == {
        "event": "resource_refused",
        "log_level": "warning",
        "reference": fish,
        "reason": CODE,
    }
    (entry,) = listed(site)
    assert entry.entry.kind is WorklistKind.NOT_READ
    assert about([entry]) == [("Patient/anna", fish, CODE)]
    refuse(site)
    site.settle()
    assert site.categories().keys() == {"other", "berta", "anna"}
    assert listed(site) == []


def test_what_stands_is_neither_changed_nor_withdrawn() -> None:
    site = Site()
    ihc = site.laboratory.ihc("anna", "3+")
    site.settle()
    before = site.only()
    site.laboratory.amend(ihc, "1+")
    refuse(site, ihc)
    for sweep in (False, True, False, True):
        report = site.run(full_sweep=sweep)
        assert report.writes == 0
        assert report.queue_left == 1
    assert site.only() == before
    refuse(site)
    site.settle()
    assert site.categories() == {"anna": "low"}


@both_passes
def test_a_specimen_holds_back_who_refers_to_it(sweep: bool) -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "1+")
    refuse(site, "Specimen/s-anna-a")
    site.run()
    site.run(full_sweep=sweep)
    assert site.categories() == {"berta": "low"}
    assert about(listed(site)) == [("Patient/anna", "Specimen/s-anna-a", CODE)]
    refuse(site)
    site.settle()
    assert site.categories() == {"anna": "low", "berta": "low"}


@both_passes
def test_a_specimen_of_somebody_else_holds_back_both(sweep: bool) -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "1+", specimen={"reference": "Specimen/s-anna-a"})
    for name in ("carla", "dora", "edda"):
        site.laboratory.ihc(name, "1+")
    refuse(site, "Specimen/s-anna-a")
    site.run()
    site.run(full_sweep=sweep)
    assert site.categories() == dict.fromkeys(("carla", "dora", "edda"), "low")


@both_passes
def test_what_no_search_brings_and_a_read_refuses_holds_back_too(sweep: bool) -> None:
    """A parent specimen is read by id; there nobody but who asked knows whom it is about."""
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "1+")
    site.laboratory.specimen("anna", "block")
    site.server.change("Specimen/s-anna-a", parent=[{"reference": "Specimen/s-anna-block"}])
    refuse(site, "Specimen/s-anna-block")
    site.run()
    report = site.run(full_sweep=sweep)
    assert site.categories() == {"berta": "low"}
    assert report.signals["refused"] == 1


@both_passes
def test_a_report_holds_back_whoever_it_mentions(sweep: bool) -> None:
    """What it lists cannot be trusted, but whom it could be about is known."""
    site = Site()
    of_berta = site.laboratory.ihc("berta", "1+")
    site.laboratory.ihc("carla", "1+")
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "subject": {"reference": site.laboratory.patient("anna")},
        "result": [{"reference": of_berta}],
    }
    site.server.put(report)
    refuse(site, "DiagnosticReport/r")
    site.run()
    site.run(full_sweep=sweep)
    assert site.categories() == {"carla": "low"}


@both_passes
@pytest.mark.parametrize("subject", ["anna", "berta"])
def test_a_report_that_lists_only_a_panel_holds_back_who_has_the_members(
    subject: str, sweep: bool
) -> None:
    site = Site()
    of_berta = site.laboratory.ihc("berta", "1+")
    site.laboratory.ihc("carla", "1+")
    panel = {
        "resourceType": "Observation",
        "id": "markers",
        "status": "final",
        "code": {"text": "Biomarkers"},
        "subject": {"reference": "Patient/berta"},
        "hasMember": [{"reference": of_berta}],
    }
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "subject": {"reference": site.laboratory.patient(subject)},
        "result": [{"reference": site.server.put(panel)}],
    }
    site.server.put(report)
    refuse(site, "DiagnosticReport/r")
    site.run()
    site.run(full_sweep=sweep)
    assert site.categories() == {"carla": "low"}


def test_a_specimen_that_changes_into_what_cannot_be_read_wakes_its_patient() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    before = site.only()
    site.clock.advance(3600)
    site.server.change("Specimen/s-anna-a", status="unavailable")
    refuse(site, "Specimen/s-anna-a")
    report = site.run()
    assert report.signals["refused"] == 1
    assert site.only() == before


@both_passes
def test_of_ours_one_that_is_refused_is_not_made_a_second_time(sweep: bool) -> None:
    site = Site()
    ihc = site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "1+")
    site.settle()
    ours = {one["subject"]["reference"]: f"Observation/{one['id']}" for one in site.derived()}
    refuse(site, ours["Patient/anna"])
    site.laboratory.amend(ihc, "3+")
    site.laboratory.ihc("berta", "3+", sample="b")
    site.run(full_sweep=sweep)
    assert len(site.server.history(ours["Patient/anna"])) == 1
    assert (
        len([one for one in site.derived() if one["subject"]["reference"] == "Patient/berta"]) == 2
    )
    refuse(site)
    site.settle()
    assert site.categories()["anna"] == "positive"


def test_of_ours_one_that_no_search_shows_and_a_read_refuses_holds_back() -> None:
    site = Site()
    ihc = site.laboratory.ihc("anna", "1+")
    site.settle()
    ours = f"Observation/{site.only()['id']}"
    site.server.hidden = {ours}
    refuse(site, ours)
    site.laboratory.amend(ihc, "3+")
    site.laboratory.ihc("berta", "1+")
    report = site.run()
    assert report.outcome is PassOutcome.DONE
    assert len(site.server.history(ours)) == 1
    assert site.categories()["berta"] == "low"
    assert (("Patient/anna", ours, CODE)) in about(listed(site))


def test_what_is_under_way_waits_for_one_of_ours_that_is_refused_and_the_others_go_on() -> None:
    site = Site()
    of_anna, of_berta = site.laboratory.ihc("anna", "1+"), site.laboratory.ihc("berta", "1+")
    site.settle()
    (ours,) = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    site.laboratory.amend(of_anna, "3+")
    site.server.faults = [Fault(TemporaryServerError("503", status=503))] * 9
    with pytest.raises(TemporaryServerError):
        site.run()
    assert len(site.store.outbox()) == 1
    site.server.faults = []
    refuse(site, f"Observation/{ours['id']}")
    site.laboratory.amend(of_berta, "3+")
    for _ in range(2):
        assert site.run().outcome is PassOutcome.DONE
    assert site.categories() == {"anna": "low", "berta": "positive"}
    assert len(site.store.outbox()) == 1
    refuse(site)
    site.settle()
    assert site.categories() == {"anna": "positive", "berta": "positive"}
    assert site.store.outbox() == ()
    site.assert_sound()


@both_passes
def test_a_source_that_cannot_be_read_is_not_gone(sweep: bool) -> None:
    """Moved to another patient and refused there: what was derived from it before stays as it is."""
    options = SyncOptions(read=ReadLimits(absence_confirm_seconds=0))
    site = Site(options=options)
    ihc = site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("carla", "1+")
    site.settle()
    before = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    site.server.change(ihc, subject={"reference": site.laboratory.patient("berta")})
    refuse(site, ihc)
    for _ in range(3):
        site.store.enqueue(["Patient/anna"], reason="test")
        site.run(full_sweep=sweep)
    after = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    assert after == before


@both_passes
def test_one_that_names_no_patient_here_is_told_and_stops_nobody(sweep: bool) -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    group = site.laboratory.ihc("berta", "1+", subject={"reference": "Group/1"})
    refuse(site, group)
    report = site.run(full_sweep=sweep)
    assert site.categories() == {"anna": "low"}
    assert f"{group} is no strict JSON (duplicate-key) and names no patient of this server" in (
        report.warnings
    )
    assert about(listed(site)) == [("", group, CODE)]


def test_a_dry_run_lists_nothing() -> None:
    site = Site()
    refuse(site, site.laboratory.ihc("anna", "1+"))
    report = site.run(dry_run=True)
    assert report.signals["refused"] == 1
    assert listed(site) == []


def test_a_sweep_keeps_what_is_listed_of_a_patient_that_it_could_not_look_at() -> None:
    site = Site()
    unread = site.laboratory.ihc("anna", "gibberish")
    site.laboratory.ihc("berta", "gibberish")
    site.settle()
    assert {one.entry.subject for one in listed(site)} == {"Patient/anna", "Patient/berta"}
    refuse(site, site.laboratory.fish("anna", "Positive"))
    site.server.delete("Observation/ihc-berta-a")
    site.run(full_sweep=True)
    assert ("Patient/anna", unread, "text-not-understood") in about(listed(site))
    assert {one.entry.subject for one in listed(site)} == {"Patient/anna"}


def test_a_parameter_is_not_believed_because_what_it_found_is_refused() -> None:
    """A server that ignores a name finds everything; a first result that is refused must not hide it."""
    from adapter.sync.reading.trial import Trial

    site = Site()
    refuse(site, site.laboratory.ihc("anna", "1+"))
    site.server.ignored = frozenset({"code:text"})
    assert not Trial(site.server).looks_at("code:text")
