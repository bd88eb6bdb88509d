"""Which real server has which habits, as far as a sandbox can have them; one table.

Sources: HAPI FHIR JPA 8.8.0 and Medplum's fhir-router 5.2.13 were run and asked; of AWS HealthLake
and Epic the public documentation was read, and the issues that each habit names. Times are shorter
than theirs where a test would have to wait for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from adapter.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of habits: values by the names of habits, and where this is known from."""

    name: str
    says: str
    source: str
    habits: Mapping[str, str]


def _profile(name: str, says: str, source: str, habits: dict[str, str]) -> Profile:
    return Profile(name, says, source, MappingProxyType(habits))


PROFILES: tuple[Profile, ...] = (
    _profile(
        "hapi",
        "HAPI FHIR JPA as it comes",
        "tried on 8.8.0; hapifhir.io, Search Result Caching",
        {
            "search-cache": "60",
            "expiring-pages": "3600",
            "no-totals": "",
            "capped-count": "200",
            "silent-unknowns": "modifiers",
            "stripped-reference-versions": "",
            "referential-integrity": "",
            "if-match-conflicts": "409",
            "unstated-client-ids": "",
        },
    ),
    _profile(
        "medplum",
        "Medplum, where a project has no real transactions",
        "tried on fhir-router 5.2.13; pull request 9506, issues 4234 and 10177",
        {
            "uuid-version-ids": "",
            "deleted-as-unknown": "",
            "silent-unknowns": "all",
            "transactions-as-batches": "transaction-response",
            "bundle-cap": "50",
            "racing-conditionals": "0.05",
        },
    ),
    _profile(
        "healthlake",
        "AWS HealthLake at its default consistency level, eventual",
        "AWS HealthLake developer guide: consistency levels, quotas",
        {"index-lag": "5", "bundle-cap": "160"},
    ),
    _profile(
        "epic",
        "a server like Epic's: it chooses the ids, and nobody can ask what changed, or about everybody",
        "smart-fetch docs/since.md; open.epic.com",
        {
            "patient-required": "",
            "no-last-updated": "refused",
            "no-meta": "server",
            "outcome-entries": "warning",
            "no-client-ids": "405",
            "no-conditional-update": "405",
            "no-conditional-create": "ignored",
            "no-transactions": "405",
            "no-batches": "405",
        },
    ),
    _profile(
        "evil",
        "much at once, and still nothing that a careful client does not overcome",
        "all the issues that these habits name",
        {
            "late-commits": "120",
            "second-precision": "",
            "index-lag": "2",
            "search-cache": "60",
            "capped-count": "7",
            "no-totals": "",
            "empty-pages": "",
            "empty-last-page": "",
            "shifting-pages": "",
            "lost-pages": "11",
            "foreign-next-links": "relative",
            "outcome-entries": "warning",
            "throttled": "0.05:seconds",
            "unavailable": "0.03:date",
            "conflicts": "0.05",
            "errors-after-commit": "0.05",
            "lost-responses": "0.05",
            "login-pages": "0.02",
            "truncated-gzip": "0.05",
            "truncated-bodies": "0.03:length",
            "duplicate-keys": "0.02:status",
            "transactions-as-batches": "transaction-response",
            "throttled-entries": "0.05",
            "racing-conditionals": "0.05",
            "if-match-ignored": "",
            "uuid-version-ids": "",
            "stripped-reference-versions": "",
            "deleted-as-unknown": "",
            "equal-updates-make-versions": "",
        },
    ),
)


def profile_named(name: str) -> Profile:
    """Return a profile; raises ConfigError when there is none of this name."""
    for profile in PROFILES:
        if profile.name == name:
            return profile
    known = ", ".join(profile.name for profile in PROFILES)
    raise ConfigError([f"there is no sandbox profile {name!r}: {known}"])
