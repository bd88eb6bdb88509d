"""The laboratory's own overall result, alone and beside scores: agreement, refinement, adjudication.

Source: rules text, The laboratory's overall result, Which results count 11 [P]; adjudication of groups 2-4 Fig 4-6 [G].
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapter.her2 import rules
from adapter.her2.dates import is_later
from adapter.her2.model import (
    Adjudication,
    AscoCapStatus,
    Category,
    Evidence,
    IhcScore,
    Reason,
    ResultWord,
    Source,
)
from adapter.her2.table import Verdict, needs_review
from adapter.her2.wording import sides

NEGATIVE_KINDS = frozenset(
    {Category.NEGATIVE, Category.ULTRALOW, Category.LOW, Category.NEGATIVE_UNSPECIFIED}
)
PENDING = frozenset(
    {Category.PENDING_IHC, Category.PENDING_SECOND_REVIEW, Category.PENDING_DUAL_PROBE}
)

AGREES_WITH = {
    ResultWord.POSITIVE: frozenset({Category.POSITIVE}),
    ResultWord.NEGATIVE: NEGATIVE_KINDS,
    ResultWord.EQUIVOCAL: PENDING | {Category.EQUIVOCAL},
    ResultWord.LOW: frozenset({Category.LOW}),
    ResultWord.ULTRALOW: frozenset({Category.ULTRALOW}),
    ResultWord.INDETERMINATE: frozenset({Category.INDETERMINATE}),
    ResultWord.NEGATIVE_OR_EQUIVOCAL: NEGATIVE_KINDS | PENDING | {Category.EQUIVOCAL},
}
"""Which categories an overall result agrees with; "negative" with IHC 1+ is no contradiction: low is negative."""

MEANS = {
    ResultWord.POSITIVE: (Category.POSITIVE, AscoCapStatus.POSITIVE),
    ResultWord.NEGATIVE: (Category.NEGATIVE_UNSPECIFIED, AscoCapStatus.NEGATIVE),
    ResultWord.EQUIVOCAL: (Category.EQUIVOCAL, AscoCapStatus.EQUIVOCAL),
    ResultWord.INDETERMINATE: (Category.INDETERMINATE, AscoCapStatus.INDETERMINATE),
    ResultWord.LOW: (Category.LOW, AscoCapStatus.NEGATIVE),
    ResultWord.ULTRALOW: (Category.ULTRALOW, AscoCapStatus.NEGATIVE),
}
"""What an overall result alone gives."""


@dataclass(frozen=True)
class Overall:
    """The one overall result of a sample, or the contradiction between several.

    `results`: the Observations that state it. `is_adjudicated`: the laboratory says it is its final word.
    """

    word: ResultWord | None = None
    results: tuple[Evidence, ...] = ()
    is_adjudicated: bool = False
    set_aside: tuple[tuple[str, Reason], ...] = ()
    contradictions: tuple[Reason, ...] = ()

    def is_later_than(self, sources: tuple[Source, ...]) -> bool:
        """Whether some statement of it is certainly later than each of these results."""
        return any(
            all(is_later(own.source, than=other) for other in sources) for own in self.results
        )

    def is_known_earlier_than(self, sources: tuple[Source, ...]) -> bool:
        """Whether one of these results is certainly later than every statement of it."""
        return any(
            all(is_later(other, than=own.source) for own in self.results) for other in sources
        )


def combine_overall(results: tuple[Evidence, ...]) -> Overall:
    """Find the sample's one overall result; a later adjudication outranks what was stated before it."""
    stated = [e for e in results if _word(e) not in (None, ResultWord.NOT_DONE)]
    if not stated:
        return Overall()
    words = {word for e in stated for word in conclusions_of(e)}
    if len(words) == 1:
        return _overall(tuple(stated))
    adjudicated = tuple(e for e in stated if _is_adjudicated(e))
    others = tuple(e for e in stated if not _is_adjudicated(e))
    if len({word for e in adjudicated for word in conclusions_of(e)}) == 1:
        final = _overall(adjudicated)
        if final.is_later_than(tuple(e.source for e in others)):
            reason = Reason("superseded-by-adjudication", "A later adjudicated result stands.")
            return replace(final, set_aside=tuple((e.source.reference, reason) for e in others))
    said = sides(word.value for word in words)
    reason = Reason(
        "overall-results-differ",
        f"Overall results of this sample differ, and none is a later adjudication: {said}.",
    )
    return Overall(results=tuple(stated), contradictions=(reason,))


def _overall(results: tuple[Evidence, ...]) -> Overall:
    return Overall(_word(results[0]), results, any(map(_is_adjudicated, results)))


def _word(evidence: Evidence) -> ResultWord | None:
    """Give the conclusion stated, the laboratory's overall result before "low" under an IHC code."""
    return next(iter(conclusions_of(evidence)), None)


def conclusions_of(evidence: Evidence) -> list[ResultWord]:
    """Give every conclusion stated; "low" alone under an IHC code is one, because no score is called so."""
    ihc = evidence.ihc
    is_conclusion = ihc is not None and not ihc.scores and ihc.word is ResultWord.LOW
    overall = [evidence.overall.word] if evidence.overall is not None else []
    return [*overall, ResultWord.LOW] if is_conclusion else overall


def _is_adjudicated(evidence: Evidence) -> bool:
    overall = evidence.overall
    return overall is not None and overall.adjudication is Adjudication.ADJUDICATED


def overall_alone(word: ResultWord) -> Verdict:
    """Take the laboratory's own conclusion as stated, where nothing else is usable [P].

    A word that merges two results says too little alone; beside scores it may agree with them.
    """
    if word is ResultWord.NEGATIVE_OR_EQUIVOCAL:
        return needs_review(
            rules.CONTRADICTION,
            Reason(
                "overall-merges-two-results",
                "The overall result stands for negative and for equivocal alike.",
            ),
        )
    category, status = MEANS[word]
    verdict = Verdict(category, rules.OVERALL_ALONE, status)
    if word is ResultWord.INDETERMINATE:
        return verdict.with_review(
            Reason("overall-indeterminate", "The laboratory's overall result is indeterminate.")
        )
    return verdict


KIND_OF = {
    ResultWord.LOW: frozenset({IhcScore.ONE_PLUS, IhcScore.TWO_PLUS}),
    ResultWord.ULTRALOW: frozenset({IhcScore.ZERO, IhcScore.ZERO_PLUS}),
}
"""Which scores an overall low or ultralow can be a kind of."""


def beside_scores(verdict: Verdict, word: ResultWord, rows: tuple[IhcScore, ...]) -> Verdict:
    """Hold the overall result against what the scores gave: agreement, refinement or needs-review [P]."""
    if verdict.category in AGREES_WITH[word]:
        return verdict
    is_unspecified = verdict.category is Category.NEGATIVE_UNSPECIFIED
    may_be_stained = any(reason.code == "staining-not-stated" for reason in verdict.reasons)
    is_a_kind = word in KIND_OF and (not rows or bool(KIND_OF[word] & set(rows)))
    is_open_zero = word is ResultWord.ULTRALOW and verdict.category is Category.NEGATIVE
    if is_a_kind and (is_unspecified or (is_open_zero and may_be_stained)):
        category, status = MEANS[word]
        return replace(verdict, category=category, asco_cap=status, rule=rules.OVERALL_REFINES)
    reason = Reason(
        "overall-against-scores",
        f'The overall result "{word}" does not agree with the single results, which give'
        f" {verdict.category.value}.",
    )
    return needs_review(rules.CONTRADICTION, reason, *verdict.reasons)


def can_adjudicate(word: ResultWord, stated: frozenset[IhcScore]) -> bool:
    """Whether a final word can be about these scores: ultralow is a kind of 0, and needs one."""
    if word not in MEANS:
        return False
    is_zero = bool(stated & {IhcScore.ZERO, IhcScore.ZERO_PLUS}) or not stated
    return word is not ResultWord.ULTRALOW or is_zero


def adjudicate(verdict: Verdict, word: ResultWord, stated: frozenset[IhcScore]) -> Verdict:
    """Let the laboratory's final word settle a case (Fig 4-6 [G]).

    "Negative" over scores that are all 1+ or 2+ means low ("low" [P]); over others its kind stays open.
    """
    category, status = MEANS[word]
    if word is ResultWord.NEGATIVE and stated and stated <= {IhcScore.ONE_PLUS, IhcScore.TWO_PLUS}:
        category = Category.LOW
    reason = Reason(
        "adjudicated", "The laboratory's final overall result is taken as its adjudication."
    )
    return Verdict(
        category,
        rules.ADJUDICATED,
        status,
        review=True,
        reasons=(reason, *verdict.reasons),
        comments=verdict.comments
        or (
            (rules.GROUP_COMMENTS[verdict.group],) if verdict.group in rules.GROUP_COMMENTS else ()
        ),
        group=verdict.group,
    )
