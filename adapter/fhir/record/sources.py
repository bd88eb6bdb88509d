"""What the record needs to know of each source beyond its HER2 result.

Read once from the raw resources, as the server gave them: exact version, content hash, specimen,
focus, times. A time that is not a FHIR dateTime is not copied: the record must be valid itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from adapter.fhir.identity import content_hash, relative_reference
from adapter.fhir.shapes import child, objects

JsonObject = Mapping[str, Any]

RELATED_CONDITION: Final = (
    "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-related-condition"
)
"""mCODE 4.0.0: the condition that a test is about; a laboratory may use it instead of focus."""

_DATE: Final = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Timing:
    """A FHIR dateTime, or a Period of two; each as written, with its precision.

    `start`: the dateTime, or where the period begins. Either end of a period may be open (None).
    """

    start: str | None
    end: str | None = None
    is_period: bool = False

    @property
    def earliest(self) -> datetime:
        """The first instant that this can mean, for comparison only; a date begins at 0:00 UTC."""
        return _first_instant(self.start or self.end or "")

    def element(self, name: str) -> tuple[str, Any]:
        """Give the element of a choice type: ("effectiveDateTime", "2026-01") for "effective"."""
        if not self.is_period:
            return f"{name}DateTime", self.start
        ends = {"start": self.start, "end": self.end}
        return f"{name}Period", {key: text for key, text in ends.items() if text is not None}


@dataclass(frozen=True)
class SourceFacts:
    """One source Observation as it stood when it was read.

    `reference`: "Observation/<id>"; `version`: opaque meta.versionId, None where the server keeps
    none. `specimen`: "Specimen/<id>" or None. `focus`, `related_conditions`: relative references,
    sorted; None where one of them cannot be written relative, so that they are not copied in part.
    `effective`: when the result is of; `collected`: when its specimen was taken.
    """

    reference: str
    version: str | None
    content_hash: str
    specimen: str | None = None
    focus: tuple[str, ...] | None = ()
    related_conditions: tuple[str, ...] | None = ()
    effective: Timing | None = None
    collected: Timing | None = None


def source_facts(
    observation: JsonObject,
    specimen: JsonObject | None = None,
    *,
    base_urls: Collection[str] = (),
    aliases: Mapping[str, str] | None = None,
) -> SourceFacts:
    """Collect the facts of one source.

    Args:
        observation: a FHIR R4 Observation with an id, as the strict reader gave it; not changed.
        specimen: the Specimen it refers to, or None when it has none or it could not be read.
        base_urls: servers whose absolute references are written relative.
        aliases: fullUrl → "Type/id", for references inside a Bundle ("urn:uuid:…").

    """
    known = aliases or {}

    def local(value: object) -> str | None:
        reference = value.get("reference") if isinstance(value, dict) else None
        reference = known.get(reference, reference) if isinstance(reference, str) else None
        return relative_reference(reference, base_urls)

    version = child(observation, "meta").get("versionId")
    related = [
        extension.get("valueReference")
        for extension in objects(observation.get("extension"))
        if extension.get("url") == RELATED_CONDITION
    ]
    return SourceFacts(
        reference=f"Observation/{observation['id']}",
        version=version if isinstance(version, str) else None,
        content_hash=content_hash(observation),
        specimen=local(observation.get("specimen")),
        focus=_all_or_none(map(local, objects(observation.get("focus")))),
        related_conditions=_all_or_none(map(local, related)),
        effective=timing(observation, "effective"),
        collected=timing(child(specimen, "collection"), "collected"),
    )


def timing(element: JsonObject, name: str) -> Timing | None:
    """Read a choice of dateTime, instant or Period ("effective", "collected"); None where absent.

    What is no FHIR dateTime is dropped; a time of day without seconds or zone is cut to its date.
    """
    for kind in ("DateTime", "Instant"):
        moment = date_time(element.get(f"{name}{kind}"))
        if moment is not None:
            return Timing(moment)
    period = child(element, f"{name}Period")
    start, end = date_time(period.get("start")), date_time(period.get("end"))
    if start and end and _first_instant(end) < _first_instant(start):
        end = None  # no Period may end before it begins (per-1)
    return Timing(start, end, is_period=True) if start or end else None


def date_time(value: object) -> str | None:
    """Give a FHIR dateTime as written, or cut to its date where its time is not FHIR's; else None.

    Source: FHIR R4 datatypes.html#dateTime: year, month, day, or seconds with a zone.
    """
    if not isinstance(value, str):
        return None
    for text in (value, value[:10]):
        if (_DATE.fullmatch(text) or _DATE_TIME.fullmatch(text)) and _exists(text):
            return text
    return None


def earliest(timings: Iterable[Timing | None]) -> Timing | None:
    """Choose the timing that begins first; of two that begin together the more precise one."""
    known = [item for item in timings if item is not None]
    if not known:
        return None
    return min(
        known,
        key=lambda item: (item.earliest, -len(item.start or ""), item.start or "", item.end or ""),
    )


def _exists(text: str) -> bool:
    """Tell whether the calendar has this day and the day this time."""
    try:
        _first_instant(text)
    except (ValueError, OverflowError):
        return False
    return True


def _first_instant(text: str) -> datetime:
    if "T" in text:
        return datetime.fromisoformat(text).astimezone(UTC)
    year, month, day = (*map(int, text.split("-")), 1, 1)[:3]
    first = date(year, month, day)
    return datetime(first.year, first.month, first.day, tzinfo=UTC)


def _all_or_none(references: Iterable[str | None]) -> tuple[str, ...] | None:
    found = list(references)
    return None if None in found else tuple(sorted({text for text in found if text is not None}))
