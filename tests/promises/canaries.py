"""A hospital in which every string that a patient could be known by is a canary, unique in the world.

What must be legible for the adapter to work at all (codes, systems, references, logical ids, statuses,
dates of tests) is left as it is; of every second patient also the words of tests and results.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[2] / "fixtures"
_LEGIBLE = frozenset(
    {"resourceType", "id", "reference", "url", "system", "code", "status", "gender", "comparator"}
    | {"contentType", "issued", "data", "div"}
)
_WORDS = frozenset({"display", "text", "valueString", "unit"})
_OF_TIME = ("Date", "DateTime", "Instant")


class Canaries:
    """Makes canaries, and finds them again."""

    def __init__(self) -> None:
        self.dates: set[str] = set()
        self._made = 0

    def one(self) -> str:
        """Make a new one; it has no letter that a word of a result begins with."""
        self._made += 1
        return f"Zqx{self._made:06d}xqZ"

    def birth_date(self) -> str:
        """Make a birth date that nobody else has."""
        born = (date(1801, 1, 1) + timedelta(days=len(self.dates))).isoformat()
        self.dates.add(born)
        return born

    @property
    def count(self) -> int:
        """How many there are."""
        return self._made + len(self.dates)

    def in_(self, text: str | bytes) -> set[str]:
        """Find those that stand in a text or in bytes, plain or in base64."""
        said = text if isinstance(text, str) else text.decode("utf-8", errors="replace")
        found = {f"Zqx{part[:6]}xqZ" for part in said.split("Zqx")[1:] if part[6:9] == "xqZ"}
        found |= {born for born in self.dates if born in said} if "18" in said else set()
        return found | ({"base64"} if "WnF4" in said else set())


def patients(count: int, canaries: Canaries) -> Iterator[dict[str, Any]]:
    """Give a transaction for each of so many patients, in turn of every example folder."""
    folders = sorted(FIXTURES.glob("*/input.json"))
    for number in range(count):
        source = folders[number % len(folders)]
        text = source.read_text("utf-8").replace(source.parent.name, f"c{number}")
        bundle = json.loads(text)
        for entry in bundle["entry"]:
            filled = _filled(entry["resource"], canaries)
            entry["resource"] = _marked(filled, canaries, words=number % 2 == 1)
        yield bundle


def _marked(element: Any, canaries: Canaries, *, words: bool, name: str = "") -> Any:
    """Put a canary into every string that may hold one; `words`: into those of results as well."""
    if isinstance(element, dict):
        return {
            key: _marked(value, canaries, words=words, name=key) for key, value in element.items()
        }
    if isinstance(element, list):
        return [_marked(value, canaries, words=words, name=name) for value in element]
    is_text = isinstance(element, str) and name not in _LEGIBLE and not name.endswith(_OF_TIME)
    if not is_text:
        return element
    if name == "birthDate":
        return canaries.birth_date()
    if name in _WORDS and "Zqx" not in element:
        return f"{element} {canaries.one()}" if words else element
    return element if "Zqx" in element else canaries.one()


def _filled(resource: dict[str, Any], canaries: Canaries) -> dict[str, Any]:
    """Add the elements in which people write what must not leave."""
    one = canaries.one
    narrative = {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{one()}</div>',
    }
    identifier = [{"system": "urn:mrn", "value": one(), "assigner": {"display": one()}}]
    made = {**deepcopy(resource), "text": narrative, "identifier": identifier}
    made["extension"] = [{"url": "http://example.org/remark", "valueString": one()}]
    match resource["resourceType"]:
        case "Patient":
            made["name"] = [{"family": one(), "given": [one(), one()], "prefix": [one()]}]
            made["telecom"] = [{"system": "phone", "value": one()}]
            made["address"] = [{"line": [one()], "city": one(), "postalCode": one(), "text": one()}]
            made["contact"] = [{"name": {"text": one()}, "telecom": [{"value": one()}]}]
            made["birthDate"] = "x"
        case "Observation":
            made["subject"] = {**made["subject"], "display": one()}
            made["performer"] = [{"display": one()}]
            made["encounter"] = {"display": one()}
            made["note"] = [*made.get("note", []), {"text": one(), "authorString": one()}]
            made["referenceRange"] = [{"text": one()}]
        case "Specimen":
            made["accessionIdentifier"] = {"system": "urn:lab", "value": one()}
            made["note"] = [{"text": one()}]
        case "DiagnosticReport":
            data = base64.b64encode(one().encode()).decode()
            made["conclusion"] = one()
            made["presentedForm"] = [{"contentType": "text/plain", "data": data, "title": one()}]
    return made
