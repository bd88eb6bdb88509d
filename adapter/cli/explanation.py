"""What there is to say about one sample: results as they were read, the rule, and what was left out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from adapter.fhir.identity import is_own, relative_reference
from adapter.fhir.recognise import Recognised
from adapter.fhir.record.narrative import all_reasons
from adapter.fhir.shapes import references
from adapter.her2.model import Case, Evidence, Reason
from adapter.her2.rollup import roll_up
from adapter.her2.wording import ihc_said, ish_said
from adapter.offline.answers import Answer, Answers, Fate
from adapter.terminology.vocabulary import MapRow

_JOINED: Final[Mapping[str, str]] = {
    "specimen": "They name one specimen, or specimens of one.",
    "report": "They stand in one report.",
    "accession": "They belong to one accession or order.",
    "day": "They are of one patient, side and collection day, and name no specimen.",
    "observation": "Nothing joins it with another result.",
}


def chosen_cases(answers: Answers, reference: str) -> tuple[Answer, ...]:
    """Choose the samples that an Observation is a result of, or was derived from."""
    found = answers.graph.get(reference) or {}
    wanted = {reference}
    if is_own(found):
        bases = (answers.graph.base_url,) if answers.graph.base_url else ()
        named = (relative_reference(one, bases) for one in references(found.get("derivedFrom")))
        wanted = {one for one in named if one}
    return tuple(
        one
        for one in answers.answers
        if wanted & {evidence.source.reference for evidence in one.case.evidence}
    )


def explanations(answers: Answers, chosen: Iterable[Answer]) -> list[dict[str, Any]]:
    """Explain samples, in their order."""
    recognised = {one.reference: one for one in answers.recognised if one.evidence is not None}
    fates = {fate.observation: fate for fate in answers.fates if fate.reason != "delivered-twice"}
    return [_explained(one, recognised, fates) for one in chosen]


def left_over(answers: Answers, told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Name every Observation that is in no sample explained, with the reason."""
    known = {result["observation"] for one in told for result in one["results"]}
    sentences = {one.reference: one for one in answers.recognised}
    return [
        {
            "kind": "set-aside",
            "observation": fate.observation,
            "subject": fate.subject,
            "outcome": fate.outcome,
            "reason": fate.reason,
            "sentence": sentences[fate.observation].reason.sentence,
            "words": list(sentences[fate.observation].words),
        }
        for fate in answers.set_aside
        if fate.observation not in known
    ]


def patients_together(answers: Answers) -> list[str]:
    """Say for each patient of several samples what these say together; shown, never written."""
    by_patient: dict[str, list[Answer]] = {}
    for one in answers.written:
        by_patient.setdefault(one.case.subject, []).append(one)
    said = []
    for patient, samples in sorted(by_patient.items()):
        if len(samples) < 2:
            continue
        together = roll_up([(one.case, one.classification) for one in samples])
        category = together.category.value if together.category else "no common category"
        look = ", review" if together.review else ""
        said.append(f"{patient}: {len(samples)} samples; together {category}{look} (shown only)")
    return said


def _explained(
    one: Answer, recognised: Mapping[str, Recognised], fates: Mapping[str, Fate]
) -> dict[str, Any]:
    answer, case = one.classification, one.case
    rule = answer.rule
    return {
        "kind": "explanation",
        "subject": case.subject,
        "specimen": case.specimen,
        "key": case.key,
        "joined": _why_joined(case),
        "category": answer.category.value,
        "asco_cap": answer.asco_cap.value if answer.asco_cap else None,
        "ish_group": answer.ish_group.value if answer.ish_group else None,
        "review": answer.review,
        "policy": f"{answer.policy} {answer.policy_version}",
        "rule": {
            "id": rule.id,
            "basis": rule.basis.value,
            "citation": rule.citation,
            "sentence": rule.sentence,
        },
        "reasons": _reasons(all_reasons(case, answer)),
        "comments": _reasons(answer.comments),
        "limits": _reasons(answer.limits),
        "results": [
            _result(evidence, recognised[evidence.source.reference], answer.set_aside, fates)
            for evidence in case.evidence
        ],
    }


def _why_joined(case: Case) -> str:
    """Say what made several results one sample; "" for a single result."""
    if case.joined_by:
        return f"a person joined them: {'; '.join(link.sentence for link in case.joined_by)}"
    return _JOINED[case.key.partition(":")[0]] if len(case.evidence) > 1 else ""


def _result(
    evidence: Evidence,
    found: Recognised,
    set_aside: Sequence[tuple[str, Reason]],
    fates: Mapping[str, Fate],
) -> dict[str, Any]:
    source = evidence.source
    fate = fates[source.reference]
    why = dict(set_aside).get(source.reference, found.reason)
    return {
        "observation": source.reference,
        "version": source.version,
        "status": source.status.value,
        "effective": source.effective,
        "test": evidence.assay.value,
        "words": list(found.words),
        "read_as": _read_as(evidence),
        "rows": [_row(row) for row in found.rows],
        "outcome": fate.outcome,
        "reason": fate.reason or found.reason.code,
        "sentence": why.sentence,
    }


def _read_as(evidence: Evidence) -> list[str]:
    """Say in a pathologist's words what a result states."""
    said = []
    if evidence.ihc is not None:
        said.append(ihc_said(evidence.ihc))
    if evidence.ish is not None:
        said.append(ish_said(evidence.ish))
    if evidence.overall is not None:
        said.append(f"the laboratory's overall result: {evidence.overall.word.value}")
    if evidence.marker is not None:
        said.append(f"marked as a {evidence.marker.value}")
    return said


def _row(row: MapRow) -> dict[str, str]:
    return {
        "map": row.map.rpartition("/")[2],
        "system": row.system,
        "code": row.code,
        "display": row.display,
        "meaning": row.meaning,
    }


def _reasons(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    return [
        {"code": one.code, "sentence": one.sentence, "sources": list(one.sources)}
        for one in dict.fromkeys(reasons)
    ]
