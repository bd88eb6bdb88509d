"""The doctor's page: what works, what does not, what was not measured, what follows, what to paste."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC
from typing import Any, Final

from adapter.cli.printing import Block, Output
from adapter.doctor.findings import Examination, Finding, Standing, Topic
from adapter.doctor.judge import Advice
from adapter.doctor.remedies import Remedy
from adapter.sync.strategy import WriteStrategy

_SEEN: Final = {"topic": "What", "says": "Seen"}


def page(
    role: str, found: Examination, advice: Advice, remedies: tuple[Remedy, ...], form: Output
) -> list[Block]:
    """Give the page of one server: as sections for a table, else one row for each thing.

    `role`: what the server is called on the page.
    """
    if form is Output.TABLE:
        return list(_sections(role, found, advice, remedies))
    return [Block("", {}, list(_rows(role, found, advice, remedies)))]


def _sections(
    role: str, found: Examination, advice: Advice, remedies: tuple[Remedy, ...]
) -> Iterator[Block]:
    head = [
        {"fact": "address", "value": found.base_url},
        {"fact": "software", "value": found.software or "does not say"},
        {"fact": "FHIR", "value": found.fhir_version},
        {"fact": "measured", "value": f"{found.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"},
    ]
    yield Block("", {"fact": role, "value": ""}, head)
    findings = [one for one in found.findings.values() if one.topic is not Topic.REMOVAL]
    measured = [one for one in findings if one.standing is Standing.MEASURED]
    others = [one for one in findings if one.standing is not Standing.MEASURED]
    unused = _unused(advice)
    aside = [one for one in measured if one.works is None or one.topic in unused]
    used = [one for one in measured if one not in aside]
    yield Block("What works", _SEEN, _told(one for one in used if one.works))
    yield Block("What does not work", _SEEN, _told(one for one in used if not one.works))
    yield Block("Good to know: the adapter does not rely on it here", _SEEN, _told(aside))
    yield Block("Not measured: nothing is claimed", {**_SEEN, "says": "Why not"}, _told(others))
    does = [{"does": sentence} for sentence in advice.sentences]
    yield Block("", {"does": "What the adapter does because of it"}, does)
    missing = [{"scope": one} for one in advice.missing]
    yield Block("", {"scope": "Missing scopes: denied by the server, or not in the token"}, missing)
    for remedy in remedies:
        yield Block("", {"text": f"To paste: {remedy.where}"}, [{"text": remedy.text}])
    if (removal := found.findings.get(Topic.REMOVAL)) is not None:
        heading = "What the doctor wrote, and took away again"
        yield Block("", {"says": heading}, [{"says": removal.says}])


def _unused(advice: Advice) -> frozenset[Topic]:
    """Give what is of no use where ids can be chosen."""
    if advice.target is None or advice.target.strategy is not WriteStrategy.CLIENT_IDS:
        return frozenset()
    return frozenset(
        {
            Topic.CONDITIONAL_UPDATE,
            Topic.UPDATE_RACE,
            Topic.CONDITIONAL_CREATE,
            Topic.CREATE_RACE,
        }
    )


def _told(findings: Iterator[Finding] | list[Finding]) -> list[dict[str, str]]:
    return [{"topic": one.topic.value, "says": one.says} for one in findings]


def _rows(
    role: str, found: Examination, advice: Advice, remedies: tuple[Remedy, ...]
) -> Iterator[dict[str, Any]]:
    yield {
        "kind": "server",
        "role": role.lower(),
        "base_url": found.base_url,
        "software": found.software,
        "fhir_version": found.fhir_version,
        "measured_at": found.at.astimezone(UTC).isoformat(timespec="seconds"),
    }
    for one in found.findings.values():
        yield {
            "kind": "finding",
            "topic": one.topic.name.lower().replace("_", "-"),
            "standing": one.standing.value,
            "works": one.works,
            "value": one.value,
            "says": one.says,
        }
    yield {
        "kind": "advice",
        "target": asdict(advice.target) if advice.target else None,
        "source": asdict(advice.source) if advice.source else None,
        "does": list(advice.sentences),
    }
    yield {"kind": "scopes", "asked": list(advice.scopes), "missing": list(advice.missing)}
    for remedy in remedies:
        yield {"kind": "remedy", "where": remedy.where, "text": remedy.text}
