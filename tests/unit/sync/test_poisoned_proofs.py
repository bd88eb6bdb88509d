"""A process that begins while the server cannot give one resource tries its searches on others (rows C7 and P9)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapter.errors import TemporaryServerError
from adapter.ports import SearchPage, SearchParams, WorklistKind
from adapter.sync.cycle import PassOutcome
from adapter.sync.reading.gather import MOST_FAILING
from adapter.sync.reading.trial import MOST_CUTS, Trial
from tests.fakes.poison import Poison
from tests.fakes.site import Site
from tests.unit.sync.test_gathering import markers, report_of
from tests.unit.sync.test_poisoned_searches import HOUR, NAMES, result_of, settled, wake


def settled_days_ago() -> tuple[Site, Poison]:
    """A site that wrote one of its results a day after the others."""
    site, poison = settled()
    site.clock.advance(24 * HOUR)
    site.laboratory.ihc("yara", "0")
    site.settle()
    site.clock.advance(24 * HOUR)
    return site, poison


def ours_of(site: Site, name: str) -> str:
    """What we derived for a patient."""
    (found,) = [one for one in site.derived() if one["subject"]["reference"] == f"Patient/{name}"]
    return f"Observation/{found['id']}"


def begun_anew(site: Site) -> None:
    """A new process, and a result of everybody corrected to 3+ since the last one."""
    site.restart()
    for one in NAMES:
        site.clock.advance(12 * HOUR)
        site.laboratory.amend(result_of(one), "3+")


def all_but(*left: str) -> dict[str, str]:
    others = dict.fromkeys(("yara", "zoe"), "negative")
    return {**dict.fromkeys(NAMES, "positive"), **dict.fromkeys(left, "low"), **others}


def test_searches_are_proved_on_results_that_are_given() -> None:
    site, poison = settled_days_ago()
    begun_anew(site)
    site.laboratory.amend(result_of("anna"), "1+")
    site.clock.advance(HOUR)
    poison.references = {result_of("anna")}
    report = site.run(patients=NAMES)
    assert site.categories() == all_but("anna")
    assert report.unfinished == {"Patient/anna"}
    searches = site.cycle.searches
    assert (searches.proved, searches.incremental, searches.patient_param) == (
        True,
        True,
        "patient",
    )
    assert searches.forms.name_params == ("combo-code:text",)
    assert searches.patients_at_once is None
    asked = len(poison.asked)
    site.run()
    assert not [one for one in poison.asked[asked:] if ("_count", "20") in one]


@pytest.mark.parametrize("unsupported", [(), ("derived-from",)])
def test_one_of_ours_that_is_not_given_stops_nobody_else(unsupported: tuple[str, ...]) -> None:
    site, poison = settled_days_ago()
    site.server.unsupported = frozenset(unsupported)
    begun_anew(site)
    poison.references = {ours_of(site, "anna")}
    report = site.run()
    assert report.outcome is PassOutcome.DONE
    assert site.categories() == all_but("anna")
    assert "Patient/anna" in report.unfinished
    assert site.cycle.searches.own_proved
    assert site.cycle.searches.own_incremental
    assert site.cycle.searches.own_by_source is not bool(unsupported)
    assert site.cycle.searches.owners.is_whole is bool(unsupported)
    poison.references = set()
    site.settle()
    assert site.categories() == all_but()
    site.assert_sound()


def test_whose_a_moved_result_was_is_known_although_one_of_ours_is_not_given() -> None:
    site, poison = settled_days_ago()
    site.server.unsupported = frozenset({"derived-from"})
    site.laboratory.amend(result_of("berta"), "3+")
    site.settle()
    site.restart()
    moved = site.server.read(result_of("berta")) or {}
    site.server.put({**moved, "subject": {"reference": "Patient/carla"}})
    poison.references = {ours_of(site, "anna")}
    site.run()
    assert "berta" not in site.categories()


@pytest.mark.parametrize("poisoned", [True, False])
def test_empty_pages_before_them_hide_none_of_ours(poisoned: bool) -> None:
    site, poison = settled_days_ago()
    begun_anew(site)
    search = site.server.search

    def hesitant(resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        yield SearchPage((), (), (), site.clock.now(), None)
        yield from search(resource_type, params)

    site.server.search = hesitant  # type: ignore[method-assign]
    poison.references = {ours_of(site, "anna")} if poisoned else set()
    site.run(patients=NAMES)
    assert site.cycle.searches.own_proved
    assert site.cycle.searches.own_by_source_proved
    assert site.categories() == all_but(*(["anna"] if poisoned else []))


def test_a_server_that_gives_nothing_of_ours_fails_the_pass() -> None:
    site, poison = settled_days_ago()
    begun_anew(site)
    poison.references = {f"Observation/{one['id']}" for one in site.derived()}
    with pytest.raises(TemporaryServerError):
        site.run()
    assert site.categories() == all_but(*NAMES)
    assert len(poison.asked) <= MOST_CUTS + 2
    poison.references = set()
    site.settle()
    assert site.categories() == all_but()


def test_a_server_that_gives_no_results_fails_the_pass() -> None:
    site, poison = settled_days_ago()
    begun_anew(site)
    poison.references = {result_of(one) for one in (*NAMES, "yara", "zoe")}
    with pytest.raises(TemporaryServerError):
        site.run()
    assert not site.cycle.searches.proved
    assert len(poison.asked) <= MOST_CUTS + 2


@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_server_that_closes_while_they_are_proved_fails_the_pass(status: int) -> None:
    site, poison = settled_days_ago()
    site.restart()
    poison.references = {result_of("anna")}
    closed = TemporaryServerError("closed", status=status)
    site.server.break_off = lambda _params, _page, _found: closed if poison.asked else None
    with pytest.raises(TemporaryServerError) as failed:
        site.run()
    assert failed.value is closed


def test_the_number_of_laboratory_results_is_told_without_the_first() -> None:
    site, poison = settled_days_ago()
    site.server.unsupported = frozenset({"code:text", "combo-code:text"})
    other = site.laboratory.result("anna", "85337-4", "Positive")
    laboratory = [{"coding": [{"code": "laboratory"}]}]
    site.server.put({**other, "id": "a", "code": {"text": "ER"}, "category": laboratory})
    begun_anew(site)
    poison.references = {"Observation/a"}
    site.run()
    assert site.cycle.searches.forms.laboratory
    assert site.categories()["berta"] == "positive"


def with_reports_of_panels(site: Site, *names: str) -> None:
    """Put the results of some into a panel of other tests, which a report lists."""
    for one in names:
        panel = site.server.put(markers(one, result_of(one)))
        site.server.put({**report_of(one, panel), "id": f"report-{one}"})


@pytest.mark.parametrize("asked", [{}, {"full_sweep": True}, {"patients": NAMES}])
def test_the_report_of_a_panel_holds_back_whom_it_is_about(asked: dict[str, object]) -> None:
    site, poison = settled_days_ago()
    with_reports_of_panels(site, *NAMES)
    site.settle()
    site.clock.advance(HOUR)
    for one in NAMES:
        site.laboratory.amend(result_of(one), "3+")
    poison.references = {"DiagnosticReport/report-carla"}
    report = site.run(**asked)
    assert site.categories() == all_but("carla")
    assert report.unfinished == {"Patient/carla"}
    assert any("Observation/markers-carla (not-shown-500)" in one for one in report.warnings)
    entries = [one.entry for one in site.store.worklist()]
    assert [(one.kind, one.subject) for one in entries] == [
        (WorklistKind.NOT_READ, "Patient/carla")
    ]
    asked_for = [dict(one)["_id"] for one in poison.asked if "_id" in dict(one)]
    assert asked_for[-1] == "markers-carla"
    assert len(asked_for) <= 4
    poison.references = set()
    site.settle()
    assert (site.categories(), site.store.worklist()) == (all_but(), ())


def test_a_server_that_fails_at_the_reports_of_very_many_panels_fails_the_pass() -> None:
    names = [f"p{number:03}" for number in range(MOST_FAILING + 1)]
    site, poison = settled(*names)
    with_reports_of_panels(site, *names)
    site.settle()
    site.clock.advance(HOUR)
    poison.references = {f"DiagnosticReport/report-{one}" for one in names}
    wake(site, *names)
    with pytest.raises(TemporaryServerError):
        site.run()
    poison.references.discard("DiagnosticReport/report-p000")
    assert len(site.run().unfinished) == MOST_FAILING
    poison.references.clear()
    site.settle()
    assert not site.cycle.searches.failing


def test_what_was_changed_at_another_time_is_not_taken_for_all_there_is() -> None:
    site, poison = settled_days_ago()
    poison.references = {result_of("anna")}
    codes = ",".join(site.cycle.searches.wanted.tokens)
    shown = Trial(site.server, clock=site.clock).some([("code", codes)])
    assert next(shown)
    with pytest.raises(TemporaryServerError):
        list(shown)


def test_a_process_to_which_only_ours_are_shown_has_proved_nothing() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.clock.advance(24 * HOUR)
    site.settle()
    site.clock.advance(24 * HOUR)
    site.restart()
    Poison(site.server, {result_of("anna")})
    with pytest.raises(TemporaryServerError):
        site.run()
    assert not site.cycle.searches.proved


@pytest.mark.parametrize("habit", ["ignored", "unsupported"])
def test_a_server_that_does_not_search_by_time_fails_the_pass(habit: str) -> None:
    site, poison = settled_days_ago()
    setattr(site.server, habit, frozenset({"_lastUpdated"}))
    site.restart()
    poison.references = {result_of("anna")}
    with pytest.raises(TemporaryServerError):
        site.run()
    assert not site.cycle.searches.proved
    assert len(poison.asked) <= 5
