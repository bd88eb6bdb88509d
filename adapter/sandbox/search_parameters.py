"""Which searches the sandbox knows, per resource type, and what it indexes for them.

A parameter that is not in this table is refused (400): a server that ignores one answers with other
patients' results. Source: FHIR R4, searchparameter-registry.html.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.references import local_target


class Kind(StrEnum):
    """How values are compared; the values are R4's search-param-type codes, CODE aside."""

    TOKEN = "token"  # noqa: S105 - a type of search parameter
    CODE = "code"  # a token whose system is implied by the element, so that naming one is an error
    REFERENCE = "reference"
    URI = "uri"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """One search parameter: `paths` are dotted element names, `targets` the types it may name."""

    name: str
    kind: Kind
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()

    @property
    def fhir_type(self) -> str:
        """The type as the CapabilityStatement gives it."""
        return "token" if self.kind is Kind.CODE else self.kind.value


def _token(name: str, *paths: str) -> SearchParameter:
    return SearchParameter(name, Kind.TOKEN, paths or (name,))


def _code(name: str, path: str = "") -> SearchParameter:
    return SearchParameter(name, Kind.CODE, (path or name,))


def _reference(name: str, path: str = "", *targets: str) -> SearchParameter:
    return SearchParameter(name, Kind.REFERENCE, (path or name,), targets)


_common = (
    SearchParameter("_id", Kind.TOKEN, ()),
    SearchParameter("_lastUpdated", Kind.DATE, ()),
    SearchParameter("_profile", Kind.URI, ("meta.profile",)),
    _token("_security", "meta.security"),
    _token("_tag", "meta.tag"),
)
_identifier = _token("identifier")
_status = _code("status")
_code_of = _token("code")
_category = _token("category")
_subject = (
    _reference("patient", "subject", "Patient"),
    _reference("subject"),
)
_of_patient = _reference("patient", "patient", "Patient")
_encounter = _reference("encounter", "encounter", "Encounter")
_specimen = _reference("specimen", "specimen", "Specimen")
_based_on = _reference("based-on", "basedOn")
_clinical = (_identifier, *_subject, _code_of, _category, _encounter)
_conformance = (SearchParameter("url", Kind.URI, ("url",)), _token("version"), _status)

_by_type: dict[str, tuple[SearchParameter, ...]] = {
    "BodyStructure": (_identifier, _of_patient, _token("location"), _token("morphology")),
    "CapabilityStatement": _conformance,
    "CodeSystem": (_identifier, *_conformance),
    "ConceptMap": (_identifier, *_conformance),
    "Condition": (
        *_clinical,
        _token("clinical-status", "clinicalStatus"),
        _token("verification-status", "verificationStatus"),
        _token("body-site", "bodySite"),
    ),
    "Device": (_identifier, _of_patient, _status, _token("type")),
    "DiagnosticReport": (
        *_clinical,
        _status,
        _specimen,
        _based_on,
        _reference("performer"),
        _reference("result", "result", "Observation"),
    ),
    "Encounter": (_identifier, *_subject, _status, _token("class"), _token("type")),
    "ImplementationGuide": _conformance,
    "Media": (_identifier, *_subject, _status, _encounter, _based_on),
    "NamingSystem": (_status,),
    "Observation": (
        *_clinical,
        _status,
        _specimen,
        _based_on,
        _token("combo-code", "code", "component.code"),
        _token("component-code", "component.code"),
        _token("method"),
        _reference("derived-from", "derivedFrom"),
        _reference("device", "device", "Device", "DeviceMetric"),
        _reference("focus"),
        _reference("has-member", "hasMember"),
        _reference("performer"),
    ),
    "OperationDefinition": _conformance,
    "Organization": (_identifier, _token("active"), _token("type")),
    "Patient": (_identifier, _token("active"), _reference("link", "link.other")),
    "Practitioner": (_identifier, _token("active")),
    "PractitionerRole": (
        _identifier,
        _reference("organization", "organization", "Organization"),
        _reference("practitioner", "practitioner", "Practitioner"),
    ),
    "Procedure": (*_clinical, _status, _based_on),
    "Provenance": (
        _reference("agent", "agent.who"),
        _reference("entity", "entity.what"),
        _reference("patient", "target", "Patient"),
        _reference("target"),
    ),
    "SearchParameter": _conformance,
    "ServiceRequest": (*_clinical, _status, _specimen, _based_on, _token("requisition")),
    "Specimen": (
        _identifier,
        _token("accession", "accessionIdentifier"),
        *_subject,
        _status,
        _token("type"),
        _reference("parent", "parent", "Specimen"),
    ),
    "StructureDefinition": (_identifier, *_conformance),
    "ValueSet": (_identifier, *_conformance),
}


@cache
def parameters_of(resource_type: str) -> dict[str, SearchParameter]:
    """Return the search parameters of a type by name; every type knows the common ones."""
    listed = (*_common, *_by_type.get(resource_type, ()))
    return {parameter.name: parameter for parameter in sorted(listed, key=lambda one: one.name)}


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One searchable value. For a reference, `system` is the target's type and `value` its id."""

    parameter: str
    system: str
    value: str


def index_rows(resource: JsonObject, base_url: str) -> set[IndexRow]:
    """Return everything that a search can find this resource by, but for id and time."""
    rows: set[IndexRow] = set()
    for parameter in parameters_of(resource["resourceType"]).values():
        for path in parameter.paths:
            for element in _elements(resource, path.split(".")):
                rows.update(_rows_of(parameter, element, base_url))
    return rows


def folded(text: str) -> str:
    """Return text as string searches compare it: case, accents and doubled blanks set aside.

    Source: FHIR R4, search.html#string.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(plain.casefold().split())


def _elements(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _elements(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _elements(value[path[0]], path[1:])


def _rows_of(parameter: SearchParameter, element: Any, base_url: str) -> Iterator[IndexRow]:
    match parameter.kind:
        case Kind.REFERENCE:
            yield from _reference_rows(parameter, element, base_url)
        case Kind.TOKEN:
            yield from _token_rows(parameter.name, element)
        case _:
            if isinstance(element, str):
                yield IndexRow(parameter.name, "", element)


def _reference_rows(parameter: SearchParameter, element: Any, base_url: str) -> Iterator[IndexRow]:
    reference = element.get("reference") if isinstance(element, dict) else None
    if not isinstance(reference, str):
        return
    target = local_target(reference, base_url)
    if target is None:
        if not reference.startswith("#"):
            yield IndexRow(parameter.name, "", reference)
    elif not parameter.targets or target.resource_type in parameter.targets:
        yield IndexRow(parameter.name, target.resource_type, target.logical_id)


def _token_rows(name: str, element: Any) -> Iterator[IndexRow]:
    if isinstance(element, bool):
        yield IndexRow(name, "", "true" if element else "false")
    elif isinstance(element, str):
        yield IndexRow(name, "", element)
    elif isinstance(element, dict) and isinstance(element.get("coding"), list):
        yield from _text_rows(name, element.get("text"))
        for coding in element["coding"]:
            yield from _token_rows(name, coding)
    elif isinstance(element, dict):  # Coding, Identifier, or a CodeableConcept of text alone
        for key in ("text", "display"):
            yield from _text_rows(name, element.get(key))
        value = element.get("code", element.get("value"))
        if isinstance(value, str):
            system = element.get("system")
            yield IndexRow(name, system if isinstance(system, str) else "", value)


def _text_rows(name: str, text: Any) -> Iterator[IndexRow]:
    if isinstance(text, str) and text:
        yield IndexRow(f"{name}:text", "", folded(text))
