"""The 169 cells of the decision table, sent as FHIR in any order, come out of `classify` as printed."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from adapter.her2.grid import IHC_KINDS, ISH_KINDS
from tests.cli.conftest import ROOT, Run

LOINC = "http://loinc.org"
SCORES = {"0": "LA6111-4", "1+": "LA11841-6", "2+": "LA11842-4", "3+": "LA11843-2"}
WORDS = {"indeterminate": "LA11884-6", '"negative"': "LA6577-6", '"positive"': "LA6576-8"}
TEXTS = {
    "0+": "0+",
    '"equivocal"': "Equivocal",
    "0–1+": "0-1+",
    "1+–2+": "1-2+",
    "2+–3+": "2-3+",
}
NUMBERS = {  # ratio, HER2 copies, CEP17 copies
    "G1": ("2.5", "5.0", "2.0"),
    "G2": ("2.2", "3.3", "1.5"),
    "G3": ("1.5", "6.6", "4.4"),
    "G4": ("1.5", "4.5", "3.0"),
    "G5": ("1.2", "2.4", "2.0"),
    "single ≥6": ("", "6.0", ""),
    "single 4–5.9": ("", "4.0", ""),
    "single <4": ("", "3.9", ""),
}
ISH_WORDS = {
    "positive": "Positive (amplified)",
    "negative": "Not amplified",
    "equivocal": "Equivocal",
    "indeterm.": "Indeterminate",
}


def concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code}]}


def observation(name: str, test: str, place: str, **value: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"{place}-{name}",
        "status": "final",
        "code": concept(test),
        "subject": {"reference": f"Patient/{place}"},
        "specimen": {"reference": f"Specimen/{place}"},
        "effectiveDateTime": "2026-01-10",
        **value,
    }


def ihc(kind: str, place: str) -> list[dict[str, Any]]:
    if kind == "none":
        return []
    code = SCORES.get(kind) or WORDS.get(kind)
    value = {"valueCodeableConcept": concept(code)} if code else {"valueString": TEXTS[kind]}
    return [observation("ihc", "85319-2", place, **value)]


def ish(kind: str, place: str) -> list[dict[str, Any]]:
    if kind == "none":
        return []
    if kind in ISH_WORDS:
        value = {"valueCodeableConcept": {"text": ISH_WORDS[kind]}}
        return [observation("ish", "85318-4", place, **value)]
    parts = [
        {"code": concept(code), "valueQuantity": {"value": float(number)}}
        for code, number in zip(("49683-6", "74860-8", "74861-6"), NUMBERS[kind], strict=True)
        if number
    ]
    probe = "ISH, single probe" if kind.startswith("single") else "FISH, dual probe"
    return [observation("ish", "85318-4", place, method={"text": probe}, component=parts)]


def printed() -> dict[tuple[str, str], str]:
    """Read the grid of the page that a pathologist signs."""
    page = (ROOT / "docs/decision-table.md").read_text("utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    start = next(n for n, line in enumerate(lines) if line.startswith("| IHC | none"))
    columns = cells(lines[start])[1:]
    rows = [cells(line) for line in lines[start + 1 : start + 1 + len(IHC_KINDS)]]
    return {
        (row[0], column): text.replace("\\*", "*")
        for row in rows
        for column, text in zip(columns, row[1:], strict=True)
    }


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_169_cells_as_fhir_give_the_grid(run: Run, seed: int) -> None:
    expected = printed()
    places = {f"cell-{n}": cell for n, cell in enumerate(expected)}
    resources = [
        resource
        for place, (row, column) in places.items()
        for resource in (
            {"resourceType": "Patient", "id": place},
            {
                "resourceType": "Specimen",
                "id": place,
                "subject": {"reference": f"Patient/{place}"},
            },
            *ihc(row, place),
            *ish(column, place),
        )
    ]
    random.Random(seed).shuffle(resources)
    text = "\n".join(json.dumps(resource) for resource in resources)
    ended = run("classify", text=text)

    got = {
        places[line["subject"].removeprefix("Patient/")]: line["category"]
        + ("*" if line["review"] else "")
        for line in ended.lines
        if line["kind"] == "case"
    }
    assert len(expected) == len(IHC_KINDS) * len(ISH_KINDS) == 169
    assert expected.pop(("none", "none")) == "no-result"
    differing = {
        cell: (got.get(cell), want) for cell, want in expected.items() if got.get(cell) != want
    }
    assert differing == {}
