"""A resource that makes every search which finds it fail stops nobody but its patient (failure mode C7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from adapter.errors import ServerError, TemporaryServerError
from adapter.ports import ListedPatients, WorklistKind
from adapter.sync.cycle import PassKind, PassOutcome
from adapter.sync.options import DiscoverBy, ReadLimits, SyncOptions
from adapter.sync.reading.gather import MOST_FAILING
from adapter.sync.reading.slices import MAX_IN_THE_DARK
from adapter.sync.reading.unread import MOST_UNREAD
from tests.fakes.crash import CrashPoints
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
    site = walking()
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


def test_one_who_is_answered_again_makes_room_for_another() -> None:
    names = [f"p{number:03}" for number in range(MOST_FAILING + 5)]
    site, poison = settled(*names)
    poison.references = set(map(result_of, names[:MOST_FAILING]))
    wake(site, *names)
    site.run()
    poison.references = set(map(result_of, names[1 : MOST_FAILING + 1]))
    wake(site, *names)
    assert site.run().signals["not-shown"] == MOST_FAILING


def test_a_poisoned_result_of_ours_holds_back_to_whom_its_source_was_moved() -> None:
    site, poison = settled()
    (of_anna,) = [one for one in site.derived() if "anna" in one["subject"]["reference"]]
    poison.references = {f"Observation/{of_anna['id']}"}
    moved = site.server.read(result_of("anna")) or {}
    site.server.put({**moved, "subject": {"reference": "Patient/berta"}})
    site.laboratory.amend(result_of("carla"), "3+")
    before = site.categories()
    report = site.run()
    assert report.outcome is PassOutcome.DONE
    assert "Patient/berta" in report.unfinished
    assert site.categories() == {**before, "carla": "positive"}
    assert not [one for one in poison.asked if "_lastUpdated" in dict(one)]
    poison.references = set()
    site.settle()
    assert "anna" not in site.categories()


@dataclass
class Listed:
    names: Sequence[str] = NAMES

    def read(self) -> ListedPatients:
        return ListedPatients(tuple(f"Patient/{one}" for one in self.names))


def walking(*names: str) -> Site:
    site = Site(options=SyncOptions(read=ReadLimits(discovery=DiscoverBy.PATIENTS)))
    site.listed = Listed(names or NAMES)
    return site


def begun_anew(*poisoned: str) -> tuple[Site, Poison]:
    """A process that walks a list, begun while some are poisoned, and nothing is proved yet."""
    site = walking()
    for one in NAMES:
        site.laboratory.ihc(one, "1+")
    site.restart()
    site.run()
    site.restart()
    for one in NAMES:
        site.laboratory.amend(result_of(one), "3+")
    return site, Poison(site.server, set(map(result_of, poisoned)))


def test_searches_are_proved_on_somebody_whose_results_are_given() -> None:
    site, _ = begun_anew("anna", "berta")
    report = site.run(full_sweep=True)
    assert report.unfinished == {"Patient/anna", "Patient/berta"}
    left = dict.fromkeys(("anna", "berta"), "low")
    assert site.categories() == {**dict.fromkeys(NAMES, "positive"), **left}


def test_where_nothing_could_be_proved_nobody_is_decided_by_codes_alone() -> None:
    site = walking("anna")
    result = site.laboratory.result("anna", "85319-2", "1+")
    site.server.put({**result, "id": "named", "code": {"text": "HER2 IHC"}})
    site.restart()
    site.run()
    assert site.categories() == {"anna": "low"}
    site.restart()
    poison = Poison(site.server, {"Observation/named"})
    with pytest.raises(TemporaryServerError):
        site.run(full_sweep=True)
    assert not site.cycle.searches.failing
    assert poison.asked


def test_a_server_that_fails_at_every_proof_fails_the_walk() -> None:
    site, poison = begun_anew(*NAMES)
    with pytest.raises(TemporaryServerError):
        site.run(full_sweep=True)
    assert len(poison.asked) <= 6


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
    poison.references = set()
    assert site.run().kind is PassKind.SWEEP


def test_a_server_put_back_to_a_backup_is_not_looked_at_without_a_sweep() -> None:
    site, poison = settled()
    backup = site.server.snapshot()
    site.laboratory.amend(result_of("zoe"), "3+")
    site.settle()
    site.server.restore(backup)
    poison.references = {result_of("anna")}
    site.clock.advance(25 * HOUR)
    site.laboratory.amend(result_of("berta"), "3+")
    with pytest.raises(TemporaryServerError):
        site.run()
    assert site.categories()["berta"] == "low"


def test_a_sweep_that_so_many_changes_are_worth_is_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapter.sync.scope.SWEEP_FROM_PATIENTS", 2)
    monkeypatch.setattr("adapter.sync.scope.SWEEP_FROM_SHARE", 0.0)
    site, poison = settled()
    poison.references = {result_of("anna")}
    for one in NAMES[1:]:
        site.laboratory.amend(result_of(one), "3+")
    report = site.run()
    assert (report.kind, report.signals["sweep-fails"]) == (PassKind.INCREMENTAL, 1)
    assert (site.categories()["anna"], site.categories()["heidi"]) == ("low", "positive")
    poison.references = set()
    site.clock.advance(HOUR)
    assert site.run().kind is PassKind.SWEEP


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


def changed_now(*poisoned: str, **options: Any) -> tuple[Site, Poison]:
    """A site where everybody's result was amended since the last pass, each at a time of its own, and some poisoned."""
    site, poison = settled(**options)
    for one in NAMES:
        site.clock.advance(7)
        site.laboratory.amend(result_of(one), "3+")
    poison.references = set(map(result_of, poisoned))
    return site, poison


@pytest.mark.parametrize("poisoned", NAMES)
def test_what_changed_is_read_but_for_the_moment_that_the_server_cannot_give(poisoned: str) -> None:
    site, poison = changed_now(poisoned)
    report = site.run()
    assert (report.outcome, report.kind) == (PassOutcome.DONE, PassKind.INCREMENTAL)
    left = {poisoned: "low", "zoe": "negative"}
    assert site.categories() == {**dict.fromkeys(NAMES, "positive"), **left}
    assert report.signals["changes-unread"] == 1
    (said,) = [one for one in report.warnings if "the server fails (500) at Observation" in one]
    assert (site.server.get(result_of(poisoned)) or {})["meta"]["lastUpdated"][:19] in said
    assert site.store.setting("last-sweep") is None
    poison.references = set()
    site.clock.advance(HOUR)
    report = site.run()
    assert (report.kind, report.signals.get("changes-unread", 0)) == (PassKind.SWEEP, 0)
    assert site.categories()[poisoned] == "positive"
    site.assert_sound()


def test_where_it_is_was_found_out_once() -> None:
    site, poison = changed_now("dora")
    site.run()
    first = len(poison.asked)
    site.run()  # the sweep that is due fails, and is tried again in an hour
    site.laboratory.amend(result_of("eva"), "2+")
    poison.asked.clear()
    report = site.run()
    assert (site.categories()["eva"], report.signals["changes-unread"]) == ("equivocal", 1)
    assert len(poison.asked) < first / 4


def test_one_that_changed_by_a_clock_ahead_of_ours_is_left_out_too() -> None:
    site, poison = settled()
    changed = site.server.get(result_of("anna")) or {}
    site.server.put(changed, last_updated=site.clock.now() + timedelta(minutes=3))
    site.laboratory.amend(result_of("berta"), "3+")
    poison.references = {result_of("anna")}
    report = site.run()
    assert (report.signals["changes-unread"], site.categories()["berta"]) == (1, "positive")


def test_a_poisoned_specimen_or_result_of_ours_hides_no_change() -> None:
    site, poison = settled()
    (of_anna,) = [one for one in site.derived() if "anna" in one["subject"]["reference"]]
    for reference in ("Specimen/s-carla-a", f"Observation/{of_anna['id']}"):
        site.clock.advance(5)
        site.server.put(site.server.get(reference) or {})
        poison.references.add(reference)
    site.clock.advance(5)
    site.laboratory.amend(result_of("berta"), "3+")
    report = site.run()
    assert (report.signals["changes-unread"], site.categories()["berta"]) == (2, "positive")


def test_a_server_that_fails_at_many_changes_fails_the_pass() -> None:
    site, poison = changed_now(*NAMES[: MOST_UNREAD + 1])
    with pytest.raises(TemporaryServerError):
        site.run()
    assert site.categories()["heidi"] == "low"
    poison.references = set()
    site.settle()
    assert site.categories()["anna"] == "positive"


def test_a_server_that_fails_at_every_search_is_not_asked_for_less_and_less() -> None:
    site, _ = changed_now()
    failure, asked = TemporaryServerError("down", status=500), []

    def search(_: str, params: Any) -> Any:
        asked.append(params)
        raise failure

    site.server.search = search  # type: ignore[method-assign]
    with pytest.raises(ServerError) as failed:
        site.run()
    assert failed.value is failure
    assert len(asked) < 2 * MAX_IN_THE_DARK


def test_a_sweep_is_due_although_the_process_is_killed_after_a_change_was_left_out() -> None:
    site, _ = changed_now("dora")
    site.store.set_setting("last-sweep", site.clock.now().isoformat())
    steps = CrashPoints()
    site.run_with(steps)
    for step in range(1, steps.steps + 1):
        site, _ = changed_now("dora")
        before = site.store.watermark("Observation")
        site.die_at(step)
        if site.store.watermark("Observation") != before:
            assert site.store.setting("last-sweep") is None, step
