"""Protects the place in the breast that names of specimens state: by the clock, and by quadrant."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.fhir.links import sample_links, sample_names, specimen_of
from adapter.fhir.positions import position_in
from adapter.fhir.references import Graph
from adapter.fhir.terms import Terms
from adapter.her2.model import SampleLinks
from tests.unit.fhir.recognising import catalogue, observation


def hours(text: str) -> set[str]:
    return set(position_in([text], Terms.of(catalogue())).hours)


def quadrants(text: str) -> set[str]:
    return set(position_in([text], Terms.of(catalogue())).quadrants)


@pytest.mark.parametrize(
    "text",
    [
        "Left breast, 2 o'clock, core biopsy",
        "Left breast 2 o\u2019clock 5 cm FN",
        "Breast, left, 2 oclock",
        "LEFT BREAST 2 O'CLOCK",
        "left breast 2-o'clock",
        "left breast 2:00",
        "left breast (2:00) core",
        "left breast 02:00",
        "Mamma links 2 Uhr",
        "Mamma links, 02 Uhr",
        "Mamma links 2:00 Uhr",
        "Mamma links 2.00 Uhr",
        "sein gauche \u00e0 2 heures",
        "sein gauche 02 h",
        "sein gauche 2h",
        "mammella sinistra ore 2",
        "mama izquierda a las 2",
        "mama izquierda hora 2",
        "mama izquierda 2 horas",
        "mamma links 2 uur",
        "\u5de6\u4e732\u70b9",
    ],
)
def test_an_hour_of_the_clock_face_is_read(text: str) -> None:
    assert hours(text) == {"2:00"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("left breast 2-3 o'clock", {"2:00", "3:00"}),
        ("left breast 10\u201311 o'clock", {"10:00", "11:00"}),
        ("left breast 9:30", {"9:30"}),
        ("left breast 9:30 o'clock", {"9:30"}),
        ("Mamma re. 12 Uhr", {"12:00"}),
    ],
)
def test_a_range_and_a_half_hour_are_read(text: str, said: set[str]) -> None:
    assert hours(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "Breast core biopsy x3",
        "Core biopsy 2",
        "Block 2, left breast",
        "received 14:00",
        "fixed 24 h",
        "collected 2024-01-01 10:30",
        "collected 2024-01-01T10:30:15",
        "biopsy at 9:30 am",
        "biopsy at 10:30:15",
        "H&E 2",
        "2:1 ratio",
        "left breast",
        "",
    ],
)
def test_other_numbers_are_no_position(text: str) -> None:
    assert not hours(text)
    assert not quadrants(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("left breast upper outer quadrant", "upper-outer"),
        ("left breast, upper-outer", "upper-outer"),
        ("left breast UOQ", "upper-outer"),
        ("Mamma links, oberer \u00e4u\u00dferer Quadrant", "upper-outer"),
        ("Mamma li., oben au\u00dfen", "upper-outer"),
        ("quadrant sup\u00e9ro-externe du sein gauche", "upper-outer"),
        ("sein gauche QSE", "upper-outer"),
        ("cuadrante superoexterno", "upper-outer"),
        ("quadrante supero-esterno", "upper-outer"),
        ("left breast upper inner quadrant", "upper-inner"),
        ("LOQ left breast", "lower-outer"),
        ("unterer \u00e4u\u00dferer Quadrant", "lower-outer"),
        ("left breast LIQ", "lower-inner"),
        ("unterer innerer Quadrant", "lower-inner"),
        ("left breast UIQ", "inner"),
    ],
)
def test_a_quadrant_is_read(text: str, said: str) -> None:
    assert quadrants(text) == {said}


S1 = {"reference": "Specimen/s1"}


def specimen(name: str = "s1", **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Specimen", "id": name} | elements


def links(*others: dict[str, Any], **elements: Any) -> SampleLinks:
    given = observation(**elements)
    graph, terms = Graph.of([given, *others]), Terms.of(catalogue())
    taken = specimen_of(given, graph)
    named = sample_names(given, graph, terms, specimen=taken)
    return sample_links(given, graph, terms, specimen=taken, named=named)


TWO = {"text": "left breast, 2 o'clock"}


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(([specimen(type=TWO)], {"specimen": S1}), id="type"),
        pytest.param(
            ([specimen(collection={"bodySite": TWO})], {"specimen": S1}), id="collection site"
        ),
        pytest.param(
            (
                [
                    specimen(type={"text": "block A1"}, parent=[{"reference": "Specimen/s0"}]),
                    specimen("s0", type=TWO),
                ],
                {"specimen": S1},
            ),
            id="parent",
        ),
        pytest.param(([], {"bodySite": TWO}), id="result's site"),
        pytest.param(([], {"specimen": {"display": TWO["text"]}}), id="specimen's name"),
        pytest.param(([], {"code": {"text": "HER2 IHC left breast 2 o'clock"}}), id="test's name"),
    ],
)
def test_a_position_is_read_where_the_sample_is_named(
    place: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    others, elements = place
    assert links(*others, **elements).hours == {"2:00"}


def test_the_nearest_place_that_says_it_counts() -> None:
    block = specimen(type=TWO, parent=[{"reference": "Specimen/s0"}])
    parent = specimen("s0", type={"text": "left breast, 9 o'clock, upper inner quadrant"})
    found = links(block, parent, specimen=S1)
    assert (found.hours, found.quadrants) == ({"2:00"}, set())
