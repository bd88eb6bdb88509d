"""What to write: the difference between what ought to stand and what stands. Pure.

Create, update, retract, repair, skip or wait: one answer for each identity, and the body it needs.
An equal fingerprint is never written, not even as a no-op. Nothing is ever deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from adapter.fhir.identity import case_identifier, category_of, fingerprint, relative_reference
from adapter.fhir.record.derive import DeriveContext, derive, record_id, withdraw
from adapter.fhir.record.edits import edits_of, rewordings_of
from adapter.fhir.record.sources import SourceFacts
from adapter.fhir.shapes import child, references, string
from adapter.her2.model import Case, Category, Classification, Link, Reason
from adapter.ports import JsonObject
from adapter.sync.planning.continuity import Traces, kept_identities
from adapter.sync.planning.ownership import marked
from adapter.sync.references import version_of

WITHDRAWN: Final = "entered-in-error"
_TAKEN_BACK: Final = frozenset({"entered-in-error", "cancelled"})
"""Statuses by which the laboratory itself takes a result back."""

GONE = "source-gone"
TAKEN_BACK = "source-taken-back"
REGROUPED = "joined-otherwise"
NOTHING_USABLE = "nothing-usable"
DUPLICATE = "duplicate-of-ours"
_SENTENCES: Final[Mapping[str, str]] = {
    GONE: "A laboratory result it was derived from is no longer on the server.",
    TAKEN_BACK: "The laboratory took back the results it was derived from.",
    REGROUPED: "Its laboratory results now belong to another tumour sample.",
    NOTHING_USABLE: "No usable HER2 result of this tumour sample is left.",
    DUPLICATE: "The same derived result stands twice; the other one is kept.",
}


class Action(StrEnum):
    """What happens to one derived Observation."""

    CREATE = "create"
    UPDATE = "update"
    RETRACT = "retract"
    REPAIR = "repair"
    """One of several of ours with one identity: entered in error, the survivor is kept."""
    COMPLETE = "complete"
    """It stands as it ought to, without the Provenance of this version: that alone is written."""
    SKIP = "skip"
    WAIT = "wait"
    """A source could not be read, and that is not confirmed: everything stays as it stands."""


@dataclass(frozen=True)
class Desired:
    """A case with its answer, and the facts of each source used."""

    case: Case
    classification: Classification
    facts: Mapping[str, SourceFacts]


@dataclass(frozen=True)
class Standing:
    """What the server holds: our derived Observations, and what is known of their sources.

    `gone`, `unconfirmed`: sources that could not be read, for sure or so far. `statuses`: source →
    its status now. `facts`: of each source that the server still has, for a withdrawal's
    Provenance. `unproved`: ids of derived Observations whose present version has no Provenance. `touched`: ids of those
    that alone changed of their patient since the last look.
    """

    derived: Sequence[JsonObject]
    gone: frozenset[str] = frozenset()
    unconfirmed: frozenset[str] = frozenset()
    statuses: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, SourceFacts] = field(default_factory=dict)
    unproved: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Planned:
    """One decision. `body` is the Observation to write, None where nothing is written.

    To complete a pair `body` is the Observation that stands. `key`: logical id on the server.
    `replaced`: versionId that stands there, None when nothing does. `before`, `after`: category that
    stands and that is written; `before` None when nothing active stands. `reason`: why it is retracted,
    repaired or waited for, else "". `edited`: elements that another has changed beside what the fingerprint covers.
    `issued`: when what an update replaces says that it was issued.
    """

    action: Action
    key: str
    patient: str
    fingerprint: str = ""
    body: JsonObject | None = None
    replaced: str | None = None
    sources: tuple[SourceFacts, ...] = ()
    desired: Desired | None = None
    before: str | None = None
    after: str | None = None
    reason: str = ""
    edited: tuple[str, ...] = ()
    issued: str = ""

    @property
    def writes(self) -> bool:
        """Whether it asks for a write."""
        return self.body is not None

    @property
    def is_for_absence(self) -> bool:
        """Whether it withdraws a result because a source is gone."""
        return self.action is Action.RETRACT and self.reason == GONE

    @property
    def joined_by(self) -> tuple[Link, ...]:
        """A person's links that the version to be written rests on; none for a withdrawal."""
        is_withdrawal = self.action in (Action.RETRACT, Action.REPAIR)
        return () if self.desired is None or is_withdrawal else self.desired.case.joined_by

    @property
    def is_change(self) -> bool:
        """Whether it changes a category, and not because the laboratory took results back."""
        if self.before is None or self.is_for_absence:
            return False
        if self.action is Action.RETRACT:
            return self.reason != TAKEN_BACK
        return self.action is Action.UPDATE and self.after != self.before


def plan(
    desired: Sequence[Desired], standing: Standing, context: DeriveContext
) -> tuple[Planned, ...]:
    """Compare what ought to stand with what stands, for whole patients.

    Args:
        desired: every case of these patients with its answer; one whose category is not written
            (no-result, not-applicable) withdraws what stands for it.
        standing: what the server holds, of this namespace and policy family, references relative.
        context: time, policy and the site's settings, for the bodies.

    Returns:
        One decision for each identity and each surplus copy, in the order of their ids.

    """
    wanted = {record_id(one.case, context): one for one in desired}
    stands: dict[str, list[JsonObject]] = {}
    for resource in standing.derived:
        stands.setdefault(case_identifier(resource) or str(resource["id"]), []).append(resource)
    wanted = _under_kept_identities(wanted, stands)
    planner = _Planner(standing, context, frozenset(_held_sources(standing)), _used(desired))
    planned: list[Planned] = []
    for identity in sorted(wanted.keys() | stands.keys()):
        survivor, surplus = _survivor(identity, stands.get(identity, []))
        planned.extend(planner.retract(copy, Action.REPAIR, DUPLICATE) for copy in surplus)
        planned.append(planner.decide(identity, wanted.get(identity), survivor))
    return tuple(planned)


@dataclass(frozen=True)
class _Planner:
    standing: Standing
    context: DeriveContext
    held: frozenset[str]
    used: frozenset[str]

    def decide(self, identity: str, wanted: Desired | None, existing: JsonObject | None) -> Planned:
        answer = wanted if wanted and wanted.classification.category.is_written else None
        if self._waits(answer, existing):
            patient = answer.case.subject if answer else _subject(existing)
            return Planned(
                Action.WAIT,
                identity,
                patient,
                desired=wanted,
                reason="absence-unconfirmed",
                before=_active_category(existing),
                after=_active_category(existing),
            )
        if answer is not None:
            return self._write(identity, answer, existing)
        if existing is None or existing.get("status") == WITHDRAWN:
            patient = wanted.case.subject if wanted else _subject(existing)
            skip = Planned(Action.SKIP, identity, patient, desired=wanted)
            return self._completed(skip, existing)
        return self.retract(existing, Action.RETRACT, self._why(existing), wanted)

    def retract(
        self, existing: JsonObject, action: Action, why: str, wanted: Desired | None = None
    ) -> Planned:
        sources = [source for source in _sources(existing) if source in self.standing.facts]
        reason = Reason(why, _SENTENCES[why])
        if wanted is not None and why == NOTHING_USABLE:
            reason = Reason(why, wanted.classification.rule.sentence or _SENTENCES[why])
        body = withdraw(existing, reason=reason, context=self.context, gone=self.standing.gone)
        return Planned(
            action=action,
            key=str(existing["id"]),
            patient=_subject(existing),
            fingerprint=self._fingerprint(body),
            body=marked(body, self.context.namespace),
            replaced=version_of(existing),
            sources=tuple(self.standing.facts[source] for source in sources),
            desired=wanted,
            before=_active_category(existing),
            reason=why,
        )

    def _write(self, identity: str, answer: Desired, existing: JsonObject | None) -> Planned:
        body = derive(
            answer.case,
            answer.classification,
            facts=answer.facts,
            existing=existing,
            context=self.context,
        )
        said = self._fingerprint(body)
        before, after = _active_category(existing), answer.classification.category.value
        is_same = existing is not None and said == self._fingerprint(existing)
        edited, is_put_right = self._edits(existing, body) if is_same else ((), False)
        if existing is not None and is_same and not is_put_right:
            skip = Planned(
                Action.SKIP,
                str(existing["id"]),
                answer.case.subject,
                said,
                desired=answer,
                before=before,
                after=after,
                edited=edited,
            )
            return self._completed(skip, existing)
        return Planned(
            action=Action.UPDATE if existing else Action.CREATE,
            key=str(existing["id"]) if existing else identity,
            patient=answer.case.subject,
            fingerprint=said,
            body=marked(body, self.context.namespace),
            replaced=version_of(existing) if existing else None,
            sources=tuple(answer.facts[source] for source in answer.classification.used),
            desired=answer,
            before=before,
            after=after,
            edited=edited,
            issued=string(existing or {}, "issued"),
        )

    def _edits(self, existing: JsonObject | None, body: JsonObject) -> tuple[tuple[str, ...], bool]:
        """Name what another has changed in a result of the same fingerprint, and tell whether it is put right.

        A server may word things otherwise of itself: a text is put right only where nothing else changed.
        """
        if existing is None:
            return (), False
        edited = edits_of(existing, body, self.context.output)
        reworded = rewordings_of(existing, body, self.context.output)
        is_touched = str(existing["id"]) in self.standing.touched
        found = tuple(dict.fromkeys((*edited, *reworded)))
        return found, bool(edited) or (bool(reworded) and is_touched)

    def _completed(self, skip: Planned, existing: JsonObject | None) -> Planned:
        """Write the Provenance that is missing where there is nothing else to do."""
        if existing is None or str(existing["id"]) not in self.standing.unproved:
            return skip
        facts = self.standing.facts
        return replace(
            skip,
            action=Action.COMPLETE,
            key=str(existing["id"]),
            fingerprint=self._fingerprint(existing),
            body=existing,
            replaced=version_of(existing),
            sources=tuple(facts[source] for source in _sources(existing) if source in facts),
        )

    def _waits(self, answer: Desired | None, existing: JsonObject | None) -> bool:
        """Tell whether an unconfirmed absence touches this case or a source of it."""
        if existing is not None and self.standing.unconfirmed & set(_sources(existing)):
            return existing.get("status") != WITHDRAWN
        return answer is not None and bool(self.held & set(answer.classification.used))

    def _why(self, existing: JsonObject) -> str:
        sources = set(_sources(existing))
        if sources & self.standing.gone:
            return GONE
        if sources and all(self.standing.statuses.get(one) in _TAKEN_BACK for one in sources):
            return TAKEN_BACK
        return REGROUPED if sources & self.used else NOTHING_USABLE

    def _fingerprint(self, resource: JsonObject) -> str:
        return fingerprint(resource, base_urls=self.context.base_urls)


def _under_kept_identities(
    wanted: Mapping[str, Desired], stands: Mapping[str, Sequence[JsonObject]]
) -> dict[str, Desired]:
    """Let a case whose key changed go on under the identity of the result that stands for it."""
    homeless = {
        identity: _traces_of_case(one.case)
        for identity, one in wanted.items()
        if not _stands(stands.get(identity, ())) and one.classification.category.is_written
    }
    orphans = {
        identity: _traces_of_derived(copies[0])
        for identity, copies in stands.items()
        if identity not in wanted and _stands(copies)
    }
    kept = kept_identities(homeless, orphans)
    return {kept.get(identity, identity): one for identity, one in wanted.items()}


def _stands(copies: Sequence[JsonObject]) -> bool:
    """Whether one of them is not withdrawn."""
    return any(copy.get("status") != WITHDRAWN for copy in copies)


def _traces_of_case(case: Case) -> Traces:
    specimens = (evidence.links.specimen for evidence in case.evidence)
    return Traces(
        case.subject,
        frozenset(evidence.source.reference for evidence in case.evidence),
        frozenset(specimen for specimen in specimens if specimen),
    )


def _traces_of_derived(derived: JsonObject) -> Traces:
    specimen = relative_reference(string(child(derived, "specimen"), "reference"))
    return Traces(
        _subject(derived), frozenset(_sources(derived)), frozenset({specimen} if specimen else ())
    )


def _survivor(
    identity: str, copies: Sequence[JsonObject]
) -> tuple[JsonObject | None, list[JsonObject]]:
    """Choose the copy that goes on (the deterministic id, else the lowest) and the surplus."""
    ordered = sorted(copies, key=lambda one: (one["id"] != identity, str(one["id"])))
    if not ordered:
        return None, []
    return ordered[0], [one for one in ordered[1:] if one.get("status") != WITHDRAWN]


def _held_sources(standing: Standing) -> Collection[str]:
    """Name the sources of results that wait: no other case may take them over meanwhile."""
    return {
        source
        for derived in standing.derived
        if derived.get("status") != WITHDRAWN and standing.unconfirmed & set(_sources(derived))
        for source in _sources(derived)
    }


def _used(desired: Sequence[Desired]) -> frozenset[str]:
    return frozenset(
        source
        for one in desired
        if one.classification.category.is_written
        for source in one.classification.used
    )


def _sources(derived: JsonObject) -> list[str]:
    found = (relative_reference(written) for written in references(derived.get("derivedFrom")))
    return [reference for reference in found if reference]


def _subject(derived: JsonObject | None) -> str:
    return relative_reference(string(child(derived, "subject"), "reference")) or ""


def _active_category(derived: JsonObject | None) -> str | None:
    """Give the category that stands; None when nothing does, or it is withdrawn."""
    if derived is None or derived.get("status") == WITHDRAWN:
        return None
    return category_of(derived) or Category.NEEDS_REVIEW.value
