"""What a wide search brings is reduced to HER2 results by the names of their tests alone."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.fhir.candidate import is_candidate
from adapter.fhir.terms import Terms
from adapter.terminology.catalogue import load_catalogue

LOINC = "http://loinc.org"
TERMS = Terms.of(load_catalogue())
GENE = {
    "code": {"coding": [{"system": LOINC, "code": "48018-6"}]},
    "valueCodeableConcept": {
        "coding": [{"system": "http://www.genenames.org/geneId", "code": "HGNC:3430"}]
    },
}


def observation(code: object, **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "code": code, **elements}


def coded(code: str, display: str = "", system: str = LOINC) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(observation(coded("85319-2")), id="her2-code"),
        pytest.param(observation(coded("85319-2", "Ki-67")), id="her2-code-called-otherwise"),
        pytest.param(observation(coded("85319-2", system="LOINC")), id="sloppy-system"),
        pytest.param(observation([coded("85319-2")]), id="dstu2-list"),
        pytest.param(observation({"text": "PP Her2"}), id="text"),
        pytest.param(observation(coded("17", "HER-2 FISH", "urn:local")), id="display"),
        pytest.param(observation(coded("32996-1", "HER2 in Serum")), id="serum-by-name"),
        pytest.param(
            observation({"text": "Panel"}, component=[{"code": coded("85318-4")}]),
            id="component-code",
        ),
        pytest.param(
            observation({"text": "Panel"}, component=[{"code": {"text": "HER2"}}]),
            id="component-text",
        ),
        pytest.param(observation(coded("55229-9"), component=[GENE]), id="generic-with-gene"),
    ],
)
def test_a_test_that_may_be_her2_is_a_candidate(result: dict[str, Any]) -> None:
    assert is_candidate(result, TERMS)


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(observation({"text": "Hemoglobin"}), id="another-test"),
        pytest.param(observation(coded("16112-5", "Estrogen receptor")), id="another-marker"),
        pytest.param(observation({"text": "HER3"}), id="another-receptor"),
        pytest.param(observation({"text": "Heroin"}), id="begins-alike"),
        pytest.param(observation(coded("55229-9")), id="generic"),
        pytest.param(
            observation(coded("85319-2", system="urn:other")), id="code-of-another-system"
        ),
        pytest.param(observation({"text": "Diagnosis"}, valueString="HER2 3+"), id="in-the-value"),
        pytest.param(observation(None), id="no-code"),
        pytest.param(observation("HER2"), id="code-of-wrong-shape"),
    ],
)
def test_another_test_is_no_candidate(result: dict[str, Any]) -> None:
    assert not is_candidate(result, TERMS)
