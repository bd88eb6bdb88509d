"""Which fields of a row contradict each other: the rules, read over the raw fields alone.

Shares no code with the adapter and knows nothing of how it reads. Each kind names the rule and the
categories that the rules give nevertheless; "positive*" is positive with review, and no other
definite category may follow.

Two kinds depend on what the word on IHC is sent as: by its column it is IHC's own word; a registry
that sends it as the overall HER2 status makes it the laboratory's conclusion (`as_overall`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Final

from tests.registries.tcga.fields import Sample

DEFINITE: Final = ("positive", "low", "ultralow", "negative", "negative-unspecified")
ANY_WITH_REVIEW: Final = tuple(f"{category}*" for category in DEFINITE)
MOST_COPIES: Final = Decimal(50)
D = Decimal


@dataclass(frozen=True)
class Kind:
    """One way in which fields contradict each other.

    `allowed`, `allowed_as_overall`: definite categories that the rules give in spite of it; with a
    star only together with review.
    """

    name: str
    rule: str
    holds: Callable[[Sample], bool]
    allowed: tuple[str, ...] = ()
    allowed_as_overall: tuple[str, ...] = ()
    only_as_overall: bool = False


def found_in(sample: Sample, *, as_overall: bool = False) -> Iterator[Kind]:
    """Name every contradiction between the fields of a sample."""
    for kind in KINDS:
        if (as_overall or not kind.only_as_overall) and kind.holds(sample):
            yield kind


def is_allowed(category: str, *, review: bool, kind: Kind, as_overall: bool) -> bool:
    """Tell whether the rules let a sample with this contradiction end so."""
    if category not in DEFINITE:
        return True
    allowed = kind.allowed_as_overall if as_overall else kind.allowed
    return category in allowed or (review and f"{category}*" in allowed)


# --- Numbers ---------------------------------------------------------------------------------------------------------


def bounds(text: str) -> tuple[Decimal, Decimal] | None:
    """Give the lowest and the highest value that a number stands for; None where it is none."""
    try:
        if text.startswith(">"):
            return D(text[1:]) + D("0.001"), D(1000)
        if text.startswith("<"):
            return D("0.001"), D(text[1:]) - D("0.001")
        return (D(text), D(text)) if text else None
    except InvalidOperation:
        return None


def groups(sample: Sample) -> set[int]:
    """Give the dual-probe groups (Fig 3) that ratio and copies allow; all of them without numbers."""
    copies = bounds(sample.copies) or (D("0.001"), D(1000))
    ratio = bounds(sample.ratio) or counted_ratio(sample) or (D("0.001"), D(1000))
    cuts_ratio = [x for x in (*ratio, D("1.9999"), D(2)) if ratio[0] <= x <= ratio[1]]
    cuts = (*copies, D("3.9999"), D(4), D("5.9999"), D(6))
    cuts_copies = [x for x in cuts if copies[0] <= x <= copies[1]]
    return {group_of(r, c) for r, c in product(cuts_ratio, cuts_copies)}


def group_of(ratio: Decimal, copies: Decimal) -> int:
    """ASCO/CAP 2018, Fig 3."""
    if ratio >= 2:
        return 1 if copies >= 4 else 2
    if copies >= 6:
        return 3
    return 4 if copies >= 4 else 5


def counted_ratio(sample: Sample) -> tuple[Decimal, Decimal] | None:
    """Divide the copies; only where both are plain numbers."""
    copies, cep17 = bounds(sample.copies), bounds(sample.cep17)
    if copies is None or cep17 is None or copies[0] != copies[1] or cep17[0] != cep17[1]:
        return None
    return copies[0] / cep17[0], copies[0] / cep17[0]


def _has_numbers(sample: Sample) -> bool:
    return (
        bounds(sample.ratio) is not None or bounds(sample.copies) is not None
    ) and not _has_totals(sample)


def _has_totals(sample: Sample) -> bool:
    stated = (bounds(sample.copies), bounds(sample.cep17))
    return any(number and number[0] == number[1] > MOST_COPIES for number in stated)


def _two_ratios(sample: Sample) -> tuple[Decimal, Decimal] | None:
    """Give the reported and the counted ratio where both are plain."""
    reported, counted = bounds(sample.ratio), counted_ratio(sample)
    if reported is None or counted is None or _has_totals(sample):
        return None
    return reported[0], counted[0]


def _ratio_in_another_group(sample: Sample) -> bool:
    ratios = _two_ratios(sample)
    copies = bounds(sample.copies)
    if ratios is None or copies is None:
        return False
    return group_of(ratios[0], copies[0]) != group_of(ratios[1], copies[0])


def _ratio_differs(sample: Sample) -> bool:
    ratios = _two_ratios(sample)
    if ratios is None or _ratio_in_another_group(sample):
        return False
    off = abs(ratios[0] - ratios[1])
    return off > D("0.1") and off > D("0.05") * max(ratios)


def _fish_word_against_numbers(sample: Sample) -> bool:
    """Tell whether no group that the numbers allow agrees with the laboratory's word."""
    if not _has_numbers(sample):
        return False
    word = sample.fish
    row = _row(sample)
    return word in _AGREES and not any(group in _AGREES[word](row) for group in groups(sample))


_AGREES: Final[dict[str, Callable[[str], tuple[int, ...]]]] = {
    "Positive": lambda row: (1, 2, 3, 4) if row == "3+" else (1,),
    "Negative": lambda row: (2, 3, 4, 5) if row in ("0", "1+") else (5,),
    "Equivocal": lambda _row: (2, 3, 4),
}
"""The groups that a word agrees with; positive and negative with 2 to 4 only where the IHC row ends so."""


def _row(sample: Sample) -> str:
    if sample.score:
        return sample.score
    return {"Negative": "0", "Equivocal": "2+", "Positive": "3+"}.get(sample.status, "none")


# --- The kinds -------------------------------------------------------------------------------------------------------


def _status_and_score(*words: str, scores: tuple[str, ...]) -> Callable[[Sample], bool]:
    return lambda one: one.status in words and one.score in scores


def _status_with_2_plus(word: str, *, fish: tuple[str, ...]) -> Callable[[Sample], bool]:
    return lambda one: one.status == word and one.score == "2+" and one.fish in fish


_AGREEMENT = "The laboratory's overall result, Beside scores [P]"
_SAME_TEST_TWICE = "Which results count 4 [P]"
_DISCORDANT = ("positive*",)

KINDS: Final = (
    Kind(
        "IHC called Positive, score 0 or 1+",
        _SAME_TEST_TWICE,
        _status_and_score("Positive", scores=("0", "1+")),
    ),
    Kind(
        "IHC called Positive, score 2+, FISH not positive",
        f"{_SAME_TEST_TWICE}; as overall result over group 2 to 4 it is the adjudication",
        _status_with_2_plus("Positive", fish=("", "Negative", "Equivocal", "Indeterminate")),
        allowed_as_overall=("positive*",),
    ),
    Kind(
        "IHC called Positive, score 2+, FISH positive",
        f"{_SAME_TEST_TWICE}; as overall result it agrees",
        _status_with_2_plus("Positive", fish=("Positive",)),
        allowed_as_overall=("positive",),
    ),
    Kind(
        "IHC called Negative, score 2+",
        f"{_SAME_TEST_TWICE}; as overall result over FISH negative it agrees",
        _status_and_score("Negative", scores=("2+",)),
        allowed_as_overall=("low",),
    ),
    Kind(
        "IHC called Negative, score 3+",
        _SAME_TEST_TWICE,
        _status_and_score("Negative", scores=("3+",)),
    ),
    Kind(
        "IHC called Equivocal, score 0, 1+ or 3+",
        f"{_SAME_TEST_TWICE}, N3",
        _status_and_score("Equivocal", scores=("0", "1+", "3+")),
    ),
    Kind(
        "IHC called Indeterminate, and a score",
        f"{_SAME_TEST_TWICE}, N4",
        _status_and_score("Indeterminate", scores=("0", "1+", "2+", "3+")),
    ),
    Kind(
        "HER2 called Equivocal, and FISH is positive or negative",
        _AGREEMENT,
        lambda one: one.status == "Equivocal" and one.fish in ("Positive", "Negative"),
        only_as_overall=True,
    ),
    Kind(
        "IHC called Positive without a score, FISH negative or equivocal",
        "N5 [P]",
        lambda one: (
            one.status == "Positive" and not one.score and one.fish in ("Negative", "Equivocal")
        ),
    ),
    Kind(
        "IHC called Negative, FISH positive",
        f'Decision table, "negative" with ISH positive [G]; as overall result: {_AGREEMENT}',
        lambda one: one.status == "Negative" and one.fish == "Positive",
        allowed=_DISCORDANT,
    ),
    Kind(
        "Score 0 or 1+, FISH positive",
        "Decision table, 0, 0+, 1+ with G1: Fig 3, 2013 table [G]",
        lambda one: one.score in ("0", "1+") and one.fish == "Positive",
        allowed=_DISCORDANT,
        allowed_as_overall=_DISCORDANT,
    ),
    Kind(
        "Score 3+, FISH negative",
        "Decision table, 3+ with G5: 2013 table [G]",
        lambda one: one.score == "3+" and one.fish == "Negative",
        allowed=_DISCORDANT,
        allowed_as_overall=_DISCORDANT,
    ),
    Kind(
        "Score 1+ or 3+, in less than 10 % of cells",
        "Numbers: percentages [P]",
        lambda one: one.score in ("1+", "3+") and one.percent == "<10%",
    ),
    Kind(
        "IHC called Positive without a score, in less than 10 % of cells",
        "N5 reads it as 3+; Numbers: percentages [P]; an overall result alone stands",
        lambda one: one.status == "Positive" and not one.score and one.percent == "<10%",
        allowed_as_overall=("positive",),
    ),
    Kind(
        "More than 50 copies a cell: totals of all cells counted",
        "Numbers: copies >50 [P]",
        _has_totals,
    ),
    Kind(
        "FISH Positive, and the copies are called not amplified",
        "Which results count 8; Numbers: the word against the numbers [P]",
        lambda one: one.fish == "Positive" and one.copies == "not amplified",
    ),
    Kind(
        "FISH word against its own ratio or copies",
        "Numbers: the laboratory's word against the numbers [P]",
        _fish_word_against_numbers,
    ),
    Kind(
        "Reported ratio in another ISH group than the counts",
        "Numbers: the reported ratio contradicts the counts [P]",
        _ratio_in_another_group,
    ),
    Kind(
        "Reported ratio off from the counts, in the same group",
        "Numbers: off by more than 0.1 and more than 5 %, the category stands with review [P]",
        _ratio_differs,
        allowed=ANY_WITH_REVIEW,
        allowed_as_overall=ANY_WITH_REVIEW,
    ),
)
