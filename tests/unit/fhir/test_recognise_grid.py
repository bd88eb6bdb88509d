"""Protects the whole way from FHIR to the printed grid: its 169 cells, each written in several ways, in any order."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from adapter.fhir.recognise import gather_evidence
from adapter.fhir.references import Graph
from adapter.her2.cases import group
from adapter.her2.classify import classify
from adapter.her2.grid import IHC_KINDS, ISH_KINDS, cell_text, grid
from adapter.her2.policy import ASCO_CAP_2023
from tests.unit.fhir.recognising import (
    CEP17_COPIES,
    HER2_COPIES,
    IHC,
    ISH,
    RATIO,
    SCORES,
    catalogue,
    component,
    concept,
    observation,
    quantity,
)

EXPECTED = {cell: cell_text(verdict) for cell, verdict in grid(ASCO_CAP_2023).items()}


def text(said: str) -> dict[str, Any]:
    return {"valueCodeableConcept": concept(text=said)}


def coded(code: str) -> dict[str, Any]:
    return {"valueCodeableConcept": concept(code)}


def numbers(ratio: str, copies: str, cep17: str) -> dict[str, Any]:
    given = zip((RATIO, HER2_COPIES, CEP17_COPIES), (ratio, copies, cep17), strict=True)
    parts = [component(code, valueQuantity=quantity(Decimal(number))) for code, number in given]
    return {"component": parts, "method": {"text": "FISH, dual probe"}}


def single(copies: str) -> dict[str, Any]:
    part = component(HER2_COPIES, valueQuantity=quantity(Decimal(copies), "copies/cell"))
    return {"component": [part], "method": {"text": "ISH, single probe"}}


IHC_WAYS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "0": [coded(SCORES["0"]), text("HER2 score 0"), {"valueInteger": 0}],
    "0+": [text("0+"), {"valueString": "HER2: 0+"}],
    "1+": [coded(SCORES["1+"]), text("Negative (Score 1+)"), {"valueString": "1+"}],
    "2+": [coded(SCORES["2+"]), text("2+ (equivocal)"), {"valueQuantity": quantity(2)}],
    "3+": [coded(SCORES["3+"]), text("HER2: Positive (3+ by IHC)"), text("+++")],
    "indeterminate": [coded("LA11884-6"), text("Indeterminate")],
    '"negative"': [coded("LA6577-6"), text("HER2 negativ"), coded("260385009")],
    '"positive"': [coded("LA6576-8"), text("Positive")],
    '"equivocal"': [coded("LA11885-3"), text("HER2: equivocal, FISH recommended")],
    "0–1+": [text("0-1+"), {"valueRange": {"low": quantity(0), "high": quantity(1)}}],
    "1+–2+": [text("1+-2+"), text("1-2+")],
    "2+–3+": [text("2+-3+"), text("2+/3+")],
}
ISH_WAYS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "G1": [numbers("2.50", "6.0", "2.4"), {"valueString": "2.5 (CN 6.0)"}],
    "G2": [numbers("2.20", "3.3", "1.5"), text("ISH group 2")],
    "G3": [numbers("1.60", "6.4", "4.0"), text("ratio 1.6, copies 6.4")],
    "G4": [numbers("1.70", "5.1", "3.0"), text("ISH group 4")],
    "G5": [numbers("1.10", "2.2", "2.0"), text("not amplified (ratio 1.1, CN 2.2)")],
    "positive": [text("Positive (amplified)"), coded("LA6576-8"), text("FISH amplifiziert")],
    "negative": [text("Negative (not amplified)"), coded("705105000"), {"valueString": "<1.8"}],
    "equivocal": [text("Equivocal"), coded("LA11885-3")],
    "indeterm.": [text("Indeterminate"), text("Test failure")],
    "single ≥6": [single("6.0")],
    "single 4–5.9": [single("4.0"), single("5.99")],
    "single <4": [single("3.99")],
}


def test_every_row_and_column_of_the_grid_is_written_here() -> None:
    assert (set(IHC_WAYS), set(ISH_WAYS)) == (set(IHC_KINDS), set(ISH_KINDS))


@pytest.mark.parametrize("way", [0, 1, 2])
def test_the_grid_as_fhir_gives_the_printed_grid_in_any_order(way: int) -> None:
    resources: list[dict[str, Any]] = []
    cells: dict[str, tuple[str, str]] = {}
    for number, (row, column) in enumerate(EXPECTED):
        patient = f"Patient/p{number}"
        cells[patient] = (row, column)
        specimen = {"resourceType": "Specimen", "id": f"s{number}"}
        resources.append(specimen)
        for code, ways in ((IHC, IHC_WAYS[row]), (ISH, ISH_WAYS[column])):
            if ways:
                made = observation(
                    code,
                    id=f"{code}.{number}",
                    subject={"reference": patient},
                    specimen={"reference": f"Specimen/s{number}"},
                    **ways[way % len(ways)],
                )
                resources.append(made)
    random.Random(way).shuffle(resources)
    observations = [r for r in resources if r["resourceType"] == "Observation"]
    found = gather_evidence(observations, Graph.of(resources), catalogue())
    cases = group(result.evidence for result in found if result.evidence)
    got = {cells[case.subject]: answer for case in cases for answer in [classify(case)]}
    said = {cell: f"{a.category}{'*' if a.review else ''}" for cell, a in got.items()}
    assert said | {("none", "none"): "no-result"} == EXPECTED
    assert len(said) == 168
