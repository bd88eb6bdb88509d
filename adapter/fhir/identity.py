"""Who is who: ids made from content, so that the same case always has the same record.

Nothing here is random or looks at a clock. The hashes are part of the contract with hospitals'
records (docs/output.md): what goes into them does not change after release.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from adapter.fhir.shapes import child, codings, objects
from adapter.fhir.strict_json import canonical
from adapter.her2.model import Category
from adapter.terminology.systems import (
    ADAPTER_SYSTEM,
    CASE_IDENTIFIER_SYSTEM,
    CATEGORY_SYSTEM,
    COMPONENT_SYSTEM,
    PROVENANCE_KEY_SYSTEM,
)

JsonObject = Mapping[str, Any]

NEW: Final = "new"
"""Stands for the replaced version in a Provenance's key when nothing was replaced."""

_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_RELATIVE: Final = re.compile(
    r"([A-Z][A-Za-z]{1,63})/(?!\.+(?:/|\Z))([A-Za-z0-9.\-]{1,64})(?:/_history/[^/]+)?"
)
"""An id of dots alone would climb in a path: it is nobody's, and nothing is asked for by it."""
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)")


def derived_id(namespace: str, policy_family: str, subject: str, sample_key: str) -> str:
    """Make the id of the derived Observation of one tumour sample: a UUID of version 8.

    Takes the setting `output.namespace` (keeps test, demo and production apart), the family of the
    policy (survives its new versions), the subject's reference ("Patient/1") and `Case.key`.

    Source: docs/output.md, id; RFC 9562 section 5.8.
    """
    return _uuid8(["observation", namespace, policy_family, subject, sample_key])


def provenance_id(derived: str, replaced_version: str | None, content: str) -> str:
    """Make the id and key of the Provenance of one version of a derived Observation.

    Takes the derived Observation's id, the versionId it replaces (opaque; None when it is new) and
    the fingerprint of what is written: a retry repeats the key, and A → B → A does not.
    """
    return _uuid8(
        ["provenance", derived, NEW if replaced_version is None else replaced_version, content]
    )


def device_id(version: str) -> str:
    """Make the id of the Device that stands for one version of this software."""
    return f"her2-adapter-{re.sub(r'[^A-Za-z0-9.-]', '-', version)}"[:64]


def subscription_id(namespace: str, number: int) -> str:
    """Make the id of a Subscription of ours: a namespace has few, and each keeps its number."""
    return _uuid8(["subscription", namespace, str(number)])


def content_hash(resource: JsonObject) -> str:
    """Hash a source: SHA-256 (hex) of canonical JSON without meta, text, contained narrative.

    `resource` comes from the strict reader, so that decimals hash as they were written.
    """
    bare = {key: value for key, value in resource.items() if key not in ("meta", "text")}
    contained = bare.get("contained")
    if isinstance(contained, list):
        bare["contained"] = [
            {key: value for key, value in item.items() if key != "text"}
            if isinstance(item, dict)
            else item
            for item in contained
        ]
    return sha256(canonical(bare)).hexdigest()


def fingerprint(observation: JsonObject, *, base_urls: Collection[str] = ()) -> str:
    """Hash what a derived Observation says: SHA-256 (hex); equal means that nothing needs writing.

    Covers the category, whether it is open, settled or withdrawn, components, effective, subject,
    specimen, focus, the set of source ids, and note. Not: issued, device, software, policy and
    mapping versions, the sources' versionIds, meta, text. Takes what we are about to write as well
    as what a server returns: element ids, extensions, displays, the order of components, trailing
    zeros of a decimal, the spelling of an instant, and references made absolute under one of
    `base_urls` or versioned change nothing.

    Source: docs/output.md, Fingerprint.
    """
    category = category_of(observation)
    said = {
        "category": category,
        "state": _state(observation, category),
        "component": sorted(_component(item) for item in objects(observation.get("component"))),
        "effective": _effective(observation),
        "subject": _reference(observation.get("subject"), base_urls),
        "specimen": _reference(observation.get("specimen"), base_urls),
        "focus": _references(observation.get("focus"), base_urls),
        "sources": _references(observation.get("derivedFrom"), base_urls),
        "note": [str(note.get("text", "")).strip() for note in objects(observation.get("note"))],
    }
    return sha256(canonical(said)).hexdigest()


def category_of(observation: JsonObject) -> str | None:
    """Read our category code from a derived Observation; None where the value holds none."""
    for coding in codings(observation.get("valueCodeableConcept")):
        if coding.get("system") == CATEGORY_SYSTEM:
            return str(coding.get("code"))
    return None


def case_identifier(resource: JsonObject) -> str | None:
    """Read the id of the case that a resource of ours stands for; None when it carries none."""
    identifiers = resource.get("identifier")
    for identifier in objects(identifiers if isinstance(identifiers, list) else [identifiers]):
        if identifier.get("system") == CASE_IDENTIFIER_SYSTEM:
            return str(identifier.get("value"))
    return None


def is_own(resource: JsonObject) -> bool:
    """Tell whether a resource is the adapter's own output, which is never its input.

    Any one of our marks is enough (tag, identifier, code): copies made by others lose some of them.
    """
    tags = objects(child(resource, "meta").get("tag"))
    if any(tag.get("system") in (ADAPTER_SYSTEM, PROVENANCE_KEY_SYSTEM) for tag in tags):
        return True
    return case_identifier(resource) is not None or any(
        coding.get("system") == ADAPTER_SYSTEM for coding in codings(resource.get("code"))
    )


def is_safe_id(text: str) -> bool:
    """Tell whether every server takes this as an id: at most 64 of letters, digits, '-' and '.'.

    An id of digits alone is not safe. Source: FHIR R4 datatypes.html#id; HAPI-0960 refuses numbers.
    """
    return bool(_ID.fullmatch(text)) and not text.isdigit()


def relative_reference(reference: object, base_urls: Collection[str] = ()) -> str | None:
    """Give "Type/id" for a literal reference, relative or under one of `base_urls`; else None.

    A version is dropped. Contained, urn: and foreign references give None.
    """
    if not isinstance(reference, str):
        return None
    for base in base_urls:
        prefix = f"{base.rstrip('/')}/"
        if reference.startswith(prefix):
            reference = reference.removeprefix(prefix)
            break
    found = _RELATIVE.fullmatch(reference)
    return f"{found[1]}/{found[2]}" if found else None


def _uuid8(parts: list[str]) -> str:
    """Make a UUID from a hash; RFC 9562 leaves the content of version 8 to its maker."""
    number = int.from_bytes(sha256(canonical(parts)).digest()[:16])
    number = number & ~(0xF << 76) | 8 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=number))


def _state(observation: JsonObject, category: str | None) -> str:
    """Tell open, settled or withdrawn; a status we would not write with it is foreign."""
    status = observation.get("status")
    is_open = category in {member.value for member in Category if member.is_open}
    match status:
        case "entered-in-error":
            return "withdrawn"
        case "amended" | "corrected":
            return "open" if is_open else "settled"
        case "preliminary" if is_open:
            return "open"
        case "final" if not is_open:
            return "settled"
        case _:
            return f"foreign: {status}"


def _component(component: JsonObject) -> list[str]:
    codes = [
        str(coding.get("code"))
        for coding in codings(component.get("code"))
        if coding.get("system") == COMPONENT_SYSTEM
    ]
    values = [
        f"{key}={canonical(_plain(component[key])).decode()}"
        for key in sorted(component)
        if key.startswith("value")
    ]
    return [*codes, *values]


def _plain(value: Any) -> Any:
    """Reduce a value to its meaning: no ids, extensions, displays; no trailing zeros."""
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if key not in ("id", "extension", "display", "userSelected") and not key.startswith("_")
        }
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        digits = format(Decimal(value), "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return value


def _effective(observation: JsonObject) -> Any:
    period = observation.get("effectivePeriod")
    if isinstance(period, dict):
        return [_instant(period.get("start")), _instant(period.get("end"))]
    return _instant(observation.get("effectiveDateTime"))


def _instant(text: object) -> str | None:
    """Spell an instant in one way; a date keeps its precision, and what is neither stays."""
    if not isinstance(text, str):
        return None
    if not _DATE_TIME.fullmatch(text):
        return text
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return text


def _references(values: object, base_urls: Collection[str]) -> list[str]:
    return sorted({_reference(value, base_urls) or "" for value in objects(values)})


def _reference(value: object, base_urls: Collection[str]) -> str | None:
    if not isinstance(value, dict):
        return None
    reference = value.get("reference")
    relative = relative_reference(reference, base_urls)
    return relative if relative is not None else reference and str(reference)
