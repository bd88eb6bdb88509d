"""A resource that the server answers with an error holds back who needs it, and nobody else.

That it is the resource and not the server, or what the account may read, is seen by another one of its type.
"""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from adapter.errors import (
    NotAuthorised,
    PermanentServerError,
    ServerError,
    TemporaryServerError,
)
from adapter.ports import JsonObject, ListedPatients, WorklistKind
from adapter.sync.cycle import PassOutcome
from adapter.sync.options import DiscoverBy, ReadLimits, SyncOptions
from adapter.sync.reading.reads import Reads
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site

OF_ONE = [400, 403, 405, 406, 422, 423, 451, 500, 501, 502, 503, 504]
PASSES: dict[str, dict[str, Any]] = {
    "poll": {},
    "sweep": {"full_sweep": True},
    "asked-for": {"patients": ["anna", "berta"]},
}
every_pass = pytest.mark.parametrize("asked", PASSES.values(), ids=PASSES.keys())


def refusal(status: int | None) -> ServerError:
    if status in (401, 403):
        return NotAuthorised("not for you", status=status)
    if status is None or status == 429 or (status >= 500 and status != 501):
        return TemporaryServerError("an error of the server", status=status)
    return PermanentServerError("refused", status=status)


def deny(site: Site, status: int | None, *references: str) -> None:
    site.server.unreadable = {one: refusal(status) for one in references}


def with_parents() -> Site:
    """A site whose specimens have parents, which no search brings and a read asks for."""
    site = Site()
    for name in ("anna", "berta"):
        site.laboratory.ihc(name, "1+")
        site.laboratory.specimen(name, "block")
        site.server.change(
            f"Specimen/s-{name}-a", parent=[{"reference": f"Specimen/s-{name}-block"}]
        )
    site.settle()
    return site


def amend(site: Site, score: str, *names: str) -> None:
    for name in names:
        site.laboratory.amend(f"Observation/ihc-{name}-a", score)


@every_pass
@pytest.mark.parametrize("status", OF_ONE)
def test_one_that_is_not_shown_holds_back_who_needs_it_and_heals(
    status: int, asked: dict[str, Any]
) -> None:
    site = with_parents()
    (before,) = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    deny(site, status, "Specimen/s-anna-block")
    amend(site, "3+", "anna", "berta")
    with capture_logs() as logs:
        report = site.run(**asked)
    assert report.outcome is PassOutcome.DONE
    assert site.categories() == {"anna": "low", "berta": "positive"}
    assert site.server.get(f"Observation/{before['id']}") == before
    assert (
        f"Patient/anna: the server does not show Specimen/s-anna-block (not-shown-{status}); nothing is decided "
        "without it: let the account read it, or have it mended at the server"
    ) in report.warnings
    assert (report.signals["not-shown"], report.signals.get("refused", 0)) == (1, 0)
    assert "Patient/anna" in report.unfinished
    assert list(site.store.queued()).count("Patient/anna") == 1
    assert [(one["reference"], one["reason"]) for one in logs if "resource" in one["event"]] == [
        ("Specimen/s-anna-block", f"not-shown-{status}")
    ]
    (entry,) = [one.entry for one in site.store.worklist()]
    assert (entry.kind, entry.subject) == (WorklistKind.NOT_READ, "Patient/anna")
    assert (entry.reference, entry.reason) == ("Specimen/s-anna-block", f"not-shown-{status}")
    again = site.run()
    assert (again.writes, again.signals["not-shown"]) == (0, 1)
    deny(site, None)
    site.run()
    assert site.categories() == {"anna": "positive", "berta": "positive"}
    assert site.settle().signals.get("not-shown", 0) == 0
    assert site.store.worklist() == ()
    site.assert_sound()


@every_pass
@pytest.mark.parametrize("status", [403, 500, 503])
def test_where_all_of_a_type_are_not_shown_it_is_the_server_and_the_pass_fails(
    status: int, asked: dict[str, Any]
) -> None:
    site = with_parents()
    everything = [one for one in site.server.versions if one.startswith("Specimen/")]
    deny(site, status, *everything)
    amend(site, "3+", "anna", "berta")
    with pytest.raises(ServerError) as failed:
        site.run(**asked)
    assert failed.value.status == status
    assert site.categories() == {"anna": "low", "berta": "low"}
    deny(site, None)
    site.settle()
    assert site.categories() == {"anna": "positive", "berta": "positive"}


@every_pass
@pytest.mark.parametrize("status", [None, 401, 408, 425, 429])
def test_an_error_that_is_of_nobody_fails_the_pass(
    status: int | None, asked: dict[str, Any]
) -> None:
    site = with_parents()
    deny(site, status, "Specimen/s-anna-block")
    amend(site, "3+", "anna", "berta")
    with pytest.raises(ServerError):
        site.run(**asked)


def of_another_tumour() -> Site:
    """A site where the specimen of anna alone says that her tumour is not of the breast."""
    site = Site()
    for name in ("anna", "berta"):
        site.laboratory.ihc(name, "1+")
    site.server.change("Specimen/s-anna-a", collection={"bodySite": {"text": "stomach"}})
    site.settle()
    assert site.categories() == {"berta": "low"}
    return site


@every_pass
def test_a_specimen_that_was_there_is_not_gone_because_it_is_not_found_once(
    asked: dict[str, Any],
) -> None:
    site = of_another_tumour()
    for _ in range(2):
        away = site.server.versions.pop("Specimen/s-anna-a")
        amend(site, "3+", "anna", "berta")
        report = site.run(**asked)
        assert site.categories() == {"berta": "positive"}
        assert (report.signals["not-shown"], report.unfinished) == (1, {"Patient/anna"})
        site.server.versions["Specimen/s-anna-a"] = away
        site.settle()
        assert site.categories() == {"berta": "positive"}
        assert site.store.worklist() == ()
        site.clock.advance(hours=1)


def test_a_specimen_that_stays_away_holds_nobody_back_for_ever() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    site.server.delete("Specimen/s-anna-a")
    amend(site, "3+", "anna")
    site.run()
    assert site.categories() == {"anna": "low"}
    site.clock.advance(ReadLimits().absence_confirm_seconds)
    report = site.run()
    assert (site.categories(), report.unfinished) == ({"anna": "positive"}, frozenset())


@pytest.mark.parametrize("is_walk", [True, False])
def test_so_it_is_where_a_list_or_requests_say_whom_to_look_at(is_walk: bool) -> None:
    class Listed:
        def read(self) -> ListedPatients:
            return ListedPatients(("Patient/anna", "Patient/berta"))

    discovery = DiscoverBy.PATIENTS if is_walk else DiscoverBy.REQUESTS
    site = Site(options=SyncOptions(read=ReadLimits(discovery=discovery)))
    site.listed = Listed() if is_walk else None
    site.restart()
    for name in ("anna", "berta"):
        parent = {"reference": site.laboratory.specimen(name, "block")}
        site.laboratory.ihc(name, "1+")
        site.server.change(f"Specimen/s-{name}-a", parent=[parent])
    deny(site, 403, "Specimen/s-anna-block")
    report = site.run(full_sweep=True) if is_walk else site.run(patients=["anna", "berta"])
    assert site.categories() == {"berta": "low"}
    assert report.signals["not-shown"] == 1


@every_pass
def test_a_source_that_is_not_shown_is_not_gone(asked: dict[str, Any]) -> None:
    """Hidden from the search too: whether it is there is not known, and what stands stays."""
    site = Site(options=SyncOptions(read=ReadLimits(absence_confirm_seconds=0)))
    hidden = site.laboratory.ihc("anna", "1+")
    for name in ("berta", "carla"):
        site.laboratory.ihc(name, "1+")
    site.settle()
    site.server.hidden = {hidden}
    deny(site, 403, hidden)
    amend(site, "3+", "berta")
    for _ in range(3):
        site.store.enqueue(["Patient/anna"], reason="test")
        site.run(**asked)
    assert site.categories() == {"anna": "low", "berta": "positive", "carla": "low"}


@every_pass
def test_a_deleted_one_still_counts_as_gone(asked: dict[str, Any]) -> None:
    site = Site(options=SyncOptions(read=ReadLimits(absence_confirm_seconds=0)))
    gone = site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "1+")
    site.settle()
    site.server.delete(gone)
    for _ in range(3):
        site.store.enqueue(["Patient/anna"], reason="test")
        site.run(**asked)
    assert site.categories() == {"berta": "low"}


@every_pass
def test_whoever_shares_it_is_held_back_too(asked: dict[str, Any]) -> None:
    site = with_parents()
    site.laboratory.ihc("carla", "1+")
    site.settle()
    site.server.change("Specimen/s-berta-a", parent=[{"reference": "Specimen/s-anna-block"}])
    deny(site, 403, "Specimen/s-anna-block")
    amend(site, "3+", "anna", "berta", "carla")
    site.run(**asked)
    site.run()
    assert site.categories() == {"anna": "low", "berta": "low", "carla": "positive"}


def test_a_quiet_site_with_one_that_is_not_shown_ends_its_passes_well() -> None:
    """Nobody else is read in such a pass: that others can be read is asked for."""
    site = with_parents()
    deny(site, 403, "Specimen/s-anna-block")
    amend(site, "3+", "anna")
    for process in range(2):
        for _ in range(3):
            assert site.run().outcome is PassOutcome.DONE, process
        site.restart()


def test_all_that_one_person_has_may_be_protected() -> None:
    """More than are tried of those at hand."""
    site = with_parents()
    blocks = [site.laboratory.specimen("anna", f"block-{number}") for number in range(9)]
    site.server.change("Specimen/s-anna-a", parent=[{"reference": one} for one in blocks])
    deny(site, 403, *blocks)
    amend(site, "3+", "anna")
    site.restart()
    report = site.run()
    assert report.outcome is PassOutcome.DONE
    assert report.signals["not-shown"] == 9


def test_of_ours_one_that_no_search_shows_and_no_read_holds_back() -> None:
    site = Site()
    site.laboratory.ihc("berta", "1+")
    site.settle()
    ihc = site.laboratory.ihc("anna", "1+")
    site.settle()
    (ours,) = [
        f"Observation/{one['id']}"
        for one in site.derived()
        if one["subject"]["reference"] == "Patient/anna"
    ]
    site.server.hidden = {ours}
    deny(site, 403, ours)
    site.laboratory.amend(ihc, "3+")
    amend(site, "3+", "berta")
    report = site.run()
    assert report.outcome is PassOutcome.DONE
    assert len(site.server.history(ours)) == 1
    assert site.categories() == {"anna": "low", "berta": "positive"}
    assert report.signals["not-shown"] == 1


def test_a_dry_run_lists_nothing() -> None:
    site = with_parents()
    deny(site, 403, "Specimen/s-anna-block")
    report = site.run(dry_run=True, full_sweep=True)
    assert report.signals["not-shown"] == 1
    assert site.store.worklist() == ()


# How it is told from the server.


def specimens(number: int) -> FakeFhirServer:
    site = Site()
    for one in range(number):
        site.laboratory.specimen(f"p{one}")
    return site.server


def name(number: int) -> str:
    return f"Specimen/s-p{number}-a"


def test_what_is_answered_is_given_with_what_is_not() -> None:
    server = specimens(4)
    server.unreadable = {name(1): refusal(403)}
    found = Reads(server).read_all([name(one) for one in range(4)] + ["Specimen/none"])
    assert {one: read and type(read).__name__ for one, read in found.items()} == {
        name(0): "dict",
        name(1): "RefusedResource",
        name(2): "dict",
        name(3): "dict",
        "Specimen/none": None,
    }


def test_a_server_that_goes_away_while_it_is_read_is_not_read_to_the_end() -> None:
    server = specimens(60)
    server.unreadable = {name(50): refusal(500)}

    def show(resource: JsonObject) -> JsonObject:
        if resource["id"] == "s-p9-a":
            server.unreadable = {name(one): refusal(500) for one in range(60)}
        return resource

    reads = Reads(server)
    reads.read_all([name(0)])
    server.show = show
    with pytest.raises(TemporaryServerError):
        reads.read_all([name(one) for one in range(60)])
    assert len([one for one in server.calls if one.startswith("read_all")]) < 20


def test_one_that_was_answered_before_is_asked_first() -> None:
    server = specimens(3)
    reads = Reads(server)
    reads.read_all([name(0)])
    server.refuse_search = lambda _: True
    server.unreadable = {name(1): refusal(500), name(2): refusal(500)}
    found = reads.read_all([name(1)])
    assert found[name(1)] is not None
    server.unreadable[name(0)] = refusal(500)
    with pytest.raises(TemporaryServerError):
        reads.read_all([name(2)])
