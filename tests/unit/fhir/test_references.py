"""Protects references: one form for each, inside a Bundle and across a server, and no guess."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.fhir.bundle import unpack
from adapter.fhir.references import Graph, latest_version, reference_to
from tests.unit.fhir.recognising import observation

URN = "urn:uuid:0b5c3a10-7a50-4b0d-9d5e-0d8a6b8f1c11"


def entry(resource: dict[str, Any], full_url: str | None = None) -> dict[str, Any]:
    return {"resource": resource} | ({"fullUrl": full_url} if full_url else {})


def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": list(entries)}


@pytest.mark.parametrize(
    ("reference", "normal"),
    [
        ("Specimen/1", "Specimen/1"),
        (" Specimen/1 ", "Specimen/1"),
        ("Specimen/1/_history/7", "Specimen/1"),
        ("https://fhir.lab/r4/Specimen/1", "Specimen/1"),
        ("https://fhir.lab/r4/Specimen/1/_history/7", "Specimen/1"),
        ("https://elsewhere/r4/Specimen/1", "https://elsewhere/r4/Specimen/1"),
        ("https://fhir.lab/r4evil/Specimen/1", "https://fhir.lab/r4evil/Specimen/1"),
        (URN, URN),
        ("#s", "Observation/o1#s"),
        ("#", None),
        ("", None),
        ("Specimen", None),
        ("specimen 1", None),
    ],
)
def test_every_reference_has_one_form(reference: str, normal: str | None) -> None:
    graph = Graph.of([], base_url="https://fhir.lab/r4")
    assert graph.normal(reference, within=observation()) == normal


def test_a_urn_in_a_bundle_leads_to_its_resource() -> None:
    unpacked = unpack([bundle(entry({"resourceType": "Specimen", "id": "s7"}, URN))])
    graph = unpacked.graph()
    assert graph.normal(URN) == "Specimen/s7"
    assert graph.resolve(URN) == {"resourceType": "Specimen", "id": "s7"}


def test_an_absolute_full_url_and_a_relative_reference_name_the_same_resource() -> None:
    url = "http://lab.invalid/Specimen/s7"
    graph = unpack([bundle(entry({"resourceType": "Specimen", "id": "s7"}, url))]).graph()
    assert graph.normal(url) == graph.normal("Specimen/s7") == "Specimen/s7"


def test_a_resource_without_an_id_is_named_by_its_full_url() -> None:
    made = unpack(
        [bundle(entry({"resourceType": "Specimen"}, URN), entry({"resourceType": "Patient"}))]
    )
    assert [reference_to(r) for r in made.resources] == [
        f"Specimen/{URN.removeprefix('urn:uuid:')}",
        "Patient/entry-2",
    ]


def test_a_full_url_of_two_resources_names_none() -> None:
    two = [{"resourceType": "Specimen", "id": name} for name in ("a", "b")]
    graph = unpack([bundle(*(entry(resource, URN) for resource in two))]).graph()
    assert graph.resolve(URN) is None


def test_bundles_in_bundles_and_bare_resources_are_unpacked_in_order() -> None:
    inner = bundle(entry(observation(id="b")))
    made = unpack(
        [observation(id="a"), bundle(entry(inner)), bundle({"request": {}}, {"resource": 7})]
    )
    assert [o["id"] for o in made.observations] == ["a", "b"]


def test_what_is_no_resource_is_left_out_and_nesting_has_an_end() -> None:
    nested = observation()
    for _ in range(20):
        nested = bundle(entry(nested))
    assert unpack([{"x": 1}, nested]).resources == ()


def test_input_is_not_changed() -> None:
    given = bundle(entry({"resourceType": "Specimen"}, URN))
    unpack([given])
    assert given == bundle(entry({"resourceType": "Specimen"}, URN))


def version(number: str, updated: str | None) -> dict[str, Any]:
    meta = {"versionId": number} | ({"lastUpdated": updated} if updated else {})
    return observation(meta=meta, note=[{"text": number}])


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "turned round"])
def test_of_several_copies_the_one_last_updated_counts_whatever_the_order(turned: bool) -> None:
    copies = [
        version("1", "2026-01-01T12:00:00Z"),
        version("2", "2026-01-01T12:00:00+01:00"),  # an hour earlier
    ]
    found = latest_version(copies[::-1] if turned else copies)
    assert found is not None
    assert found["meta"]["versionId"] == "1"


def test_copies_that_nothing_orders_are_none_of_them() -> None:
    assert latest_version([version("1", None), version("2", None)]) is None
    same = "2026-01-01T12:00:00Z"
    assert latest_version([version("1", same), version("2", same)]) is None
    graph = Graph.of([version("1", None), version("2", None)])
    assert graph.get("Observation/o1") is None


def test_equal_copies_are_one() -> None:
    assert latest_version([version("1", None), version("1", None)]) == version("1", None)


@pytest.mark.parametrize("updated", ["yesterday", "", "0001-01-01T00:00:00+23:00"])
def test_an_unreadable_instant_orders_nothing(updated: str) -> None:
    copies = [version("1", updated), version("2", None)]
    latest_version(copies)  # does not raise
