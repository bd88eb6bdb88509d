"""From everything that a server holds to the derived Observations that must stand on it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from tests.oracle.answer import answer
from tests.oracle.reading import NotCovered, Result, is_own, result_of
from tests.oracle.samples import Sample, samples_of, site_of
from tests.oracle.table import OPEN

Json = Mapping[str, Any]

POLICY_FAMILY: Final = "asco-cap"
_SITES_OF_CHAPTERS: Final = {"C50": "breast", "C16": "other"}
_PATIENT: Final = re.compile(r"Patient/[A-Za-z0-9.-]{1,64}")
_REPORT: Final = {
    *("resourceType", "id", "meta", "status", "category", "code", "subject", "specimen", "result"),
    *("effectiveDateTime", "issued"),
}
_REPORT_NAMES: Final = ("Breast biomarker report", None)


@dataclass(frozen=True)
class Record:
    """One derived Observation that must stand, once.

    `identity`: value of its case identifier. `names`: every identity it may go on under, because its sample was once
    joined otherwise (the first one written stays). `family`: "open" or "settled".
    """

    identity: str
    names: frozenset[str]
    subject: str
    category: str
    derived_from: frozenset[str]

    @property
    def family(self) -> str:
        """Which statuses it may have."""
        return "open" if self.category in OPEN else "settled"


@dataclass(frozen=True)
class Expected:
    """Everything that must stand; nothing else of this namespace may be active."""

    records: tuple[Record, ...]

    def categories(self) -> dict[str, list[str]]:
        """Patient → the categories of their samples, sorted."""
        found: dict[str, list[str]] = {}
        for record in self.records:
            found.setdefault(record.subject, []).append(record.category)
        return {subject: sorted(theirs) for subject, theirs in found.items()}


def expected(resources: Iterable[Json], *, namespace: str = "default") -> Expected:
    """Compute what must stand.

    Args:
        resources: every current resource of the server, the adapter's own among them.
        namespace: of the installation that is judged.

    Raises: NotCovered for content outside the oracle's vocabulary.

    """
    known = {f"{one['resourceType']}/{one['id']}": one for one in resources}
    observations = [one for name, one in known.items() if name.startswith("Observation/")]
    read = [result_of(one) for one in observations if not is_own(one)]
    results = [one for one in read if one is not None]
    _hold_reports_harmless(known, results)
    records = [_record(sample, known, namespace) for sample in samples_of(results, known)]
    return Expected(tuple(one for one in records if one is not None))


def identity_of(namespace: str, subject: str, root: str) -> str:
    """Give the UUID of version 8 that docs/output.md names, from the SHA-256 of a JSON list."""
    parts = ["observation", namespace, POLICY_FAMILY, subject, root]
    digest = bytearray(sha256(json.dumps(parts, separators=(",", ":")).encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def _record(sample: Sample, known: Mapping[str, Json], namespace: str) -> Record | None:
    there = [one for one in sample.results if one.status not in ("entered-in-error", "cancelled")]
    sites = [site for one in there for site in _sites(one, known)]
    contradicted = {one.reference for one in there if _is_of_another(one, known)}
    found = answer(sample.results, sites, contradicted=contradicted)
    if found.category is None:
        return None
    return Record(
        identity=identity_of(namespace, sample.subject, sample.root),
        names=frozenset(identity_of(namespace, sample.subject, name) for name in sample.names),
        subject=sample.subject,
        category=found.category,
        derived_from=found.sources,
    )


def _around(result: Result, known: Mapping[str, Json]) -> list[Json]:
    """Give the specimen, its parent and the diseases in focus, where they are on the server."""
    specimen = known.get(result.specimen)
    parents = [known.get(one["reference"]) for one in (specimen or {}).get("parent", [])]
    named = [specimen, *parents, *map(known.get, result.focus)]
    return [one for one in named if one is not None]


def _is_of_another(result: Result, known: Mapping[str, Json]) -> bool:
    around = [one for one in _around(result, known) if "subject" in one]
    subjects = {str(one["subject"]["reference"]) for one in around}
    if not all(_PATIENT.fullmatch(one) for one in subjects):
        raise NotCovered("a specimen or disease of nobody on this server")
    return bool(subjects - {result.subject})


def _sites(result: Result, known: Mapping[str, Json]) -> list[str]:
    """Name the tumour's site: a disease in focus outranks the specimen."""
    around = _around(result, known)
    diseases = [_chapter(one) for one in around if one["resourceType"] == "Condition"]
    if diseases:
        return diseases
    specimens = [one for one in around if one["resourceType"] == "Specimen"]
    return [site for one in specimens if (site := site_of(one)) is not None]


def _chapter(condition: Json) -> str:
    codings = condition.get("code", {}).get("coding", [])
    chapters = {str(one.get("code"))[:3] for one in codings}
    if len(chapters) != 1 or not chapters <= set(_SITES_OF_CHAPTERS):
        raise NotCovered("a disease")
    return _SITES_OF_CHAPTERS[chapters.pop()]


def _hold_reports_harmless(known: Mapping[str, Json], results: Iterable[Result]) -> None:
    """Reports join nothing where every result names its specimen; what they say themselves is not read here."""
    subjects = {one.reference: one.subject for one in results}
    for name, one in known.items():
        if not name.startswith("DiagnosticReport/"):
            continue
        listed = {item.get("reference") for item in one.get("result", [])} & set(subjects)
        says_more = set(one) - _REPORT or one.get("code", {}).get("text") not in _REPORT_NAMES
        of_others = {subjects[each] for each in listed} - {one.get("subject", {}).get("reference")}
        if listed and (says_more or of_others):
            raise NotCovered("a report that says something itself")
        if listed and one.get("status") in ("entered-in-error", "cancelled"):
            raise NotCovered("a report that was withdrawn")
