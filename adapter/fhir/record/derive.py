"""The derived Observation: one answer, written as FHIR R4.

Pure: an answer, the facts of its sources and what stands on the server go in, a dict comes out. It
is written for ever, so docs/output.md is followed to the letter. No DiagnosticReport is written, no
dataAbsentReason, and nothing that is not ours is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapter.fhir.identity import (
    case_identifier,
    category_of,
    derived_id,
    device_id,
    relative_reference,
)
from adapter.fhir.record.components import coding, components
from adapter.fhir.record.narrative import DISCLAIMER, narrative, notes, result_rows
from adapter.fhir.record.sources import RELATED_CONDITION, SourceFacts, earliest
from adapter.fhir.shapes import objects
from adapter.her2.model import Case, Category, Classification, Policy, Reason, ResultStatus
from adapter.terminology.output import OutputCodes
from adapter.terminology.systems import CASE_IDENTIFIER_SYSTEM

JsonObject = dict[str, Any]

_ORDER = (
    *("resourceType", "id", "meta", "text", "extension", "identifier", "status", "category"),
    *("code", "subject", "focus", "effectiveDateTime", "effectivePeriod", "issued", "performer"),
    *("valueCodeableConcept", "interpretation", "note", "method", "specimen", "device"),
    *("derivedFrom", "component"),
)
"""The order in which FHIR lists the elements, for those who read the record as it is stored."""

_KEPT_ON_WITHDRAWAL = (
    "subject",
    "focus",
    "specimen",
    "effectiveDateTime",
    "effectivePeriod",
    "valueCodeableConcept",
    "interpretation",
    "component",
)


@dataclass(frozen=True)
class DeriveContext:
    """What a pass knows beyond the case: time, policy, codes, and the site's settings.

    `now`: the time of the pass, aware. `mappings_version`, `overlay_versions`: of the catalogue.
    `namespace`: keeps test, demo and production apart. `organization`: "Organization/<id>" or None.
    `profiles`: canonicals for meta.profile. `snomed`: write SNOMED codings of the category too.
    `base_urls`: servers whose absolute references are ours. `keep_target_version`: ask HAPI to fill
    in the version of Provenance.target. `server_assigns_ids`: the server lets nobody choose ids, so
    the Provenance carries its key as a tag.
    """

    now: datetime
    policy: Policy
    output: OutputCodes
    software_version: str
    mappings_version: str
    overlay_versions: tuple[str, ...] = ()
    namespace: str = "default"
    organization: str | None = None
    profiles: tuple[str, ...] = ()
    snomed: bool = False
    base_urls: tuple[str, ...] = ()
    keep_target_version: bool = True
    server_assigns_ids: bool = False


def record_id(case: Case, context: DeriveContext) -> str:
    """Give the id of the derived Observation of this case, whatever its answer is."""
    return derived_id(context.namespace, context.policy.family, case.subject, case.key)


def sources_used(case: Case, classification: Classification) -> tuple[str, ...]:
    """Give the sources that the record names, sorted: in derivedFrom and as entities of Provenance.

    Those used; where none could be used (a preliminary IHC alone, a status that nobody knows), all
    that the case holds and that were not withdrawn: an open result must say what it is about.
    """
    standing = (
        evidence.source.reference
        for evidence in case.evidence
        if evidence.source.status
        not in (ResultStatus.ENTERED_IN_ERROR, ResultStatus.REPORT_WITHDRAWN)
    )
    return tuple(sorted(set(classification.used or standing)))


def derive(
    case: Case,
    classification: Classification,
    *,
    facts: Mapping[str, SourceFacts],
    existing: Mapping[str, Any] | None,
    context: DeriveContext,
) -> JsonObject:
    """Make the derived Observation of one case.

    Args:
        case: the tumour sample.
        classification: its answer, of a category that is written.
        facts: reference of each of `sources_used` → its facts; none that was used may be missing.
        existing: the derived Observation that stands on the server, or None; its id and status
            decide the new ones. Whether to write at all is for the fingerprint to say.
        context: see DeriveContext.

    Returns:
        A FHIR R4 Observation as JSON; two calls with equal arguments give equal results.

    Raises:
        ValueError: for a category that writes nothing; withdraw what stands instead.

    Source: docs/output.md, the derived Observation.

    """
    category = classification.category
    if not category.is_written:
        raise ValueError(f"{category.value} is not written; withdraw what stands")
    sources = sources_used(case, classification)
    used = [facts[one] for one in sources if one in facts or one in classification.used]
    output = context.output
    codings = output.category_codings(category, context.snomed)
    text = codings[0].display
    asco_cap = classification.asco_cap
    asco_cap_text = None if asco_cap is None else output.asco_cap_code(asco_cap).display
    # What stands keeps its name, also when the sample's results are joined otherwise now.
    identifier = (case_identifier(existing) if existing else None) or record_id(case, context)
    rows = result_rows(case, classification, asco_cap_text=asco_cap_text, sources=sources)
    return _without_empty(
        {
            "resourceType": "Observation",
            "id": str(existing["id"]) if existing else identifier,
            **_constants(identifier, context),
            "text": narrative(rows, heading=text),
            "status": _status(category, existing, corrected=_has_corrected(case, classification)),
            "extension": _related_conditions(used),
            "subject": {"reference": case.subject},
            "focus": _focus(used),
            **_effective(used),
            "valueCodeableConcept": {"coding": [coding(code) for code in codings], "text": text},
            "interpretation": []
            if asco_cap is None
            else [{"coding": [coding(output.interpretation(asco_cap))], "text": asco_cap_text}],
            "note": [{"text": part} for part in notes(case, classification, text)],
            "specimen": _specimen(used),
            "derivedFrom": [{"reference": reference} for reference in sources],
            "component": components(case, classification, output),
        }
    )


def withdraw(
    existing: Mapping[str, Any],
    *,
    reason: Reason,
    context: DeriveContext,
    gone: Collection[str] = (),
) -> JsonObject:
    """Make the withdrawn version of a derived Observation: entered-in-error, its value kept.

    Args:
        existing: the derived Observation as it stands on the server; not changed.
        reason: why it is withdrawn.
        context: see DeriveContext.
        gone: sources ("Observation/<id>") that the server no longer has: a server that checks
            references would refuse them, so they are left out of derivedFrom.

    Source: docs/output.md, status; FHIR R4 ObservationStatus entered-in-error.

    """
    kept = {name: existing[name] for name in _KEPT_ON_WITHDRAWAL if name in existing}
    kept["extension"] = [
        extension
        for extension in objects(existing.get("extension"))
        if extension.get("url") == RELATED_CONDITION
    ]
    kept["derivedFrom"] = [
        source
        for source in objects(existing.get("derivedFrom"))
        if relative_reference(source.get("reference"), context.base_urls) not in gone
    ]
    identifier = case_identifier(existing) or str(existing["id"])
    rows = [
        ("Withdrawn because", reason.sentence),
        ("Category before", category_of(existing) or ""),
    ]
    note = [f"This derived result is withdrawn: {reason.sentence}", DISCLAIMER]
    return _without_empty(
        {
            "resourceType": "Observation",
            "id": str(existing["id"]),
            **_constants(identifier, context),
            "text": narrative(rows, heading="HER2 category: withdrawn"),
            "status": "entered-in-error",
            **kept,
            "note": [{"text": part} for part in note],
        }
    )


def reference_to_device(context: DeriveContext) -> JsonObject:
    """Refer to the Device of the running software version."""
    return {"reference": f"Device/{device_id(context.software_version)}"}


def instant(moment: datetime) -> str:
    """Write an aware time as a FHIR instant in UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _constants(identifier: str, context: DeriveContext) -> JsonObject:
    """Give what every version of every derived Observation has, a withdrawn one too."""
    output = context.output
    laboratory, derived = output.laboratory_category, output.derived_category
    tag = output.derived_tag
    codes = output.observation_code
    return {
        "meta": {
            "profile": list(context.profiles),
            "tag": [{"system": tag.system, "code": tag.code}],
        },
        "identifier": [{"system": CASE_IDENTIFIER_SYSTEM, "value": identifier}],
        "category": [
            {"coding": [coding(laboratory)]},
            {
                "coding": [coding(derived)],
                "text": "Derived by rule, not reported by a laboratory",
            },
        ],
        "code": {
            "coding": [coding(code) for code in codes],
            "text": "HER2 category, derived by rule",
        },
        "issued": instant(context.now),
        # Never a Device here: R4 does not allow it, though validators let it pass.
        "performer": [{"reference": context.organization}] if context.organization else [],
        "method": {"coding": [coding(output.method)], "text": context.policy.name},
        "device": reference_to_device(context),
    }


def _status(category: Category, existing: Mapping[str, Any] | None, *, corrected: bool) -> str:
    """Choose the status by what stands on the server (docs/output.md, Status)."""
    if existing is None or existing.get("status") == "preliminary":
        return "preliminary" if category.is_open else "final"
    if existing.get("status") == "entered-in-error":
        return "amended"
    return "corrected" if corrected else "amended"


def _has_corrected(case: Case, classification: Classification) -> bool:
    """Tell whether a source used is itself a correction."""
    used = sources_used(case, classification)
    return any(
        evidence.source.status is ResultStatus.CORRECTED and evidence.source.reference in used
        for evidence in case.evidence
    )


def _effective(used: Collection[SourceFacts]) -> JsonObject:
    """Give when the sample was taken, else when the first of the results is of; {} when unknown."""
    chosen = earliest(source.collected for source in used) or earliest(
        source.effective for source in used
    )
    return dict([chosen.element("effective")]) if chosen else {}


def _specimen(used: Collection[SourceFacts]) -> JsonObject | None:
    named = {source.specimen for source in used}
    specimen = named.pop() if len(named) == 1 else None
    return {"reference": specimen} if specimen else None


def _focus(used: Collection[SourceFacts]) -> list[JsonObject]:
    named = {source.focus for source in used}
    agreed = named.pop() if len(named) == 1 else None
    return [{"reference": reference} for reference in agreed or ()]


def _related_conditions(used: Collection[SourceFacts]) -> list[JsonObject]:
    named = {source.related_conditions for source in used}
    agreed = named.pop() if len(named) == 1 else None
    return [
        {"url": RELATED_CONDITION, "valueReference": {"reference": reference}}
        for reference in agreed or ()
    ]


def _without_empty(resource: JsonObject) -> JsonObject:
    """Put elements in FHIR's order and leave out what has no value: FHIR knows nothing empty."""
    meta = {key: value for key, value in resource["meta"].items() if value}
    made = {**resource, "meta": meta}
    return {name: made[name] for name in _ORDER if made.get(name)}
