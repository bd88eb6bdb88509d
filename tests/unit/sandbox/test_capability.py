"""Protects the honesty of the CapabilityStatement: what it promises is served, the rest refused."""

from __future__ import annotations

import pytest

from adapter.sandbox.search_parameters import parameters_of
from tests.unit.sandbox.client import Client, Json


@pytest.fixture
def statement(fhir: Client) -> Json:
    content: Json = fhir.get("metadata").json()
    return content


def _resource(statement: Json, resource_type: str) -> Json:
    found: Json
    (found,) = [one for one in statement["rest"][0]["resource"] if one["type"] == resource_type]
    return found


def test_it_is_an_r4_server(statement: Json, fhir: Client) -> None:
    assert statement["resourceType"] == "CapabilityStatement"
    assert statement["fhirVersion"] == "4.0.1"
    assert (statement["status"], statement["kind"]) == ("active", "instance")
    assert "application/fhir+json" in statement["format"]
    assert statement["implementation"]["url"] == fhir.base_url
    codes = {one["code"] for one in statement["rest"][0]["interaction"]}
    assert codes == {"transaction", "batch", "history-system"}


def test_its_flags_say_what_is_conditional(statement: Json) -> None:
    observation = _resource(statement, "Observation")
    assert observation["updateCreate"] is True
    assert observation["conditionalCreate"] is True
    assert observation["conditionalUpdate"] is True
    assert observation["conditionalDelete"] == "not-supported"
    assert observation["versioning"] == "versioned"
    assert {one["code"] for one in observation["interaction"]} == {
        "read",
        "vread",
        "update",
        "delete",
        "history-instance",
        "history-type",
        "create",
        "search-type",
    }


@pytest.mark.parametrize(
    ("resource_type", "parameters"),
    [
        (
            "Observation",
            "_id _lastUpdated _tag identifier patient subject code component-code combo-code "
            "category status specimen derived-from based-on",
        ),
        ("DiagnosticReport", "identifier patient subject code category status specimen result"),
        ("Specimen", "identifier accession patient subject parent status"),
        ("Provenance", "_id _lastUpdated _tag target entity"),
        ("Patient", "_id _lastUpdated identifier"),
        ("ServiceRequest", "identifier patient based-on specimen"),
        ("Condition", "patient code"),
        ("Device", "identifier"),
        ("ConceptMap", "url version status"),
    ],
)
def test_the_searches_of_the_client_are_promised(
    statement: Json, resource_type: str, parameters: str
) -> None:
    promised = {one["name"] for one in _resource(statement, resource_type)["searchParam"]}
    assert set(parameters.split()) <= promised


VALUES = {"token": "x", "reference": "x", "uri": "http://x.test", "date": "2024"}


def test_every_promised_search_and_include_is_served(statement: Json, fhir: Client) -> None:
    for resource in statement["rest"][0]["resource"]:
        if len(parameters_of(resource["type"])) == len(parameters_of("Basic")):
            continue  # has the common parameters alone
        queries = [f"{one['name']}={VALUES[one['type']]}" for one in resource["searchParam"]]
        queries += [f"_include={one}" for one in resource.get("searchInclude", [])]
        queries += [f"_revinclude={one}" for one in resource["searchRevInclude"]]
        for start in range(0, len(queries), 40):
            query = "&".join(queries[start : start + 40])
            answer = fhir.get(f"{resource['type']}?{query}")
            assert answer.status_code == 200, (resource["type"], answer.text)


def test_every_listed_type_can_be_searched(statement: Json, fhir: Client) -> None:
    types = [one["type"] for one in statement["rest"][0]["resource"]]
    assert len(types) == 145
    entries = [{"request": {"method": "GET", "url": f"{one}?_id=x"}} for one in types]
    answer = fhir.batch(*entries)
    assert {entry["response"]["status"] for entry in answer.json()["entry"]} == {"200 OK"}
