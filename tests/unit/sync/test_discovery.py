"""No change is lost between two passes, and an unchanged result wakes nobody twice.

Protects the cursor: overlap, ties, late commits, clocks, wake-ups, and servers that search less than they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from adapter.errors import TemporaryServerError
from adapter.fhir.references import reference_to
from adapter.ports import Capability, JsonObject, SearchPage, SearchParams
from adapter.sync.cycle import PassKind, SyncOptions
from adapter.sync.options import ReadLimits
from adapter.sync.reading.discover import Crawl
from adapter.sync.reading.search_params import at_or_after, within_budget
from tests.fakes.clock import START, FakeClock
from tests.fakes.laboratory import LOINC
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site


def settled_site(**limits: float) -> Site:
    """A site with one patient whose first passes are long over."""
    site = Site(options=SyncOptions(read=ReadLimits(**limits)))  # type: ignore[arg-type]
    site.laboratory.ihc("anna", "1+")
    site.settle()
    return site


def test_a_result_that_becomes_visible_late_is_found_within_the_overlap() -> None:
    site = settled_site()
    site.laboratory.ihc("berta", "3+")
    site.settle()
    late = site.laboratory.result("clara", "85319-2", "2+")
    site.server.put(late, last_updated=site.clock.now() - timedelta(seconds=300))
    assert site.run().actions == {"create": 1}


def test_a_result_that_becomes_visible_later_still_is_found_by_the_next_sweep() -> None:
    site = settled_site(sweep_hours=1)
    late = site.laboratory.result("clara", "85319-2", "2+")
    site.server.put(late, last_updated=site.clock.now() - timedelta(days=30))
    assert site.run().actions == {}
    site.clock.advance(hours=1)
    report = site.run()
    assert (report.kind, report.actions["create"]) == (PassKind.SWEEP, 1)


def test_results_of_the_very_same_instant_are_all_found() -> None:
    site = settled_site()
    instant = site.clock.now()
    for number in range(120):
        one = site.laboratory.result(f"p{number}", "85319-2", "1+")
        site.server.put(one, last_updated=instant)
    assert site.run().actions == {"create": 120}


def test_a_result_from_the_future_does_not_hide_what_comes_after_it() -> None:
    site = settled_site()
    ahead = site.laboratory.result("berta", "85319-2", "1+")
    site.server.put(ahead, last_updated=site.clock.now() + timedelta(days=365))
    site.settle()
    site.laboratory.ihc("clara", "1+")
    assert site.run().actions["create"] == 1
    assert site.store.watermarks["Observation"] <= site.clock.now()


def test_an_unchanged_overlap_wakes_nobody() -> None:
    site = settled_site()
    assert [site.run().patients for _ in range(3)] == [0, 0, 0]


def test_after_a_restart_the_overlap_is_looked_at_again() -> None:
    site = settled_site()
    site.restart()
    assert site.run().patients == 1


def test_after_a_failed_pass_the_overlap_is_looked_at_again() -> None:
    site = settled_site()
    site.server.crash.at = site.server.crash.steps + 2
    with pytest.raises(BaseException, match="at step"):
        site.run()
    site.server.crash.at = None
    assert site.run().patients == 1


def test_a_new_report_that_lists_a_result_wakes_its_patient() -> None:
    site = Site()
    for code, text in (("85319-2", "2+"), ("85318-4", "Amplified")):
        one = site.laboratory.result("anna", code, text)
        del one["specimen"], one["effectiveDateTime"]
        site.server.put(one)
    site.settle()
    assert len(site.derived()) == 2
    results = [{"reference": f"Observation/{name}-anna-a"} for name in ("ihc", "fish")]
    site.server.put(
        {
            "resourceType": "DiagnosticReport",
            "id": "report",
            "status": "final",
            "subject": {"reference": "Patient/anna"},
            "result": results,
        }
    )
    assert site.run().patients == 1
    assert site.categories() == {"anna": "positive"}


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_a_report_that_is_withdrawn_takes_its_results_category_along(status: str) -> None:
    """Not that of a result which another report lists, too; and it comes back with the report."""
    site = settled_site()
    report = {
        "resourceType": "DiagnosticReport",
        "id": "report",
        "status": "final",
        "subject": {"reference": "Patient/anna"},
        "result": [{"reference": "Observation/ihc-anna-a"}],
    }
    site.server.put(report)
    site.settle()
    before = site.categories()
    assert before == {"anna": "low"}
    site.server.change("DiagnosticReport/report", status=status)
    assert site.run().actions["retract"] == 1
    assert site.categories() == {}
    site.server.put({**report, "id": "another"})
    site.run()
    assert site.categories() == before


def test_a_changed_specimen_wakes_its_patient() -> None:
    site = settled_site()
    site.server.change("Specimen/s-anna-a", collection={"collectedDateTime": "2026-01-05"})
    site.run()
    assert site.only()["effectiveDateTime"] == "2026-01-05"


class WrongClocks(FakeFhirServer):
    """A server behind a proxy that dates its answers by a clock of its own, or not at all."""

    date: timedelta | None = None

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        for page in super().search(resource_type, params):
            dated = None if self.date is None else self.clock.now() + self.date
            yield replace(page, server_time=dated)


class Ahead(FakeClock):
    """Our clock, ahead of the server's."""

    def __init__(self, server: FakeClock, by: timedelta) -> None:
        super().__init__()
        self.server, self.by = server, by

    def now(self) -> datetime:
        return self.server.now() + self.by

    def advance(self, seconds: float = 0, *, hours: float = 0) -> None:
        self.server.advance(seconds, hours=hours)


def site_with_clocks(ours: float, date: float | None) -> Site:
    """A site whose clock, and the Date of whose server, are ahead of what the server stamps changes with, in hours."""
    server = WrongClocks(FakeClock())
    server.date = None if date is None else timedelta(hours=date)
    site = Site(server=server)
    site.clock = Ahead(server.clock, timedelta(hours=ours))
    site.restart()
    return site


CLOCKS = pytest.mark.parametrize(
    ("ours", "date"), [(0, None), (2, None), (0, 2), (2, 2), (23, None), (-2, None), (0, -2)]
)


@CLOCKS
def test_a_specimen_that_changes_after_a_sweep_wakes_its_patient_whatever_the_clocks_say(
    ours: float, date: float | None
) -> None:
    site = site_with_clocks(ours, date)
    site.laboratory.ihc("anna", "1+")
    site.settle()
    for _ in range(30):
        site.run()
    site.server.change("Specimen/s-anna-a", collection={"collectedDateTime": "2026-01-05"})
    assert site.run().kind is PassKind.INCREMENTAL
    assert site.only()["effectiveDateTime"] == "2026-01-05"


@CLOCKS
def test_the_first_result_of_an_empty_server_is_found_whatever_the_clocks_say(
    ours: float, date: float | None
) -> None:
    site = site_with_clocks(ours, date)
    site.settle()
    site.laboratory.ihc("anna", "1+")
    report = site.run()
    assert (report.kind, site.categories()) == (PassKind.INCREMENTAL, {"anna": "low"})


def test_where_nothing_changes_the_watermarks_stay_and_nobody_is_woken() -> None:
    site = settled_site()
    site.clock.advance(hours=20)
    before = dict(site.store.watermarks)
    calls = len(site.server.calls)
    site.run()
    per_pass = len(site.server.calls) - calls
    reports = [site.run() for _ in range(30)]
    assert [one.patients for one in reports] == [0] * 30
    assert len(site.server.calls) - calls == 31 * per_pass
    assert site.store.watermarks == before


def test_a_sweep_of_a_quiet_server_lets_nothing_be_read_again_that_is_older_than_a_day() -> None:
    site = settled_site()
    site.clock.advance(hours=24 * 21)
    site.run(full_sweep=True)
    assert site.store.watermarks["Specimen"] == site.clock.now() - timedelta(days=1)
    assert site.store.watermarks["Observation"] < site.clock.now() - timedelta(days=20)


@pytest.mark.parametrize("ahead", [0, 1, 15, 30, 120])
def test_what_changes_while_a_crawl_goes_on_is_looked_at_again_though_its_clock_is_ahead(
    ahead: float,
) -> None:
    crawl, start = Crawl(), START + timedelta(minutes=ahead)
    for minute in range(0, 61, 10):
        changed = START + timedelta(minutes=minute - 1)
        shown = {
            "resourceType": "Observation",
            "id": f"o{minute}",
            "meta": {"lastUpdated": changed.isoformat()},
        }
        crawl.note(SearchPage((shown,)), start + timedelta(minutes=minute))
    assert crawl.watermark(None) == crawl.watermark_of_others() == START - timedelta(minutes=1)
    assert crawl.watermark(START) == START


def test_a_changed_patient_wakes_only_where_her2_results_are_known() -> None:
    site = settled_site()
    site.laboratory.patient("zoe")
    site.server.change("Patient/anna", active=False)
    assert site.run().patients == 1


def test_a_server_without_last_updated_is_swept_every_time_and_this_is_said() -> None:
    site = Site()
    site.server.unsupported = frozenset({"_lastUpdated"})
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    site.laboratory.amend(source, "3+")
    report = site.run()
    assert (report.kind, site.categories()) == (PassKind.SWEEP, {"anna": "positive"})
    assert any("_lastUpdated" in words for words in report.warnings)


def without_meta(resource: JsonObject) -> JsonObject:
    """What a server shows that says neither a version nor a time of change."""
    tags = resource["meta"].get("tag")
    return {**resource, "meta": {"tag": tags} if tags else {}}


def is_by_time(params: SearchParams) -> bool:
    return any(name == "_lastUpdated" for name, _ in params)


def test_a_server_without_times_or_versions_is_read_whole_and_every_edit_is_found() -> None:
    site = Site()
    site.server.show, site.server.refuse_search = without_meta, is_by_time
    site.target = FakeFhirServer(site.clock, base_url="https://results.test/fhir")
    site.restart()
    sources = [site.laboratory.ihc(f"p{number}", "1+") for number in range(30)]
    report = site.settle()
    assert any("when a result was changed" in words for words in report.warnings)
    for source in sources:
        site.laboratory.amend(source, "3+")
        report = site.run()
        assert (report.kind, report.actions["update"]) == (PassKind.SWEEP, 1)
    assert [site.run().writes for _ in range(3)] == [0, 0, 0]
    assert set(site.categories().values()) == {"positive"}


def test_a_server_without_results_that_refuses_to_search_by_time_is_read_whole() -> None:
    site = Site()
    site.server.refuse_search = is_by_time
    assert [site.run().kind for _ in range(3)] == [PassKind.SWEEP] * 3
    site.laboratory.ihc("anna", "1+")
    assert site.run().actions == {"create": 1}


def test_a_server_that_learns_to_search_by_time_is_read_by_changes_again() -> None:
    site = Site()
    site.server.refuse_search = is_by_time
    site.run()
    site.server.refuse_search = lambda _: False
    site.laboratory.ihc("anna", "1+")
    site.settle()
    assert site.run().kind is PassKind.INCREMENTAL


def test_a_server_that_does_not_know_patient_is_asked_by_subject() -> None:
    site = Site()
    site.server.unsupported = frozenset({"patient"})
    site.laboratory.ihc("anna", "1+")
    site.settle()
    site.laboratory.fish("anna", "Amplified")
    assert site.run().kind is PassKind.INCREMENTAL
    assert site.categories() == {"anna": "positive"}


def test_a_server_that_searches_neither_patient_nor_subject_is_swept_every_time() -> None:
    site = Site()
    site.server.unsupported = frozenset({"patient", "subject"})
    site.laboratory.ihc("anna", "1+")
    report = site.settle()
    assert report.kind is PassKind.SWEEP
    assert any("by patient" in words for words in report.warnings)


def test_our_own_results_are_found_by_tag_where_identifiers_are_not_searched_by_system() -> None:
    site = settled_site()
    site.server.unsupported = frozenset({"identifier"})
    site.restart()
    reports = [site.run(full_sweep=True) for _ in range(2)]
    assert [report.writes for report in reports] == [0, 0]
    assert any("by tag" in words for words in reports[0].warnings)


@pytest.mark.parametrize("full_sweep", [False, True], ids=["what-changed", "sweep"])
def test_how_ours_are_found_is_proved_on_the_first_that_this_process_wrote(
    full_sweep: bool,
) -> None:
    site = Site()
    site.server.unsupported = frozenset({"identifier"})
    ihc = site.laboratory.ihc("anna", "3+")
    site.laboratory.ihc("berta", "3+")
    site.settle()
    site.laboratory.take_back(ihc)
    report = site.run(full_sweep=full_sweep)
    assert any("by tag" in words for words in report.warnings)
    assert site.categories() == {"berta": "positive"}


def test_a_panel_found_by_its_components_alone_is_read() -> None:
    site = Site()
    code = {"coding": [{"system": LOINC, "code": "49683-6"}]}
    site.server.put(
        {
            **site.laboratory.result("anna", "1234-5", ""),
            "valueCodeableConcept": {"text": ""},
            "component": [{"code": code, "valueQuantity": {"value": 2}}],
        }
    )
    assert site.run().fetched == 1


def test_a_component_search_that_fails_its_proof_is_not_used() -> None:
    site = Site()
    code = {"coding": [{"system": LOINC, "code": "49683-6"}]}
    component = {"code": code, "valueQuantity": {"value": 2}}
    site.laboratory.fish("anna", "Amplified", component=[component])
    params = dict(site.server.capability().search_params)
    site.server.unsupported = frozenset({"component-code", "combo-code"})
    site.server.capability = lambda: _saying(params)  # type: ignore[method-assign]
    report = site.run()
    assert site.cycle.searches.forms.code_params == ("code",)
    for said in ("component-code", "combo-code", "inside another test"):
        assert any(said in words for words in report.warnings)


def _saying(params: dict[str, frozenset[str]]) -> Capability:
    return Capability("4.0.1", "boasts", search_params=params)


def test_a_patient_that_the_server_refuses_is_named_and_the_others_go_on() -> None:
    site = settled_site()
    site.server.refuse_search = lambda params: "bad-one" in dict(params).get("patient", "")
    site.laboratory.ihc("bad-one", "1+")
    site.laboratory.ihc("berta", "3+")
    report = site.run()
    assert site.categories() == {"anna": "low", "berta": "positive"}
    assert any("Patient/bad-one" in words for words in report.warnings)
    assert "Patient/bad-one" in site.store.queue


def test_more_changed_patients_than_gathering_is_worth_are_swept() -> None:
    site = settled_site()
    for number in range(1000):
        site.store.enqueue([f"Patient/q{number}"], reason="test")
    assert site.run().kind is PassKind.SWEEP
    assert site.store.queue_length() == 0


def test_the_window_includes_its_first_instant_in_utc() -> None:
    assert at_or_after(START) == "ge2026-03-01T08:00:00.000Z"


def test_values_are_joined_into_parameters_that_fit_a_url() -> None:
    ids = [f"Patient/{number:036}" for number in range(250)]
    parts = list(within_budget(ids, 100))
    assert ",".join(parts).split(",") == ids
    assert max(len(part.split(",")) for part in parts) <= 100
    assert max(len(part) for part in parts) <= 3000


def test_what_a_server_returns_beyond_the_patient_asked_for_is_not_decided_on() -> None:
    site = settled_site()
    site.server.ignored = frozenset({"patient"})
    site.laboratory.ihc("berta", "3+")
    report = site.run(patients=["anna"])
    assert (report.patients, report.fetched) == (1, 2)
    assert site.categories() == {"anna": "low"}


def test_patients_found_before_a_failure_are_not_lost_when_the_watermark_has_moved() -> None:
    site = settled_site()

    def gathering_fails(params: SearchParams) -> bool:
        if "patient" in dict(params):
            raise TemporaryServerError("503", status=503)
        return False

    for name in ("berta", "clara"):
        site.laboratory.ihc(name, "3+")
        site.server.refuse_search = gathering_fails
        with pytest.raises(TemporaryServerError):
            site.run()
        site.clock.advance(hours=1)
    site.server.refuse_search = lambda _: False
    site.laboratory.ihc("dora", "1+")
    site.restart()
    site.settle()
    assert set(site.categories()) == {"anna", "berta", "clara", "dora"}
    site.assert_sound()


def test_a_result_that_changed_under_its_version_wakes_its_patient() -> None:
    site = settled_site()
    ihc = site.laboratory.ihc("berta", "1+")
    site.settle()
    present = site.server.versions[ihc][-1]
    assert present is not None
    site.server.versions[ihc][-1] = {**present, "valueCodeableConcept": {"text": "3+"}}
    report = site.run()
    assert (report.kind, report.actions) == (PassKind.INCREMENTAL, {"update": 1})
    assert site.categories()["berta"] == "positive"


def test_a_result_without_a_version_wakes_its_patient_once() -> None:
    site = settled_site()
    site.server.show = _without_version
    site.laboratory.ihc("berta", "1+")
    site.settle()
    assert site.run().patients == 0


def _without_version(resource: JsonObject) -> JsonObject:
    is_source = "derivedFrom" not in resource and resource["resourceType"] == "Observation"
    meta = {key: value for key, value in resource["meta"].items() if key != "versionId"}
    return {**resource, "meta": meta} if is_source else resource


class Lagging(FakeFhirServer):
    """Shows results to a search by patient as they were: `behind` is reference → the old state, None for not at all."""

    behind: dict[str, JsonObject | None]

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        by_patient = any(name in ("patient", "subject") for name, _ in params)
        for page in super().search(resource_type, params):
            if by_patient:
                around = self._shown(page.included)
                page = replace(page, matches=self._shown(page.matches), included=around)
            yield page

    def _shown(self, resources: Iterable[JsonObject]) -> tuple[JsonObject, ...]:
        shown = (self.behind.get(reference_to(one), one) for one in resources)
        return tuple(one for one in shown if one is not None)


@pytest.mark.parametrize("behind", ["as it was", "not at all"])
def test_a_change_that_the_search_by_patient_does_not_show_yet_is_looked_at_again(
    behind: str,
) -> None:
    server = Lagging(FakeClock())
    server.behind = {}
    site = Site(server=server)
    result = site.laboratory.ihc("anna", "2+")
    site.settle()
    site.clock.advance(hours=1)
    site.run()
    if behind == "as it was":
        server.behind = {result: server.get(result)}
        site.laboratory.amend(result, "3+")
    else:
        server.behind = {site.laboratory.fish("anna", "Positive"): None}
    report = site.run()
    assert report.signals["read-behind"] == 1
    server.behind = {}
    site.run()
    assert site.categories() == {"anna": "positive"}


def specimen_of_another_tumour(site: Site, _: str) -> str:
    site.server.change("Specimen/s-anna-a", collection={"bodySite": {"text": "stomach"}})
    return "Specimen/s-anna-a"


def report_that_says_otherwise(site: Site, result: str) -> str:
    return site.server.put(
        {
            "resourceType": "DiagnosticReport",
            "id": "of-anna",
            "status": "final",
            "subject": {"reference": "Patient/anna"},
            "result": [{"reference": result}],
            "conclusionCode": [{"text": "HER2 negative"}],
        }
    )


def withdrawal_of_ours_by_another(site: Site, _: str) -> str:
    name = reference_to(site.only())
    site.server.change(name, status="entered-in-error")
    return name


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (specimen_of_another_tumour, {}),
        (report_that_says_otherwise, {"anna": "needs-review"}),
        (withdrawal_of_ours_by_another, {"anna": "positive"}),
    ],
)
def test_so_it_is_with_a_change_of_what_comes_along_and_of_ours(
    change: Callable[[Site, str], str], expected: dict[str, str]
) -> None:
    server = Lagging(FakeClock())
    server.behind = {}
    site = Site(server=server)
    result = site.laboratory.ihc("anna", "3+")
    site.settle()
    site.clock.advance(hours=1)
    site.run()
    before = {name: server.get(name) for name in server.versions}
    changed = change(site, result)
    server.behind = {changed: before.get(changed)}
    report = site.run()
    assert (report.patients, report.writes, report.signals["read-behind"]) == (1, 0, 1)
    server.behind = {}
    site.run()
    assert site.categories() == expected


def test_a_search_by_patient_that_is_up_to_date_looks_at_nothing_twice() -> None:
    site = settled_site()
    site.laboratory.ihc("berta", "3+")
    report_that_says_otherwise(site, "Observation/ihc-anna-a")
    site.server.change("Specimen/s-berta-a", note=[{"text": "received"}])
    reports = [site.run() for _ in range(4)]
    assert not any("read-behind" in one.signals for one in reports)
    assert [one.patients for one in reports[2:]] == [0, 0]
