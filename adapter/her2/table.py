"""The decision table, one IHC row against one ISH column, as the guideline prints it.

Source: ASCO/CAP 2018 focused update, figures 1-6 (affirmed 2023); ASCO/CAP 2013 table for discordant results; T-DXd
labels for low and ultralow. What is stated in words or in part becomes rows and columns in `evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from adapter.her2 import rules
from adapter.her2.model import AscoCapStatus, Category, IhcScore, IshGroup, Reason, Rule


class IshColumn(Enum):
    """A column of the table. EQUIVOCAL is ISH called equivocal without numbers: group 4, not yet recounted (N1)."""

    NONE = "none"
    G1 = "G1"
    G2 = "G2"
    G3 = "G3"
    G4 = "G4"
    G5 = "G5"
    EQUIVOCAL = "equivocal"
    SINGLE_6_OR_MORE = "single ≥6"
    SINGLE_4_TO_6 = "single 4-5.9"
    SINGLE_BELOW_4 = "single <4"

    @property
    def group(self) -> IshGroup | None:
        """The ISH group of a dual-probe column; None for the others."""
        return IshGroup[self.name] if self.name in IshGroup.__members__ else None


GROUPS_2_TO_4 = frozenset({IshColumn.G2, IshColumn.G3, IshColumn.G4, IshColumn.EQUIVOCAL})
MIDDLE_COLUMNS = GROUPS_2_TO_4 | {IshColumn.SINGLE_4_TO_6}
POSITIVE_COLUMNS = frozenset({IshColumn.G1, IshColumn.SINGLE_6_OR_MORE})
NEGATIVE_COLUMNS = frozenset({IshColumn.G5, IshColumn.SINGLE_BELOW_4})


class SecondReview(Enum):
    """What a blinded recount gave, where the table asks for one."""

    NOT_DONE = "not done"
    SAME_GROUP = "same group again"
    OTHER_GROUP = "another group"


@dataclass(frozen=True)
class Verdict:
    """What one cell of the table says; also what cells joined by N6 and the numbers say together."""

    category: Category
    rule: Rule
    asco_cap: AscoCapStatus | None = None
    review: bool = False
    reasons: tuple[Reason, ...] = ()
    comments: tuple[Reason, ...] = ()
    group: IshGroup | None = None

    def with_review(self, *reasons: Reason) -> Verdict:
        """Give the same verdict, for a human to look at, with further reasons."""
        return replace(self, review=True, reasons=self.reasons + reasons)


POSITIVE, NEGATIVE = AscoCapStatus.POSITIVE, AscoCapStatus.NEGATIVE
DISCORDANT = Reason("discordant", "IHC and ISH are discordant.")

NEGATIVE_ROWS = {
    IhcScore.ZERO: (Category.NEGATIVE, rules.IHC_0),
    IhcScore.ZERO_PLUS: (Category.ULTRALOW, rules.IHC_0_PLUS),
    IhcScore.ONE_PLUS: (Category.LOW, rules.IHC_1_PLUS),
}


def needs_review(rule: Rule, *reasons: Reason) -> Verdict:
    """Leave the case to a human; ASCO/CAP has no status for it."""
    return Verdict(Category.NEEDS_REVIEW, rule, review=True, reasons=reasons)


def indeterminate(*reasons: Reason) -> Verdict:
    """Say that the laboratory could not read what would decide (N2, N4); always with review."""
    return Verdict(
        Category.INDETERMINATE, rules.INDETERMINATE, AscoCapStatus.INDETERMINATE, True, reasons
    )


def decide(
    ihc: IhcScore | None, ish: IshColumn, second: SecondReview = SecondReview.NOT_DONE
) -> Verdict:
    """Read one cell of the decision table.

    Args:
        ihc: the row; None where there is no usable IHC.
        ish: the column; IshColumn.NONE where there is no usable ISH.
        second: the blinded recount, which the table asks for at 2+ with groups 2-4 only.

    Returns:
        The verdict. `group` is set for dual-probe columns.

    """
    match ihc:
        case None:
            verdict = _without_ihc(ish)
        case IhcScore.TWO_PLUS:
            verdict = _two_plus(ish, second)
        case IhcScore.THREE_PLUS:
            verdict = _three_plus(ish)
        case _:
            verdict = _zero_to_one_plus(ihc, ish)
    return replace(verdict, group=ish.group)


def _without_ihc(ish: IshColumn) -> Verdict:
    match ish:
        case IshColumn.NONE:
            return Verdict(Category.NO_RESULT, rules.NOTHING_USABLE)
        case IshColumn.G1:
            return Verdict(Category.POSITIVE, rules.ISH_POSITIVE, POSITIVE)
        case IshColumn.G2 | IshColumn.G3 | IshColumn.G4 | IshColumn.EQUIVOCAL:
            return Verdict(Category.PENDING_IHC, rules.GROUP_2_TO_4_WITHOUT_IHC)
        case IshColumn.G5:
            return Verdict(Category.NEGATIVE_UNSPECIFIED, rules.ISH_NEGATIVE_WITHOUT_IHC, NEGATIVE)
        case IshColumn.SINGLE_6_OR_MORE:
            reason = Reason("ihc-missing", "Single-probe ISH is positive and no IHC is there.")
            return Verdict(Category.POSITIVE, rules.SINGLE_POSITIVE, POSITIVE, True, (reason,))
        case IshColumn.SINGLE_4_TO_6:
            return Verdict(Category.PENDING_IHC, rules.SINGLE_MIDDLE_WITHOUT_IHC)
        case IshColumn.SINGLE_BELOW_4:
            return Verdict(
                Category.NEGATIVE_UNSPECIFIED, rules.SINGLE_NEGATIVE_WITHOUT_IHC, NEGATIVE
            )


def _zero_to_one_plus(ihc: IhcScore, ish: IshColumn) -> Verdict:
    category, own_rule = NEGATIVE_ROWS[ihc]
    match ish:
        case IshColumn.NONE | IshColumn.G5:
            return Verdict(category, own_rule, NEGATIVE)
        case IshColumn.G1:
            return Verdict(
                Category.POSITIVE, rules.ISH_POSITIVE_IHC_NEGATIVE, POSITIVE, True, (DISCORDANT,)
            )
        case IshColumn.SINGLE_6_OR_MORE:
            return Verdict(Category.POSITIVE, rules.SINGLE_POSITIVE, POSITIVE, True, (DISCORDANT,))
        case IshColumn.SINGLE_4_TO_6:
            return Verdict(category, rules.SINGLE_MIDDLE_IHC_NEGATIVE, NEGATIVE)
        case IshColumn.SINGLE_BELOW_4:
            return Verdict(category, rules.SINGLE_NEGATIVE, NEGATIVE)
        case _:
            comments = (_comment(ish),)
            return Verdict(category, rules.GROUP_2_TO_4_IHC_NEGATIVE, NEGATIVE, comments=comments)


def _two_plus(ish: IshColumn, second: SecondReview) -> Verdict:
    match ish:
        case IshColumn.NONE:
            return Verdict(Category.EQUIVOCAL, rules.IHC_2_PLUS, AscoCapStatus.EQUIVOCAL)
        case IshColumn.G1:
            return Verdict(Category.POSITIVE, rules.IHC_2_PLUS_ISH_POSITIVE, POSITIVE)
        case IshColumn.G5:
            return Verdict(Category.LOW, rules.IHC_2_PLUS_ISH_NEGATIVE, NEGATIVE)
        case IshColumn.SINGLE_6_OR_MORE:
            return Verdict(Category.POSITIVE, rules.SINGLE_POSITIVE, POSITIVE)
        case IshColumn.SINGLE_4_TO_6:
            return Verdict(Category.PENDING_DUAL_PROBE, rules.SINGLE_MIDDLE_IHC_2)
        case IshColumn.SINGLE_BELOW_4:
            return Verdict(Category.LOW, rules.SINGLE_NEGATIVE, NEGATIVE)
        case _:
            return _two_plus_group_2_to_4(ish, second)


def _two_plus_group_2_to_4(ish: IshColumn, second: SecondReview) -> Verdict:
    if second is SecondReview.NOT_DONE:
        reason = Reason("second-review-due", "A blinded recount of at least 20 cells is due.")
        return Verdict(
            Category.PENDING_SECOND_REVIEW, rules.SECOND_REVIEW_DUE, review=True, reasons=(reason,)
        )
    if second is SecondReview.OTHER_GROUP:
        reason = Reason("recount-other-group", "The recount gave another ISH group.")
        return needs_review(rules.SECOND_REVIEW_DIFFERS, reason)
    if ish is IshColumn.G3:
        return Verdict(Category.POSITIVE, rules.SECOND_REVIEW_POSITIVE, POSITIVE)
    verdict = Verdict(
        Category.LOW, rules.SECOND_REVIEW_NEGATIVE, NEGATIVE, comments=(_comment(ish),)
    )
    if ish is IshColumn.G2:
        return verdict.with_review(
            Reason(
                "ish-group-2-confirmed", "ISH group 2 in both counts is rare and deserves a look."
            )
        )
    return verdict


def _three_plus(ish: IshColumn) -> Verdict:
    match ish:
        case IshColumn.G5 | IshColumn.SINGLE_BELOW_4:
            return Verdict(
                Category.POSITIVE, rules.IHC_3_PLUS_ISH_NEGATIVE, POSITIVE, True, (DISCORDANT,)
            )
        case IshColumn.SINGLE_6_OR_MORE:
            return Verdict(Category.POSITIVE, rules.SINGLE_POSITIVE, POSITIVE)
        case IshColumn.SINGLE_4_TO_6:
            return Verdict(Category.POSITIVE, rules.SINGLE_MIDDLE_IHC_3, POSITIVE)
        case _:
            return Verdict(Category.POSITIVE, rules.IHC_3_PLUS, POSITIVE)


def _comment(ish: IshColumn) -> Reason:
    return rules.GROUP_COMMENTS[ish.group] if ish.group else rules.ISH_EQUIVOCAL_COMMENT
