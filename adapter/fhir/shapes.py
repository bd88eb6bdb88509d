"""Taking parts of FHIR JSON of any shape: what is absent, or no such thing, is left out.

A server's JSON is well formed (strict_json saw to that), but nothing holds it to be valid FHIR.
"""

from __future__ import annotations

from typing import Any

from adapter.fhir.strict_json import JsonObject


def objects(value: object) -> list[JsonObject]:
    """Keep the JSON objects of a list; [] when it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def child(parent: object, name: str) -> JsonObject:
    """Take an element that is a JSON object; {} when it is absent or something else."""
    value = parent.get(name) if isinstance(parent, dict) else None
    return value if isinstance(value, dict) else {}


def string(parent: object, name: str) -> str:
    """Take an element that is a string, without outer blanks; "" when it is absent or otherwise."""
    value = parent.get(name) if isinstance(parent, dict) else None
    return value.strip() if isinstance(value, str) else ""


def codings(concept: object) -> list[JsonObject]:
    """Take the codings of a CodeableConcept."""
    return objects(concept.get("coding")) if isinstance(concept, dict) else []


def texts(concept: object) -> list[str]:
    """Take what a CodeableConcept says in words: its text, its codings' displays; each once."""
    said = [string(concept, "text"), *(string(coding, "display") for coding in codings(concept))]
    return list(dict.fromkeys(text for text in said if text))


def references(value: object) -> list[str]:
    """Take the literal references of one Reference or of a list of them."""
    listed: list[Any] = value if isinstance(value, list) else [value]
    found = (string(item, "reference") for item in listed)
    return [reference for reference in found if reference]


def identifier(value: JsonObject) -> str:
    """Write an Identifier as "system|value"; "" without a value, which identifies nothing."""
    number = string(value, "value")
    return f"{string(value, 'system')}|{number}" if number else ""


def is_filled(value: object) -> bool:
    """Whether an element holds anything: absent, null, "", [] and {} do not."""
    return value not in (None, "", [], {})
