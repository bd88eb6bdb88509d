"""One case in, one classification out: the order in which the rules are asked.

Sort out what counts, combine what repeats, evaluate the table, hear the laboratory's overall result, then let
everything that stands against a definite answer speak. Pure and total: every case gets one category and a reason.
Source: rules text, all of it; each part cites its figure where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from adapter.her2 import asides, rules
from adapter.her2.basic import BEYOND, evaluate_basic
from adapter.her2.combine import (
    IHC_DIFFER,
    ISH_DIFFER,
    SECOND_POPULATION,
    CombinedIhc,
    CombinedIsh,
    combine_ihc,
    combine_ish,
)
from adapter.her2.evaluate import IshCounts, evaluate
from adapter.her2.ihc import WORD_AGREES_WITH, IhcReading
from adapter.her2.model import (
    AscoCapStatus,
    Case,
    Category,
    Classification,
    Evidence,
    IhcScore,
    OverallResult,
    Policy,
    Reason,
    ResultWord,
    TumourSite,
)
from adapter.her2.overall import (
    Overall,
    adjudicate,
    beside_scores,
    can_adjudicate,
    combine_overall,
    overall_alone,
)
from adapter.her2.policy import ASCO_CAP_2023, BASIC
from adapter.her2.samples import in_fixed_order
from adapter.her2.table import Verdict, needs_review
from adapter.her2.which_count import SITE_NOT_STATED, Counting, sort_out

SCOPE = Reason(
    "invasive-breast-carcinoma-only",
    "The categories hold for the invasive component of breast carcinoma; no image was read.",
)
JOINED_BY_LINK = Reason(
    "joined-by-link",
    "A person, not the laboratory, joined these results to one sample.",
)
UNREADABLE_IHC = Reason(
    "unreadable-ihc",
    "An IHC result of this sample could not be read, so no kind of HER2-negative can follow.",
)


@dataclass(frozen=True)
class _Combined:
    """The results of one sample after repeats and recounts are resolved."""

    counting: Counting
    ihc: CombinedIhc
    ish: CombinedIsh
    overall: Overall


def classify(case: Case, policy: Policy = ASCO_CAP_2023) -> Classification:
    """Classify one tumour sample.

    Args:
        case: the results that were joined to one sample; their order does not matter.
        policy: ASCO_CAP_2023 or BASIC, with a site's choices.

    Returns:
        Exactly one classification, with the rule that fired and every reason; NO_RESULT where nothing usable is left,
        NOT_APPLICABLE where the tumour is no invasive breast cancer. Nothing is raised.

    """
    case = replace(case, evidence=in_fixed_order(case.evidence))
    counting = sort_out(case)
    combined = _Combined(
        counting,
        combine_ihc(counting.results, policy),
        combine_ish(counting.results, policy),
        combine_overall(counting.results),
    )
    verdict = _decide(combined, policy)
    answer = _classification(verdict, combined, policy)
    return replace(answer, limits=(*answer.limits, JOINED_BY_LINK)) if case.joined_by else answer


def verdict_of_tests(ihc: IhcReading, counts: IshCounts, policy: Policy) -> Verdict:
    """Evaluate IHC and ISH alone, as the policy does."""
    evaluate_by = evaluate_basic if policy.family == BASIC.family else evaluate
    return evaluate_by(ihc, counts)


def _decide(combined: _Combined, policy: Policy) -> Verdict:
    counting = combined.counting
    if counting.site is TumourSite.OTHER:
        return Verdict(Category.NOT_APPLICABLE, rules.NOT_BREAST)
    verdict = _from_results(combined, policy)
    if verdict.category is Category.NO_RESULT:
        return verdict
    if counting.site is TumourSite.NOT_STATED and policy.tumour_site == "required":
        return needs_review(rules.SITE_REQUIRED, SITE_NOT_STATED, *verdict.reasons)
    if counting.has_unreadable_ihc and verdict.category in (
        Category.NEGATIVE,
        Category.ULTRALOW,
        Category.LOW,
    ):
        return needs_review(rules.CONTRADICTION, UNREADABLE_IHC, *verdict.reasons)
    said_against = _asides_against(combined, verdict, policy)
    if said_against:
        return needs_review(rules.CONTRADICTION, *said_against, *verdict.reasons)
    concerns = (
        *counting.concerns,
        *combined.ihc.kept.concerns,
        *combined.ish.kept.concerns,
    )
    return verdict.with_review(*concerns) if concerns else verdict


def _asides_against(combined: _Combined, verdict: Verdict, policy: Policy) -> tuple[Reason, ...]:
    """Ask what notes and report conclusions say against the answer; an adjudication has settled it."""
    if verdict.rule is rules.ADJUDICATED:
        return ()
    kept = (combined.ihc.kept, combined.ish.kept)
    replaced = {name for one in kept for name, _ in one.set_aside}
    results = [e for e in combined.counting.results if e.source.reference not in replaced]
    ihc, ish = combined.ihc.reading, combined.ish.counts
    return asides.against(verdict.category, results, ihc=ihc, ish=ish, policy=policy)


def _from_results(combined: _Combined, policy: Policy) -> Verdict:
    counting, overall = combined.counting, combined.overall
    ihc, counts = combined.ihc.reading, combined.ish.counts
    verdict = verdict_of_tests(ihc, counts, policy)
    contradictions = (*counting.contradictions, *overall.contradictions)
    if contradictions:
        verdict = needs_review(rules.CONTRADICTION, *contradictions, *verdict.reasons)
    if verdict.category is Category.NO_RESULT:
        return _without_tests(counting, overall.word, policy)
    if overall.word is None:
        return verdict
    if _is_adjudication(combined, verdict):
        settled = adjudicate(verdict, overall.word, _scores_stated(combined.ihc.kept.results))
        return _basic_only(settled, policy)
    if verdict.category is Category.NEEDS_REVIEW:
        return verdict
    return _basic_only(beside_scores(verdict, overall.word, ihc.rows), policy)


def _without_tests(counting: Counting, word: ResultWord | None, policy: Policy) -> Verdict:
    if word is not None:
        return _basic_only(overall_alone(word), policy)
    if counting.preliminary_ihc:
        reason = Reason("ihc-preliminary", "The IHC result is preliminary.")
        return Verdict(Category.PENDING_IHC, rules.IHC_NOT_FINAL, reasons=(reason,))
    return Verdict(Category.NO_RESULT, rules.NOTHING_USABLE)


DECIDED_BY_OVERALL = frozenset({rules.OVERALL_ALONE, rules.OVERALL_REFINES, rules.ADJUDICATED})


def _basic_only(verdict: Verdict, policy: Policy) -> Verdict:
    """Keep the policy basic to its five lines: an overall result may agree, and decides nothing."""
    decided_by_overall = verdict.rule in DECIDED_BY_OVERALL
    if policy.family == BASIC.family and decided_by_overall:
        return needs_review(rules.BEYOND_BASIC, BEYOND, *verdict.reasons)
    return verdict


GROUP_RULES = frozenset({rules.SECOND_REVIEW_DUE, rules.SECOND_REVIEW_DIFFERS})
BETWEEN_RESULTS = frozenset({IHC_DIFFER, ISH_DIFFER, SECOND_POPULATION})
"""Contradictions between results, which a later adjudication settles; what one result says against itself stays."""


def _is_adjudication(combined: _Combined, verdict: Verdict) -> bool:
    """Whether the overall result settles what the tests left open (rules: Over 2+ with G2-G4; 11 b)."""
    overall, counting = combined.overall, combined.counting
    if overall.word is None or overall.contradictions or counting.contradictions:
        return False
    tests = tuple(e.source for e in counting.results if e not in overall.results)
    if verdict.rule in GROUP_RULES and combined.ihc.reading.rows == (IhcScore.TWO_PLUS,):
        is_final_word = overall.word in (ResultWord.POSITIVE, ResultWord.NEGATIVE)
        is_low = overall.word is ResultWord.LOW and overall.is_adjudicated
        return (is_final_word or is_low) and not overall.is_known_earlier_than(tests)
    counts = combined.ish.counts
    against_themselves = {
        reason.code
        for reading in (combined.ihc.reading, counts.first, counts.recount)
        if reading is not None
        for reason in reading.contradictions
    } - BETWEEN_RESULTS
    return (
        verdict.category is Category.NEEDS_REVIEW
        and not against_themselves
        and overall.is_adjudicated
        and overall.is_later_than(tests)
        and can_adjudicate(overall.word, _scores_stated(combined.ihc.kept.results))
    )


def _scores_stated(kept: Iterable[Evidence]) -> frozenset[IhcScore]:
    """Give every IHC score that some result stands for, a word by N3 and N6."""
    results = [e.ihc for e in kept if e.ihc is not None]
    scores = {score for ihc in results for score in ihc.scores}
    words = {ihc.word for ihc in results if ihc.word is not None and not ihc.scores}
    return frozenset(scores.union(*(WORD_AGREES_WITH.get(word, frozenset()) for word in words)))


def _classification(verdict: Verdict, combined: _Combined, policy: Policy) -> Classification:
    counting, ihc = combined.counting, combined.ihc.reading
    set_aside = (
        *counting.set_aside,
        *combined.ihc.kept.set_aside,
        *combined.ish.kept.set_aside,
        *combined.overall.set_aside,
    )
    used = {e.source.reference for e in counting.results} - {name for name, _ in set_aside}
    if verdict.rule is rules.IHC_NOT_FINAL:
        # What is awaited is this very result: an open answer says what it is about.
        used |= set(counting.preliminary_ihc)
    limits = [SCOPE, *ihc.limits]
    if counting.site is TumourSite.NOT_STATED:
        limits.append(SITE_NOT_STATED)
    word = combined.overall.word
    ish = combined.ish.counts.first
    return Classification(
        category=verdict.category,
        rule=verdict.rule,
        policy=policy.name,
        policy_version=policy.version,
        asco_cap=_status(verdict),
        ish_group=verdict.group,
        review=verdict.review,
        reasons=tuple(dict.fromkeys(verdict.reasons)),
        comments=verdict.comments,
        limits=tuple(limits),
        ihc_used=ihc.stated if ihc.is_usable or ihc.word else None,
        ish_used=None if ish.is_absent else ish.stated,
        overall_used=OverallResult(word) if word else None,
        used=tuple(sorted(used)),
        set_aside=tuple(sorted((row for row in set_aside if row[0] not in used), key=_reference)),
    )


def _reference(row: tuple[str, Reason]) -> str:
    return row[0]


def _status(verdict: Verdict) -> AscoCapStatus | None:
    is_pending = verdict.category.is_open and verdict.category is not Category.EQUIVOCAL
    return None if is_pending else verdict.asco_cap
