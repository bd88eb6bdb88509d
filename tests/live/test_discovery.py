"""Protects that a HER2 result is found however its laboratory writes the test, on sandbox and HAPI.

By text alone, under a local code, in a component, under another name of LOINC or of CAP's system: by
the first pass, by what changed, and when one patient is gathered. What a server cannot search is said.
"""

from __future__ import annotations

from typing import Any

import pytest

from adapter.sync.cycle import PassKind
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.conftest import Adapters
from tests.live.laboratory import FISH, IHC, LOINC, Laboratory
from tests.live.records import Records, category_of
from tests.live.servers import LiveServer

Json = dict[str, Any]

LOCAL = "https://laboratory.test/tests"
WAYS = {
    "text-alone": ({"text": "HER2/neu IHC"}, {"text": "HER2/neu FISH"}),
    "local-code-with-display": (
        {"coding": [{"system": LOCAL, "code": "17", "display": "HER-2 IHC"}]},
        {"coding": [{"system": LOCAL, "code": "18", "display": "FISH Her-2"}]},
    ),
    "loinc-by-name": (
        {"coding": [{"system": "LOINC", "code": IHC}]},
        {"coding": [{"system": "urn:oid:2.16.840.1.113883.6.1", "code": FISH}]},
    ),
    "ecc-with-https": (
        {"coding": [{"system": "https://cap.org/eCC", "code": "79483"}]},
        {"coding": [{"system": "http://snomed.info/sct/900000000000207008", "code": "1363314005"}]},
    ),
}
"""A name for IHC and one for FISH, for each way of writing that leaves `system|code` behind."""
LABORATORY = [
    {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": "laboratory",
            }
        ]
    }
]


def named(laboratory: Laboratory, patient: str, code: Json, answer: str, **elements: Any) -> Json:
    """Make a result of a test that is named by this code element."""
    return {**laboratory.result(patient, IHC, answer), "code": code, **elements}


def inside_another(laboratory: Laboratory, patient: str, code: str, answer: str) -> Json:
    """Make a panel of a local code with a HER2 test as its component."""
    made = named(laboratory, patient, {"coding": [{"system": LOCAL, "code": "99"}]}, answer)
    tested = {"coding": [{"system": LOINC, "code": code}]}
    value = made.pop("valueCodeableConcept")
    return {**made, "component": [{"code": tested, "valueCodeableConcept": value}]}


def found_by(server: LiveServer) -> Json:
    """Give what a result needs to be found under a name: a category, where names cannot be searched."""
    return {} if server.matches_names else {"category": LABORATORY}


def report_every_way(server: LiveServer, laboratory: Laboratory) -> set[str]:
    """Report an IHC 1+ in every way, each of a patient of its own."""
    for way, (ihc, _) in WAYS.items():
        laboratory.report(named(laboratory, way, ihc, "1+", **found_by(server)))
    laboratory.report(inside_another(laboratory, "component", IHC, "1+"))
    return {laboratory.patient(name) for name in (*WAYS, "component")}


def categories(records: Records) -> dict[str, str]:
    """Patient → category of the derived Observation."""
    return {one["subject"]["reference"]: category_of(one) for one in records.derived()}


def test_the_first_pass_finds_a_result_however_its_test_is_written(
    server: LiveServer, laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    patients = report_every_way(server, laboratory)
    assert adapter.run().kind is PassKind.SWEEP
    assert categories(records) == dict.fromkeys(patients, "low")


def test_a_later_pass_finds_what_changed_however_its_test_is_written(
    server: LiveServer, laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    laboratory.ihc("earlier", "3+")
    adapter.settle()
    patients = report_every_way(server, laboratory)
    assert adapter.run().kind is PassKind.INCREMENTAL
    expected = {**dict.fromkeys(patients, "low"), laboratory.patient("earlier"): "positive"}
    assert categories(records) == expected


@pytest.mark.parametrize("way", [*WAYS, "component"])
def test_a_fish_is_joined_to_the_ihc_of_its_patient_however_it_is_written(
    server: LiveServer,
    laboratory: Laboratory,
    records: Records,
    adapter: AdapterUnderTest,
    way: str,
) -> None:
    ihc = laboratory.result("anna", IHC, "2+")
    if way == "component":
        fish = inside_another(laboratory, "anna", FISH, "Positive")
    else:
        fish = named(laboratory, "anna", WAYS[way][1], "Positive", **found_by(server))
    laboratory.report(ihc, {**fish, "id": f"{ihc['id']}-fish"})
    report = adapter.run(patients=[laboratory.patient("anna")])
    assert (report.kind, report.outcomes) == (PassKind.PATIENTS, {"used": 2})
    assert category_of(records.only(laboratory.patient("anna"))) == "positive"


def test_a_name_that_begins_with_something_else_is_found_among_the_laboratory_results(
    server: LiveServer, laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    odd = named(laboratory, "odd", {"text": "Breast cancer HER2 IHC"}, "1+", category=LABORATORY)
    other = named(laboratory, "other", {"text": "Hemoglobin"}, "1+", category=LABORATORY)
    code = {"coding": [{"system": LOINC, "code": IHC, "display": "HER2 by Immune stain"}]}
    laboratory.report(odd, named(laboratory, "known", code, "3+", category=LABORATORY))
    laboratory.report(other)
    report = adapter.run()
    assert (report.fetched, set(categories(records))) == (
        2,
        {laboratory.patient("odd"), laboratory.patient("known")},
    )
    assert bool(report.warnings) is not server.matches_names


def test_what_the_server_cannot_search_is_said_where_laboratory_results_are_not_read(
    server: LiveServer, laboratory: Laboratory, records: Records, install: Adapters
) -> None:
    odd = named(laboratory, "odd", {"text": "Breast cancer HER2 IHC"}, "1+", category=LABORATORY)
    laboratory.report(odd, named(laboratory, "plain", {"text": "HER2 IHC"}, "1+"))
    code = {"coding": [{"system": LOINC, "code": IHC, "display": "HER2 by Immune stain"}]}
    laboratory.report(named(laboratory, "known", code, "1+"))
    report = install(poll__laboratory_sweep="off").run()
    found = ["plain", "known"] if server.matches_names else ["known"]
    assert set(categories(records)) == {laboratory.patient(name) for name in found}
    said = "from the left only" if server.matches_names else "does not search tests by name"
    assert any(said in words for words in report.warnings)
