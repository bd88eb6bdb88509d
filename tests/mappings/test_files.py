"""Protects each shipped file: valid FHIR R4, complete by itself, in step with the core and with the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from adapter.her2.model import AscoCapStatus, Category, IhcScore, IshGroup, ResultWord
from adapter.terminology import systems
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.check import check_mappings
from adapter.terminology.code_systems import well_formed
from adapter.terminology.mapping_files import MappingFile
from adapter.terminology.vocabulary import AnswerKind, TestRole
from tests.mappings.conftest import MAPPINGS

FILES = sorted(MAPPINGS.glob("*.json"))
JsonObject = dict[str, Any]


def read(path: Path) -> JsonObject:
    resource: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    return resource


def of_type(resource_type: str) -> list[JsonObject]:
    return [resource for resource in map(read, FILES) if resource["resourceType"] == resource_type]


def targets(concept_map: JsonObject) -> Iterator[tuple[str, JsonObject, JsonObject]]:
    for group in concept_map["group"]:
        for element in group["element"]:
            for target in element["target"]:
                yield group["source"], element, target


MAPS = {resource["id"]: resource for resource in of_type("ConceptMap")}
INPUT_MAPS = {name: m for name, m in MAPS.items() if not name.startswith("output-")}


def test_the_shipped_set_has_no_defect() -> None:
    assert check_mappings(MAPPINGS) == ()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_valid_fhir_r4(path: Path) -> None:
    resource = read(path)

    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_stands_alone(path: Path) -> None:
    file = MappingFile(path.name, read(path))

    assert file.url.startswith(f"{systems.BASE}/{file.kind}/")
    assert path.stem == f"{file.kind.lower()}-{file.resource['id']}"
    assert file.url.endswith(f"/{file.resource['id']}")
    for element in ("version", "name", "title", "status", "date", "publisher", "description"):
        assert file.metadata(element), element


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_names_no_host_that_nobody_owns(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert "example." not in text
    assert ".invalid" not in text


@pytest.mark.parametrize("concept_map", MAPS.values(), ids=MAPS.keys())
def test_every_row_says_who_says_so(concept_map: JsonObject) -> None:
    for _, element, target in targets(concept_map):
        assert target["comment"].startswith("Source: "), element["code"]


@pytest.mark.parametrize("concept_map", MAPS.values(), ids=MAPS.keys())
def test_no_code_stands_twice_in_a_map(concept_map: JsonObject) -> None:
    codes = [(source, element["code"]) for source, element, _ in targets(concept_map)]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("concept_map", INPUT_MAPS.values(), ids=INPUT_MAPS.keys())
def test_every_target_is_one_of_ours(concept_map: JsonObject) -> None:
    assert concept_map["targetUri"] in systems.INPUT_TARGETS
    assert {group["target"].removeprefix(systems.BASE) for group in concept_map["group"]} <= {
        "/CodeSystem/her2-test-role",
        "/CodeSystem/her2-answer",
        "/CodeSystem/her2-site",
    }


def test_every_word_of_the_core_is_reached_by_some_answer() -> None:
    reached = {
        target["code"]
        for name in ("answers-ihc", "answers-ish", "answers-overall")
        for _, _, target in targets(MAPS[name])
    }

    assert {word.value for word in ResultWord} <= reached
    assert {f"group-{group.value}" for group in IshGroup} <= reached
    # 0+ is written as text only: no code system has it
    assert {score.value for score in IhcScore} - reached == {IhcScore.ZERO_PLUS.value}


def test_every_role_is_reached_by_some_test_code() -> None:
    reached = {target["code"] for _, _, target in targets(MAPS["test-codes"])}

    assert reached == {role.value for role in TestRole}


def codes_of(slug: str) -> set[str]:
    (resource,) = (r for r in of_type("CodeSystem") if r["id"] == slug)
    return {concept["code"] for concept in resource["concept"]}


def test_the_code_systems_hold_what_the_core_knows_and_nothing_else() -> None:
    assert codes_of("her2-category") == {category.value for category in Category}
    assert codes_of("her2-asco-cap") == {status.value for status in AscoCapStatus}
    assert codes_of("her2-test-role") == {role.value for role in TestRole}


def test_every_concept_is_defined() -> None:
    for resource in of_type("CodeSystem"):
        for concept in resource.get("concept", []):
            assert concept["display"], concept
            assert resource["id"] == "her2-word" or concept["definition"], concept


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_codes_of_loinc_and_snomed_ct_come_with_their_licence(path: Path) -> None:
    resource = read(path)
    named = json.dumps([resource.get("group"), resource.get("compose")])

    for system, word in (("http://loinc.org", "LOINC"), ("http://snomed.info/sct", "SNOMED CT")):
        if f'"{system}"' in named:
            assert word in resource["copyright"]


@pytest.mark.parametrize("concept_map", MAPS.values(), ids=MAPS.keys())
def test_every_code_has_a_right_check_digit(concept_map: JsonObject) -> None:
    forms = {"http://loinc.org": "loinc", "http://snomed.info/sct": "sctid"}
    for group in concept_map["group"]:
        for element in group["element"]:
            assert well_formed(element["code"], forms.get(group["source"], "")), element["code"]
            for target in element["target"]:
                assert well_formed(target["code"], forms.get(group["target"], "")), target["code"]


def test_a_wrong_check_digit_would_be_noticed() -> None:
    assert well_formed("85319-2", "loinc")
    assert not well_formed("85319-0", "loinc")


def test_the_value_set_of_what_is_written_leaves_out_what_is_not() -> None:
    (resource,) = (r for r in of_type("ValueSet") if r["id"] == "her2-category")
    (include,) = resource["compose"]["include"]

    assert {concept["code"] for concept in include["concept"]} == {
        category.value for category in Category if category.is_written
    }


def test_the_same_code_under_a_patient_and_a_tumour_map_is_no_contradiction(
    catalogue: Catalogue,
) -> None:
    positive = catalogue.answer(AnswerKind.OVERALL, "http://snomed.info/sct", "427685000")
    breast = catalogue.site_row("http://snomed.info/sct", "427685000")

    assert positive is not None
    assert breast is not None
    assert (positive.meaning, breast.meaning) == ("positive", "breast")


@pytest.mark.parametrize(
    "system",
    [one for one in of_type("CodeSystem") if one["content"] == "complete"],
    ids=lambda one: str(one["id"]),
)
def test_a_code_system_states_how_many_concepts_it_has(system: JsonObject) -> None:
    """Validators refuse another number; it is of all levels (FHIR R4 codesystem.html, count)."""

    def number(concepts: list[JsonObject]) -> int:
        return sum(1 + number(one.get("concept", [])) for one in concepts)

    assert system["count"] == number(system.get("concept", []))
