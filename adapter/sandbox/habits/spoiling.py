"""Habits with the text of JSON: what two readers could read differently, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import edited
from adapter.sandbox.habits.habit import Habit, Scene, Sometimes, chosen
from adapter.sandbox.json_text import JsonObject, JsonText, write_json

_spoilt = {
    "key": '"meta":{},',
    "subject": '"subject":{"reference":"Patient/someone-else"},',
    "nan": '"extension":[{"url":"urn:x","valueDecimal":NaN}],',
    "digits": '"extension":[{"url":"urn:x","valueInteger":' + "9" * 500 + "}],",
    "surrogate": '"language":"\\ud800",',
    "control": '"language":"\\u0000",',
    "depth": '"extension":' + "[" * 100 + "]" * 100 + ",",
}


class SpoiltResource(Habit):
    """One bad apple."""

    name = "spoilt-resource"
    does = (
        "wherever the resource with this ID is shown, alone or on a page, it has a key twice (key), two subjects "
        "(subject), NaN, a number of 500 digits, half a surrogate pair, a NUL (control) or 100 levels of nesting; all "
        "around it is good"
    )
    seen = (
        "stores that keep the text they were sent; LinuxForHealth FHIR issue 1155; CVE-2024-27454"
    )
    takes = f"ID[:{'|'.join(_spoilt)}]"
    default = "spoilt"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._id, _, kind = value.partition(":")
        self._insert = _spoilt[chosen(kind or "key", *_spoilt)]

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Spoil it."""
        found = answer(request)
        return edited(found, self._shown) if f'"{self._id}"' in found.body else found

    def _shown(self, resource: JsonObject) -> Any:
        if resource.get("resourceType") != "Bundle":
            return self._spoilt(resource) if resource.get("id") == self._id else resource
        entries: list[Any] = [
            {**entry, "resource": self._shown(entry["resource"])} if "resource" in entry else entry
            for entry in resource.get("entry", ())
        ]
        return {**resource, "entry": entries} if entries else resource

    def _spoilt(self, resource: JsonObject) -> JsonText:
        return JsonText("{" + self._insert + write_json(resource)[1:])


class DuplicateKeys(Sometimes):
    """Two readers, two meanings."""

    name = "duplicate-keys"
    does = (
        "one answer in OFTEN has resources with two status (entered-in-error first) or two subject keys; readers keep "
        "the first, the last, or refuse"
    )
    seen = "LinuxForHealth FHIR issue 1155 (stored under the second patient)"
    takes = "OFTEN[:status|subject]"
    kinds = ("status", "subject")

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Repeat a key."""
        found = answer(request)
        first = {
            "status": '"status":"entered-in-error",',
            "subject": '"subject":{"reference":"Patient/someone-else"},',
        }[self.kind]
        start = '{"resourceType":"Observation",'
        return replace(found, body=found.body.replace(start, start + first))


_broken = {
    "nan": '"valueNaN":NaN,',
    "infinity": '"valueLarge":1e400,',
    "surrogate": '"note":[{"text":"\\ud800"}],',
    "control": '"note":[{"text":"\\u0000"}],',
    "depth": '"extension":' + "[" * 3000 + "]" * 3000 + ",",
    "digits": '"valueInteger":' + "9" * 5000 + ",",
    "cut": None,
}


class BrokenJson(Sometimes):
    """JSON that some readers take."""

    name = "broken-json"
    does = (
        "one answer in OFTEN holds NaN, 1e400, half a surrogate pair, a NUL, 3,000 levels of nesting, 5,000 digits, or "
        "ends in its middle (cut)"
    )
    seen = "Python's reader takes the first four; HealthClawGuardrails issue 312 (depth); CVE-2024-27454"
    takes = f"OFTEN[:{'|'.join(_broken)}]"
    kinds = tuple(_broken)

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Break it."""
        found = answer(request)
        insert = _broken[self.kind]
        if insert is None:
            return replace(found, body=found.body[: len(found.body) // 2])
        return replace(found, body=found.body.replace("{", "{" + insert, 1))


HABITS: tuple[type[Habit], ...] = (
    DuplicateKeys,
    BrokenJson,
    SpoiltResource,
)
