"""From readings to one verdict: words, ranges and incomplete numbers become rows and columns of the decision table.

Source: rules text, "Before the table" N1-N6 and Numbers [G] and [P]; the cells themselves stand in `table`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from adapter.her2 import rules
from adapter.her2.ihc import IhcReading
from adapter.her2.ish import IshReading, group_of, word_against_numbers
from adapter.her2.model import AscoCapStatus, Category, IhcScore, Reason, ResultWord
from adapter.her2.table import (
    GROUPS_2_TO_4,
    MIDDLE_COLUMNS,
    NEGATIVE_COLUMNS,
    POSITIVE_COLUMNS,
    IshColumn,
    SecondReview,
    Verdict,
    decide,
    indeterminate,
    needs_review,
)

NO_IHC = IhcReading()
NO_ISH = IshReading()


@dataclass(frozen=True)
class IshCounts:
    """The ISH of one sample: the first count and, where there is one, the blinded recount."""

    first: IshReading = NO_ISH
    recount: IshReading | None = None


def evaluate(ihc: IhcReading, counts: IshCounts) -> Verdict:
    """Evaluate one sample's IHC and ISH under the decision table.

    Args:
        ihc: the IHC reading; NO_IHC where there is none.
        counts: the ISH readings; IshCounts() where there is none.

    Returns:
        One verdict; NO_RESULT where nothing usable is stated.

    """
    contradictions = (
        *ihc.contradictions,
        *counts.first.contradictions,
        *(counts.recount.contradictions if counts.recount else ()),
    )
    if contradictions:
        return needs_review(rules.CONTRADICTION, *contradictions)
    if ihc.word is ResultWord.POSITIVE:
        verdict = _positive_without_score(counts)
    elif ihc.rows:
        verdict = _join_rows([_evaluate_row(row, counts) for row in ihc.rows])
    elif ihc.word is ResultWord.INDETERMINATE and _has_no_columns(counts):
        verdict = indeterminate(
            Reason("ihc-indeterminate", "The laboratory could not read the IHC.")
        )
    else:
        verdict = _evaluate_row(None, counts)
    return _finish(verdict, ihc, counts)


def _finish(verdict: Verdict, ihc: IhcReading, counts: IshCounts) -> Verdict:
    """Add what the readings themselves say; the group is what the numbers or the laboratory named."""
    concerns = (*counts.first.concerns, *(counts.recount.concerns if counts.recount else ()))
    explained = (*ihc.reasons, *counts.first.reasons)
    verdict = replace(
        verdict, reasons=verdict.reasons + explained + concerns, group=group_of(counts.first)
    )
    return replace(verdict, review=verdict.review or bool(concerns))


def _has_no_columns(counts: IshCounts) -> bool:
    return counts.first.is_absent or counts.first.is_indeterminate


def _positive_without_score(counts: IshCounts) -> Verdict:
    """N5: "positive" without a score reads as 3+ unless ISH is anything but positive [P]."""
    ish = counts.first
    if _has_no_columns(counts) or ish.candidates <= POSITIVE_COLUMNS:
        verdict = _evaluate_row(IhcScore.THREE_PLUS, counts)
        return replace(verdict, rule=rules.IHC_POSITIVE_WITHOUT_SCORE)
    reason = Reason(
        "ihc-positive-without-score", 'IHC "positive" without a score may be an over-called 2+.'
    )
    return needs_review(rules.IHC_POSITIVE_AGAINST_ISH, reason)


def _evaluate_row(row: IhcScore | None, counts: IshCounts) -> Verdict:
    first = counts.first
    if first.is_absent:
        return decide(row, IshColumn.NONE)
    if first.is_indeterminate:
        if row is IhcScore.TWO_PLUS or row is None:
            return indeterminate(
                Reason("ish-indeterminate", "The laboratory could not read the ISH.")
            )
        return decide(row, IshColumn.NONE)
    if counts.recount is None:
        return _evaluate_count(row, first, SecondReview.NOT_DONE)
    if row is IhcScore.TWO_PLUS:
        return _evaluate_recount(first, counts.recount)
    both = [_evaluate_count(row, count, SecondReview.NOT_DONE) for count in (first, counts.recount)]
    if both[0].category is both[1].category:
        return both[0]
    return needs_review(rules.CONTRADICTION, RECOUNT_DIFFERS)


RECOUNT_DIFFERS = Reason("recount-differs", "The recount leads to another category.")


def _evaluate_recount(first: IshReading, recount: IshReading) -> Verdict:
    """IHC 2+ with two counts: the second review of Fig 4-6 where the groups are 2-4 [G]."""
    if recount.is_absent or recount.is_indeterminate:
        return _evaluate_count(IhcScore.TWO_PLUS, first, SecondReview.NOT_DONE)
    same = first.candidates == recount.candidates
    if same and len(first.candidates) == 1:
        both = [
            _evaluate_count(IhcScore.TWO_PLUS, count, SecondReview.SAME_GROUP)
            for count in (first, recount)  # each is held against its own word
        ]
        return next((v for v in both if v.category is Category.NEEDS_REVIEW), both[0])
    if first.candidates <= GROUPS_2_TO_4 and not same:
        return _evaluate_count(IhcScore.TWO_PLUS, first, SecondReview.OTHER_GROUP)
    return needs_review(rules.CONTRADICTION, RECOUNT_DIFFERS)


def _evaluate_count(row: IhcScore | None, ish: IshReading, second: SecondReview) -> Verdict:
    """Evaluate every column that one count allows; the laboratory's own word narrows them first [P]."""
    cells = {column: decide(row, column, second) for column in ish.candidates}
    if ish.columns and ish.word is not None:
        cells = {c: v for c, v in cells.items() if _word_agrees(ish.word, c, v)}
    if not cells:
        return needs_review(rules.CONTRADICTION, word_against_numbers(ish.stated))
    verdicts = [cells[column] for column in sorted(cells, key=lambda column: column.name)]
    if len({verdict.category for verdict in verdicts}) > 1:
        reason = Reason(
            "ish-groups-possible",
            "The ISH numbers given allow groups that end in different categories.",
        )
        return needs_review(rules.NUMBERS_INCOMPLETE, reason)
    if len(verdicts) == 1:
        return verdicts[0]
    chosen = next((v for v in verdicts if not v.review), verdicts[0])
    return replace(chosen, comments=(), asco_cap=_common_status(verdicts))


def _word_agrees(word: ResultWord, column: IshColumn, verdict: Verdict) -> bool:
    """Whether the laboratory's word can stand beside a column; in the middle, only as the row ends."""
    match word:
        case ResultWord.POSITIVE:
            in_the_middle = verdict.asco_cap is AscoCapStatus.POSITIVE
            return column in POSITIVE_COLUMNS or (column in MIDDLE_COLUMNS and in_the_middle)
        case ResultWord.NEGATIVE:
            in_the_middle = verdict.asco_cap is AscoCapStatus.NEGATIVE
            return column in NEGATIVE_COLUMNS or (column in MIDDLE_COLUMNS and in_the_middle)
        case ResultWord.EQUIVOCAL:
            return column in MIDDLE_COLUMNS
        case _:
            return False


def _common_status(verdicts: list[Verdict]) -> AscoCapStatus | None:
    statuses = {verdict.asco_cap for verdict in verdicts}
    return statuses.pop() if len(statuses) == 1 else None


def _join_rows(verdicts: list[Verdict]) -> Verdict:
    """N6: what stands for several scores is evaluated for each; one category, or the least said [P]."""
    categories = {verdict.category for verdict in verdicts}
    if len(categories) == 1:
        return _joined(verdicts, verdicts[0])
    undecided = [v for v in verdicts if v.category.is_open or _is_indeterminate(v)]
    another_is_positive = Category.POSITIVE in categories
    if undecided:
        chosen = _joined(verdicts, undecided[0])
        chosen = replace(chosen, review=any(v.review for v in undecided))
        if another_is_positive:
            return chosen.with_review(
                Reason("one-score-positive", "One of the scores it stands for would be positive.")
            )
        return chosen
    if another_is_positive:
        reason = Reason("scores-disagree", "One of the scores it stands for would be positive.")
        return needs_review(rules.SEVERAL_SCORES, reason)
    chosen = _joined(verdicts, verdicts[0])
    return replace(
        chosen,
        category=Category.NEGATIVE_UNSPECIFIED,
        rule=rules.SEVERAL_SCORES,
        asco_cap=AscoCapStatus.NEGATIVE,
    )


def _is_indeterminate(verdict: Verdict) -> bool:
    return verdict.category is Category.INDETERMINATE


def _joined(verdicts: list[Verdict], chosen: Verdict) -> Verdict:
    """Join the flags of all rows to the chosen verdict."""
    return replace(
        chosen,
        review=any(verdict.review for verdict in verdicts),
        reasons=tuple(dict.fromkeys(reason for v in verdicts for reason in v.reasons)),
        comments=tuple(dict.fromkeys(comment for v in verdicts for comment in v.comments)),
    )
