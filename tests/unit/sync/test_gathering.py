"""Everything around a result is at hand when it is decided on, whatever the server brings along.

Protects gathering: specimens and their parents, reports, focus, refused includes, several versions, outcomes.
"""

from __future__ import annotations

from typing import Any

import pytest

from adapter.errors import NotAuthorised, ParameterDropped, PermanentServerError
from adapter.ports import Capability, SearchParams
from adapter.sync.cycle import PassKind
from adapter.sync.reading.pool import Pool
from tests.fakes.site import Site


def refuse_includes(params: SearchParams) -> bool:
    """Answer 400 to any include, as strict servers do."""
    return any(name in ("_include", "_revinclude") for name, _ in params)


def report_of(patient: str, *results: str, **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": f"report-{patient}",
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "result": [{"reference": one} for one in results],
        **elements,
    }


@pytest.mark.parametrize("refuses", [False, True], ids=["includes", "refuses-includes"])
@pytest.mark.parametrize("sweep", [True, False], ids=["sweep", "by-patient"])
def test_the_specimen_is_at_hand_whether_or_not_the_server_includes_it(
    refuses: bool, sweep: bool
) -> None:
    site = Site()
    if refuses:
        site.server.refuse_search = refuse_includes
    site.laboratory.ihc("anna", "1+")
    site.server.change("Specimen/s-anna-a", collection={"collectedDateTime": "2026-01-05"})
    report = site.run() if sweep else site.run(patients=["anna"])
    assert report.kind is (PassKind.SWEEP if sweep else PassKind.PATIENTS)
    assert site.only()["effectiveDateTime"] == "2026-01-05"
    assert any("refuses" in words for words in report.warnings) is refuses


@pytest.mark.parametrize("sweep", [True, False], ids=["sweep", "by-patient"])
def test_a_tumour_named_in_focus_is_read(sweep: bool) -> None:
    site = Site()
    site.server.put(
        {
            "resourceType": "Condition",
            "id": "stomach",
            "subject": {"reference": site.laboratory.patient("anna")},
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C16.9"}]},
        }
    )
    site.laboratory.ihc("anna", "3+", focus=[{"reference": "Condition/stomach"}])
    report = site.run() if sweep else site.run(patients=["anna"])
    assert (report.outcomes, site.derived()) == ({"not-applicable": 1}, [])


@pytest.mark.parametrize("sweep", [True, False], ids=["sweep", "by-patient"])
def test_a_specimen_in_focus_is_read(sweep: bool) -> None:
    site = Site()
    taken = {"resourceType": "Specimen", "id": "stomach", "type": {"text": "Gastric biopsy"}}
    site.server.put({**taken, "subject": {"reference": site.laboratory.patient("anna")}})
    result = site.laboratory.result("anna", "85319-2", "3+")
    del result["specimen"]
    site.server.put({**result, "focus": [{"reference": "Specimen/stomach"}]})
    site.run() if sweep else site.run(patients=["anna"])
    assert site.derived() == []


@pytest.mark.parametrize("sweep", [True, False], ids=["sweep", "by-patient"])
def test_a_body_structure_in_focus_is_not_read_and_leaves_the_site_to_a_person(sweep: bool) -> None:
    site = Site()
    place = {"resourceType": "BodyStructure", "id": "b", "location": {"text": "Stomach"}}
    site.server.put({**place, "patient": {"reference": site.laboratory.patient("anna")}})
    result = site.laboratory.result("anna", "85319-2", "3+")
    del result["specimen"]
    site.server.put({**result, "focus": [{"reference": "BodyStructure/b"}]})
    site.run() if sweep else site.run(patients=["anna"])
    assert site.categories() == {"anna": "needs-review"}


def markers(patient: str, *members: str) -> dict[str, Any]:
    """A panel of several markers, which no code or name of a HER2 test finds."""
    return {
        "resourceType": "Observation",
        "id": f"markers-{patient}",
        "status": "final",
        "code": {"text": "Biomarkers"},
        "subject": {"reference": f"Patient/{patient}"},
        "hasMember": [{"reference": one} for one in members],
    }


@pytest.mark.parametrize("sweep", [True, False], ids=["sweep", "by-patient"])
def test_the_report_that_lists_a_panel_alone_is_read_for_its_members(sweep: bool) -> None:
    """As laboratories send it: the report lists the panel, and the panel the results."""
    site = Site()
    put_report_of_panel(site, site.laboratory.result("anna", "85319-2", "3+"))
    site.run() if sweep else site.run(patients=["anna"])
    assert site.derived() == []


def put_report_of_panel(site: Site, result: dict[str, Any]) -> None:
    """Put a result that names no specimen, its panel, and the report, which says that it is of the stomach."""
    bare = {name: value for name, value in result.items() if name != "specimen"}
    panel = site.server.put(markers("anna", site.server.put(bare)))
    stomach = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C16.9"}]}
    site.server.put(report_of("anna", panel, conclusionCode=[stomach]))


@pytest.mark.parametrize("status", [403, 404, 422])
def test_a_server_that_refuses_the_search_for_reports_of_panels_is_named_and_fails_no_pass(
    status: int,
) -> None:
    site = Site()
    put_report_of_panel(site, site.laboratory.result("anna", "85319-2", "3+"))
    site.run()
    error = (NotAuthorised if status == 403 else PermanentServerError)("refused", status=status)
    site.server.break_off = lambda params, _page, _found: (
        error if any(name == "_id" for name, _ in params) else None
    )
    report = site.run(patients=["anna"])
    assert any("reports that list panels" in words for words in report.warnings)


def test_reports_of_panels_are_asked_for_only_where_there_are_any() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.run()
    without = len(site.server.calls)
    other = Site()
    other.server.put(markers("anna", other.laboratory.ihc("anna", "1+")))
    other.run()
    assert len(other.server.calls) == without + 1


@pytest.mark.parametrize("sweep", [True, False], ids=["sweep", "by-patient"])
def test_results_of_one_report_are_joined(sweep: bool) -> None:
    site = Site()
    names = []
    for code, text in (("85319-2", "2+"), ("85318-4", "Amplified")):
        one = site.laboratory.result("anna", code, text)
        del one["specimen"], one["effectiveDateTime"]
        names.append(site.server.put(one))
    site.server.put(report_of("anna", *names))
    site.run() if sweep else site.run(patients=["anna"])
    assert site.categories() == {"anna": "positive"}


def test_a_server_that_cannot_list_reports_by_result_is_not_asked_to() -> None:
    site = Site()
    capability = Capability("4.0.1", "bare", search_params={"Observation": frozenset({"code"})})
    site.server.capability = lambda: capability  # type: ignore[method-assign]
    site.laboratory.ihc("anna", "1+")
    report = site.run()
    assert not any("_revinclude" in call for call in site.server.calls)
    assert any("components" in words for words in report.warnings)


def test_changes_that_cannot_be_asked_for_are_left_to_sweeps_and_this_is_said() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    site.server.refuse_search = lambda params: (
        [name for name, _ in params]
        == [
            "_lastUpdated",
            "_count",
        ]
    )
    site.restart()
    report = site.run()
    assert any("changes of Specimen" in words for words in report.warnings)


def changes_of_specimens(params: SearchParams) -> bool:
    """Whether this is the search for what changed of a type beside the results; it holds no other parameter."""
    return [name for name, _ in params] == ["_lastUpdated", "_count"]


@pytest.mark.parametrize(
    "error",
    [
        *(PermanentServerError("refused", status=status) for status in (400, 404, 405, 422, 501)),
        NotAuthorised("refused", status=403),
        ParameterDropped("_lastUpdated was left out", code="parameter-dropped"),
    ],
    ids=lambda error: str(error.status or error.code),
)
def test_a_type_whose_changes_a_server_does_not_offer_is_left_to_sweeps(
    error: PermanentServerError,
) -> None:
    site = Site()
    result = site.laboratory.ihc("anna", "1+")
    site.settle()
    site.server.break_off = lambda params, _page, _found: (
        error if changes_of_specimens(params) else None
    )
    site.laboratory.amend(result, "3+")
    report = site.run()
    assert any("changes of Specimen" in words for words in report.warnings)
    assert site.categories() == {"anna": "positive"}


@pytest.mark.parametrize("status", [400, 403, 404])
def test_changes_on_a_page_that_is_refused_stay_to_be_read(status: int) -> None:
    site = Site()
    site.server.page_size = 1
    for name in ("anna", "berta"):
        site.laboratory.ihc(name, "3+")
    site.settle()
    site.clock.advance(hours=1)
    for name in ("anna", "berta"):
        site.server.change(f"Specimen/s-{name}-a", collection={"bodySite": {"text": "stomach"}})
    error = PermanentServerError("refused", status=status)
    site.server.break_off = lambda params, page, _found: (
        error if changes_of_specimens(params) and page == 1 else None
    )
    with pytest.raises(PermanentServerError):
        site.run()
    site.server.break_off = lambda _params, _page, _found: None
    site.settle()
    assert site.categories() == {}


@pytest.mark.parametrize("reference", ["Specimen/..", "Specimen/.", "Condition/..."])
def test_a_reference_that_would_climb_in_a_path_is_followed_nowhere(reference: str) -> None:
    site = Site()
    element = "specimen" if reference.startswith("Specimen") else "focus"
    named = {"reference": reference}
    spoilt = site.laboratory.result("anna", "85319-2", "3+")
    site.server.put({**spoilt, element: named if element == "specimen" else [named]})
    site.laboratory.ihc("berta", "1+")
    site.settle()
    assert site.categories()["berta"] == "low"


def test_of_several_versions_of_one_result_the_newest_is_kept() -> None:
    def version(number: str, minute: int) -> dict[str, Any]:
        meta = {"versionId": number, "lastUpdated": f"2026-03-01T08:{minute:02}:00Z"}
        return {"resourceType": "Observation", "id": "x", "meta": meta}

    old, new = version("b", 1), version("a", 2)
    for order in ((old, new), (new, old)):
        pool = Pool()
        for one in order:
            pool.add_result(one)
        assert list(pool.results.values()) == [new]


@pytest.mark.parametrize(
    ("elements", "outcome", "reason"),
    [
        ({"status": "entered-in-error"}, "no-result", "entered-in-error"),
        ({"status": "preliminary"}, "used", ""),
        ({"valueCodeableConcept": {"text": "gibberish"}}, "unreadable", "text-not-understood"),
        ({"bodySite": {"text": "stomach"}}, "not-applicable", None),
    ],
    ids=["taken-back", "preliminary-ihc", "unreadable", "another-tumour"],
)
def test_every_candidate_has_one_outcome_and_a_reason(
    elements: dict[str, Any], outcome: str, reason: str | None
) -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+", **elements)
    report = site.run()
    assert report.outcomes == {outcome: 1}
    if reason is not None:
        assert [one.reason for one in report.set_aside] == ([reason] if reason else [])


def test_a_repeated_result_that_was_replaced_is_ignored_with_a_reason() -> None:
    site = Site()
    site.laboratory.fish("anna", "Equivocal")
    site.laboratory.ihc("anna", "2+")
    again = site.laboratory.result("anna", "85318-4", "Amplified", id="again")
    site.server.put({**again, "note": [{"text": "Repeat test on another block."}]})
    report = site.run()
    assert sum(report.outcomes.values()) == 3
    assert report.outcomes["used"] >= 2


@pytest.mark.parametrize("sweep", [True, False], ids=["sweep", "by-patient"])
def test_the_report_s_specimen_is_read_for_a_result_that_names_none(sweep: bool) -> None:
    site = Site()
    result = site.laboratory.result("anna", "85319-2", "3+")
    del result["specimen"]
    site.server.put(result)
    site.server.put(
        {
            "resourceType": "Specimen",
            "id": "stomach",
            "type": {"text": "gastric biopsy"},
            "subject": {"reference": "Patient/anna"},
        }
    )
    named = [{"reference": "Specimen/stomach"}]
    site.server.put(report_of("anna", f"Observation/{result['id']}", specimen=named))
    report = site.run() if sweep else site.run(patients=["anna"])
    assert report.outcomes["not-applicable"] == 1
    assert site.derived() == []
