"""Reads back what the adapter wrote, and holds it to the contract of docs/output.md.

Everything is asked of the server itself: the record, all its versions, every Provenance, and every
version of a source that a Provenance names.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import requests

from adapter.fhir.identity import fingerprint, provenance_id

Json = dict[str, Any]

BASE = "https://w3id.org/her2-adapter"
CASE_SYSTEM = f"{BASE}/sid/case"
CATEGORY_SYSTEM = f"{BASE}/CodeSystem/her2-category"
_FRESH = {"Cache-Control": "no-cache"}
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Version:
    """One version of a derived Observation with its Provenance.

    `sources`: "Observation/<id>" → the versionId that the Provenance names.
    """

    status: str
    category: str
    activity: str
    sources: dict[str, str]


class Records:
    """What stands on one server; `source_urls` are those whose absolute references are followed."""

    def __init__(self, base_url: str, *source_urls: str) -> None:
        self.base_url = base_url
        self.base_urls = (base_url, *source_urls)
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def search(self, resource_type: str, **params: str) -> list[Json]:
        """Search to the last page, never from a cache; matches only."""
        url: str | None = f"{self.base_url}/{resource_type}?{urlencode(params)}"
        found: list[Json] = []
        while url is not None:
            page = self._get(url)
            found += [
                entry["resource"]
                for entry in page.get("entry", [])
                if entry.get("search", {}).get("mode", "match") == "match"
            ]
            url = next((one["url"] for one in page["link"] if one["relation"] == "next"), None)
        return found

    def derived(self, patient: str | None = None) -> list[Json]:
        """Give every derived Observation, or a patient's, the withdrawn ones among them."""
        params = {"identifier": f"{CASE_SYSTEM}|", "_count": "500"}
        return self.search("Observation", **params, **({"patient": patient} if patient else {}))

    def only(self, patient: str) -> Json:
        """Give the one derived Observation that a patient must have."""
        found = self.derived(patient)
        assert len(found) == 1, f"{len(found)} derived Observations of {patient}"
        return found[0]

    def story(self, patient: str) -> list[Version]:
        """Tell every version of a patient's one derived Observation, the oldest first."""
        return self.story_of(self.only(patient))

    def story_of(self, derived: Json) -> list[Version]:
        """Tell every version of a derived Observation, each by its own Provenance.

        A Provenance is found as a consumer would, by its target; that it belongs to this version is
        told by its id, which is made from the version it replaced and from what is said.
        """
        provenances = {one["id"]: one for one in self.provenances(derived)}
        versions = self.history(derived)
        told, replaced = [], None
        for before, version in pairwise([None, *versions]):
            if before is None or _said(before) != _said(version):
                said = fingerprint(version, base_urls=self.base_urls)
                key = provenance_id(version["id"], replaced, said)
                number = version["meta"]["versionId"]
                assert key in provenances, f"version {number} has no Provenance"
                told.append(self._told(version, provenances.pop(key)))
            # A server may make an equal version of the same bytes sent again.
            replaced = version["meta"]["versionId"]
        assert not provenances, f"{len(provenances)} Provenances belong to no version"
        return told

    def history(self, derived: Json) -> list[Json]:
        """Give all versions of a resource, the oldest first."""
        url = f"{self.base_url}/{_reference(derived)}/_history?_count=200"
        return [entry["resource"] for entry in reversed(self._get(url).get("entry", []))]

    def told(self, resource: Json) -> list[Json]:
        """Give the versions of a resource that say different things, the oldest first."""
        if resource["meta"]["versionId"] == "1":
            return [resource]
        different: list[Json] = []
        for version in self.history(resource):
            if (said := _said(version)) not in different:
                different.append(said)
        return different

    def instants(self, resource: Json, element: str) -> set[str]:
        """Give when the versions of a resource were made, as an element of theirs says."""
        return {version[element] for version in self.history(resource)}

    def number(self, resource: Json) -> int:
        """Give the number of the current version; not every server's version ids are numbers."""
        version = resource["meta"]["versionId"]
        return int(version) if version.isdigit() else len(self.history(resource))

    def provenances(self, derived: Json) -> list[Json]:
        """Give the Provenances of a derived Observation."""
        return self.search("Provenance", target=_reference(derived), _count="200")

    def read(self, reference: str) -> Json:
        """Read a resource or one version of it; the reference may be absolute."""
        is_absolute = reference.startswith("http")
        return self._get(reference if is_absolute else f"{self.base_url}/{reference}")

    def assert_sound(self, *, patients: int | None = None, raced: bool = False) -> list[Json]:
        """Hold everything of ours on the server to the record's promises; returns the records.

        One Observation for each identity; as many Provenances as versions; no Provenance without
        its Observation.

        Args:
            patients: how many must have exactly one Observation; None for any number.
            raced: two adapters wrote at once. No server stops the second of two creations (docs/
                output.md, How it is sent): both then have the ids of the first, so the versions of
                a Provenance are counted. Two that began in the same millisecond send equal bytes: some servers
                make another version of them, of both or of one, so instants are counted.
                Otherwise each Provenance has one.

        """
        derived = self.derived()
        identities = Counter(one["identifier"][0]["value"] for one in derived)
        assert set(identities.values()) <= {1}, "an identity stands twice"
        if patients is not None:
            subjects = Counter(one["subject"]["reference"] for one in derived)
            assert len(subjects) == patients, f"{len(subjects)} patients have a category"
            assert set(subjects.values()) <= {1}, "a patient has two"
        versions = {
            _reference(one): len(self.instants(one, "issued")) if raced else self.number(one)
            for one in derived
        }
        provenances = self.search("Provenance", _count="500")
        targets: Counter[str] = Counter()
        for one in provenances:
            assert raced or self.number(one) == 1, "a Provenance was written twice"
            target = _without_version(one["target"][0]["reference"])
            targets[target] += len(self.instants(one, "recorded")) if raced else 1
        assert targets == versions, {
            key: (versions.get(key), targets.get(key))
            for key in versions.keys() | targets.keys()
            if versions.get(key) != targets.get(key)
        }
        return derived

    def assert_sources_stand(self, derived: Json) -> None:
        """Read every source version that the Provenances name, and the patient and specimen."""
        named = [
            entity["what"]["reference"]
            for provenance in self.provenances(derived)
            for entity in provenance.get("entity", [])
        ]
        assert named, "no Provenance names a source"
        for reference in named:
            assert "/_history/" in reference, f"{reference} is not versioned"
            version = self.read(reference)["meta"]["versionId"]
            assert version == reference.rpartition("/")[2]
        for element in ("subject", "specimen"):
            if element in derived:
                assert self.read(derived[element]["reference"])["id"]

    def _told(self, version: Json, provenance: Json) -> Version:
        named = (entity["what"]["reference"] for entity in provenance.get("entity", []))
        sources = dict(reference.split("/_history/") for reference in named)
        return Version(
            status=version["status"],
            category=category_of(version),
            activity=provenance["activity"]["coding"][0]["code"],
            sources={source: self._numbered(source, name) for source, name in sources.items()},
        )

    def _numbered(self, source: str, version: str) -> str:
        """Give the number of a source's version, counted where the server's version ids are none."""
        if version.isdigit():
            return version
        where = source if source.startswith("http") else f"{self.base_url}/{source}"
        history = self._get(f"{where}/_history?_count=200").get("entry", [])
        names = [entry["resource"]["meta"]["versionId"] for entry in reversed(history)]
        return str(names.index(version) + 1)

    def _get(self, url: str) -> Json:
        answer = self._session.get(url, headers=_FRESH, timeout=_TIMEOUT_SECONDS)
        assert answer.ok, f"{answer.status_code} for {url}: {answer.text[:500]}"
        # Decimals keep their digits: the fingerprint is of what was written.
        body: Json = json.loads(answer.content, parse_float=Decimal)
        return body


def category_of(derived: Json) -> str:
    """Read our category of a derived Observation."""
    codings = derived["valueCodeableConcept"]["coding"]
    (found,) = (one["code"] for one in codings if one["system"] == CATEGORY_SYSTEM)
    return str(found)


def _said(version: Json) -> Json:
    return {key: value for key, value in version.items() if key != "meta"}


def _without_version(reference: str) -> str:
    return reference.partition("/_history/")[0]


def _reference(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
