"""Protects what surrounds a result: a changed specimen or report changes whose category it is."""

from __future__ import annotations

from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import FISH, IHC, Laboratory
from tests.live.records import Records, category_of


def test_specimen_that_turns_out_to_be_gastric_withdraws_the_record(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    laboratory.ihc("anna", "3+")
    adapter.settle()
    assert records.only(laboratory.patient("anna"))["status"] == "final"
    laboratory.change(laboratory.sample("anna"), type={"text": "gastric biopsy"})
    report = adapter.run()
    assert report.outcomes["not-applicable"] == 1
    assert records.only(laboratory.patient("anna"))["status"] == "entered-in-error"
    adapter.settle()
    records.assert_sound(patients=1)


def test_collection_date_that_comes_later_moves_the_record_in_time(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    laboratory.ihc("berta", "1+")
    adapter.settle()
    assert records.only(laboratory.patient("berta"))["effectiveDateTime"] == "2026-01-10"
    laboratory.change(laboratory.sample("berta"), collection={"collectedDateTime": "2026-01-07"})
    adapter.settle()
    assert records.only(laboratory.patient("berta"))["effectiveDateTime"] == "2026-01-07"
    assert len(records.story(laboratory.patient("berta"))) == 2


def test_report_that_comes_later_joins_two_results(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    """Two results without specimen, of two days: only the report says that they are of one tumour."""
    laboratory.report(
        laboratory.result("clara", IHC, "2+", specimen=None, effectiveDateTime="2026-01-10"),
        laboratory.result("clara", FISH, "Negative", specimen=None, effectiveDateTime="2026-01-19"),
    )
    adapter.settle()
    apart = records.derived(laboratory.patient("clara"))
    assert {category_of(one) for one in apart} == {"equivocal", "negative-unspecified"}

    prefix = f"Observation/{laboratory.prefix}-clara-a"
    laboratory.put(
        {
            "resourceType": "DiagnosticReport",
            "id": f"{laboratory.prefix}-report",
            "status": "final",
            "code": {"text": "Breast biomarkers"},
            "subject": {"reference": laboratory.patient("clara")},
            "result": [{"reference": f"{prefix}-ihc"}, {"reference": f"{prefix}-fish"}],
        }
    )
    adapter.settle()
    joined = records.derived(laboratory.patient("clara"))
    standing = [one for one in joined if one["status"] != "entered-in-error"]
    assert [category_of(one) for one in standing] == ["low"]
    assert len(standing[0]["derivedFrom"]) == 2
    records.assert_sound()
