"""Protects mappings/ before a validator, a terminology server and a package installer not ours: HAPI's.

The set comes onto an otherwise empty server as anybody would bring it: as the FHIR package that
`make package` makes, by HAPI's own installer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.terminology.catalogue import load_catalogue
from adapter.terminology.mapping_files import read_folder
from adapter.terminology.package import pack, shipped_head
from tests.real.validating import TIMEOUT_SECONDS, errors_of, validated
from tests.servers import mcode
from tests.servers.hapi import HapiServer

pytestmark = pytest.mark.real

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
MAPPINGS = sorted((ROOT / "mappings").glob("*.json"))
BASE = "https://w3id.org/her2-adapter"
HL7 = "http://hl7.org/fhir/StructureDefinition"
NO_PACKAGES = "Unable to resolve package id hl7.fhir.r4.core"
"""HAPI's answer to the context of any extension, mCODE's too: it looks for the core in a package
that it was not given. See `test_hapi_cannot_check_the_context_of_any_extension`.
"""
NO_CONTEXT = "sdf-5"
TOLERATED = {
    # Best practice only: machines alone read these files, so they have no narrative.
    f"{HL7}/DomainResource#dom-6": "",
    # Codes of LOINC, SNOMED CT, UCUM and of other projects cannot be looked up on a server that has
    # none of these systems. Their check digits are checked by adapter/terminology/rules.py, their
    # displays by whoever reviews a row.
    "CONCEPTMAP_GROUP_SOURCE_UNKNOWN": "is not fully defined and populated",
    "CONCEPTMAP_GROUP_TARGET_UNKNOWN": "is not fully defined and populated",
    "Terminology_PassThrough_TX_Message": "http://loinc.org",
    # Two that HAPI gives without an id, for the same reason.
    None: ("used for the CodeSystem http://unitsofmeasure.org", "which has status 'not-present'"),
}
"""Warnings that stand, by HAPI's message id, and what one of them must say."""


@pytest.fixture(scope="module")
def installed(hapi: HapiServer) -> Iterator[Counter[str]]:
    """What HAPI's installer made of the package: resource type → how many; nothing else is there."""
    files, _ = read_folder(ROOT / "mappings")
    made = pack(files, shipped_head(), content=load_catalogue().version)
    hapi.empty()
    yield Counter(hapi.install_package(made.content))
    hapi.empty()


def _get(hapi: HapiServer, path: str, **parameters: str) -> Json:
    answer = requests.get(f"{hapi.base_url}/{path}", params=parameters, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    found: Json = answer.json()
    return found


def _is_tolerated(warning: Json) -> bool:
    coded = warning.get("details", {}).get("coding", [{}])[0].get("code")
    expected = TOLERATED.get(coded, ())
    said = (expected,) if isinstance(expected, str) else expected
    return any(part in warning["diagnostics"] for part in said)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_everything_in_mappings_is_valid_fhir(
    hapi: HapiServer, installed: Counter[str], path: Path
) -> None:
    resource = _read(path)
    allowed: list[str] = []
    if resource.get("type") == "Extension":
        # Its context cannot be checked on HAPI; all else of it can, at the price of one complaint.
        del resource["context"]
        allowed = [NO_CONTEXT]
    issues = validated(hapi, resource)
    errors = errors_of(issues)
    assert len(errors) == len(allowed), errors
    assert all(name in error for name, error in zip(allowed, errors, strict=True)), errors
    warnings = [one for one in issues if one["severity"] == "warning"]
    assert [one["diagnostics"] for one in warnings if not _is_tolerated(one)] == []


@pytest.mark.parametrize(
    "path",
    [path for path in MAPPINGS if path.stem.startswith(("codesystem", "valueset"))],
    ids=lambda path: path.stem,
)
def test_code_systems_and_value_sets_are_complete_enough_to_share(
    hapi: HapiServer, installed: Counter[str], path: Path
) -> None:
    """HL7's own measure of complete: the profiles of shareable terminology in FHIR R4."""
    resource = _read(path)
    profile = f"{HL7}/shareable{resource['resourceType'].lower()}"
    errors = errors_of(validated(hapi, resource, profile))
    if resource.get("content") == "not-present":  # its codes are made up as they are needed
        assert [error.partition(":")[0] for error in errors] == ["CodeSystem.concept"]
    else:
        assert errors == []


def test_hapi_cannot_check_the_context_of_any_extension(
    hapi: HapiServer, mcode_on_hapi: str
) -> None:
    theirs = next(
        one
        for one in mcode.definitions()
        if one.get("type") == "Extension" and one["url"].startswith("http://hl7.org/fhir/us/mcode")
    )
    bare = {key: value for key, value in theirs.items() if key not in ("snapshot", "text")}
    assert any(NO_PACKAGES in error for error in errors_of(validated(hapi, bare)))


def test_the_installer_of_hapi_takes_the_whole_package(
    hapi: HapiServer, installed: Counter[str]
) -> None:
    resources = [_read(path) for path in MAPPINGS]
    assert installed == Counter(one["resourceType"] for one in resources)
    for one in resources:
        if "url" in one:
            named = {"url": one["url"], "version": one["version"]}
        else:  # a NamingSystem of R4
            named = {"value:exact": one["uniqueId"][0]["value"]}
        found = _get(hapi, one["resourceType"], **named)
        assert found["total"] == 1, named


def test_a_test_code_is_translated_by_a_server_that_has_the_package(
    hapi: HapiServer, installed: Counter[str]
) -> None:
    answer = _get(
        hapi,
        "ConceptMap/$translate",
        url=f"{BASE}/ConceptMap/test-codes",
        system="http://loinc.org",
        code="85319-2",
    )
    (match,) = (one["part"] for one in answer["parameter"] if one["name"] == "match")
    (meant,) = (part["valueCoding"] for part in match if part["name"] == "concept")
    assert meant == {"system": f"{BASE}/CodeSystem/her2-test-role", "code": "ihc"}


def test_a_category_is_looked_up_on_a_server_that_has_the_package(
    hapi: HapiServer, installed: Counter[str]
) -> None:
    answer = _get(hapi, "CodeSystem/$lookup", system=f"{BASE}/CodeSystem/her2-category", code="low")
    said = {one["name"]: one.get("valueString") for one in answer["parameter"]}
    assert (said["display"], said["version"]) == (
        "HER2-low",
        load_catalogue().version.partition("+")[0],
    )


def test_the_profile_of_the_package_judges_a_derived_result(
    hapi: HapiServer, installed: Counter[str]
) -> None:
    profile = f"{BASE}/StructureDefinition/her2-category-observation"
    golden = _read(ROOT / "fixtures" / "golden" / "record" / "low.json")
    (derived,) = (one for one in golden if one["resourceType"] == "Observation")
    assert errors_of(validated(hapi, derived, profile)) == []
    del derived["derivedFrom"]
    assert errors_of(validated(hapi, derived, profile)) != []
