"""What a report shows of a pass: comparisons and the worklist of this very pass, and only where somebody asks."""

from __future__ import annotations

from tests.fakes.laboratory import OVERALL
from tests.fakes.site import Site


def _hospital() -> Site:
    site = Site()
    for patient, score, word in (
        ("anna", "1+", "Negative"),
        ("berta", "3+", "Negative"),
        ("clara", "3+", "Positive"),
    ):
        site.laboratory.ihc(patient, score)
        site.server.put(site.laboratory.result(patient, OVERALL, word))
    site.laboratory.ihc("dora", "2+")
    site.laboratory.ihc("emma", "HER2 zwei plus")
    return site


def test_a_dry_pass_compares_and_lists_without_leaving_anything() -> None:
    site = _hospital()
    report = site.run(dry_run=True, in_detail=True)
    found = {one.row.patient: one.compared for one in report.compared}
    assert {patient: one.how.value for patient, one in found.items()} == {
        "Patient/anna": "finer",
        "Patient/berta": "against",
        "Patient/clara": "agrees",
    }
    berta = next(one.row for one in report.compared if one.row.patient == "Patient/berta")
    assert (berta.category, found["Patient/berta"].by_tests.value) == ("needs-review", "positive")
    assert berta.sources == ("Observation/ihc-berta-a", "Observation/overall-berta-a")
    assert [one.reference for one in report.worklist] == ["Observation/ihc-emma-a"]
    assert site.derived() == []
    assert site.store.worklist() == ()
    assert site.store.audit == []


def test_what_stands_already_is_compared_too_and_what_is_withdrawn_is_not() -> None:
    site = _hospital()
    site.settle()
    site.laboratory.take_back("Observation/ihc-clara-a")
    site.laboratory.take_back("Observation/overall-clara-a")
    report = site.run(dry_run=True, in_detail=True, full_sweep=True)
    assert {one.row.patient for one in report.compared} == {"Patient/anna", "Patient/berta"}


def test_a_pass_that_nobody_asked_compares_nothing() -> None:
    report = _hospital().run()
    assert (report.compared, report.worklist) == ((), ())
