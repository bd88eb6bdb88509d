"""Taking back what this adapter has written: entered in error, with Provenance, never deleted.

For an operator only: a rule that was wrong, a policy that ended, a trial that is over. An adapter
that goes on running writes again what its rules still say, so it is stopped, observed or corrected
first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from adapter.audit import AuditAction, AuditEvent
from adapter.fhir.identity import category_of, fingerprint, relative_reference
from adapter.fhir.record.derive import DeriveContext, withdraw
from adapter.fhir.record.sources import SourceFacts, source_facts
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import child, codings, objects, references, string
from adapter.her2.model import Reason
from adapter.ports import FhirServer, JsonObject
from adapter.sync.auditing import Auditor
from adapter.sync.options import SyncOptions
from adapter.sync.parts import Interrupts, Parts
from adapter.sync.planning.ownership import is_ours, marked
from adapter.sync.planning.plan import WITHDRAWN, Action, Planned
from adapter.sync.reading.proving import Proving
from adapter.sync.reading.search_params import last_updated, within_budget
from adapter.sync.reading.searches import Searches
from adapter.sync.references import made_relative, version_of
from adapter.sync.report import PassKind, PassOutcome, PassReport
from adapter.sync.tally import Tally
from adapter.sync.writing.bundle import BundleMaker
from adapter.sync.writing.delivery import Attempts, Delivery
from adapter.sync.writing.fenced import FencedServer
from adapter.sync.writing.ladder import Ladder
from adapter.sync.writing.lanes import Lanes
from adapter.sync.writing.outbox import keep_for
from adapter.sync.writing.write_back import TRIED_AGAIN, Writer
from adapter.terminology.systems import COMPONENT_SYSTEM, POLICY_BASE

BY_OPERATOR: Final = Reason(
    "withdrawn-by-operator", "The operator of the adapter took this derived result back."
)
RULE_COMPONENT: Final = "rule"


@dataclass(frozen=True)
class Selection:
    """Which derived results to take back; several conditions must all hold, none selects all.

    `rule`: id of the rule that decided. `policy`: "name|version" or the version alone, as the
    Provenance of the present version says. `since`: written at or after this instant. `patient`:
    about this one only ("Patient/<id>").
    """

    rule: str | None = None
    policy: str | None = None
    since: datetime | None = None
    patient: str | None = None


def withdraw_ours(
    parts: Parts,
    options: SyncOptions,
    selection: Selection,
    *,
    preview: bool,
    interrupts: Interrupts | None = None,
) -> PassReport:
    """Mark our own derived results entered-in-error, of this namespace and policy family only.

    Args:
        parts: what passes work with.
        options: how the target is written to.
        selection: which results.
        preview: report what would be withdrawn, and write nothing.
        interrupts: lease and early end, as for a pass.

    Raises: ServerError and StoreError as Cycle.run_pass.

    """
    held_up = interrupts or Interrupts()
    parts = held_up.watching(parts)
    now, asked_before = parts.clock.now(), parts.traffic.counts()
    urls = tuple(dict.fromkeys((parts.source.base_url, parts.target.base_url)))
    context = replace(parts.context, now=now, base_urls=urls)
    tally = Tally()
    planned = _planned(parts, options, selection, context, tally)
    for one in planned:
        tally.add_decision(one)
    auditor = Auditor(context, parts.actor, parts.source.base_url)
    target = FencedServer(parts.target, held_up.guard)
    writer = Writer(
        delivery=Delivery(target, Attempts(parts.clock, options.send), urls),
        store=parts.store,
        clock=parts.clock,
        maker=BundleMaker(context, parts.source.base_url, parts.target.base_url),
        auditor=auditor,
        ladder=Ladder(parts.store, parts.target.base_url, options.send),
        guard=held_up.guard,
        stopped=held_up.stopped,
    )
    if not preview:
        held_up.guard()
        keep_for(parts.store, parts.target.base_url)
        with Lanes(options.send.writers) as lanes:
            writer.write(planned, lanes)
            lanes.wait()
            writer.finish()
    report = PassReport(
        kind=PassKind.WITHDRAWAL,
        outcome=_outcome(writer, preview=preview),
        started_at=now,
        ended_at=parts.clock.now(),
        actions=dict(tally.actions),
        rows=tuple(tally.rows),
        parked=dict(writer.written.parked),
        warnings=(
            *tally.warnings,
            *(f"{one}: {TRIED_AGAIN}" for one in sorted(writer.written.waiting)),
        ),
        writes=writer.written.versions,
        patients=len({one.patient for one in planned}),
        queue_left=parts.store.queue_length(),
        traffic=parts.traffic.since(asked_before),
    )
    if not preview:
        parts.store.record_pass(report.as_record())
        parts.store.record([_recorded(auditor, selection, report)])
    return report


def _recorded(auditor: Auditor, selection: Selection, report: PassReport) -> AuditEvent:
    """Tell the trail what the operator asked for, and how much of it was done."""
    chosen = {
        "rule": selection.rule or "",
        "policy": selection.policy or "",
        "since": selection.since.isoformat() if selection.since else "",
    }
    facts: dict[str, str | int] = {f"only_{name}": said for name, said in chosen.items() if said}
    facts["versions"] = report.writes
    event = auditor.happened(
        AuditAction.WITHDRAWAL_RUN, report.outcome.value, at=report.ended_at, facts=facts
    )
    return replace(event, patient=selection.patient or "")


def _outcome(writer: Writer, *, preview: bool) -> PassOutcome:
    if preview:
        return PassOutcome.OBSERVED
    return PassOutcome.STOPPED if writer.written.left else PassOutcome.DONE


def _planned(
    parts: Parts,
    options: SyncOptions,
    selection: Selection,
    context: DeriveContext,
    tally: Tally,
) -> list[Planned]:
    searches = Searches(parts.source, parts.target, parts.clock, page_size=options.read.page_size)
    Proving(searches).prove_own()
    chosen = list(_chosen(searches, selection, context, tally))
    named = sorted({source for one in chosen for source in _sources(one)})
    found = searches.reads.read_all(named) if named else {}
    facts = {
        reference: source_facts(resource, base_urls=context.base_urls)
        for reference, resource in found.items()
        if isinstance(resource, dict)
    }
    gone = frozenset(reference for reference, read in found.items() if read is None)
    return [_withdrawal(one, facts, gone, context) for one in chosen]


def _chosen(
    searches: Searches, selection: Selection, context: DeriveContext, tally: Tally
) -> Iterator[JsonObject]:
    base_url = searches.source.base_url
    seen: set[str] = set()
    for page in searches.own():
        for one in page.refused:
            tally.warn(f"{reference_to(one.known)} is no strict JSON ({one.code}): left as it is")
        found = {
            name: made_relative(resource, base_url)
            for resource in page.matches
            if (name := reference_to(resource)) not in seen
            and resource.get("status") != WITHDRAWN
            and is_ours(resource, namespace=context.namespace, policy=context.policy)
        }
        seen |= found.keys()
        selected = {name: one for name, one in found.items() if _is_selected(one, selection)}
        if selection.policy is not None:
            selected = dict(_of_policy(selected, selection.policy, searches.target, context, tally))
        yield from selected.values()


def _of_policy(
    derived: Mapping[str, JsonObject],
    wanted: str,
    target: FhirServer,
    context: DeriveContext,
    tally: Tally,
) -> Iterator[tuple[str, JsonObject]]:
    """Give those of a policy. Their Provenances are asked for: includes may be capped, or left out without a word."""
    policies = _policies(target, derived, context.base_urls)
    for name, one in derived.items():
        if name not in policies:
            tally.warn(f"{name}: no Provenance is shown that names its policy; left as it is")
        elif any(wanted in (policy, policy.rpartition("|")[2]) for policy in policies[name]):
            yield name, one


def _is_selected(resource: JsonObject, selection: Selection) -> bool:
    subject = string(child(resource, "subject"), "reference")
    if selection.patient is not None and subject != selection.patient:
        return False
    if selection.rule is not None and _rule_of(resource) != selection.rule:
        return False
    return selection.since is None or _stands_since(resource, selection.since)


def _rule_of(resource: JsonObject) -> str | None:
    for part in objects(resource.get("component")):
        if any(
            (one.get("system"), one.get("code")) == (COMPONENT_SYSTEM, RULE_COMPONENT)
            for one in codings(child(part, "code"))
        ):
            return string(part, "valueString") or string(
                child(part, "valueCodeableConcept"), "text"
            )
    return None


def _stands_since(resource: JsonObject, since: datetime) -> bool:
    """Tell whether it was issued since then; of one that others took the time from, whether it was changed since."""
    try:
        return datetime.fromisoformat(string(resource, "issued")) >= since
    except (TypeError, ValueError):  # without a zone it is no instant
        changed = last_updated(resource)
        return changed is not None and changed >= since


def _policies(
    target: FhirServer, derived: Iterable[str], base_urls: Sequence[str]
) -> Mapping[str, frozenset[str]]:
    """Give the policies ("name|version") of the latest Provenance of ours about each Observation."""
    latest: dict[str, tuple[str, frozenset[str]]] = {}
    for one in _provenances(target, derived):
        named = frozenset(
            str(policy).removeprefix(f"{POLICY_BASE}/")
            for policy in one.get("policy") or []
            if str(policy).startswith(f"{POLICY_BASE}/")
        )
        recorded = string(one, "recorded")
        for written in references(one.get("target")):
            about = relative_reference(written, base_urls)
            if named and about is not None and recorded >= latest.get(about, ("",))[0]:
                latest[about] = (recorded, named)
    return {about: named for about, (_, named) in latest.items()}


def _provenances(target: FhirServer, derived: Iterable[str]) -> Iterator[JsonObject]:
    for targets in within_budget(derived):
        for page in target.search("Provenance", [("target", targets)]):
            yield from page.matches


def _sources(derived: JsonObject) -> list[str]:
    found = (relative_reference(written) for written in references(derived.get("derivedFrom")))
    return [reference for reference in found if reference]


def _withdrawal(
    existing: JsonObject,
    facts: Mapping[str, SourceFacts],
    gone: frozenset[str],
    context: DeriveContext,
) -> Planned:
    body = withdraw(existing, reason=BY_OPERATOR, context=context, gone=gone)
    return Planned(
        action=Action.RETRACT,
        key=str(existing["id"]),
        patient=relative_reference(string(child(existing, "subject"), "reference")) or "",
        fingerprint=fingerprint(body, base_urls=context.base_urls),
        body=marked(body, context.namespace),
        replaced=version_of(existing),
        sources=tuple(facts[source] for source in _sources(existing) if source in facts),
        before=category_of(existing),
        reason=BY_OPERATOR.code,
    )
