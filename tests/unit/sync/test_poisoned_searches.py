"""A resource that makes every search which finds it fail stops nobody but its patient (failure mode C7)."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.errors import ServerError, TemporaryServerError
from adapter.ports import ListedPatients, WorklistKind
from adapter.sync.cycle import PassKind, PassOutcome
from adapter.sync.options import DiscoverBy, ReadLimits, SyncOptions
from adapter.sync.reading.gather import MOST_FAILING
from tests.fakes.poison import Poison
from tests.fakes.site import Site

NAMES = ("anna", "berta", "carla", "dora", "eva", "frida", "greta", "heidi")
HOUR = 3600


def settled(*names: str, **options: Any) -> tuple[Site, Poison]:
    """A site whose results are older than the overlap, and what is poisoned of them."""
    site = Site(**options)
    for name in names or NAMES:
        site.laboratory.ihc(name, "1+")
    site.settle()
    site.clock.advance(HOUR)
    site.laboratory.ihc("zoe", "0")
    site.settle()
    return site, Poison(site.server)


def result_of(name: str) -> str:
    return f"Observation/ihc-{name}-a"


def wake(site: Site, *names: str) -> None:
    site.store.enqueue([f"Patient/{one}" for one in names], reason="test")


POISONED = ["Observation/ihc-{}-a", "Specimen/s-{}-a"]


@pytest.mark.parametrize("reference", POISONED)
@pytest.mark.parametrize("poisoned", NAMES)
@pytest.mark.parametrize("asked", [{}, {"patients": NAMES}], ids=["poll", "asked-for"])
def test_one_patient_is_held_back_and_heals(
    asked: dict[str, Any], poisoned: str, reference: str
) -> None:
    site, poison = settled()
    poison.references = {reference.format(poisoned)}
    others = [one for one in NAMES if one != poisoned]
    for one in others:
        site.laboratory.amend(result_of(one), "3+")
    wake(site, poisoned)
    report = site.run(**asked)
    assert report.outcome is PassOutcome.DONE
    expected = {one: "low" if one == poisoned else "positive" for one in NAMES}
    assert site.categories() == {**expected, "zoe": "negative"}
    assert (
        f"Patient/{poisoned}: the server fails at searches for their results (not-shown-500); nothing is decided "
        "without it: let the account read it, or have it mended at the server"
    ) in report.warnings
    assert report.signals["not-shown"] == 1
    assert report.unfinished == {f"Patient/{poisoned}"}
    (entry,) = [one.entry for one in site.store.worklist()]
    assert (entry.kind, entry.subject) == (WorklistKind.NOT_READ, f"Patient/{poisoned}")
    assert (entry.reference, entry.reason) == (f"Patient/{poisoned}", "not-shown-500")
    again = site.run()
    assert (again.writes, again.signals["not-shown"]) == (0, 1)
    poison.references = set()
    report = site.settle()
    assert (report.signals.get("not-shown", 0), site.store.worklist()) == (0, ())
    site.assert_sound()


def test_in_the_next_pass_it_is_asked_for_alone() -> None:
    site, poison = settled()
    poison.references = {result_of("carla")}
    wake(site, *NAMES)
    site.run()
    poison.asked.clear()
    wake(site, *NAMES)
    site.run()
    (asked,) = poison.asked
    assert ("patient", "Patient/carla") in asked


def test_a_process_that_begins_anew_finds_somebody_who_is_answered() -> None:
    site, poison = settled()
    site.restart()
    site.run()
    site.cycle.searches.shown = None
    poison.references = {result_of("anna"), result_of("berta")}
    wake(site, "anna", "berta")
    report = site.run()
    assert (report.outcome, report.signals["not-shown"]) == (PassOutcome.DONE, 2)


def test_a_walk_goes_on_without_one() -> None:
    class Listed:
        def read(self) -> ListedPatients:
            return ListedPatients(tuple(f"Patient/{one}" for one in NAMES))

    site = Site(options=SyncOptions(read=ReadLimits(discovery=DiscoverBy.PATIENTS)))
    site.listed = Listed()
    for one in NAMES:
        site.laboratory.ihc(one, "1+")
    site.restart()
    site.run()
    poison = Poison(site.server, {result_of("carla")})
    for one in NAMES:
        site.laboratory.amend(result_of(one), "3+")
    site.run(full_sweep=True)
    assert site.categories() == {one: "low" if one == "carla" else "positive" for one in NAMES}
    assert len(poison.asked) < len(NAMES)


def test_a_server_that_fails_at_everybody_s_results_fails_the_pass() -> None:
    site, poison = settled()
    poison.references = {result_of(one) for one in (*NAMES, "zoe")}
    before = site.categories()
    with pytest.raises(TemporaryServerError):
        site.run(patients=NAMES)
    assert len(poison.asked) <= 7
    assert site.categories() == before
    poison.references = set()
    assert site.settle().outcome is PassOutcome.DONE


def test_a_patient_without_results_is_no_proof_that_others_are_answered() -> None:
    site, poison = settled("anna")
    poison.references = {result_of("anna"), result_of("zoe")}
    with pytest.raises(TemporaryServerError):
        site.run(patients=["anna", "nobody"])


@pytest.mark.parametrize("status", [401, 403, 429, 503, None])
def test_a_server_that_goes_away_or_closes_meanwhile_fails_the_pass(status: int | None) -> None:
    site, poison = settled()
    search = site.server.search
    failure = ServerError("an error of the server", status=status)

    def closes(resource_type: str, params: Any) -> Any:
        try:
            yield from search(resource_type, params)
        except TemporaryServerError:
            if ("patient", "Patient/anna") in params:
                site.server.search = gone  # type: ignore[method-assign]
            raise

    def gone(*_: Any) -> Any:
        raise failure

    poison.references = {result_of("anna")}
    wake(site, "anna", "berta")
    site.server.search = closes  # type: ignore[method-assign]
    with pytest.raises(ServerError) as failed:
        site.run()
    assert failed.value is failure
    assert site.categories()["anna"] == "low"


def test_a_server_that_fails_at_very_many_fails_the_pass() -> None:
    names = [f"p{number:03}" for number in range(MOST_FAILING + 5)]
    site, poison = settled(*names)
    poison.references = set(map(result_of, names[:MOST_FAILING]))
    wake(site, *names)
    assert site.run().signals["not-shown"] == MOST_FAILING
    poison.references = set(map(result_of, names[: MOST_FAILING + 1]))
    wake(site, *names)
    with pytest.raises(TemporaryServerError):
        site.run()


def after_a_day(*names: str) -> tuple[Site, Poison]:
    """A site at which a sweep is due, and the first result of which is poisoned since long ago."""
    site, poison = settled(*names)
    poison.references = {result_of("anna")}
    site.clock.advance(25 * HOUR)
    site.laboratory.amend(result_of("berta"), "3+")
    return site, poison


def test_a_sweep_that_fails_stops_nobody_and_is_tried_again() -> None:
    site, poison = after_a_day()
    report = site.run()
    assert (report.outcome, report.kind) == (PassOutcome.DONE, PassKind.INCREMENTAL)
    assert (site.categories()["anna"], site.categories()["berta"]) == ("low", "positive")
    assert report.signals["sweep-fails"] == 1
    assert any(
        "the server fails (500) at a search of the full sweep" in one for one in report.warnings
    )
    poison.asked.clear()
    site.clock.advance(HOUR / 2)
    assert site.run().signals["sweep-fails"] == 1
    assert poison.asked == []
    site.clock.advance(HOUR)
    assert site.run().kind is PassKind.INCREMENTAL
    assert poison.asked != []
    poison.references = set()
    site.clock.advance(HOUR)
    report = site.run()
    assert (report.kind, report.signals.get("sweep-fails", 0)) == (PassKind.SWEEP, 0)
    assert site.settle().signals.get("sweep-fails", 0) == 0


@pytest.mark.parametrize("asked", [{"full_sweep": True}, {"backfill": True}, {"dry_run": True}])
def test_a_sweep_that_somebody_asks_for_fails(asked: dict[str, Any]) -> None:
    site, _ = after_a_day()
    with pytest.raises(TemporaryServerError):
        site.run(**asked)
    assert site.categories()["berta"] == "low"


def test_a_sweep_with_other_rules_is_not_done_without() -> None:
    site, _ = after_a_day()
    site.store.set_setting("swept-with", "others")
    with pytest.raises(TemporaryServerError):
        site.run()
    assert site.categories()["berta"] == "low"


def test_a_server_that_fails_at_what_changed_too_fails_the_pass() -> None:
    site, poison = after_a_day()
    poison.references = {result_of(one) for one in (*NAMES, "zoe")}
    with pytest.raises(TemporaryServerError):
        site.run()


@pytest.mark.parametrize("status", [401, 403, 429, 503, None])
def test_a_sweep_that_fails_otherwise_fails_the_pass(status: int | None) -> None:
    site, _ = after_a_day()

    def search(*_: Any) -> Any:
        raise failure

    failure = ServerError("an error of the server", status=status)
    site.server.search = search  # type: ignore[method-assign]
    with pytest.raises(ServerError) as failed:
        site.run()
    assert failed.value is failure
