"""Reading a stated ISH result: numbers to ISH groups or single-probe bands, and where it contradicts itself.

Source: ASCO/CAP 2018 Fig 2 and 3 [G]; rules text N1, N2, Numbers and Earlier editions [P].
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from adapter.her2.criteria import (
    COPIES_EQUIVOCAL_FROM,
    COPIES_IMPLAUSIBLE_ABOVE,
    COPIES_POSITIVE_FROM,
    EDITION_2013_FROM,
    OLD_RATIO_NEGATIVE_BELOW,
    OLD_RATIO_POSITIVE_ABOVE,
    RATIO_POSITIVE_FROM,
    RATIO_TOLERANCE_ABSOLUTE,
    RATIO_TOLERANCE_RELATIVE,
    SECOND_POPULATION_ABOVE_PERCENT,
)
from adapter.her2.intervals import INFINITY, Interval
from adapter.her2.model import (
    Comparator,
    IshGroup,
    IshResult,
    Measurement,
    Policy,
    Probe,
    Reason,
    ResultWord,
)
from adapter.her2.table import (
    MIDDLE_COLUMNS,
    NEGATIVE_COLUMNS,
    POSITIVE_COLUMNS,
    IshColumn,
)
from adapter.her2.wording import ish_said

ANY_NUMBER = Interval(Decimal(0), INFINITY)

WORD_COLUMNS = {
    ResultWord.POSITIVE: IshColumn.G1,
    ResultWord.NEGATIVE: IshColumn.G5,
    ResultWord.EQUIVOCAL: IshColumn.EQUIVOCAL,
}
"""The column that a word without numbers reads as (N1)."""


@dataclass(frozen=True)
class IshReading:
    """What an ISH result means.

    `columns`: every column of the decision table that the numbers or the named group allow; empty without numbers.
    `word`: positive, negative, equivocal or indeterminate as the laboratory stated it, else None.
    `contradictions`: any makes the case needs-review. `concerns`: the category stands, with review.
    """

    columns: frozenset[IshColumn] = frozenset()
    word: ResultWord | None = None
    contradictions: tuple[Reason, ...] = ()
    concerns: tuple[Reason, ...] = ()
    reasons: tuple[Reason, ...] = ()
    stated: IshResult = field(default_factory=IshResult)

    @property
    def is_absent(self) -> bool:
        """Whether there is no ISH at all, or it was not done (N2)."""
        return not self.columns and self.word is None and not self.contradictions

    @property
    def is_indeterminate(self) -> bool:
        """Whether the laboratory could not read it (N2)."""
        return self.word is ResultWord.INDETERMINATE and not self.columns

    @property
    def candidates(self) -> frozenset[IshColumn]:
        """The columns to evaluate: from the numbers, else from the word."""
        if self.columns or self.word is None:
            return self.columns
        return frozenset({WORD_COLUMNS[self.word]}) if self.word in WORD_COLUMNS else frozenset()


def read_ish(stated: IshResult, policy: Policy, scored_at: str | None = None) -> IshReading:
    """Read one ISH result.

    Args:
        stated: as the laboratory stated it; numbers that belong together in one value.
        policy: its choice on earlier editions applies.
        scored_at: FHIR date of the test, or None.

    Returns:
        The reading; contradictions and concerns are named in it, never raised.

    """
    stated = _without_filler(stated)
    implausible = _implausible_numbers(stated)
    if implausible:
        return IshReading(contradictions=implausible, stated=stated)
    if stated.word is ResultWord.NOT_DONE and _has_numbers(stated):
        return IshReading(contradictions=(word_against_numbers(stated),), stated=stated)
    old = _read_old_cut_off(stated)
    if old is not None:
        return old
    reading = _read_numbers(stated)
    reading = replace(reading, word=_usable_word(stated))
    return _read_edition(reading, policy, scored_at)


def _has_numbers(stated: IshResult) -> bool:
    parts = (stated.ratio, stated.her2_copies, stated.cep17_copies, stated.stated_group)
    return any(part is not None for part in parts)


def _without_filler(stated: IshResult) -> IshResult:
    """Drop a lone 0, which some systems fill an empty number with [P]."""
    numbers = [n for n in (stated.ratio, stated.her2_copies, stated.cep17_copies) if n is not None]
    is_filler = len(numbers) == 1 and replace(numbers[0], text="") == Measurement(Decimal(0))
    if is_filler and stated.word is None and stated.stated_group is None:
        return replace(stated, ratio=None, her2_copies=None, cep17_copies=None)
    return stated


def _implausible_numbers(stated: IshResult) -> tuple[Reason, ...]:
    found = []
    for number in (stated.ratio, stated.her2_copies, stated.cep17_copies):
        if number is not None and (
            number.value <= 0 or (number.upper is not None and number.upper <= 0)
        ):
            found.append(Reason("ish-number-not-positive", "An ISH number is 0 or below."))
    for copies in (stated.her2_copies, stated.cep17_copies):
        if copies is not None and _is_a_total(copies):
            found.append(
                Reason(
                    "copies-look-like-totals",
                    "More than 50 copies per cell looks like a total of signals, not an average.",
                )
            )
    return tuple(dict.fromkeys(found))


def _is_a_total(copies: Measurement) -> bool:
    """Whether more than 50 copies per cell are stated, also as ">50"; ">6.0" is no such statement."""
    cells = Interval.of(copies)
    stated_end = cells.high if cells.high.is_finite() else cells.low
    is_open_ended = not cells.high.is_finite() and cells.low == COPIES_IMPLAUSIBLE_ABOVE
    return stated_end > COPIES_IMPLAUSIBLE_ABOVE or is_open_ended


def _read_old_cut_off(stated: IshResult) -> IshReading | None:
    """Take "<1.8" and ">2.2" alone for the words of ASCO/CAP 2007 that they are [P]."""
    ratio = stated.ratio
    alone = stated.her2_copies is None and stated.cep17_copies is None
    if ratio is None or not alone or stated.stated_group is not None:
        return None
    concerns: tuple[Reason, ...] = ()
    if ratio.comparator is Comparator.LESS and ratio.value == OLD_RATIO_NEGATIVE_BELOW:
        word = ResultWord.NEGATIVE
    elif ratio.comparator is Comparator.GREATER and ratio.value == OLD_RATIO_POSITIVE_ABOVE:
        word = ResultWord.POSITIVE
        concerns = (OLD_POSITIVE,)
    else:
        return None
    agrees = _usable_word(stated) in (None, word)
    contradictions = () if agrees else (word_against_numbers(stated),)
    reasons = (Reason("old-ratio-cut-off", "A bare cut-off of ASCO/CAP 2007 is read as a word."),)
    return IshReading(frozenset(), word, contradictions, concerns, reasons, stated)


OLD_POSITIVE = Reason(
    "old-ratio-positive", 'Only ">2.2" is stated; today the copies per cell would be needed too.'
)


def word_against_numbers(stated: IshResult) -> Reason:
    """Name a word, or a stated group, that its own numbers do not bear out, and both sides of it."""
    sentence = f"The laboratory's word on ISH does not agree with its numbers: {ish_said(stated)}."
    return Reason("ish-word-against-numbers", sentence)


def _usable_word(stated: IshResult) -> ResultWord | None:
    return None if stated.word is ResultWord.NOT_DONE else stated.word


def _read_numbers(stated: IshResult) -> IshReading:
    ratio, copies, cep17 = (
        Interval.of(number) if number is not None else None
        for number in (stated.ratio, stated.her2_copies, stated.cep17_copies)
    )
    named = frozenset({IshColumn[stated.stated_group.name]} if stated.stated_group else ())
    if ratio is None and copies is None:
        return IshReading(named, stated=stated)
    has_ratio_parts = ratio is not None or cep17 is not None or stated.stated_group is not None
    if stated.probe is Probe.SINGLE and has_ratio_parts:
        reason = Reason(
            "single-probe-with-ratio",
            "A ratio, CEP17 copies or a group are stated for a single probe.",
        )
        return IshReading(contradictions=(reason,), stated=stated)
    if stated.probe is Probe.SINGLE and copies is not None:
        return IshReading(_single_columns(copies), stated=stated)
    counted = copies.divided_by(cep17) if copies is not None and cep17 is not None else None
    columns = groups(ratio or counted or ANY_NUMBER, copies or ANY_NUMBER)
    reading = _compare_with_counts(IshReading(columns, stated=stated), counted)
    if named and not reading.contradictions:
        if not named & columns:
            return replace(reading, contradictions=(word_against_numbers(stated),))
        return replace(reading, columns=named)
    if stated.probe is None and not has_ratio_parts and copies is not None:
        return replace(reading, columns=columns | _single_columns(copies))
    return reading


def groups(ratio: Interval, copies: Interval) -> frozenset[IshColumn]:
    """Give every dual-probe ISH group that a ratio and HER2 copies per cell allow (Fig 3 [G])."""
    low_ratio = ratio.may_be_below(RATIO_POSITIVE_FROM)
    high_ratio = ratio.may_reach(RATIO_POSITIVE_FROM)
    few = copies.may_be_below(COPIES_EQUIVOCAL_FROM)
    middle = copies.may_reach(COPIES_EQUIVOCAL_FROM) and copies.may_be_below(COPIES_POSITIVE_FROM)
    many = copies.may_reach(COPIES_POSITIVE_FROM)
    allowed = {
        IshColumn.G1: high_ratio and (middle or many),
        IshColumn.G2: high_ratio and few,
        IshColumn.G3: low_ratio and many,
        IshColumn.G4: low_ratio and middle,
        IshColumn.G5: low_ratio and few,
    }
    return frozenset(column for column, is_allowed in allowed.items() if is_allowed)


def _single_columns(copies: Interval) -> frozenset[IshColumn]:
    """Give every single-probe band that HER2 copies per cell allow (Fig 2 [G])."""
    allowed = {
        IshColumn.SINGLE_6_OR_MORE: copies.may_reach(COPIES_POSITIVE_FROM),
        IshColumn.SINGLE_4_TO_6: copies.may_reach(COPIES_EQUIVOCAL_FROM)
        and copies.may_be_below(COPIES_POSITIVE_FROM),
        IshColumn.SINGLE_BELOW_4: copies.may_be_below(COPIES_EQUIVOCAL_FROM),
    }
    return frozenset(column for column, is_allowed in allowed.items() if is_allowed)


def _compare_with_counts(reading: IshReading, counted: Interval | None) -> IshReading:
    """Hold the reported ratio against HER2 copies / CEP17 copies [P]."""
    stated = reading.stated
    if counted is None or stated.ratio is None or stated.her2_copies is None:
        return reading
    if not groups(counted, Interval.of(stated.her2_copies)) & reading.columns:
        reason = Reason(
            "ratio-against-counts",
            f"The reported ratio and the ratio of the counts give different ISH groups: {ish_said(stated)}.",
        )
        return replace(reading, contradictions=(reason,))
    reported = Interval.of(stated.ratio)
    if not (counted.is_exact and reported.is_exact):
        return reading
    difference = abs(reported.low - counted.low)
    if (
        difference > RATIO_TOLERANCE_ABSOLUTE
        and difference > RATIO_TOLERANCE_RELATIVE * counted.low
    ):
        reason = Reason(
            "ratio-differs-from-counts",
            "The reported ratio differs from the ratio of the counts by more than 0.1 and 5 %.",
        )
        return replace(reading, concerns=(*reading.concerns, reason))
    return reading


def _read_edition(reading: IshReading, policy: Policy, scored_at: str | None) -> IshReading:
    """Distrust ISH words between the cut-offs of ASCO/CAP 2007 where the policy is strict [P]."""
    is_early = scored_at is not None and scored_at < EDITION_2013_FROM
    if not is_early or policy.earlier_editions != "strict" or reading.word is None:
        return reading
    ratio = reading.stated.ratio
    between = ratio is not None and _is_between_old_cut_offs(ratio)
    if between:
        reason = Reason(
            "ish-word-before-2013",
            "An ISH word of before October 2013 between 1.8 and 2.2 is not used.",
        )
        return replace(reading, word=None, reasons=(*reading.reasons, reason))
    if ratio is None and not reading.columns and reading.word is ResultWord.EQUIVOCAL:
        reason = Reason(
            "ish-equivocal-before-2013",
            'ISH "equivocal" of before October 2013 meant a ratio of 1.8 to 2.2.',
        )
        return replace(reading, contradictions=(*reading.contradictions, reason))
    return reading


def _is_between_old_cut_offs(ratio: Measurement) -> bool:
    interval = Interval.of(ratio)
    return not interval.may_be_below(OLD_RATIO_NEGATIVE_BELOW) and not interval.may_exceed(
        OLD_RATIO_POSITIVE_ABOVE
    )


def group_of(reading: IshReading) -> IshGroup | None:
    """Give the ISH group that the numbers or the laboratory name; None where several are possible or only a word."""
    if len(reading.columns) != 1:
        return None
    (column,) = reading.columns
    return column.group


def has_second_population(stated: IshResult) -> bool:
    """Whether a second cell population is reported, and not as one of at most 10 % of the cells [G 2013]."""
    percent = stated.population_percent
    is_small = percent is not None and not Interval.of(percent).may_exceed(
        SECOND_POPULATION_ABOVE_PERCENT
    )
    return stated.second_population and not is_small


def narrowed(reading: IshReading) -> frozenset[IshColumn]:
    """Give the columns that a result may mean, narrowed by its own word where that agrees with some of them."""
    agreeing = {
        ResultWord.POSITIVE: POSITIVE_COLUMNS,
        ResultWord.NEGATIVE: NEGATIVE_COLUMNS,
        ResultWord.EQUIVOCAL: MIDDLE_COLUMNS,
    }
    columns = reading.candidates
    agree = agreeing.get(reading.word, frozenset()) if reading.word is not None else columns
    return columns & agree or columns
