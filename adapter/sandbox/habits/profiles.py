"""Which real server has which habits, as far as a sandbox can have them; one table.

Sources: HAPI FHIR JPA 8.8.0 and Medplum's fhir-router 5.2.13 were run and asked; of AWS HealthLake
and Epic the public documentation and issues that each habit names were read. Sizes and times are
smaller than theirs, so that a test can wait for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from adapter.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of habits: values by name, empty where the habit's own default is meant."""

    name: str
    says: str
    habits: Mapping[str, str]


def _profile(name: str, says: str, **habits: str) -> Profile:
    named = {habit.replace("_", "-"): value for habit, value in habits.items()}
    return Profile(name, says, MappingProxyType(named))


PROFILES: tuple[Profile, ...] = (
    _profile(
        "hapi",
        "HAPI FHIR JPA as it comes: a search cache of 60 s",
        search_cache="60",
        expiring_pages="3600",
    ),
    _profile(
        "medplum",
        "Medplum without real transactions",
        transactions_as_batches="transaction-response",
        bundle_cap="50",
    ),
    _profile(
        "healthlake",
        "AWS HealthLake at its default consistency level",
        index_lag="5",
        bundle_cap="160",
    ),
    _profile(
        "epic",
        "an Epic-like server: the server chooses ids, no conditions, no bundles",
        no_client_ids="405",
        no_conditional_update="405",
        no_conditional_create="refused",
        no_transactions="405",
        no_batches="405",
    ),
    _profile(
        "evil",
        "much at once, and still nothing that patience does not overcome",
        late_commits="120",
        index_lag="2",
        search_cache="60",
        lost_pages="11",
        transactions_as_batches="transaction-response",
        throttled_entries="13",
        lost_responses="9",
        errors_after_commit="11",
        truncated_gzip="7",
        throttled="8:seconds",
        foreign_next_links="relative",
    ),
)


def profile_named(name: str) -> Profile:
    """Return a profile; raises ConfigError when there is none of this name."""
    for profile in PROFILES:
        if profile.name == name:
            return profile
    known = ", ".join(profile.name for profile in PROFILES)
    raise ConfigError([f"there is no sandbox profile {name!r}: {known}"])
