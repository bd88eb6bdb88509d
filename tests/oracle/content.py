"""Everything that a server holds: read by plain requests, or taken out of the fake server.

What is read here is what is judged, so nothing is taken on trust: every page is followed, and every version of what is
the adapter's own is read from its history.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urljoin

import requests

from tests.oracle.reading import is_own

Json = Mapping[str, Any]

READ_TYPES = (
    *("Patient", "Specimen", "Observation", "DiagnosticReport", "Condition", "Provenance"),
)
_PAGE = 200
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Content:
    """A server's content at one moment.

    `resources`: every current resource. `versions`: "Observation/<id>" of ours → all its versions, oldest first, and
    likewise for each Provenance that has several; None where the server keeps no history.
    """

    resources: Sequence[Json]
    versions: Mapping[str, Sequence[Json]] | None = field(default=None)


def content_of(
    base_url: str, *, headers: Mapping[str, str] | None = None, history: bool = True
) -> Content:
    """Read a live server.

    Args:
        base_url: of the FHIR server.
        headers: for its requests, such as Authorization.
        history: whether every version of the adapter's own Observations is read too.

    """
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update({"Accept": "application/fhir+json", "Cache-Control": "no-cache"})
        session.headers.update(headers or {})
        found = {
            f"{one['resourceType']}/{one['id']}": one
            for kind in READ_TYPES
            for one in _pages(session, f"{base_url}/{kind}?_count={_PAGE}")
        }
        if not history:
            return Content(list(found.values()))
        own = [name for name, one in found.items() if _has_history(name, one)]
        versions = {
            name: list(reversed(_pages(session, f"{base_url}/{name}/_history?_count={_PAGE}")))
            for name in own
        }
    return Content(list(found.values()), versions)


def _pages(session: requests.Session, first: str) -> list[Json]:
    found: list[Json] = []
    url: str | None = first
    while url is not None:
        answer = session.get(url, timeout=_TIMEOUT_SECONDS)
        assert answer.ok, f"{answer.status_code} for {url}"
        page = json.loads(answer.content)
        found += [one["resource"] for one in page.get("entry", []) if "resource" in one]
        onward = [one["url"] for one in page.get("link", []) if one["relation"] == "next"]
        url = urljoin(url, onward[0]) if onward else None
    return found


def _has_history(name: str, resource: Json) -> bool:
    if name.startswith("Provenance/"):
        return bool(resource["meta"]["versionId"] != "1")
    return name.startswith("Observation/") and is_own(resource)


class _Fake(Protocol):
    versions: dict[str, list[Any]]


def content_of_fake(server: _Fake) -> Content:
    """Take the content of the fake server at the port (tests/fakes/server.py), hidden resources too."""
    present = {name: history[-1] for name, history in server.versions.items() if history}
    resources = [one for one in present.values() if one is not None]
    versions = {
        name: [version for version in server.versions[name] if version is not None]
        for name, one in present.items()
        if one is not None and _has_history(name, one)
    }
    return Content(resources, versions)
