"""Everything that the go-live report is made from, as one value: the settings, the period, one pass of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from adapter.audit import AuditAction, AuditRow
from adapter.golive.period import Period
from adapter.ports import ParkedCase
from adapter.sync.options import SyncOptions
from adapter.sync.planning.worklist import WorklistGroup
from adapter.sync.report import PassReport

_BEGIN: Final = frozenset({AuditAction.SERVICE_STARTED.value, AuditAction.MAPPINGS_RELOADED.value})
"""Rows of the trail from which on other versions may decide."""
_END: Final = AuditAction.SERVICE_STOPPED.value


@dataclass(frozen=True)
class Versions:
    """Under what the adapter decided from one instant on, as the audit trail says.

    `starts`: how often the service began so within the period, or went over to it when the site's mappings were read
    again; 0 where it was so from before.
    """

    software: str
    policy: str
    mappings: str
    first_at: datetime
    starts: int


@dataclass(frozen=True)
class Setup:
    """How the adapter is set up now.

    `target_url`: "" where it is the source. `server`: what the source says it is. `choices`: the site's, by name.
    `signature`: current, changed, none or unreadable, and `signature_says` the sentence of `status`. `measured_at`:
    when the doctor measured the target last, None for never.
    """

    source_url: str
    target_url: str
    server: str
    software: str
    policy: str
    guideline: str
    choices: Mapping[str, str]
    mappings: str
    overlays: tuple[str, ...]
    signature: str
    signature_says: str
    mode: str
    interval_seconds: float
    options: SyncOptions
    measured_at: datetime | None


@dataclass(frozen=True)
class Look:
    """What the report is made from.

    `asked_since`: start of the period that was asked for, None for all that is kept. `report`: of one dry pass over
    everything, in detail. `versions`: in the order in which they began to be used.
    """

    made_at: datetime
    made_by: str
    asked_since: datetime | None
    setup: Setup
    period: Period
    versions: tuple[Versions, ...]
    report: PassReport
    worklist: tuple[WorklistGroup, ...]
    parked: tuple[ParkedCase, ...]


def versions_in(rows: Iterable[AuditRow], since: datetime | None) -> tuple[Versions, ...]:
    """Tell from the trail under which software, policy and mappings the service decided in a period.

    What was in force when the period began is carried into it, with when it began and no start within the period: of
    each process (account and host) what it began with last, unless it was stopped since.
    """
    running: dict[str, Versions] = {}
    found: dict[tuple[str, str, str], Versions] = {}
    for row in rows:
        at = datetime.fromisoformat(row.at)
        is_before = since is not None and at < since
        if row.action == _END and is_before:
            running.pop(row.actor, None)
        if row.action not in _BEGIN:
            continue
        software, policy, mappings = (
            str(row.facts.get(name, "")) for name in ("software", "policy", "mappings")
        )
        one = Versions(software, policy, mappings, at, starts=0 if is_before else 1)
        if is_before:
            running[row.actor] = one
        else:
            _add(found, one)
    for one in running.values():
        _add(found, one)
    return tuple(sorted(found.values(), key=lambda one: one.first_at))


def _add(found: dict[tuple[str, str, str], Versions], one: Versions) -> None:
    key = (one.software, one.policy, one.mappings)
    known = found.get(key, one)
    starts = one.starts if known is one else known.starts + one.starts
    found[key] = replace(one, first_at=min(known.first_at, one.first_at), starts=starts)
