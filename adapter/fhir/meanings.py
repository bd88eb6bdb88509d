"""The vocabulary's spelling of meanings ("2+", "1+..2+", "group-3") as values of the core."""

from __future__ import annotations

from typing import Final

from adapter.her2.model import Assay, Comparator, IhcScore, IshGroup, Measurement, ResultWord
from adapter.terminology.vocabulary import RANGE, Answer, TestRole

_SCALE: Final = (
    IhcScore.ZERO,
    IhcScore.ZERO_PLUS,
    IhcScore.ONE_PLUS,
    IhcScore.TWO_PLUS,
    IhcScore.THREE_PLUS,
)
_ISH_WORDS: Final = {
    Answer.AMPLIFIED.value: ResultWord.POSITIVE,
    Answer.NOT_AMPLIFIED.value: ResultWord.NEGATIVE,
}
_RESULT_WORDS: Final = {word.value: word for word in ResultWord} | _ISH_WORDS
_SCORES: Final = {score.value: score for score in IhcScore}
_GROUPS: Final = {f"group-{group.value}": group for group in IshGroup}
_HIGHEST: Final = 10
"""Above it a number is no score of any scale."""
_DIGITS: Final = {
    0: IhcScore.ZERO,
    1: IhcScore.ONE_PLUS,
    2: IhcScore.TWO_PLUS,
    3: IhcScore.THREE_PLUS,
}
ASSAY_OF_ROLE: Final = {
    TestRole.IHC: Assay.IHC,
    TestRole.IHC_UNIFORM_INTENSE_PERCENT: Assay.IHC,
    TestRole.ISH: Assay.ISH,
    TestRole.RATIO: Assay.ISH,
    TestRole.HER2_COPIES: Assay.ISH,
    TestRole.CEP17_COPIES: Assay.ISH,
    TestRole.OVERALL: Assay.OVERALL,
    TestRole.PANEL: Assay.ISH,
}
"""The test that a recognised code reports; the only panel known is one of ISH."""


def scores_of(meaning: str) -> tuple[IhcScore, ...] | None:
    """Read "2+" as that score, "0..2+" as each score between its ends; None for all else."""
    low, _, high = meaning.partition(RANGE)
    first, last = _SCORES.get(low), _SCORES.get(high or low)
    if first is None or last is None:
        return None
    return (first,) if first is last else score_range(first, last)


def scores_of_number(number: Measurement) -> tuple[IhcScore, ...] | None:
    """Read a score given as a plain number under an IHC test: 2 is 2+, 1 to 2 is a range.

    Empty for a whole number up to 10 off the scale, which is a score of another kind; None for all
    else.
    """
    ends = (number.value, number.value if number.upper is None else number.upper)
    if any(end.as_tuple().exponent != 0 or not 0 <= end <= _HIGHEST for end in ends):
        return None
    if number.comparator is not Comparator.EXACT:
        return None
    first, last = _DIGITS.get(int(ends[0])), _DIGITS.get(int(ends[1]))
    if first is None or last is None:
        return ()
    return (first,) if first is last else score_range(first, last)


def score_range(first: IhcScore, last: IhcScore) -> tuple[IhcScore, ...] | None:
    """Name each score of a range, ascending; None when it does not ascend.

    0+ is in it only as an end: a laboratory that writes "0-1+" speaks of the scale 0, 1+, 2+, 3+.
    """
    low, high = _SCALE.index(first), _SCALE.index(last)
    if low >= high:
        return None
    inside = _SCALE[low : high + 1]
    return tuple(s for s in inside if s is not IhcScore.ZERO_PLUS or s in (first, last))


def ish_group_of(meaning: str) -> IshGroup | None:
    """Read "group-1" … "group-5"; None for all else."""
    return _GROUPS.get(meaning)


def result_word_of(meaning: str) -> ResultWord | None:
    """Read "positive", "not-done", "amplified" and so on; None for all else."""
    return _RESULT_WORDS.get(meaning)
