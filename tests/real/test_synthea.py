"""Protects against knowing only our own FHIR: women from Synthea, which nobody here wrote.

Synthea reports IHC as SNOMED CT "Negative" or "Positive" without a score, and FISH as the text
"less than 1.8" or "greater than 2.2". An honest answer to the first pair cannot tell 0 from 1+.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.sync.cycle import PassReport
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.records import BASE, Records, category_of
from tests.servers.hapi import HapiServer
from tests.servers.synthea import LoadedPatient

pytestmark = pytest.mark.real

NEGATIVE, POSITIVE = "260385009", "10828004"
COMPONENTS = f"{BASE}/CodeSystem/her2-component"


@pytest.fixture
def records(hapi: HapiServer) -> Iterator[Records]:
    """What the adapter wrote onto HAPI."""
    made = Records(hapi.base_url)
    yield made
    made.close()


@pytest.fixture
def adapter(hapi: HapiServer, tmp_path: Path) -> Iterator[AdapterUnderTest]:
    """One adapter on HAPI, as it is shipped."""
    made = AdapterUnderTest(hapi.base_url, tmp_path / "state.sqlite")
    yield made
    made.stop()


@pytest.fixture
def report(synthea_patients: list[LoadedPatient], adapter: AdapterUnderTest) -> PassReport:
    """A pass over all of the women."""
    return adapter.run(patients=[one.reference for one in synthea_patients])


def _answers(patient: LoadedPatient) -> tuple[str, str]:
    """Give a woman's IHC answer as SNOMED CT code, and her FISH text."""
    ihc = fish = ""
    for result in patient.her2_results:
        if "valueCodeableConcept" in result:
            ihc = result["valueCodeableConcept"]["coding"][0]["code"]
        else:
            fish = result["valueString"]
    return ihc, fish


def _component(derived: dict[str, Any], code: str) -> dict[str, Any]:
    found = [
        one
        for one in derived.get("component", [])
        if {"system": COMPONENTS, "code": code}.items() <= one["code"]["coding"][0].items()
    ]
    return found[0] if found else {}


def test_the_server_keeps_their_her2_results(
    records: Records, synthea_patients: list[LoadedPatient]
) -> None:
    assert len(synthea_patients) >= 5
    for patient in synthea_patients:
        tests = "http://loinc.org|85319-2,http://loinc.org|85318-4"
        found = records.search("Observation", patient=patient.reference, code=tests)
        assert len(found) == len(patient.her2_results) == 2
    fish = {_answers(patient)[1] for patient in synthea_patients}
    assert fish == {"less than 1.8", "greater than 2.2"}


def test_every_her2_result_is_accounted_for(
    report: PassReport, synthea_patients: list[LoadedPatient]
) -> None:
    sent = sum(len(one.her2_results) for one in synthea_patients)
    own = report.fetched - sent
    # A later test of this module finds our own output beside them.
    assert report.outcomes["used"] == sent
    assert report.outcomes.get("ignored", 0) == own
    assert report.set_aside == ()
    assert len(report.rows) == len(synthea_patients)


def test_negative_without_a_score_is_not_guessed_to_be_low_or_zero(
    report: PassReport, synthea_patients: list[LoadedPatient], records: Records
) -> None:
    women = [one for one in synthea_patients if _answers(one) == (NEGATIVE, "less than 1.8")]
    assert women, "Synthea gives at least one such woman"
    for woman in women:
        derived = records.only(woman.reference)
        assert category_of(derived) == "negative-unspecified"
        assert derived["status"] == "final"
        assert derived["interpretation"][0]["coding"][0]["code"] == "NEG"


def test_amplified_by_text_is_positive_and_asks_for_review(
    report: PassReport, synthea_patients: list[LoadedPatient], records: Records
) -> None:
    women = [one for one in synthea_patients if _answers(one)[1] == "greater than 2.2"]
    assert women, "Synthea gives at least one such woman"
    for woman in women:
        derived = records.only(woman.reference)
        assert category_of(derived) == "positive"
        assert _component(derived, "review")["valueBoolean"] is True


def test_second_pass_over_them_writes_nothing(
    report: PassReport,
    adapter: AdapterUnderTest,
    hapi: HapiServer,
    synthea_patients: list[LoadedPatient],
) -> None:
    quiet = hapi.mark()
    adapter.run(patients=[one.reference for one in synthea_patients])
    assert hapi.writes_since(quiet) == []


def test_each_record_names_its_sources_and_stands_once(
    report: PassReport, synthea_patients: list[LoadedPatient], records: Records
) -> None:
    for woman in synthea_patients:
        derived = records.only(woman.reference)
        assert len(records.story_of(derived)) == 1
        records.assert_sources_stand(derived)
