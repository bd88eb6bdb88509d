"""Protects the codes of the record: exactly what docs/output.md promises, and nothing coarser."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.her2.model import AscoCapStatus, Category
from adapter.terminology import systems
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.output import Unit
from adapter.terminology.vocabulary import Coding
from tests.mappings.conftest import MAPPINGS
from tests.mappings.systems_of_others import INTERPRETATION, LOINC, SNOMED

HL7 = "http://terminology.hl7.org/CodeSystem"


def keys(codings: tuple[Coding, ...]) -> list[tuple[str, str]]:
    return [(coding.system, coding.code) for coding in codings]


def test_the_result_has_the_loinc_interpretation_code_and_our_own(catalogue: Catalogue) -> None:
    assert keys(catalogue.output.observation_code) == [
        (LOINC, "48676-1"),
        (systems.ADAPTER_SYSTEM, "her2-category"),
    ]


def test_positive_alone_has_a_loinc_answer(catalogue: Catalogue) -> None:
    for category in Category:
        own = (systems.CATEGORY_SYSTEM, category.value)
        loinc = [(LOINC, "LA6576-8")] if category is Category.POSITIVE else []
        assert keys(catalogue.output.category_codings(category)) == [own, *loinc]


@pytest.mark.parametrize(
    ("category", "code"), [(Category.LOW, "1381317004"), (Category.ULTRALOW, "1381318009")]
)
def test_snomed_codings_are_written_only_when_asked_for(
    catalogue: Catalogue, category: Category, code: str
) -> None:
    own = (systems.CATEGORY_SYSTEM, category.value)

    assert keys(catalogue.output.category_codings(category)) == [own]
    assert keys(catalogue.output.category_codings(category, snomed=True)) == [own, (SNOMED, code)]


def test_no_other_category_has_a_snomed_coding(catalogue: Catalogue) -> None:
    for category in set(Category) - {Category.LOW, Category.ULTRALOW}:
        asked = catalogue.output.category_codings(category, snomed=True)
        assert asked == catalogue.output.category_codings(category)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (AscoCapStatus.POSITIVE, "POS"),
        (AscoCapStatus.NEGATIVE, "NEG"),
        (AscoCapStatus.EQUIVOCAL, "E"),
        (AscoCapStatus.INDETERMINATE, "IND"),
    ],
)
def test_the_asco_cap_status_is_the_interpretation(
    catalogue: Catalogue, status: AscoCapStatus, code: str
) -> None:
    coding = catalogue.output.interpretation(status)

    assert (coding.system, coding.code) == (INTERPRETATION, code)
    assert catalogue.output.asco_cap_code(status).display == f"HER2-{status} by ASCO/CAP 2023"


def test_the_other_codes_of_the_record_are_hl7s(catalogue: Catalogue) -> None:
    output = catalogue.output
    assert keys(
        (
            output.laboratory_category,
            output.activity_create,
            output.activity_update,
            output.activity_nullify,
            output.assembler,
        )
    ) == [
        (f"{HL7}/observation-category", "laboratory"),
        (f"{HL7}/v3-DataOperation", "CREATE"),
        (f"{HL7}/v3-DataOperation", "UPDATE"),
        (f"{HL7}/v3-DataOperation", "NULLIFY"),
        (f"{HL7}/provenance-participant-type", "assembler"),
    ]
    assert output.entity_role == "source"
    assert keys((output.derived_tag, output.derived_category, output.method)) == [
        (systems.ADAPTER_SYSTEM, "derived"),
        (systems.ADAPTER_SYSTEM, "derived"),
        (systems.ADAPTER_SYSTEM, "rule-based"),
    ]


def test_components_are_the_ones_of_the_contract_in_codes_of_our_own(catalogue: Catalogue) -> None:
    assert keys(catalogue.output.component_codes) == [
        (systems.COMPONENT_SYSTEM, name)
        for name in (
            "ihc-score-used",
            "ish-result-used",
            "ish-group",
            "ratio-used",
            "her2-copies-used",
            "cep17-copies-used",
            "asco-cap-status",
            "rule",
            "review",
            "review-reason",
            "limits",
        )
    ]


def test_copies_are_counted_per_cell_and_words_have_no_unit(catalogue: Catalogue) -> None:
    ucum = "http://unitsofmeasure.org"
    assert catalogue.output.unit("her2-copies-used") == Unit("copies/cell", ucum, "1")
    assert catalogue.output.unit("cep17-copies-used") == Unit("copies/cell", ucum, "1")
    assert catalogue.output.unit("ratio-used") == Unit("ratio", ucum, "1")
    assert catalogue.output.unit("rule") is None
    assert catalogue.output.unit_system == ucum


def test_a_name_that_the_record_does_not_have_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(KeyError):
        catalogue.output.component_code("85319-2")


@pytest.mark.parametrize("meaning", ["0", "0+", "2+..3+", "group-4", "not-done", "negative"])
def test_an_answer_has_a_code_of_our_own(catalogue: Catalogue, meaning: str) -> None:
    coding = catalogue.output.answer_code(meaning)

    assert (coding.system, coding.code) == (systems.ANSWER_SYSTEM, meaning)


def profile(name: str) -> dict[str, Any]:
    text = (MAPPINGS / f"structuredefinition-{name}.json").read_text(encoding="utf-8")
    resource: dict[str, Any] = json.loads(text)
    return resource


@pytest.mark.parametrize(
    ("name", "base"),
    [("her2-category-observation", "Observation"), ("her2-category-provenance", "Provenance")],
)
def test_a_profile_constrains_its_resource(name: str, base: str) -> None:
    resource = profile(name)

    assert resource["url"] in {systems.OBSERVATION_PROFILE, systems.PROVENANCE_PROFILE}
    assert (resource["type"], resource["kind"]) == (base, "resource")
    assert (resource["derivation"], resource["fhirVersion"]) == ("constraint", "4.0.1")
    assert resource["baseDefinition"] == f"http://hl7.org/fhir/StructureDefinition/{base}"
    ids = [element["id"] for element in resource["differential"]["element"]]
    assert len(ids) == len(set(ids))
    assert all(identifier.split(".")[0] == base for identifier in ids)


def test_the_observation_profile_allows_no_device_as_performer() -> None:
    elements = {e["id"]: e for e in profile("her2-category-observation")["differential"]["element"]}
    (reference,) = elements["Observation.performer"]["type"]

    assert reference["targetProfile"] == ["http://hl7.org/fhir/StructureDefinition/Organization"]
    assert elements["Observation.dataAbsentReason"]["max"] == "0"


def test_the_profiles_name_the_codes_that_are_written(catalogue: Catalogue) -> None:
    elements = {e["id"]: e for e in profile("her2-category-observation")["differential"]["element"]}
    pattern = elements["Observation.code"]["patternCodeableConcept"]["coding"]
    category = elements["Observation.value[x].coding:category"]

    assert [(c["system"], c["code"]) for c in pattern] == keys(catalogue.output.observation_code)
    assert category["binding"] == {
        "strength": "required",
        "valueSet": f"{systems.BASE}/ValueSet/her2-category",
    }


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("source-content-hash", systems.SOURCE_CONTENT_HASH_EXTENSION),
        ("row-source", systems.ROW_SOURCE_EXTENSION),
        ("identifies-by-prefix", systems.PREFIX_EXTENSION),
        ("code-form", systems.CODE_FORM_EXTENSION),
    ],
)
def test_an_extension_is_defined_under_its_url(name: str, url: str) -> None:
    resource = profile(name)
    fixed = {e["id"]: e.get("fixedUri") for e in resource["differential"]["element"]}

    assert resource["url"] == fixed["Extension.url"] == url
    assert resource["context"]
