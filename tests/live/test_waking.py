"""Protects discovery: what surrounds a result wakes its patient, and nothing is overlooked.

A changed specimen or report changes whose category it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from adapter.ports import FhirServer, SearchPage, SearchParams
from adapter.sync.cycle import PassKind
from adapter.sync.passed_on import PassedOn
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.conftest import Adapters
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


class Hiding(PassedOn):
    """A server on which one result is stored, and not yet visible to searches."""

    hidden = ""

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        for page in super().search(resource_type, params):
            seen = tuple(one for one in page.matches if one["id"] != self.hidden)
            yield replace(page, matches=seen)


def test_result_that_becomes_visible_after_a_later_one_is_found_by_the_overlap(
    laboratory: Laboratory, records: Records, install: Adapters
) -> None:
    """A server commits out of order: by the time a row shows, the watermark is past it."""
    made: list[Hiding] = []

    def hiding(server: FhirServer) -> FhirServer:
        made.append(Hiding(server))
        return made[-1]

    adapter = install(watched=hiding)
    laboratory.ihc("first", "0")
    adapter.settle()
    made[0].hidden = laboratory.ihc("slow", "1+").removeprefix("Observation/")
    # A server tells its time in whole seconds, uvicorn up to one late; the watermark is held to that.
    time.sleep(2.1)
    laboratory.ihc("quick", "3+")
    adapter.settle()
    assert records.derived(laboratory.patient("slow")) == []

    made[0].hidden = ""
    assert adapter.run().kind is PassKind.INCREMENTAL
    assert category_of(records.only(laboratory.patient("slow"))) == "low"
