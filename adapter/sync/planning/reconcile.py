"""From what was gathered to what ought to stand: recognise, group, classify. Pure.

Every candidate comes out with one outcome and a reason. A result that names no patient of this
server never reaches a case, because nobody could say whose category it would be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapter.fhir.recognise import Recognised, recognise
from adapter.fhir.record.sources import SourceFacts, source_facts
from adapter.fhir.references import Graph, reference_to
from adapter.fhir.shapes import child, string
from adapter.her2.cases import group
from adapter.her2.classify import classify
from adapter.her2.joins import UnusedLink, unused_links
from adapter.her2.model import Case, Category, Classification, Evidence, Link, Policy
from adapter.ports import JsonObject
from adapter.sync.planning.plan import Desired, Standing
from adapter.sync.reading.pool import Gathered
from adapter.sync.references import patient_of
from adapter.sync.report import SetAside
from adapter.sync.tally import USED
from adapter.terminology.catalogue import Catalogue

NO_PATIENT: Final = "no-patient-of-this-server"
NOT_APPLICABLE: Final = Category.NOT_APPLICABLE.value


@dataclass(frozen=True)
class Reconciled:
    """What ought to stand for some patients, what stands, and what became of every candidate.

    `narratives`: (patient, report whose text names HER2); they are never candidates.
    """

    desired: tuple[Desired, ...]
    standing: Standing
    fetched: int
    outcomes: Mapping[str, int]
    set_aside: tuple[SetAside, ...]
    recognised: tuple[Recognised, ...] = ()
    narratives: tuple[tuple[str, JsonObject], ...] = ()
    unused_links: tuple[UnusedLink, ...] = ()


def reconcile(
    gathered: Gathered,
    catalogue: Catalogue,
    policy: Policy,
    *,
    base_url: str,
    links: Sequence[Link] = (),
) -> Reconciled:
    """Decide what ought to stand for the patients that were gathered.

    Args:
        gathered: everything the server holds about their HER2 results.
        catalogue: the vocabulary.
        policy: the rules.
        base_url: of the source; references below it are relative in what comes out.
        links: a person's, of any patients.

    """
    graph = Graph.of((*gathered.results, *gathered.related), base_url=base_url)
    read = {
        reference_to(result): recognise(result, graph, catalogue) for result in gathered.results
    }
    subjects = {reference_to(one): patient_of(one, base_url) for one in gathered.results}
    evidence = [
        one.evidence
        for reference, one in read.items()
        if one.evidence is not None and subjects[reference] is not None
    ]
    cases = group(evidence, links)
    answers = [(case, classify(case, policy)) for case in cases]
    fates = _fates(read, subjects, answers)
    facts = _facts(gathered, graph, base_url)
    aside = [
        SetAside(reference, subjects[reference], outcome, reason)
        for reference, (outcome, reason) in fates.items()
        if outcome != USED
    ]
    outcomes = Counter(outcome for outcome, _ in fates.values())
    outcomes["ignored"] += gathered.own_found
    return Reconciled(
        desired=tuple(
            Desired(case, answer, {source: facts[source] for source in answer.used})
            for case, answer in answers
        ),
        standing=Standing(
            derived=gathered.derived,
            gone=gathered.gone,
            unconfirmed=gathered.unconfirmed,
            statuses={reference_to(one): string(one, "status") for one in gathered.results},
            facts=facts,
        ),
        fetched=len(gathered.results) + gathered.own_found,
        outcomes=outcomes,
        set_aside=tuple(aside),
        recognised=tuple(read.values()),
        narratives=tuple((patient_of(one, base_url) or "", one) for one in gathered.narratives),
        unused_links=unused_links(cases, links),
    )


def _fates(
    read: Mapping[str, Recognised],
    subjects: Mapping[str, str | None],
    answers: Sequence[tuple[Case, Classification]],
) -> dict[str, tuple[str, str]]:
    """Give each candidate its outcome and reason code."""
    fates: dict[str, tuple[str, str]] = {}
    for reference, one in read.items():
        if one.evidence is None:
            fates[reference] = (one.outcome.value, one.reason.code)
        elif subjects[reference] is None:
            fates[reference] = ("unreadable", NO_PATIENT)
    for case, answer in answers:
        why = {reference: reason.code for reference, reason in answer.set_aside}
        for evidence in case.evidence:
            reference = evidence.source.reference
            fates[reference] = _fate(evidence, answer, why.get(reference))
            if fates[reference][0] == NOT_APPLICABLE == read[reference].outcome.value:
                # The recogniser saw which sign it was of another tumour; the rule only says that one was.
                fates[reference] = (NOT_APPLICABLE, read[reference].reason.code)
    return fates


def _fate(evidence: Evidence, answer: Classification, why: str | None) -> tuple[str, str]:
    if answer.category is Category.NOT_APPLICABLE:
        return NOT_APPLICABLE, why or answer.rule.id
    if evidence.source.reference in answer.used:
        return USED, ""
    if evidence.unreadable is not None:
        return "unreadable", evidence.unreadable.code
    if answer.category is Category.NO_RESULT:
        return "no-result", why or answer.rule.id
    return "ignored", why or answer.rule.id


def _facts(gathered: Gathered, graph: Graph, base_url: str) -> dict[str, SourceFacts]:
    return {
        reference_to(result): source_facts(
            result, _specimen_of(result, graph), base_urls=(base_url,)
        )
        for result in gathered.results
    }


def _specimen_of(result: JsonObject, graph: Graph) -> JsonObject | None:
    reference = string(child(result, "specimen"), "reference")
    return graph.resolve(reference, within=result) if reference else None
