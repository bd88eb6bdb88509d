"""Where nobody can ask what changed: everybody on a list is looked at in turn, or whoever is asked for.

Protects that a change is noticed without versions and times, that nothing unchanged is written, and that
absence from a list takes nothing away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapter.errors import (
    ListUnusable,
    NotAuthorised,
    PermanentServerError,
    TemporaryServerError,
)
from adapter.ports import JsonObject, ListedPatients, SearchPage, SearchParams
from adapter.sync.cycle import PassKind, PassOutcome, SyncOptions
from adapter.sync.options import BrakeLimits, DiscoverBy, ReadLimits
from adapter.sync.passed_on import PassedOn
from adapter.sync.pulse import Pulse
from tests.fakes.crash import CrashPoints
from tests.fakes.site import Site
from tests.fakes.store import MemoryStore

WALK_HOURS = 6.0
WHOSE = ("patient", "subject")
NAMES_SOMEBODY = frozenset({"patient", "subject", "_id", "identifier", "target", "_tag"})


def refuses(params: SearchParams) -> bool:
    """Refuse as Epic does: what asks for changes, and what names no patient."""
    names = {name for name, _ in params}
    return "_lastUpdated" in names or not names & NAMES_SOMEBODY


class FakeList:
    """A list kept by somebody else; empty is none."""

    def __init__(self, *names: str) -> None:
        self.names: set[str] = set(names)

    def read(self) -> ListedPatients:
        if not self.names:
            raise ListUnusable("the list names nobody")
        return ListedPatients(tuple(sorted(f"Patient/{name}" for name in self.names)))


def walked(*names: str, **limits: Any) -> tuple[Site, FakeList]:
    """A site whose source tells no changes, no versions and no times, with a list of patients."""
    read = ReadLimits(discovery=DiscoverBy.PATIENTS, sweep_hours=WALK_HOURS)
    site = Site(options=SyncOptions(read=read, brakes=BrakeLimits(**limits)))
    listed = FakeList(*names)
    site.listed = listed
    site.server.refuse_search = refuses
    site.restart()
    return site, listed


def again(site: Site, **asked: Any) -> Any:
    """Run the pass in which the next walk is due."""
    site.clock.advance(hours=WALK_HOURS)
    return site.run(**asked)


def overwritten(site: Site, reference: str, **elements: Any) -> None:
    """Change a result under the version and the time that it had."""
    present = site.server.versions[reference][-1]
    assert present is not None
    site.server.versions[reference][-1] = {**present, **elements}


def asked_for(site: Site) -> set[str]:
    """Name the patients that searches named since the calls were cleared."""
    named = {
        part.partition("=")[2]
        for call in site.server.calls
        for part in call.partition("?")[2].split("&")
        if part.startswith(("patient=", "subject="))
    }
    return {one.removeprefix("Patient/") for value in named for one in value.split(",")}


def test_everybody_on_the_list_is_decided_and_nobody_else() -> None:
    site, _ = walked("anna", "berta", "nobody")
    for patient, score in (("anna", "1+"), ("berta", "3+"), ("clara", "3+")):
        site.laboratory.ihc(patient, score)
    report = site.run()
    assert (report.kind, report.patients) == (PassKind.WALK, 3)
    assert site.categories() == {"anna": "low", "berta": "positive"}
    site.assert_sound()


def test_the_reports_of_panels_are_asked_for_by_patient_too() -> None:
    site, _ = walked("anna")
    result = site.laboratory.result("anna", "85319-2", "3+")
    panel = {
        **{name: result[name] for name in ("resourceType", "status", "subject")},
        "id": "markers",
        "code": {"text": "Biomarkers"},
        "hasMember": [{"reference": site.server.put(result)}],
    }
    site.server.put(panel)
    site.run()
    around = [call for call in site.server.calls if "_id=markers" in call]
    assert around
    assert all("patient=" in call for call in around)


def test_a_server_that_is_searched_by_patient_is_warned_of_nothing() -> None:
    site, _ = walked("anna")
    site.laboratory.ihc("anna", "1+", category=_laboratory())
    assert not any("sweep" in one or "_lastUpdated" in one for one in site.run().warnings)
    assert site.cycle.searches.proved


def test_what_did_not_change_is_not_written_again() -> None:
    site, _ = walked("anna", "berta")
    site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "2+")
    site.settle()
    assert (again(site).kind, again(site).writes) == (PassKind.WALK, 0)
    site.restart()
    assert again(site).writes == 0
    site.store = MemoryStore()
    site.restart()
    report = site.run()
    assert (report.kind, report.writes) == (PassKind.WALK, 0)


def test_a_value_that_changed_under_its_version_and_time_is_noticed() -> None:
    site, _ = walked("anna")
    ihc = site.laboratory.ihc("anna", "1+")
    site.settle()
    overwritten(site, ihc, valueCodeableConcept={"text": "3+"})
    assert again(site).actions == {"update": 1}
    assert site.categories() == {"anna": "positive"}
    site.assert_sound()


def test_a_server_that_names_no_versions_and_no_times_is_followed_too() -> None:
    site, _ = walked("anna", "berta")
    ihc = site.laboratory.ihc("anna", "1+")
    fish = site.laboratory.ihc("berta", "3+")
    site.server.show = _without_meta
    site.settle()
    entities = [one for each in site.target.all("Provenance") for one in each["entity"]]
    assert all("_history" not in one["what"]["reference"] for one in entities)
    assert all(one["extension"][0]["valueString"] for one in entities)
    site.laboratory.amend(ihc, "2+")
    site.laboratory.take_back(fish)
    again(site)
    assert site.categories() == {"anna": "equivocal"}
    assert again(site).writes == 0


def test_a_deleted_result_is_withdrawn_on_the_second_look() -> None:
    site, _ = walked("anna", "berta")
    ihc = site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "1+")
    site.settle()
    site.server.delete(ihc)
    assert again(site).actions["wait"] == 1
    site.clock.advance(600)
    report = site.run()
    assert (report.kind, report.actions) == (PassKind.INCREMENTAL, {"retract": 1})
    assert site.categories() == {"berta": "low"}
    site.assert_sound()


def test_between_two_walks_only_the_queue_is_looked_at() -> None:
    site, _ = walked("anna", "berta")
    site.laboratory.ihc("anna", "1+")
    site.settle()
    site.server.calls.clear()
    report = site.run()
    assert (report.kind, report.patients) == (PassKind.INCREMENTAL, 0)
    assert [call.partition("/")[0] for call in site.server.calls] == ["read Patient"]
    site.store.enqueue(["Patient/berta"], reason="asked")
    site.run()
    assert asked_for(site) == {"berta"}


def test_who_is_new_on_the_list_is_looked_at_by_the_next_pass() -> None:
    site, listed = walked("anna")
    site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "3+")
    site.settle()
    listed.names.add("berta")
    site.server.calls.clear()
    report = site.run()
    assert (report.kind, report.patients) == (PassKind.INCREMENTAL, 1)
    assert asked_for(site) == {"berta"}
    assert site.categories() == {"anna": "low", "berta": "positive"}


def test_a_restart_walks_only_where_the_list_changed_meanwhile() -> None:
    site, listed = walked("anna")
    site.laboratory.ihc("anna", "1+")
    site.settle()
    site.restart()
    assert site.run().kind is PassKind.INCREMENTAL
    listed.names.add("berta")
    site.restart()
    assert [site.run().kind for _ in range(2)] == [PassKind.WALK, PassKind.INCREMENTAL]


def test_another_basis_asks_for_a_walk() -> None:
    site, _ = walked("anna")
    site.laboratory.ihc("anna", "0+")
    site.settle()
    site.context = replace(site.context, policy=replace(site.context.policy, zero_plus="zero"))
    site.restart()
    assert [site.run().kind for _ in range(2)] == [PassKind.WALK, PassKind.INCREMENTAL]
    assert site.categories() == {"anna": "negative"}


def test_another_way_of_discovery_reads_everything_once() -> None:
    site, _ = walked("anna")
    site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "3+")
    site.settle()
    site.server.refuse_search = lambda _: False
    site.options = replace(site.options, read=ReadLimits())
    site.restart()
    assert [site.run().kind for _ in range(2)] == [PassKind.SWEEP, PassKind.INCREMENTAL]
    assert site.categories() == {"anna": "low", "berta": "positive"}


def test_who_leaves_the_list_keeps_what_stands() -> None:
    site, listed = walked("anna", "berta")
    anna = site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "3+")
    site.settle()
    listed.names = {"berta"}
    site.laboratory.amend(anna, "3+")
    again(site)
    again(site)
    assert site.categories() == {"anna": "low", "berta": "positive"}
    listed.names = {"anna", "berta"}
    site.run()
    assert site.categories() == {"anna": "positive", "berta": "positive"}


def test_a_list_that_shrank_is_said_until_somebody_runs_a_pass_by_hand() -> None:
    names = [f"p{number}" for number in range(5)]
    site, listed = walked(*names)
    for name in names:
        site.laboratory.ihc(name, "1+")
    site.settle()
    listed.names = {"p0", "p1"}
    for report in (site.run(), again(site), site.run()):
        assert any("names 2 patients, and named 5" in one for one in report.warnings)
        assert report.writes == 0
    assert set(site.categories()) == set(names)
    assert any("named 5" in one for one in site.run(full_sweep=True).warnings)
    assert not any("named 5" in one for one in site.run().warnings)
    assert set(site.categories()) == set(names)


def test_half_as_long_is_not_too_short() -> None:
    site, listed = walked("anna", "berta")
    site.settle()
    listed.names = {"anna"}
    assert not any("named 2" in one for one in site.run().warnings)


def test_a_list_that_names_nobody_fails_the_pass_and_changes_nothing() -> None:
    site, listed = walked("anna")
    ihc = site.laboratory.ihc("anna", "1+")
    site.settle()
    listed.names = set()
    site.laboratory.amend(ihc, "3+")
    with pytest.raises(ListUnusable):
        again(site)
    assert site.categories() == {"anna": "low"}
    assert site.run(patients=["anna"]).actions == {"update": 1}
    listed.names = {"anna"}
    assert site.run().kind is PassKind.WALK


def test_the_brake_counts_what_stands_of_those_on_the_list() -> None:
    names = [f"p{number:02}" for number in range(80)]
    site, listed = walked(*names)
    for name in names:
        site.laboratory.ihc(name, "1+")
    site.settle()
    listed.names = set(names[:10])
    for name in names[:4]:
        site.server.delete(f"Observation/ihc-{name}-a")
    again(site)
    report = again(site)
    assert (report.outcome, report.brake.load.existing) == (PassOutcome.BRAKED, 10)
    assert len(site.categories()) == 80


def test_a_first_walk_that_would_create_too_much_writes_nothing_until_it_is_asked_for() -> None:
    site, _ = walked("anna", "berta", "clara", first_pass=2)
    for name in ("anna", "berta", "clara"):
        site.laboratory.ihc(name, "1+")
    assert [site.run().outcome for _ in range(2)] == [PassOutcome.BRAKED] * 2
    assert site.categories() == {}
    assert site.run(backfill=True).actions == {"create": 3}


def test_fewer_results_of_ours_than_half_of_what_stood_are_said() -> None:
    site, _ = walked("anna", "berta", "clara")
    for name in ("anna", "berta", "clara"):
        site.laboratory.ihc(name, "1+")
    site.settle()
    site.server.show = lambda one: {**one, "subject": {"reference": "Patient/x"}}
    assert any("0 of about 3 derived" in one for one in again(site).warnings)


def test_the_worklist_keeps_what_nobody_looked_at_and_forgets_what_was_read() -> None:
    site, listed = walked("anna", "berta")
    for name in ("anna", "berta"):
        site.laboratory.ihc(name, "entirely unclear")
    site.settle()
    listed.names = {"anna"}
    site.laboratory.amend("Observation/ihc-anna-a", "3+")
    again(site)
    assert [one.entry.subject for one in site.store.worklist()] == ["Patient/berta"]


def test_no_pass_over_the_list_asks_what_changed_or_for_results_of_nobody() -> None:
    site, _ = walked("anna", "berta")
    site.laboratory.ihc("anna", "1+")
    refused: list[SearchParams] = []

    def noted(params: SearchParams) -> bool:
        if refuses(params):
            refused.append(params)
        return refuses(params)

    site.server.refuse_search = noted
    site.settle()
    again(site)
    assert refused == []


class OnePatientOnly(PassedOn):
    """A server that lets one patient's results be searched; of some other patient's it answers 400."""

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        if any(name in WHOSE and "," in value for name, value in params):
            return iter((SearchPage(()),))
        return super().search(resource_type, params)


def test_a_server_that_takes_two_patients_for_one_unknown_is_asked_one_by_one() -> None:
    site, _ = walked("anna", "berta", "clara")
    for name in ("anna", "berta", "clara"):
        site.laboratory.ihc(name, "3+")
    site.cycle = type(site.cycle)(
        replace(site.parts, source=OnePatientOnly(site.server)), site.options
    )
    site.run()
    assert set(site.categories()) == {"anna", "berta", "clara"}
    assert site.cycle.searches.patients_at_once == 1


class Denying(PassedOn):
    """A server that denies the results of some patients."""

    def __init__(self, server: Any, denied: Iterable[str]) -> None:
        super().__init__(server)
        self.denied = set(denied)

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        named = (one for name, value in params if name in WHOSE for one in value.split(","))
        if self.denied & {one.removeprefix("Patient/") for one in named}:
            raise NotAuthorised("403: not this patient", status=403)
        return super().search(resource_type, params)


def denying(site: Site, *denied: str) -> None:
    site.cycle = type(site.cycle)(
        replace(site.parts, source=Denying(site.server, denied)), site.options
    )


def test_one_patient_who_is_denied_does_not_keep_the_others_waiting() -> None:
    site, _ = walked("anna", "berta")
    for name in ("anna", "berta"):
        site.laboratory.ihc(name, "3+")
    denying(site, "anna")
    report = site.run()
    assert site.categories() == {"berta": "positive"}
    assert any("Patient/anna: 403" in one for one in report.warnings)
    assert "Patient/anna" in site.store.queued()


def test_a_pass_that_is_denied_everybody_has_failed() -> None:
    site, _ = walked("anna", "berta")
    for name in ("anna", "berta"):
        site.laboratory.ihc(name, "3+")
    site.settle()
    denying(site, "anna", "berta")
    with pytest.raises(PermanentServerError):
        again(site)
    assert set(site.categories()) == {"anna", "berta"}


def test_in_observe_mode_the_list_is_walked_as_seldom_and_nothing_is_written() -> None:
    site, _ = walked("anna")
    site.laboratory.ihc("anna", "1+")
    site.options = replace(site.options, observe=True)
    site.restart()
    kinds = [site.run().kind, site.run().kind, again(site).kind]
    assert kinds == [PassKind.WALK, PassKind.INCREMENTAL, PassKind.WALK]
    assert site.categories() == {}


def test_by_requests_alone_nobody_else_is_looked_at() -> None:
    site, _ = walked()
    site.listed = None
    read = replace(site.options.read, discovery=DiscoverBy.REQUESTS)
    site.options = replace(site.options, read=read)
    site.restart()
    ihc = site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "1+")
    assert (again(site).patients, site.categories()) == (0, {})
    assert site.run(patients=["anna"]).kind is PassKind.PATIENTS
    site.store.enqueue(["Patient/berta"], reason="asked")
    site.settle()
    assert site.categories() == {"anna": "low", "berta": "low"}
    assert again(site).patients == 2, "once more, in case the index was late"
    site.laboratory.amend(ihc, "3+")
    again(site)
    assert site.categories()["anna"] == "low"
    site.run(patients=["anna"])
    assert site.categories()["anna"] == "positive"


def test_a_walk_killed_at_any_step_is_healed_by_the_next_pass() -> None:
    def mid_life() -> Site:
        site, listed = walked("anna", "berta")
        site.laboratory.ihc("anna", "1+")
        site.laboratory.ihc("berta", "3+")
        site.settle()
        site.laboratory.amend("Observation/ihc-anna-a", "2+")
        site.laboratory.take_back("Observation/ihc-berta-a")
        listed.names.add("clara")
        site.laboratory.ihc("clara", "0")
        site.clock.advance(hours=WALK_HOURS)
        return site

    clean, counting = mid_life(), CrashPoints()
    clean.run_with(counting)
    expected = clean.categories()
    assert expected == {"anna": "equivocal", "clara": "negative"}
    for step in range(1, counting.steps + 1):
        site = mid_life()
        site.die_at(step)
        site.settle()
        assert site.categories() == expected, f"killed at step {step}"
        site.assert_sound()


def _without_meta(resource: JsonObject) -> JsonObject:
    kept = {key: value for key, value in resource.get("meta", {}).items() if key == "tag"}
    return {**resource, "meta": kept}


def _laboratory() -> list[JsonObject]:
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return [{"coding": [{"system": system, "code": "laboratory"}]}]


def test_a_pass_between_two_walks_does_not_claim_to_have_seen_what_changed() -> None:
    site, _ = walked("anna")
    site.laboratory.ihc("anna", "1+")
    pulse = Pulse(site.clock.now())
    first = site.run()
    pulse.ended(first, is_whole=True)
    second = site.run()
    pulse.ended(second, is_whole=True)
    assert (first.kind, second.kind) == (PassKind.WALK, PassKind.INCREMENTAL)
    assert (pulse.beat.seen_since, pulse.beat.good_since) == (first.started_at, second.started_at)
    site.restart()
    assert site.run().seen_up_to == first.started_at


def test_laboratory_results_of_a_patient_are_looked_through_though_nobody_counts_them() -> None:
    site, _ = walked("anna")
    site.server.says_total = False
    site.laboratory.ihc("anna", "1+", category=_laboratory())
    odd = site.laboratory.result("anna", "85319-2", "3+", sample="b", category=_laboratory())
    site.server.put({**odd, "id": "odd", "code": {"text": "Breast cancer HER2 IHC"}})
    report = site.run()
    assert report.fetched == 2
    assert not any("laboratory" in one for one in report.warnings)


def test_a_pass_that_has_nobody_to_look_at_sees_whether_the_server_answers() -> None:
    site, _ = walked("anna", "berta")
    site.laboratory.ihc("anna", "1+")
    site.run()
    site.run()  # who was created is looked at once more
    site.server.calls.clear()
    site.clock.advance(61)
    site.run()
    assert [call for call in site.server.calls if call.startswith("read Patient/")]
    assert asked_for(site) == set()


@pytest.mark.parametrize(("status", "fails"), [(401, True), (403, False)])
def test_a_token_that_is_dead_fails_a_pass_between_walks_and_one_protected_record_does_not(
    monkeypatch: pytest.MonkeyPatch, status: int, fails: bool
) -> None:
    site, _ = walked("anna")
    site.laboratory.ihc("anna", "1+")
    site.run()
    site.run()

    def denied(reference: str) -> None:
        raise NotAuthorised(reference, status=status)

    monkeypatch.setattr(site.server, "read", denied)
    site.clock.advance(61)
    if fails:
        with pytest.raises(NotAuthorised):
            site.run()
    else:
        assert site.run().outcome is PassOutcome.DONE


def test_with_requests_alone_a_server_that_is_away_fails_the_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(options=SyncOptions(read=ReadLimits(discovery=DiscoverBy.REQUESTS)))
    site.server.refuse_search = refuses
    site.restart()
    assert site.run().outcome is PassOutcome.DONE

    def away() -> None:
        raise TemporaryServerError("no answer")

    monkeypatch.setattr(site.server, "capability", away)
    with pytest.raises(TemporaryServerError):
        site.run()
