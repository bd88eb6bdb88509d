"""What goes into the audit trail about results: one event for each version that stands, each case parked. Pure.

Policy and vocabulary are plain facts; whatever names or could be tied to the person is among the details, which the
store seals (S15).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapter.audit import AuditAction, AuditEvent, Facts
from adapter.fhir.identity import category_of, relative_reference
from adapter.fhir.record.derive import DeriveContext
from adapter.fhir.record.sources import SourceFacts
from adapter.fhir.shapes import child, references, string
from adapter.ports import JsonObject, ParkedCase
from adapter.sync.planning.plan import WITHDRAWN, Action, Planned
from adapter.sync.references import made_relative, version_of
from adapter.sync.writing.confirming import Landed

CONFIRMED: Final = "confirmed"
FOUND: Final = "found-after-restart"
"""Outcomes: the server answered the write; it was not known, and what stands is what was sent."""
_ACTIONS: Final[Mapping[Action, AuditAction]] = {
    Action.CREATE: AuditAction.CREATED,
    Action.UPDATE: AuditAction.UPDATED,
    Action.RETRACT: AuditAction.WITHDRAWN,
    Action.REPAIR: AuditAction.REPAIRED,
    Action.COMPLETE: AuditAction.COMPLETED,
}


@dataclass(frozen=True)
class Auditor:
    """Words for the trail; `context` of the pass, `actor` the account and host of this process."""

    context: DeriveContext
    actor: str
    source_url: str = ""

    @property
    def basis(self) -> Facts:
        """Under which policy, vocabulary and software something was done."""
        context, policy = self.context, self.context.policy
        return {
            "policy": f"{policy.name}|{policy.version}",
            "mappings": " ".join((context.mappings_version, *context.overlay_versions)),
            "software": context.software_version,
        }

    def written(self, planned: Planned, landed: Landed, *, at: datetime) -> AuditEvent:
        """Tell of a version that the server confirmed."""
        answer = planned.desired.classification if planned.desired else None
        return AuditEvent(
            _ACTIONS[planned.action],
            CONFIRMED,
            self.actor,
            at,
            patient=planned.patient,
            facts=self.basis,
            details={
                "derived": _versioned(landed.reference, landed.version),
                "sources": [_source(one) for one in planned.sources],
                "rule": answer.rule.id if answer else "",
                "before": planned.before or "",
                "after": planned.after or "",
                "reason": planned.reason,
            },
        )

    def found(self, stored: JsonObject, *, replaced: str | None, at: datetime) -> AuditEvent:
        """Tell of a version that an earlier process sent and that stands; `replaced` as the plan saw it."""
        derived = made_relative(stored, self.source_url)
        action = AuditAction.UPDATED if replaced is not None else AuditAction.CREATED
        if derived.get("status") == WITHDRAWN:
            action = AuditAction.WITHDRAWN
        named = (relative_reference(one) for one in references(derived.get("derivedFrom")))
        return AuditEvent(
            action,
            FOUND,
            self.actor,
            at,
            patient=relative_reference(string(child(derived, "subject"), "reference")) or "",
            facts=self.basis,
            details={
                "derived": _versioned(f"Observation/{derived['id']}", version_of(derived) or ""),
                "sources": [one for one in named if one],
                "after": category_of(derived) or "",
            },
        )

    def parked(self, case: ParkedCase, reason: str) -> AuditEvent:
        """Tell of a case that the server refuses; `reason`: a code, because a server's words are no code."""
        return AuditEvent(
            AuditAction.PARKED,
            reason,
            self.actor,
            case.parked_at,
            patient=case.patient,
            facts=self.basis,
            details={"derived": f"Observation/{case.key}", "reason": case.reason},
        )

    def unparked(self, case: ParkedCase, reason: str, *, at: datetime) -> AuditEvent:
        """Tell of a case that is parked no more; `reason`: a code."""
        details = {"derived": f"Observation/{case.key}"}
        return AuditEvent(
            AuditAction.UNPARKED, reason, self.actor, at, patient=case.patient, details=details
        )

    def happened(
        self, action: AuditAction, outcome: str, *, at: datetime, facts: Facts | None = None
    ) -> AuditEvent:
        """Tell of something that concerns nobody in particular."""
        return AuditEvent(action, outcome, self.actor, at, facts={**self.basis, **(facts or {})})


def _versioned(reference: str, version: str) -> str:
    return f"{reference}/_history/{version}" if version else reference


def _source(facts: SourceFacts) -> str:
    return _versioned(facts.reference, facts.version or "")
