"""Which results of a sample count: by status, readability and tumour site.

Source: rules text, Which results count 2, 7, 8, 9 [P]; scope of the breast guideline [G].
"""

from __future__ import annotations

from dataclasses import dataclass

from adapter.her2.model import (
    Assay,
    Case,
    Evidence,
    Reason,
    ResultStatus,
    SampleKind,
    TumourSite,
)

COUNTING = frozenset({ResultStatus.FINAL, ResultStatus.AMENDED, ResultStatus.CORRECTED})
NOT_YET = frozenset({ResultStatus.REGISTERED, ResultStatus.PRELIMINARY})
UNCLEAR = frozenset({ResultStatus.UNKNOWN, ResultStatus.MISSING})
PRESENT = COUNTING | NOT_YET | UNCLEAR

_LOOKED_AT = frozenset({ResultStatus.CANCELLED, ResultStatus.REPORT_WITHDRAWN})
"""Statuses that leave what remains of the sample to review."""

BREAST_AND_OTHER = Reason(
    "tumour-site-contradictory", "The results point at the breast and at another primary tumour."
)
SITE_UNCLEAR = Reason(
    "tumour-site-unclear",
    "A diagnosis or an organ is stated, and whether the tumour is one of the breast cannot be told.",
)
TWO_SIDES = Reason(
    "sample-of-two-sides", "Results of one specimen are said to be of the left and of the right."
)
TWO_TUMOURS = Reason(
    "sample-of-two-tumours",
    "Results of one specimen are said to be of the primary tumour and of a metastasis.",
)
SITE_NOT_STATED = Reason(
    "tumour-site-not-stated", "No result says that the tumour is of the breast."
)


@dataclass(frozen=True)
class Counting:
    """A sample's results, sorted by whether they count.

    `results`: those that count and could be read. `set_aside`: references with the reason why they do not count.
    `contradictions`: any makes the case needs-review. `concerns`: the category stands, with review.
    `preliminary_ihc`: references of IHC results that are not final yet.
    """

    results: tuple[Evidence, ...] = ()
    set_aside: tuple[tuple[str, Reason], ...] = ()
    contradictions: tuple[Reason, ...] = ()
    concerns: tuple[Reason, ...] = ()
    has_unreadable_ihc: bool = False
    preliminary_ihc: tuple[str, ...] = ()
    site: TumourSite = TumourSite.NOT_STATED


def sort_out(case: Case) -> Counting:
    """Sort a case's results by whether they count; nothing is dropped without a reason."""
    set_aside: list[tuple[str, Reason]] = []
    concerns: list[Reason] = list(case.join_reasons)
    contradictions: list[Reason] = []
    results: list[Evidence] = []
    for evidence in case.evidence:
        reason = _why_not(evidence)
        if reason is None:
            results.append(evidence)
            contradictions += _own_contradictions(evidence)
            continue
        set_aside.append((evidence.source.reference, reason))
        if evidence.source.status in _LOOKED_AT or reason is evidence.unreadable:
            concerns.append(reason)
    if len({e.links.side for e in results if e.links.side}) > 1:
        contradictions.append(TWO_SIDES)
    if {e.links.kind for e in results} >= {SampleKind.PRIMARY, SampleKind.METASTASIS}:
        contradictions.append(TWO_TUMOURS)
    # A result that is not final or not readable still says which tumour the sample is of.
    site = site_of(tuple(e for e in case.evidence if e.source.status in PRESENT))
    if site is TumourSite.CONTRADICTORY:
        contradictions.append(BREAST_AND_OTHER)
    if site is TumourSite.UNCLEAR:
        contradictions.append(SITE_UNCLEAR)
    return Counting(
        results=tuple(results),
        set_aside=tuple(set_aside),
        contradictions=tuple(contradictions),
        concerns=tuple(concerns),
        has_unreadable_ihc=any(_is_unreadable_ihc(evidence) for evidence in case.evidence),
        preliminary_ihc=tuple(e.source.reference for e in case.evidence if _is_preliminary_ihc(e)),
        site=site,
    )


def site_of(results: tuple[Evidence, ...]) -> TumourSite:
    """Join what the results of one sample say of the tumour's site."""
    sites = {evidence.site for evidence in results}
    if TumourSite.CONTRADICTORY in sites or sites >= {TumourSite.BREAST, TumourSite.OTHER}:
        return TumourSite.CONTRADICTORY
    for site in (TumourSite.OTHER, TumourSite.BREAST, TumourSite.UNCLEAR):
        if site in sites:
            return site
    return TumourSite.NOT_STATED


def _why_not(evidence: Evidence) -> Reason | None:
    """Say why a result does not count; None when it does."""
    sources = (evidence.source.reference,)
    match evidence.source.status:
        case ResultStatus.ENTERED_IN_ERROR:
            return Reason("entered-in-error", "The laboratory withdrew this result.", sources)
        case ResultStatus.CANCELLED:
            return Reason("cancelled", "This test was cancelled.", sources)
        case ResultStatus.REPORT_WITHDRAWN:
            sentence = "Every report that lists this result was withdrawn or cancelled."
            return Reason("report-withdrawn", sentence, sources)
        case ResultStatus.REGISTERED | ResultStatus.PRELIMINARY:
            return Reason("not-final", "This result is not final yet.", sources)
        case ResultStatus.UNKNOWN | ResultStatus.MISSING:
            return None
        case _:
            return None if evidence.contradictions else evidence.unreadable


def _own_contradictions(evidence: Evidence) -> tuple[Reason, ...]:
    if evidence.source.status not in UNCLEAR:
        return evidence.contradictions
    unclear = Reason(
        "status-unclear",
        "Whether this result is final is not stated.",
        (evidence.source.reference,),
    )
    return (unclear, *evidence.contradictions)


def _is_unreadable_ihc(evidence: Evidence) -> bool:
    counts = evidence.source.status in COUNTING | UNCLEAR
    return counts and evidence.assay is Assay.IHC and evidence.unreadable is not None


def _is_preliminary_ihc(evidence: Evidence) -> bool:
    return evidence.assay is Assay.IHC and evidence.source.status is ResultStatus.PRELIMINARY
