"""Where a server differs from what must stand on it: lost, doubled, stale, wrong, or without its Provenance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.oracle.content import Content
from tests.oracle.expected import Expected, Record, expected
from tests.oracle.reading import BASE, is_own

Json = Mapping[str, Any]

_CASE: Final = f"{BASE}/sid/case"
_CATEGORY: Final = f"{BASE}/CodeSystem/her2-category"
_NAMESPACE: Final = f"{BASE}/CodeSystem/namespace"
_WITHDRAWN: Final = "entered-in-error"
_CHANGED: Final = ("amended", "corrected")
_STATUSES: Final = {"open": ("preliminary", *_CHANGED), "settled": ("final", *_CHANGED)}


def differences(content: Content, *, namespace: str = "default") -> list[str]:
    """Compare a server with the oracle.

    Args:
        content: everything that it holds, with the versions of our Observations where they are known.
        namespace: of the installation that is judged; what others wrote is left alone.

    Returns:
        One sentence for each difference, in a fixed order; empty where all is as it must be.

    Raises: NotCovered for content outside the oracle's vocabulary.

    """
    must = expected(content.resources, namespace=namespace)
    own = [one for one in content.resources if _is_judged(one, namespace)]
    provenances = _provenances(content.resources)
    return [
        *_of_records(must, own),
        *_of_identities(own),
        *(line for one in own for line in _of_provenance(one, provenances, content.versions)),
        *_orphans(provenances, content.resources),
    ]


def _of_records(must: Expected, own: Sequence[Json]) -> list[str]:
    active = [one for one in own if one.get("status") != _WITHDRAWN]
    found, left = _matched(must, active)
    said = []
    for record in must.records:
        standing = found.get(record.identity)
        if standing is None:
            said.append(f"lost: {record.category} of {_named(record)} does not stand")
        else:
            said += _of_one(record, standing)
    said += [
        f"extra: {one['id']} stands as {_category(one)}, and nothing asks for it" for one in left
    ]
    return said


def _matched(must: Expected, active: Sequence[Json]) -> tuple[dict[str, Json], list[Json]]:
    """Give each record the Observation that stands for it, by its identity, else by one it may go on under."""
    found: dict[str, Json] = {}
    left = sorted(active, key=lambda one: (str(_identity(one)), str(one["id"])))
    for is_exact in (True, False):
        for record in must.records:
            if record.identity in found:
                continue
            fitting = [one for one in left if _may_stand_for(one, record, is_exact=is_exact)]
            fitting.sort(key=lambda one: _sources(one) != record.derived_from)
            if fitting:
                found[record.identity] = fitting[0]
                left.remove(fitting[0])
    return found, left


def _may_stand_for(one: Json, record: Record, *, is_exact: bool) -> bool:
    return _identity(one) in ({record.identity} if is_exact else record.names)


def _of_one(record: Record, standing: Json) -> list[str]:
    said = []
    category, sources = _category(standing), _sources(standing)
    subject = standing.get("subject", {}).get("reference")
    if category != record.category:
        said.append(f"wrong: {standing['id']} says {category}, it must be {record.category}")
    if standing.get("status") not in _STATUSES[record.family]:
        said.append(
            f"wrong: {standing['id']} is {standing.get('status')}, which is not {record.family}"
        )
    if subject != record.subject:
        said.append(f"wrong: {standing['id']} is of {subject}, not of {record.subject}")
    if sources != record.derived_from:
        said.append(
            f"stale: {standing['id']} is derived from {sorted(sources)}, not {sorted(record.derived_from)}"
        )
    return said


def _of_identities(own: Sequence[Json]) -> list[str]:
    active = Counter(_identity(one) for one in own if one.get("status") != _WITHDRAWN)
    return [
        f"doubled: {name} stands {number} times" for name, number in active.items() if number > 1
    ]


def _of_provenance(
    one: Json,
    provenances: Mapping[str, Sequence[Json]],
    versions: Mapping[str, Sequence[Json]] | None,
) -> list[str]:
    """One Provenance for each version; where versions are not known, at least one for what stands."""
    name = f"Observation/{one['id']}"
    theirs = provenances.get(name, [])
    said = []
    if versions is not None:
        number = sum(_told(each, versions) for each in theirs)
        if number != len(versions[name]):
            said.append(f"provenance: {number} for {len(versions[name])} versions of {one['id']}")
    if not theirs:
        return said or [f"provenance: none for {one['id']}"]
    is_active = one.get("status") != _WITHDRAWN
    if is_active and not any(_entities(each) == _sources(one) for each in theirs):
        said.append(f"provenance: none names the sources of {one['id']}")
    return said


def _told(provenance: Json, versions: Mapping[str, Sequence[Json]]) -> int:
    """Count the versions of ours that a Provenance tells of: one.

    Two who create at once are the exception: no server stops the second, so that both have the ids of the first.
    """
    told: list[Json] = []
    for version in versions.get(f"Provenance/{provenance['id']}", [provenance]):
        bare = {key: value for key, value in version.items() if key != "meta"}
        if bare not in told:
            told.append(bare)
    created = all(one["activity"]["coding"][0]["code"] == "CREATE" for one in told)
    return len(told) if created else 1


def _orphans(provenances: Mapping[str, Sequence[Json]], resources: Sequence[Json]) -> list[str]:
    there = {f"{one['resourceType']}/{one['id']}" for one in resources}
    return [
        f"orphan: Provenance/{one['id']} is of {target}, which does not stand"
        for target, theirs in provenances.items()
        if target not in there
        for one in theirs
    ]


def _is_judged(resource: Json, namespace: str) -> bool:
    if resource["resourceType"] != "Observation" or not is_own(resource):
        return False
    tags = resource.get("meta", {}).get("tag", [])
    named = [one.get("code") for one in tags if one.get("system") == _NAMESPACE]
    return bool((named or ["default"])[0] == namespace)


def _provenances(resources: Sequence[Json]) -> dict[str, list[Json]]:
    """Target without its version → the Provenances of ours: those whose policy is one of ours."""
    found: dict[str, list[Json]] = defaultdict(list)
    for one in resources:
        ours = any(str(policy).startswith(BASE) for policy in one.get("policy", []))
        if one["resourceType"] == "Provenance" and ours:
            for target in one["target"]:
                found[_plain(target["reference"])].append(one)
    return found


def _entities(provenance: Json) -> frozenset[str]:
    return frozenset(_plain(one["what"]["reference"]) for one in provenance.get("entity", []))


def _sources(derived: Json) -> frozenset[str]:
    return frozenset(_plain(one["reference"]) for one in derived.get("derivedFrom", []))


def _plain(reference: str) -> str:
    """Cut the version and the server's address off a reference."""
    return "/".join(reference.partition("/_history/")[0].rsplit("/", 2)[-2:])


def _identity(derived: Json) -> str | None:
    named = [one["value"] for one in derived.get("identifier", []) if one.get("system") == _CASE]
    return str(named[0]) if named else None


def _category(derived: Json) -> str | None:
    codings = derived.get("valueCodeableConcept", {}).get("coding", [])
    return next((str(one["code"]) for one in codings if one.get("system") == _CATEGORY), None)


def _named(record: Record) -> str:
    return f"{record.subject} ({', '.join(sorted(record.derived_from))})"
