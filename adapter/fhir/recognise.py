"""From a FHIR Observation to HER2 evidence, or to the reason why it is none.

Total: any JSON object gives exactly one outcome with a stable reason code; nothing raises and nothing
is guessed. Statuses are passed through: whether a preliminary or cancelled result counts is decided
in the core. Everything with evidence goes to the core, whatever its outcome: an unreadable IHC must
keep the rest from becoming a negative.

Source: rules text, Which results count, 6 to 10 [P]; mappings/ for every code and word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from adapter.fhir.agreement import with_note
from adapter.fhir.contents import Contents, contents_of
from adapter.fhir.identity import is_own
from adapter.fhir.links import (
    collected,
    effective,
    sample_links,
    sample_names,
    specimen_of,
)
from adapter.fhir.question import question_of
from adapter.fhir.reasons import reason
from adapter.fhir.references import Graph, latest_version, reference_to
from adapter.fhir.shapes import child, string, texts
from adapter.fhir.site import SiteReading, tumour_site
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.surroundings import concluded, conflicts_around, shares_report
from adapter.fhir.terms import Terms
from adapter.her2.model import (
    Adjudication,
    Evidence,
    OverallResult,
    Reason,
    RepeatMarker,
    ResultStatus,
    Source,
    TumourSite,
)
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.vocabulary import MapRow, TestRole

_NO_FHIR_STATUS: Final = {ResultStatus.MISSING, ResultStatus.REPORT_WITHDRAWN}


class Outcome(StrEnum):
    """What an Observation is to the adapter; exactly one of these."""

    EVIDENCE = "evidence"
    NOT_HER2 = "not-her2"
    NOT_APPLICABLE = "not-applicable"
    UNREADABLE = "unreadable"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Recognised:
    """One Observation, recognised.

    `reference`: "Observation/<id>". `subject`: "Patient/<id>", "" when it cannot be told.
    `reason`: stable code and sentence. `evidence`: for the core; given for evidence, and also for
    unreadable results and other tumours, whose presence matters to the rest of a sample.
    `words`: the texts it was read from (patient data: never for logs); `rows`: the rows of the
    mappings that were used; `unknown`: (system, code) of codings that no row knows;
    `unknown_answers`: those of them that stand as an answer and not as a test.
    """

    reference: str
    subject: str
    outcome: Outcome
    reason: Reason
    evidence: Evidence | None = None
    words: tuple[str, ...] = ()
    rows: tuple[MapRow, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    unknown_answers: tuple[tuple[str, str], ...] = ()


def recognise(observation: JsonObject, context: Graph, catalogue: Catalogue) -> Recognised:
    """Recognise one Observation; never raises, whatever its shape.

    Args:
        observation: a FHIR R4 Observation as parsed by the strict reader; not changed.
        context: the resources that its references lead to, and the reports and panels it is in.
        catalogue: the vocabulary.

    """
    terms = Terms.of(catalogue)
    own = reference_to(observation)
    subject = context.normal(string(child(observation, "subject"), "reference"), within=observation)
    blank = Recognised(own, subject or "", Outcome.NOT_HER2, reason("no-her2-test", own))
    if observation.get("resourceType") != "Observation":
        return replace(blank, reason=reason("not-an-observation", own))
    if is_own(observation):
        return replace(blank, outcome=Outcome.IGNORED, reason=reason("own-output", own))
    question = question_of(observation.get("code"), terms)
    contents = contents_of(observation, question, context, terms)
    blank = replace(
        blank,
        words=tuple(dict.fromkeys((*texts(observation.get("code")), *contents.words))),
        rows=tuple(dict.fromkeys((*question.rows, *contents.stated.rows))),
        unknown=tuple(dict.fromkeys((*question.unknown, *contents.unknown))),
        unknown_answers=tuple(dict.fromkeys(contents.unknown)),
    )
    return _judged(observation, blank, contents, context, terms)


def gather_evidence(
    observations: Iterable[JsonObject], graph: Graph, catalogue: Catalogue
) -> list[Recognised]:
    """Recognise all Observations at hand; one entry for each that was delivered.

    Of several copies of one Observation the latest counts, whatever their order; the others are
    ignored. Where nothing tells which is the latest, none is read and the result is unreadable.
    """
    copies: dict[str, list[JsonObject]] = {}
    for observation in observations:
        copies.setdefault(reference_to(observation), []).append(observation)
    found: list[Recognised] = []
    for versions in copies.values():
        latest = latest_version(versions)
        result = recognise(latest or versions[0], graph, catalogue)
        found.append(result if latest is not None else _unordered(result))
        same = sum(version == latest for version in versions)
        for place in range(1, len(versions)):
            code = "delivered-twice" if place < same or latest is None else "older-version"
            why = reason(code, result.reference)
            found.append(replace(result, outcome=Outcome.IGNORED, reason=why, evidence=None))
    return found


def outcome_counts(recognised: Iterable[Recognised]) -> Mapping[Outcome, int]:
    """Count the Observations of each outcome; the sum is the number that was delivered."""
    counts = Counter(result.outcome for result in recognised)
    return {outcome: counts[outcome] for outcome in Outcome}


def _unordered(result: Recognised) -> Recognised:
    """Two versions of one result, and no telling which is later: HER2 or not, it is not read."""
    if result.evidence is None:
        return result
    why = reason("versions-not-ordered", result.reference)
    bare = replace(
        result.evidence, ihc=None, ish=None, overall=None, contradictions=(), unreadable=why
    )
    return replace(result, outcome=Outcome.UNREADABLE, reason=why, evidence=bare)


def _judged(
    observation: JsonObject, blank: Recognised, contents: Contents, graph: Graph, terms: Terms
) -> Recognised:
    """Give the outcome, from what kind of test it is, whose it is, and what it states."""
    own = blank.reference
    question = contents.question
    if question.assay is None:
        is_ignored = question.role is TestRole.CELLS_COUNTED
        outcome = Outcome.IGNORED if is_ignored else Outcome.NOT_HER2
        return replace(blank, outcome=outcome, reason=reason(question.problem, own))
    if contents.is_bare_panel:
        return replace(blank, outcome=Outcome.IGNORED, reason=reason("panel", own))
    if not blank.subject.startswith(("Patient/", "http", "urn:")):
        is_someone_else = bool(blank.subject) and "#" not in blank.subject
        code = "subject-not-a-patient" if is_someone_else else "subject-not-identified"
        outcome = Outcome.NOT_APPLICABLE if is_someone_else else Outcome.UNREADABLE
        return replace(blank, outcome=outcome, reason=reason(code, own))
    evidence, site = _evidence(observation, blank.subject, contents, graph=graph, terms=terms)
    found = replace(blank, evidence=evidence, rows=tuple(dict.fromkeys((*blank.rows, *site.rows))))
    if site.site is TumourSite.OTHER:
        code = "carcinoma-in-situ" if site.in_situ else "other-tumour"
        return replace(found, outcome=Outcome.NOT_APPLICABLE, reason=reason(code, own))
    if evidence.unreadable is not None:
        return replace(found, outcome=Outcome.UNREADABLE, reason=evidence.unreadable)
    why = evidence.contradictions[0] if evidence.contradictions else reason("her2-result", own)
    return replace(found, outcome=Outcome.EVIDENCE, reason=why)


def _evidence(
    observation: JsonObject, subject: str, contents: Contents, *, graph: Graph, terms: Terms
) -> tuple[Evidence, SiteReading]:
    own = reference_to(observation)
    specimen = specimen_of(observation, graph)
    stated = contents.stated
    site = tumour_site(observation, graph, terms, specimen=specimen)
    if stated.other_tumour:
        is_breast = site.site in (TumourSite.BREAST, TumourSite.CONTRADICTORY)
        other = TumourSite.CONTRADICTORY if is_breast else TumourSite.OTHER
        site = SiteReading(other, rows=site.rows)
    adjudication = Adjudication.ADJUDICATED if contents.adjudicated else Adjudication.NOT_STATED
    text = contents.words[0] if contents.words else ""
    named = sample_names(observation, graph, terms, specimen=specimen)
    around = conflicts_around(observation, graph=graph, terms=terms, specimen=specimen, named=named)
    overall = OverallResult(stated.overall, adjudication, text) if stated.overall else None
    noted = [with_note(stated, note) for note in contents.noted]
    evidence = Evidence(
        source=_source(observation, graph),
        subject=subject,
        assay=contents.assay,
        ihc=stated.ihc,
        ish=stated.ish,
        overall=overall,
        links=sample_links(observation, graph, terms, specimen=specimen, named=named),
        site=site.site,
        marker=contents.marker or (RepeatMarker.REPEAT if contents.repeat_of else None),
        repeat_of=contents.repeat_of,
        contradictions=tuple(
            reason(conflict.code, own, sides=conflict.sides)
            for conflict in stated.with_conflicts(*around).conflicts
        ),
        unreadable=reason(contents.problem, own) if contents.problem else None,
        concluded=concluded(observation, graph, terms),
        shares_report=shares_report(observation, graph, terms),
        noted_ihc=tuple(note.ihc for note in noted if note.ihc),
        noted_ish=tuple(note.ish for note in noted if note.ish),
        scored_at=effective(observation) or collected(specimen or {}) or None,
    )
    return evidence, site


def _source(observation: JsonObject, graph: Graph) -> Source:
    status = string(observation, "status")
    known = status in set(ResultStatus) - _NO_FHIR_STATUS
    is_own_withdrawn = status in (ResultStatus.ENTERED_IN_ERROR, ResultStatus.CANCELLED)
    if not is_own_withdrawn and graph.is_report_withdrawn(reference_to(observation)):
        result_status = ResultStatus.REPORT_WITHDRAWN
    elif not observation.get("status"):
        result_status = ResultStatus.MISSING
    else:
        result_status = ResultStatus(status) if known else ResultStatus.UNKNOWN
    return Source(
        reference=reference_to(observation),
        version=string(child(observation, "meta"), "versionId") or None,
        status=result_status,
        effective=effective(observation) or None,
        issued=string(observation, "issued") or None,
    )
