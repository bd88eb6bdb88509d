"""Everything of ours can be taken back, and nothing else is touched.

Protects `withdraw`: selection, preview, Provenance, and that it can be repeated.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapter.errors import PermanentServerError
from adapter.ports import JsonObject
from adapter.sync.cycle import PassOutcome, PassReport, SyncOptions
from adapter.sync.withdraw import Selection, withdraw_ours
from tests.fakes.site import Site


def site_with_results() -> Site:
    site = Site()
    for patient, score in (("anna", "1+"), ("berta", "3+"), ("clara", "3+")):
        site.laboratory.ihc(patient, score)
    site.settle()
    return site


def take_back(site: Site, selection: Selection, *, preview: bool = False) -> PassReport:
    site.clock.advance(60)
    return withdraw_ours(site.parts, SyncOptions(), selection, preview=preview)


def test_all_of_ours_is_marked_entered_in_error_with_provenance() -> None:
    site = site_with_results()
    foreign = [one for one in site.server.all("Observation") if one["id"].startswith("ihc")]
    report = take_back(site, Selection())
    assert (report.outcome, report.actions, report.writes) == (PassOutcome.DONE, {"retract": 3}, 6)
    assert {one["status"] for one in site.derived()} == {"entered-in-error"}
    for one in site.derived():
        last = site.provenances(one)[-1]
        assert last["activity"]["coding"][0]["code"] == "NULLIFY"
        assert last["entity"][0]["what"]["reference"].startswith("Observation/ihc-")
    assert foreign == [one for one in site.server.all("Observation") if one["id"][:3] == "ihc"]
    site.assert_sound()


def test_a_preview_says_what_it_would_do_and_writes_nothing() -> None:
    site = site_with_results()
    before = site.server.writes
    report = take_back(site, Selection(), preview=True)
    assert (report.outcome, len(report.rows)) == (PassOutcome.OBSERVED, 3)
    assert {row.before for row in report.rows} == {"low", "positive"}
    assert site.server.writes == before


def test_what_is_taken_back_is_not_taken_back_again() -> None:
    site = site_with_results()
    take_back(site, Selection())
    assert take_back(site, Selection()).writes == 0


def test_the_results_of_one_rule_are_taken_back() -> None:
    site = site_with_results()
    take_back(site, Selection(rule="ihc-3-plus"))
    assert site.categories() == {"anna": "low"}


@pytest.mark.parametrize("policy", ["1.0.0", "asco-cap-2023|1.0.0"])
def test_the_results_of_a_policy_version_are_taken_back(policy: str) -> None:
    site = site_with_results()
    take_back(site, Selection(policy=policy))
    assert site.categories() == {}


def test_by_policy_they_are_taken_back_on_a_server_that_sends_no_includes() -> None:
    site = site_with_results()
    site.server.unsupported = {"_include", "_revinclude"}
    assert take_back(site, Selection(policy="1.0.0")).actions == {"retract": 3}
    assert site.categories() == {}


def test_one_whose_policy_is_not_known_is_left_and_told() -> None:
    site = site_with_results()
    (anna,) = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    for one in site.provenances(anna):
        site.server.delete(f"Provenance/{one['id']}")
    report = take_back(site, Selection(policy="1.0.0"))
    assert report.actions == {"retract": 2}
    assert report.warnings == (
        f"Observation/{anna['id']}: no Provenance is shown that names its policy; left as it is",
    )
    assert set(site.categories()) == {"anna"}


def test_another_policy_version_is_left_alone() -> None:
    site = site_with_results()
    assert take_back(site, Selection(policy="0.9.0")).writes == 0


def test_results_written_from_a_day_on_are_taken_back() -> None:
    site = site_with_results()
    site.clock.advance(hours=48)
    since = site.clock.now() - timedelta(hours=1)
    site.laboratory.ihc("dora", "0")
    site.settle()
    take_back(site, Selection(since=since))
    assert set(site.categories()) == {"anna", "berta", "clara"}


@pytest.mark.parametrize("issued", [None, "no time", "2026-03-01", "2026-03-03T08:00:00"])
def test_of_a_result_whose_time_others_spoilt_it_counts_when_it_was_changed(
    issued: str | None,
) -> None:
    site = site_with_results()
    site.clock.advance(hours=48)
    since = site.clock.now() - timedelta(hours=1)
    (spoilt,) = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    changed = {key: value for key, value in spoilt.items() if key != "issued"}
    site.server.put(changed if issued is None else {**changed, "issued": issued})
    take_back(site, Selection(since=since))
    assert set(site.categories()) == {"berta", "clara"}


def test_another_namespace_is_left_alone() -> None:
    site = site_with_results()
    demo = Site(server=site.server, namespace="demo")
    demo.settle()
    take_back(demo, Selection())
    assert len(site.categories()) == 3


def test_a_source_that_is_gone_is_not_named_in_what_is_written() -> None:
    site = site_with_results()
    site.server.delete("Observation/ihc-anna-a")
    take_back(site, Selection())
    (anna,) = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    assert "derivedFrom" not in anna
    assert "entity" not in _last(site, anna)


@pytest.mark.parametrize("status", [400, 403, 500, 501, 503])
def test_a_source_that_the_server_does_not_show_keeps_nothing_from_being_taken_back(
    status: int,
) -> None:
    site = site_with_results()
    site.server.unreadable = {
        "Observation/ihc-anna-a": PermanentServerError("an error of one resource", status=status)
    }
    report = take_back(site, Selection())
    assert (report.outcome, report.actions) == (PassOutcome.DONE, {"retract": 3})
    assert site.categories() == {}
    (anna,) = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    assert [one["reference"] for one in anna["derivedFrom"]] == ["Observation/ihc-anna-a"]
    site.server.unreadable = {}
    site.assert_sound()


def test_one_that_is_no_strict_json_is_left_and_told() -> None:
    site = site_with_results()
    left, *others = sorted(f"Observation/{one['id']}" for one in site.derived())
    site.server.no_strict_json = {left: "duplicate-key"}
    report = take_back(site, Selection())
    assert report.actions == {"retract": len(others)}
    assert report.warnings == (f"{left} is no strict JSON (duplicate-key): left as it is",)
    assert len(site.server.history(left)) == 1


def _last(site: Site, derived: JsonObject) -> JsonObject:
    return site.provenances(derived)[-1]
