"""Protects the record before a validator and a cache that are not ours: those of HAPI.

Every kind of record is validated against our own profiles and against mCODE's tumour marker test.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.her2.model import Category
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.records import BASE, Records, category_of
from tests.real.validating import TIMEOUT_SECONDS, errors_of, validated
from tests.servers.hapi import HapiServer

pytestmark = pytest.mark.real

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = sorted((ROOT / "fixtures" / "golden" / "record").glob("*.json"))
MAPPINGS = sorted((ROOT / "mappings").glob("*.json"))
OBSERVATION = f"{BASE}/StructureDefinition/her2-category-observation"
PROVENANCE = f"{BASE}/StructureDefinition/her2-category-provenance"


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _of_kind(path: Path, kind: str) -> Iterator[Json]:
    return (one for one in _read(path) if one["resourceType"] == kind)


@pytest.fixture
def profiles(hapi: HapiServer, mcode_on_hapi: str) -> dict[str, tuple[str, ...]]:
    """Resource type → the profiles it is held to; all of mappings/ and mCODE are on the server."""
    if not requests.get(
        f"{hapi.base_url}/StructureDefinition/her2-category-provenance", timeout=TIMEOUT_SECONDS
    ).ok:
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"{kind}/{one['id']}"}}
            for one in map(_read, MAPPINGS)
            if (kind := one["resourceType"])
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        requests.post(hapi.base_url, json=bundle, timeout=TIMEOUT_SECONDS).raise_for_status()
    return {"Observation": (OBSERVATION, mcode_on_hapi), "Provenance": (PROVENANCE,), "Device": ()}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_kind_of_record_is_valid(
    hapi: HapiServer, profiles: dict[str, tuple[str, ...]], path: Path
) -> None:
    seen: Counter[str] = Counter()
    for resource in _read(path):
        for profile in (None, *profiles[resource["resourceType"]]):
            issues = validated(hapi, resource, profile)
            assert errors_of(issues) == [], (resource["resourceType"], profile)
            seen.update(one["severity"] for one in issues)
    print(f"{path.stem}: {seen['warning']} warnings")  # noqa: T201 - shown by pytest -rP


def test_the_golden_records_have_every_category_that_is_written() -> None:
    found = {category_of(one) for path in GOLDEN for one in _of_kind(path, "Observation")}
    assert found == {one.value for one in Category if one.is_written}


def _without(element: str) -> Any:
    return lambda record: record.pop(element)


def _with_another_category(record: Json) -> None:
    record["valueCodeableConcept"]["coding"][0]["code"] = "somewhat-positive"


def _as_a_laboratory_test(record: Json) -> None:
    record["component"][0]["code"] = {"coding": [{"system": "http://loinc.org", "code": "85319-2"}]}


def _without_our_code(record: Json) -> None:
    record["code"]["coding"] = record["code"]["coding"][:1]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_without("derivedFrom"), id="without-sources"),
        pytest.param(_without("identifier"), id="without-identifier"),
        pytest.param(_without("device"), id="without-device"),
        pytest.param(_without("valueCodeableConcept"), id="without-value"),
        pytest.param(_with_another_category, id="with-a-category-nobody-knows"),
        pytest.param(_as_a_laboratory_test, id="with-a-laboratory-test-as-component"),
        pytest.param(_without_our_code, id="without-our-code"),
    ],
)
def test_our_profile_refuses_a_spoilt_record(
    hapi: HapiServer, profiles: dict[str, tuple[str, ...]], spoil: Any
) -> None:
    (path,) = (one for one in GOLDEN if one.stem == "low")
    (record,) = _of_kind(path, "Observation")
    assert errors_of(validated(hapi, record, OBSERVATION)) == []
    spoil(record)
    assert errors_of(validated(hapi, record, OBSERVATION)) != []


def test_what_the_adapter_wrote_is_valid_as_it_stands(
    hapi: HapiServer, profiles: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    laboratory, records = Laboratory(hapi.base_url), Records(hapi.base_url)
    women = laboratory.women(5)
    laboratory.ihc("open", "2+")
    withdrawn = laboratory.ihc("withdrawn", "3+")
    patients = [laboratory.patient(name) for name in (*women, "open", "withdrawn")]
    adapter = AdapterUnderTest(
        hapi.base_url, tmp_path / "state.sqlite", output__profiles=True, output__snomed=True
    )
    adapter.run(patients=patients)
    laboratory.withdraw(withdrawn)
    adapter.run(patients=patients)
    for patient in patients:
        derived = records.only(patient)
        assert derived["meta"]["profile"] == [OBSERVATION]
        for resource in (derived, *records.provenances(derived)):
            sent = json.loads(json.dumps(resource, default=float))
            for profile in (None, *profiles[resource["resourceType"]]):
                assert errors_of(validated(hapi, sent, profile)) == [], profile
    adapter.stop()
    laboratory.close()
    records.close()


def test_late_result_is_seen_although_hapi_answers_the_same_search_from_its_cache(
    empty_hapi: HapiServer, tmp_path: Path
) -> None:
    """Without `Cache-Control: no-cache` a result would stay unseen for a minute, and be missed."""
    laboratory, records = Laboratory(empty_hapi.base_url), Records(empty_hapi.base_url)
    laboratory.ihc("anna", "2+")
    adapter = AdapterUnderTest(empty_hapi.base_url, tmp_path / "state.sqlite")
    adapter.settle()
    quiet = empty_hapi.mark()
    adapter.run()
    asked = [
        f"{empty_hapi.root_url}{one.target}"
        for one in empty_hapi.requests_since(quiet)
        if one.method == "GET" and "/Observation?combo-code=" in one.target
    ]
    assert asked, "a quiet pass asks what is new"

    def found_carelessly() -> set[str]:
        answers = [requests.get(url, timeout=TIMEOUT_SECONDS).json() for url in asked]
        return {entry["resource"]["id"] for one in answers for entry in one.get("entry", [])}

    before = found_carelessly()
    fish = laboratory.fish("anna", "Negative")
    assert found_carelessly() == before, "HAPI answers from its cache"
    assert fish.removeprefix("Observation/") not in before

    adapter.run()
    assert category_of(records.only(laboratory.patient("anna"))) == "low"
    adapter.stop()
    laboratory.close()
    records.close()
