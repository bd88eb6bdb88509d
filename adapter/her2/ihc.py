"""Reading a stated IHC result: which score rows it stands for, and where it contradicts itself.

Source: ASCO/CAP 2018 Fig 1 [G]; rules text N3-N6, Numbers (percentages) and Earlier editions [P].
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from adapter.her2.criteria import (
    EDITION_2013_FROM,
    STAINED_CELLS_ABOVE_PERCENT,
    ZERO_PLUS_MEANS_ULTRALOW_FROM,
)
from adapter.her2.intervals import Interval
from adapter.her2.model import (
    IhcResult,
    IhcScore,
    Measurement,
    Policy,
    Reason,
    ResultWord,
    Staining,
)
from adapter.her2.wording import measured, scores_text

ZERO, ZERO_PLUS, ONE, TWO, THREE = IhcScore
NEGATIVE_SCORES = (ZERO, ZERO_PLUS, ONE)

WORD_AGREES_WITH = {
    ResultWord.NEGATIVE: frozenset(NEGATIVE_SCORES),
    ResultWord.EQUIVOCAL: frozenset({TWO}),
    ResultWord.POSITIVE: frozenset({THREE}),
    ResultWord.LOW: frozenset({ONE, TWO}),
    ResultWord.ULTRALOW: frozenset({ZERO, ZERO_PLUS}),
}
"""Which scores a word beside them means; indeterminate and not done agree with none."""


@dataclass(frozen=True)
class IhcReading:
    """What an IHC result means.

    `rows`: the score rows it stands for, ascending; empty when nothing usable is stated.
    `word`: POSITIVE or INDETERMINATE where that word alone is stated (N4, N5), else None.
    `contradictions`: any makes the case needs-review. `reasons` explain; `limits` qualify.
    """

    rows: tuple[IhcScore, ...] = ()
    word: ResultWord | None = None
    contradictions: tuple[Reason, ...] = ()
    reasons: tuple[Reason, ...] = ()
    limits: tuple[Reason, ...] = ()
    staining_stated: bool = True
    stated: IhcResult = field(default_factory=IhcResult)

    @property
    def is_usable(self) -> bool:
        """Whether it gives a row, or positive without a score."""
        return bool(self.rows) or self.word is ResultWord.POSITIVE


def read_ihc(stated: IhcResult, policy: Policy, scored_at: str | None = None) -> IhcReading:
    """Read one IHC result.

    Args:
        stated: as the laboratory stated it.
        policy: its choices on "0+" and on earlier editions apply.
        scored_at: FHIR date of the test, or None; decides the guideline's edition.

    Returns:
        The reading; contradictions are named in it, never raised.

    """
    if stated.off_scale:
        return IhcReading(contradictions=(OFF_SCALE,), stated=stated)
    reading = _read_zero_plus(stated, policy, scored_at) if stated.scores else _read_word(stated)
    contradictions = _contradictions(reading)
    if contradictions:
        return replace(reading, contradictions=contradictions)
    return _read_edition(_read_zero(reading), policy, scored_at)


OFF_SCALE = Reason(
    "ihc-score-off-scale", "An IHC score is stated that is not on the 0 to 3+ scale."
)
IMPLAUSIBLE = Reason("percent-implausible", "A share of cells is not between 0 and 100 %.")


def _read_word(stated: IhcResult) -> IhcReading:
    match stated.word:
        case ResultWord.NEGATIVE:
            reason = Reason("ihc-negative-without-score", 'IHC is "negative" without a score.')
            return IhcReading(NEGATIVE_SCORES, reasons=(reason,), stated=stated)
        case ResultWord.EQUIVOCAL:
            reason = Reason("ihc-equivocal-reads-as-2-plus", 'IHC "equivocal" reads as 2+.')
            return IhcReading((TWO,), reasons=(reason,), stated=stated)
        case ResultWord.ULTRALOW:
            return IhcReading((ZERO_PLUS,), stated=stated)
        case ResultWord.POSITIVE | ResultWord.INDETERMINATE:
            return IhcReading(word=stated.word, stated=stated)
        case _:
            return IhcReading(stated=stated)


def _read_zero_plus(stated: IhcResult, policy: Policy, scored_at: str | None) -> IhcReading:
    """Settle what "0+" means here: ultralow, or plain 0 (Earlier editions [P])."""
    reading = IhcReading(stated.scores, stated=stated)
    if ZERO_PLUS not in stated.scores or policy.zero_plus == "ultralow":
        return reading
    if policy.zero_plus == "zero":
        reason = Reason("zero-plus-means-zero", '"0+" means 0, staining not stated, at this site.')
    elif scored_at is not None and scored_at < ZERO_PLUS_MEANS_ULTRALOW_FROM:
        reason = Reason(
            "zero-plus-before-2024", '"0+" before 2024 is read as 0, staining not stated.'
        )
    else:
        return reading
    rows = dict.fromkeys(ZERO if score is ZERO_PLUS else score for score in stated.scores)
    return replace(reading, rows=tuple(rows), reasons=(reason,))


def _contradictions(reading: IhcReading) -> tuple[Reason, ...]:
    """Name what speaks against the scores; what stands for several is held against each of them (N6)."""
    stated = reading.stated
    found = []
    agrees = WORD_AGREES_WITH.get(stated.word, frozenset()) if stated.word else frozenset()
    if stated.scores and stated.word is not None and not set(reading.rows) & agrees:
        sentence = f'IHC is called "{stated.word}" beside its score {scores_text(stated.scores)}.'
        found.append(Reason("ihc-word-against-score", sentence))
    if (
        stated.word is ResultWord.ULTRALOW
    ):  # says that faint staining was seen: no staining is against it
        found += _pattern_against_score(ZERO_PLUS, stated.staining, stated.percent)
    for row in reading.rows or ((THREE,) if reading.word is ResultWord.POSITIVE else ()):
        found += _pattern_against_score(row, stated.staining, stated.percent)
        if stated.uniform_intense_percent is not None:
            found += _uniform_intense_against_score(row, stated.uniform_intense_percent)
    return tuple(dict.fromkeys(found))


PATTERNS_OF = {
    ZERO: frozenset({Staining.NONE, Staining.FAINT_INCOMPLETE}),
    ZERO_PLUS: frozenset({Staining.FAINT_INCOMPLETE}),
    ONE: frozenset({Staining.FAINT_INCOMPLETE}),
    TWO: frozenset({Staining.WEAK_TO_MODERATE_COMPLETE, Staining.INTENSE_COMPLETE}),
    THREE: frozenset({Staining.INTENSE_COMPLETE}),
}
"""Which staining pattern a score can have [G Fig 1]."""


def _pattern_against_score(
    score: IhcScore, staining: Staining | None, percent: Measurement | None
) -> list[Reason]:
    if staining is not None and staining not in PATTERNS_OF[score]:
        return [
            Reason(
                "staining-against-score",
                f"The staining pattern stated ({staining.value}) does not belong to IHC {score.value}.",
            )
        ]
    if percent is None:
        return []
    cells = Interval.of(percent)
    if _is_no_share(cells):
        return [IMPLAUSIBLE]
    if staining is Staining.FAINT_INCOMPLETE and cells.is_exact and cells.high == 0:
        return [Reason("percent-against-staining", "Faint staining is stated in 0 % of cells.")]
    if staining is Staining.NONE and not cells.may_be_at_most(Decimal(0)):
        return [Reason("percent-against-staining", "No staining is stated, and a share of cells.")]
    return _percent_against_score(score, staining, percent)


def _percent_against_score(
    score: IhcScore, staining: Staining | None, percent: Measurement
) -> list[Reason]:
    cells = Interval.of(percent)
    few = _is_at_most_ten(cells)
    many = _is_above_ten(cells)
    unclear = not few and not many
    match score:
        case IhcScore.ZERO:
            wrong = staining is not Staining.NONE and not few and cells.high > 0
        case IhcScore.ZERO_PLUS:
            wrong = not few or (cells.is_exact and cells.high == 0)
        case IhcScore.ONE_PLUS | IhcScore.THREE_PLUS:
            wrong = not many
        case IhcScore.TWO_PLUS if staining is Staining.INTENSE_COMPLETE:
            wrong = not few
        case IhcScore.TWO_PLUS if staining is Staining.WEAK_TO_MODERATE_COMPLETE:
            wrong = not many
        case _:
            wrong = (cells.is_exact and cells.high == 0) or (unclear and staining is not None)
    if not wrong:
        return []
    return [
        Reason(
            "percent-against-score",
            f"The share of stained cells stated ({measured(percent)} %) does not belong to IHC {score.value}.",
        )
    ]


def _is_no_share(cells: Interval) -> bool:
    highest = cells.high if cells.high.is_finite() else cells.low
    return cells.low < 0 or highest > 100


def _is_at_most_ten(cells: Interval) -> bool:
    return not cells.may_exceed(STAINED_CELLS_ABOVE_PERCENT)


def _is_above_ten(cells: Interval) -> bool:
    """Whether all are above 10 %; the common wording ">=10 %" counts as above."""
    open_ended = not cells.high.is_finite()
    if open_ended:
        return cells.low >= STAINED_CELLS_ABOVE_PERCENT
    return not cells.may_be_at_most(STAINED_CELLS_ABOVE_PERCENT)


def _uniform_intense_against_score(score: IhcScore, percent: Measurement) -> list[Reason]:
    """Hold LOINC 85328-3, a share of intense complete staining, against the score."""
    cells = Interval.of(percent)
    if _is_no_share(cells):
        return [IMPLAUSIBLE]
    if score in NEGATIVE_SCORES:
        wrong = not (cells.low == 0 and not cells.low_open)
    elif score is TWO:
        wrong = not _is_at_most_ten(cells)
    else:
        wrong = not _is_above_ten(cells)
    if not wrong:
        return []
    return [
        Reason(
            "uniform-intense-percent-against-score",
            f"The share of cells with uniform intense staining ({measured(percent)} %) does not belong to"
            f" IHC {score.value}.",
        )
    ]


def _read_zero(reading: IhcReading) -> IhcReading:
    """Tell 0 without staining, 0 with faint staining (ultralow) and 0 with nothing stated apart."""
    if reading.rows != (ZERO,) or not reading.stated.scores:
        return reading
    staining, percent = reading.stated.staining, reading.stated.percent
    cells = Interval.of(percent) if percent else None
    if staining is Staining.NONE or (staining is None and cells and cells.high == 0):
        reason = Reason("no-staining", "No membrane staining is stated.")
        return replace(reading, reasons=(*reading.reasons, reason))
    stained = cells is not None and (cells.low > 0 or cells.low_open)
    if staining is Staining.FAINT_INCOMPLETE or stained:
        reason = Reason(
            "zero-with-staining", "IHC 0 with staining in at most 10 % of cells reads as ultralow."
        )
        return replace(reading, rows=(ZERO_PLUS,), reasons=(*reading.reasons, reason))
    reason = Reason("staining-not-stated", "Whether any staining was seen is not stated.")
    return replace(reading, reasons=(*reading.reasons, reason), staining_stated=False)


def _read_edition(reading: IhcReading, policy: Policy, scored_at: str | None) -> IhcReading:
    """Take scores read under ASCO/CAP 2007 as the policy says (Earlier editions [P])."""
    if scored_at is None or scored_at >= EDITION_2013_FROM:
        return reading
    limit = Reason(
        "scored-before-2013",
        "Scored before October 2013, under ASCO/CAP 2007: 1+ in any share of cells, 3+ above 30 %.",
    )
    reading = replace(reading, limits=(*reading.limits, limit))
    if policy.earlier_editions == "strict" and ONE in reading.rows:
        rows = tuple(dict.fromkeys((*NEGATIVE_SCORES, *reading.rows)))
        return replace(reading, rows=rows)
    return reading
