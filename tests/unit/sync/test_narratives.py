"""Narratives are suggestions on the worklist where a site asks for them, and never a category.

Protects: off by default, no evidence from text, the same in sweeps and polls, gone once a result says it.
"""

from __future__ import annotations

from typing import Any

from adapter.ports import WorklistEntry, WorklistKind
from adapter.sync.options import ReadLimits, SyncOptions
from tests.fakes.site import Site

SUGGEST = SyncOptions(read=ReadLimits(narratives=True))
DOCUMENT = {"coding": [{"system": "http://loinc.org", "code": "22637-3"}]}


def _report(site: Site, patient: str, conclusion: str, **elements: Any) -> str:
    return site.server.put(
        {
            "resourceType": "DiagnosticReport",
            "id": f"r-{patient}",
            "status": "final",
            "code": DOCUMENT,
            "subject": {"reference": site.laboratory.patient(patient)},
            "conclusion": conclusion,
            **elements,
        }
    )


def _suggestions(site: Site) -> list[WorklistEntry]:
    listed = (one.entry for one in site.store.worklist())
    return [entry for entry in listed if entry.kind is WorklistKind.NARRATIVE]


def test_a_report_is_a_suggestion_and_no_category() -> None:
    site = Site(options=SUGGEST)
    _report(site, "anna", "Invasive carcinoma. HER2 2+, FISH not amplified, as told to Mr. Quaxel.")
    _report(site, "berta", "HER2 3+.")
    site.settle()
    assert site.derived() == []
    anna, berta = _suggestions(site)
    assert (anna.subject, anna.reference) == ("Patient/anna", "DiagnosticReport/r-anna")
    assert (berta.subject, berta.suggestion) == ("Patient/berta", "IHC 3+")
    assert anna.suggestion == ""
    assert "Quaxel" not in anna.pattern


def test_narratives_are_not_looked_at_unless_asked_for() -> None:
    site = Site()
    _report(site, "anna", "HER2 3+.")
    site.settle()
    assert _suggestions(site) == []


def test_a_narrative_observation_is_a_suggestion_too() -> None:
    site = Site(options=SUGGEST)
    narrative = site.laboratory.result("anna", "22637-3", "")
    del narrative["valueCodeableConcept"]
    site.server.put({**narrative, "valueString": "ER positive, HER2: 3+ by IHC."})
    site.settle()
    assert [one.suggestion for one in _suggestions(site)] == ["IHC 3+"]
    assert site.derived() == []


def test_a_report_that_comes_between_sweeps_is_found_and_goes_with_the_result() -> None:
    site = Site(options=SUGGEST)
    site.laboratory.ihc("anna", "2+")
    site.settle()
    _report(site, "anna", "HER2 2+, FISH not amplified.")
    site.settle()
    assert [one.suggestion for one in _suggestions(site)] == ["IHC 2+ and ISH negative"]
    assert site.categories() == {"anna": "equivocal"}
    site.laboratory.fish("anna", "not amplified")
    site.settle()
    assert _suggestions(site) == []
    assert site.categories() == {"anna": "low"}


def test_a_withdrawn_report_suggests_nothing() -> None:
    site = Site(options=SUGGEST)
    report = _report(site, "anna", "HER2 3+.")
    site.settle()
    assert len(_suggestions(site)) == 1
    site.server.change(report, status="entered-in-error")
    site.run(full_sweep=True)
    assert _suggestions(site) == []


def test_asking_for_narratives_looks_at_what_is_there_already() -> None:
    site = Site()
    _report(site, "anna", "HER2 3+.")
    site.laboratory.ihc("berta", "1+")
    site.settle()
    site.options = SUGGEST
    site.restart()
    site.run()
    assert [one.subject for one in _suggestions(site)] == ["Patient/anna"]
