"""Ratio and copies to ISH groups: both sides of each cut-off, incomplete and contradictory numbers, percentages."""

from __future__ import annotations

import pytest

from adapter.her2 import classify
from adapter.her2.ihc import read_ihc
from adapter.her2.ish import read_ish
from adapter.her2.model import IhcResult, IhcScore, IshResult, ResultWord, Staining
from adapter.her2.policy import ASCO_CAP_2023
from tests.unit.her2.builders import case, evidence, ihc, ish


def columns(result: IshResult) -> set[str]:
    return {column.name for column in read_ish(result, ASCO_CAP_2023).columns}


@pytest.mark.parametrize(
    ("ratio", "copies", "expected"),
    [
        ("2.0", "4.0", "G1"),
        ("1.99", "4.0", "G4"),
        ("2.0", "3.99", "G2"),
        ("1.99", "3.99", "G5"),
        ("1.99", "5.99", "G4"),
        ("1.99", "6.0", "G3"),
        ("2.0", "6.0", "G1"),
        ("1.999999999999999999", "4", "G4"),
        (">=2.0", ">6.0", "G1"),
        ("<2.0", "<4.0", "G5"),
    ],
)
def test_ratio_and_copies_give_one_group(ratio: str, copies: str, expected: str) -> None:
    assert columns(ish(ratio=ratio, copies=copies, probe="dual")) == {expected}


@pytest.mark.parametrize(
    ("copies", "expected"),
    [
        ("6.0", "SINGLE_6_OR_MORE"),
        ("5.99", "SINGLE_4_TO_6"),
        ("4.0", "SINGLE_4_TO_6"),
        ("3.99", "SINGLE_BELOW_4"),
        (">6.0", "SINGLE_6_OR_MORE"),
        ("<4.0", "SINGLE_BELOW_4"),
    ],
)
def test_single_probe_copies_give_one_band(copies: str, expected: str) -> None:
    assert columns(ish(copies=copies, probe="single")) == {expected}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (ish(ratio="2.1"), {"G1", "G2"}),
        (ish(ratio="1.9"), {"G3", "G4", "G5"}),
        (ish(copies="6.5", probe="dual"), {"G1", "G3"}),
        (ish(copies="5.0", probe="dual"), {"G1", "G4"}),
        (ish(copies="3.0", probe="dual"), {"G2", "G5"}),
        (ish(copies="6.5"), {"G1", "G3", "SINGLE_6_OR_MORE"}),
        (ish(copies="6.2", cep17="3.5"), {"G3"}),
        (ish(ratio=">1.5", copies="5"), {"G1", "G4"}),
    ],
)
def test_missing_numbers_leave_every_group_that_they_allow(
    numbers: IshResult, expected: set[str]
) -> None:
    assert columns(numbers) == expected


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        (ish(ratio="2.0", copies="4.1", cep17="2.1"), "ratio-against-counts"),
        (ish(ratio="1.1", copies="172", cep17="156"), "copies-look-like-totals"),
        (ish(ratio="-1", copies="3"), "ish-number-not-positive"),
        (ish("negative", ratio="0"), "ish-number-not-positive"),
        (ish(ratio="1.2", copies="3", probe="single"), "single-probe-with-ratio"),
        (ish("negative", ratio=">2.2"), "ish-word-against-numbers"),
    ],
)
def test_numbers_that_contradict_need_review(numbers: IshResult, reason: str) -> None:
    answer = classify(case(ihc("2+"), numbers))

    assert (answer.category, answer.review) == ("needs-review", True)
    assert reason in {r.code for r in answer.reasons}


def test_a_ratio_a_little_off_its_counts_stands_with_review() -> None:
    answer = classify(case(ihc("2+"), ish(ratio="1.2", copies="2.0", cep17="2.0", probe="dual")))

    assert (answer.category, answer.review) == ("low", True)
    assert "ratio-differs-from-counts" in {r.code for r in answer.reasons}


@pytest.mark.parametrize(("reported", "review"), [("1.10", False), ("1.11", True)])
def test_the_tolerance_of_a_ratio_is_a_tenth(reported: str, review: bool) -> None:
    answer = classify(case(ihc("2+"), ish(ratio=reported, copies="2.0", cep17="2.0")))

    assert answer.review is review


@pytest.mark.parametrize(
    ("score", "numbers", "expected"),
    [
        ("3+", ish(ratio="1.5"), "positive"),
        ("1+", ish(ratio="1.5"), "low"),
        ("2+", ish(ratio="2.1"), "needs-review"),
        ("2+", ish("negative", ratio="1.5"), "low"),
        ("2+", ish("positive", ratio="2.1"), "positive"),
        ("2+", ish("positive", ratio="1.5", copies="2.0"), "needs-review"),
        ("2+", ish("equivocal", ratio="1.5"), "pending-second-review"),
        ("1+", ish("negative", ratio="1.5", copies="5"), "low"),
        ("2+", ish("negative", ratio="1.5", copies="5"), "needs-review"),
        ("2+", ish(ratio="0"), "equivocal"),
        ("2+", ish(ratio="<1.8"), "low"),
        ("2+", ish(ratio="1.4"), "needs-review"),
        ("2+", ish("indeterminate", ratio="1.4", copies="2"), "needs-review"),
    ],
)
def test_word_and_incomplete_numbers_together(
    score: str, numbers: IshResult, expected: str
) -> None:
    assert classify(case(ihc(score), numbers)).category == expected


def test_3_plus_with_a_low_ratio_alone_needs_no_review() -> None:
    assert classify(case(ihc("3+"), ish(ratio="1.5"))).review is False


def test_greater_than_2_2_alone_is_positive_with_review() -> None:
    answer = classify(case(ihc("2+"), ish(ratio=">2.2")))

    assert (answer.category, answer.review) == ("positive", True)


@pytest.mark.parametrize(
    ("result", "row"),
    [
        (ihc("0"), "0"),
        (ihc("0", staining=Staining.NONE), "0"),
        (ihc("0", percent="0"), "0"),
        (ihc("0", percent="<10"), "0"),
        (ihc("0", percent="5"), "0+"),
        (ihc("0", percent="10"), "0+"),
        (ihc("0", staining=Staining.FAINT_INCOMPLETE), "0+"),
        (ihc("0", staining=Staining.FAINT_INCOMPLETE, percent="<=10"), "0+"),
        (ihc("2+", staining=Staining.INTENSE_COMPLETE, percent="10"), "2+"),
        (ihc("2+", uniform="5"), "2+"),
        (ihc("3+", percent=">=10"), "3+"),
        (ihc("1+", percent="10.1"), "1+"),
        (ihc("3+", uniform="80"), "3+"),
    ],
)
def test_percentages_and_staining_that_fit_their_score(result, row: str) -> None:
    reading = read_ihc(result, ASCO_CAP_2023)

    assert reading.contradictions == ()
    assert [score.value for score in reading.rows] == [row]


@pytest.mark.parametrize(
    "result",
    [
        ihc("1+", percent="10"),
        ihc("3+", percent="10"),
        ihc("3+", percent="8", staining=Staining.INTENSE_COMPLETE),
        ihc("0", staining=Staining.FAINT_INCOMPLETE, percent="10.1"),
        ihc("0", staining=Staining.FAINT_INCOMPLETE, percent="0"),
        ihc("0+", percent="0"),
        ihc("0+", staining=Staining.NONE),
        ihc("2+", staining=Staining.WEAK_TO_MODERATE_COMPLETE, percent="10"),
        ihc("2+", staining=Staining.INTENSE_COMPLETE, percent="11"),
        ihc("3+", uniform="10"),
        ihc("3+", uniform="120"),
        ihc("3+", uniform=">120"),
        ihc("3+", percent=">=101"),
        ihc("positive", uniform="101"),
        ihc("2+", uniform="11"),
        ihc("1+", uniform="5"),
        ihc("3+", staining=Staining.FAINT_INCOMPLETE),
        ihc("1+", word="positive"),
        ihc("3+", word="negative"),
        ihc("0", staining=Staining.NONE, percent="5"),
    ],
)
def test_percentages_and_words_against_their_score_contradict(result) -> None:
    assert read_ihc(result, ASCO_CAP_2023).contradictions
    assert classify(case(result)).category == "needs-review"


@pytest.mark.parametrize(
    ("score", "word"),
    [("0", "negative"), ("1+", "negative"), ("2+", "equivocal"), ("3+", "positive")],
)
def test_the_word_that_means_the_score_may_stand_beside_it(score: str, word: str) -> None:
    assert read_ihc(ihc(score, word=word), ASCO_CAP_2023).rows == (IhcScore(score),)


def test_the_reason_says_whether_staining_was_stated() -> None:
    silent, stated = classify(case(ihc("0"))), classify(case(ihc("0", percent="0")))

    assert "staining-not-stated" in {r.code for r in silent.reasons}
    assert "no-staining" in {r.code for r in stated.reasons}


def test_a_percentage_sent_as_a_result_of_its_own_is_held_against_the_score() -> None:
    alone = ihc("1+", uniform="40")
    supporting = evidence(type(alone)(uniform_intense_percent=alone.uniform_intense_percent), "2")

    assert classify(case(evidence(ihc("1+")), supporting)).category == "needs-review"
    assert classify(case(evidence(ihc("3+")), supporting)).category == "positive"
    assert classify(case(supporting)).category == "needs-review"
    assert classify(case(supporting, ish("negative"))).category == "needs-review"


@pytest.mark.parametrize(
    "result",
    [
        ihc("negative", uniform="90"),
        ihc("negative", percent="90", staining=Staining.INTENSE_COMPLETE),
        ihc("0..1+", uniform="50"),
        ihc("positive", staining=Staining.NONE),
        ihc("positive", percent="0"),
        ihc("1+..2+", percent="5"),
        ihc("equivocal", uniform="50"),
    ],
)
def test_a_word_or_range_is_held_against_its_percentages_too(result) -> None:
    assert classify(case(result)).category == "needs-review"


def test_a_little_intense_staining_without_a_score_is_no_ihc() -> None:
    little = type(ihc())(uniform_intense_percent=ihc("1+", uniform="5").uniform_intense_percent)

    assert classify(case(evidence(little))).category == "no-result"


@pytest.mark.parametrize(
    ("score", "word", "percent", "category"),
    [("0", "negative", "5", "ultralow"), ("2+", "equivocal", "<10", "equivocal")],
)
def test_a_percentage_of_its_own_belongs_to_the_score_and_not_to_the_word_beside_it(
    score: str, word: str, percent: str, category: str
) -> None:
    """ "Negative" alone stands for 1+ too, which 5 % would contradict; the score says which it is."""
    share = type(ihc())(percent=ihc("0", percent=percent).percent)

    assert classify(case(ihc(score), ihc(word), share)).category == category
    assert classify(case(ihc("1+"), ihc("negative"), share)).category == "needs-review"


def test_ultralow_beside_a_0_without_any_staining_contradicts_itself() -> None:
    stated = IhcResult((IhcScore.ZERO,), ResultWord.ULTRALOW, staining=Staining.NONE)
    found = read_ihc(stated, ASCO_CAP_2023).contradictions
    assert [reason.code for reason in found] == ["staining-against-score"]
